"""Every Ingress that the golden files show is one that the API server takes."""

from pathlib import Path

import pytest
import yaml

GOLDEN = Path(__file__).parents[1] / "golden"
FOLDERS = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir() and any(path.glob("*.yaml")))


@pytest.fixture(scope="module")
def namespace(cluster):
    return cluster.namespace("accepted")


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_api_server_takes_them(cluster, namespace, folder):
    documents = [
        document
        for path in sorted((GOLDEN / folder).glob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
        if isinstance(document, dict) and document.get("kind") == "Ingress"
    ]
    for number, document in enumerate(documents):
        document["metadata"] |= {"namespace": namespace, "name": f"{document['metadata']['name']}-{number}"}
    if not documents:
        return  # a dialect that writes no Ingress
    text = yaml.safe_dump_all(documents)
    said = cluster.kubectl("apply", "--dry-run=server", "-f", "-", input=text)
    assert said.count("created (server dry run)") == len(documents), said
