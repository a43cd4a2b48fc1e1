"""From the definitions of the version before to those of today: what is stored stays, and its status can be written.

crds_before/ holds the definitions as they were. Both get another API group here, so that no operator is in between.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.errors import ClusterError
from cluster.handle import Cluster
from integration.test_crds import CONDITION, LEAST, STATUS

Object = dict[str, Any]

HERE = Path(__file__).parent
BEFORE, TODAY = HERE / "crds_before", HERE.parents[1] / "crds"
GROUP = "upgrade.certward.dev"
PLURALS = {"App": "apps", "Domain": "domains", "TLSPolicy": "tlspolicies"}
FULL = {
    "App": {
        "service": {"name": "shop", "port": 8080},
        "paths": [{"path": "/api", "service": {"name": "api", "port": "http"}}],
        "certificates": {"automatic": True, "keyType": "ECDSA-P256"},
        "network": {"trustedRanges": ["192.0.2.0/24"]},
        "httpsRedirect": False,
    },
    "Domain": {"hostname": "kept.example.com", "appRef": {"name": "shop"}},
    "TLSPolicy": {
        "profile": "modern",
        "targetRefs": [{"kind": "App", "name": "shop"}],
        "hsts": {"maxAge": 300, "includeSubDomains": True},
    },
}


def definitions(folder: Path) -> str:
    found = []
    for path in sorted(folder.glob("[!k]*.yaml")):
        definition = yaml.safe_load(path.read_text(encoding="utf-8"))
        definition["spec"]["group"] = GROUP
        definition["metadata"]["name"] = f"{definition['spec']['names']['plural']}.{GROUP}"
        definition["spec"]["names"]["categories"] = []  # `get certward` is for the real ones
        found.append(definition)
    assert len(found) == len(PLURALS)
    return yaml.safe_dump_all(found)


def install(cluster: Cluster, folder: Path) -> None:
    cluster.kubectl("apply", "--server-side", "-f", "-", input=definitions(folder))
    cluster.until_served(*(f"{plural}.{GROUP}" for plural in PLURALS.values()))


def get(cluster: Cluster, namespace: str, kind: str, name: str) -> Object:
    found: Object = json.loads(cluster.kubectl("-n", namespace, "get", f"{PLURALS[kind]}.{GROUP}", name, "-o", "json"))
    return found


def write_status(cluster: Cluster, namespace: str, kind: str, name: str, status: Object) -> None:
    cluster.kubectl(
        "-n", namespace, "patch", f"{PLURALS[kind]}.{GROUP}", name, "--subresource=status", "--type=merge",
        "-p", json.dumps({"status": status}),
    )  # fmt: skip


@pytest.fixture(scope="module")
def upgraded(cluster: Cluster) -> Iterator[tuple[str, dict[str, Object]]]:
    """A namespace with objects stored under the definitions before, and those objects as they were then."""
    install(cluster, BEFORE)
    namespace, before = cluster.namespace("upgrade"), {}
    for kind in PLURALS:
        for name, spec in (("full", FULL[kind]), ("least", LEAST[kind])):
            body = {"apiVersion": f"{GROUP}/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
            cluster.wait_for(
                lambda body=body: cluster.kubectl("-n", namespace, "apply", "-f", "-", input=json.dumps(body)),
                30,
                "the kind is served",
                ignore=(ClusterError,),
            )
        write_status(cluster, namespace, kind, "full", {**STATUS[kind], "conditions": [CONDITION]})
        before[kind] = get(cluster, namespace, kind, "full")
    install(cluster, TODAY)
    cluster.wait_for(
        lambda: get(cluster, namespace, "Domain", "least").get("status") == {"observedGeneration": -1},
        30,
        "today's definitions are served",
    )
    yield namespace, before
    cluster.kubectl("delete", *(f"crd/{plural}.{GROUP}" for plural in PLURALS.values()))


@pytest.mark.parametrize("kind", PLURALS)
def test_objects_are_as_they_were(cluster: Cluster, upgraded: tuple[str, dict[str, Object]], kind: str) -> None:
    namespace, before = upgraded
    assert before[kind]["status"]
    assert get(cluster, namespace, kind, "full") == before[kind]


@pytest.mark.parametrize("kind", PLURALS)
def test_status_and_spec_can_be_written(cluster: Cluster, upgraded: tuple[str, dict[str, Object]], kind: str) -> None:
    namespace, _ = upgraded
    for name in ("full", "least"):
        wanted = {**STATUS[kind], "observedGeneration": 2, "conditions": [CONDITION]}
        write_status(cluster, namespace, kind, name, wanted)
        assert get(cluster, namespace, kind, name)["status"] == wanted
        cluster.kubectl("-n", namespace, "label", f"{PLURALS[kind]}.{GROUP}", name, "touched=yes", "--overwrite")


def test_wide_columns_say_why_a_domain_with_a_certificate_is_not_ready(
    cluster: Cluster, upgraded: tuple[str, dict[str, Object]]
) -> None:
    """Nobody but this test writes this Domain: it is of a group that no operator knows."""
    namespace, _ = upgraded
    words = "The ingress shows another certificate."
    conditions = [
        {**CONDITION, "type": name, "status": "False", "reason": "NotServed", "message": words}
        for name in ("Ready", "Served")
    ]
    write_status(cluster, namespace, "Domain", "full", {"state": "CertIssued", "reason": "", "conditions": conditions})
    listed = ("-n", namespace, "get", f"domains.{GROUP}", "full")
    assert words not in cluster.kubectl(*listed)
    header, row = cluster.kubectl(*listed, "-o", "wide").splitlines()
    assert header.split()[-4:] == ["READY", "SERVED", "MESSAGE", "AGE"]
    assert row.split(words)[0].split()[-2:] == ["False", "False"]
