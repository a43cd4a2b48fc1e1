"""What every file here begins with: nothing that an earlier one has left."""

import pytest

from integration import observer


@pytest.fixture(scope="module", autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> None:
    """Have no Domain of an earlier file be at work, which would answer to this one's issuers and be counted.

    Its namespaces go as well, with whatever it has made there by hand that looks like the operator's.
    """
    module = request.path
    if any(item.path == module and "cluster" in getattr(item, "fixturenames", ()) for item in request.session.items):
        cluster = request.getfixturevalue("cluster")
        observer.alone(cluster)
        cluster.close()
