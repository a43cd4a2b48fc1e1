"""Everything in the golden files is taken by the API server, by the definitions of the controllers themselves."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cluster.handle import Cluster
from integration import every_kind

GOLDEN = Path(__file__).parents[1] / "golden"
FOLDERS = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir() and any(path.glob("*.yaml")))


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace in a cluster that knows the kinds of all controllers."""
    with every_kind.known(cluster):
        yield cluster.namespace("accepted")


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_api_server_takes_them(cluster: Cluster, namespace: str, folder: str) -> None:
    documents = [
        document
        for path in sorted((GOLDEN / folder).glob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
        for document in (document if isinstance(document, list) else [document])
        if isinstance(document, dict) and "kind" in document
    ]
    assert documents
    for number, document in enumerate(documents):
        document["metadata"] |= {"namespace": namespace, "name": f"{document['metadata']['name']}-{number}"}
    said = cluster.kubectl("apply", "--dry-run=server", "-f", "-", input=yaml.safe_dump_all(documents))
    assert said.count("created (server dry run)") == len(documents), said
