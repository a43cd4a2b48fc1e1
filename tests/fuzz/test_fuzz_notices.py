"""That what looks for mistakes finds them: servers that do wrong, each in one way."""

import pytest

from fuzz.campaign import Result, run
from fuzz.surfaces import running

_PATIENCE, _GRACE = 0.5, 2.0
_SLOW = 22


def watched(fault: str, *families: str, slow: int = 0) -> Result:
    """A short campaign against a server with a fault."""
    with running("answerer", fault) as server:
        return run(server, seed="1", number=0, slow=slow, patience=_PATIENCE, grace=_GRACE, families=families)


@pytest.mark.parametrize(
    ("fault", "family", "noticed"),
    [
        ("reflects", "targets", {"an answer repeats markup that was sent"}),
        ("answers POST", "methods", {"a key authorization that nobody has rightly asked for"}),
        (
            "logs requests",
            "headers",
            {"a secret is logged", "headers with credentials are logged", "a traceback is logged"},
        ),
        ("tells its traceback", "targets", {"an answer of 500", "an answer tells of the inside"}),
        ("ends", "targets", {"the server has ended", "no connection", "a good request is not answered after"}),
        ("blocks", "targets", {"a good request waits for long meanwhile"}),
        ("hoards", "headers", {"memory has grown", "descriptors are left open"}),
        ("says too much", "methods", {"an answer is too large"}),
    ],
)
def test_a_server_that_does_wrong_is_noticed(fault: str, family: str, noticed: set[str]) -> None:
    assert noticed <= set(watched(fault, family).wrong)


@pytest.mark.parametrize("fault", ["waits for ever", "lets clients take nothing"])
def test_a_server_that_lets_slow_clients_stay_is_noticed(fault: str) -> None:
    assert set(watched(fault, "methods", slow=_SLOW).wrong) == {"slow clients are not cut"}


def test_one_that_does_right_is_not_complained_of() -> None:
    result = watched("none", "methods", "headers", slow=_SLOW)
    assert not result.wrong, result.told()
