"""What the rest of the tests takes for granted about the local cluster."""

import json
import os
import signal
import ssl
from pathlib import Path

import pytest
import requests
from cryptography import x509
from kubernetes import client

from cluster import processes, web
from cluster.errors import ClusterError
from cluster.handle import Cluster
from cluster.up import up

INGRESS = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "shop"},
    "spec": {
        "ingressClassName": "traefik",
        "rules": [
            {
                "host": "shop.example.com",
                "http": {
                    "paths": [
                        {
                            "path": "/",
                            "pathType": "Prefix",
                            "backend": {"service": {"name": "shop", "port": {"number": 8080}}},
                        }
                    ]
                },
            }
        ],
    },
}


def test_a_request_travels_through_the_ingress_to_the_cluster_ip(cluster: Cluster) -> None:
    namespace = cluster.namespace()
    backend = cluster.backend(namespace, "shop", body={"greeting": "hello"})
    cluster.kubectl("-n", namespace, "apply", "-f", "-", input=json.dumps(INGRESS))

    def answer() -> dict[str, object] | None:
        url = f"http://{cluster.env['CLUSTER_HTTP']}/some/path"
        response = requests.get(url, headers={"Host": "shop.example.com"}, timeout=5)
        return response.json() if response.ok else None

    told = cluster.wait_for(answer, 20, "the route")
    assert told is not None
    assert (told["backend"], told["host"], told["path"], told["greeting"]) == (
        "shop",
        "shop.example.com",
        "/some/path",
        "hello",
    )
    assert backend.address.startswith("127.")


def test_the_directory_is_trusted_by_its_ca_file_alone(cluster: Cluster) -> None:
    env = cluster.env

    status, body = web.get(env["CLUSTER_ACME_DIRECTORY"], ca=Path(env["CLUSTER_ACME_CA"]))

    assert status == 200
    assert {"newNonce", "newAccount", "newOrder", "revokeCert", "renewalInfo"} <= json.loads(body).keys()
    with pytest.raises(ssl.SSLCertVerificationError):
        web.get(env["CLUSTER_ACME_DIRECTORY"])


def test_the_issuance_chain_holds_root_and_intermediate(cluster: Cluster) -> None:
    certificates = x509.load_pem_x509_certificates(Path(cluster.env["CLUSTER_CA"]).read_bytes())

    issuers = {certificate.issuer for certificate in certificates}
    assert len(certificates) == 2
    assert {certificate.subject for certificate in certificates} >= issuers


def test_each_service_has_a_loopback_address_and_the_operator_has_endpoints(cluster: Cluster) -> None:
    namespace = cluster.namespace()

    first, second = cluster.backend(namespace, "one"), cluster.backend(namespace, "two")

    assert first.address != second.address
    assert first.address.split(".")[:2] == second.address.split(".")[:2]
    slices = client.DiscoveryV1Api(cluster.api).list_namespaced_endpoint_slice(
        "certward-system", label_selector="kubernetes.io/service-name=certward"
    )
    ours = [item for item in slices.items if item.metadata.name == "certward-local"]
    assert [address for item in ours for end in item.endpoints for address in end.addresses] == ["192.0.2.10"]


def test_the_operator_may_read_secrets_by_name_only(cluster: Cluster) -> None:
    core = client.CoreV1Api(cluster.operator_api)

    with pytest.raises(client.ApiException) as missing:
        core.read_namespaced_secret("no-such-secret", "default")
    with pytest.raises(client.ApiException) as listing:
        core.list_namespaced_secret("default")

    assert (missing.value.status, listing.value.status) == (404, 403)


def test_every_request_is_in_the_audit_log(cluster: Cluster) -> None:
    namespace = cluster.namespace("audited")

    def entries() -> list[dict[str, object]]:
        lines = Path(cluster.env["CLUSTER_AUDIT_LOG"]).read_text().splitlines()
        whole = (json.loads(line) for line in lines if namespace in line and line.endswith("}"))
        return [entry for entry in whole if entry["verb"] == "create"]

    found = cluster.wait_for(entries, 10, "the creation in the audit log")
    assert {entry["level"] for entry in found} == {"Metadata"}


def test_the_same_wish_again_changes_no_process(cluster: Cluster) -> None:
    before = processes.running(cluster.state)

    up(cluster.wish(), cluster.state)

    assert processes.running(cluster.state) == before


def test_a_killed_operator_and_killed_parts_come_back_on_their_ports(cluster: Cluster) -> None:
    env = cluster.env
    for part in ("certward-0", "traefik", "pebble"):
        cluster.kill(part)
    assert cluster.operator_pids() == []

    cluster.up()

    now = cluster.env
    assert now["CLUSTER_OPERATOR_PIDS"] == str(cluster.operator_pids()[0])
    changed = {key for key in env if env[key] != now[key]}
    assert changed == {"CLUSTER_OPERATOR_PIDS"}


def test_an_operator_that_is_ending_is_waited_for(cluster: Cluster) -> None:
    before = cluster.pid("certward-0")
    os.kill(before, signal.SIGTERM)

    cluster.up()

    assert cluster.operator_pids() != [before]


def test_other_numbers_of_operators_and_back(cluster: Cluster) -> None:
    first = cluster.pid("certward-0")

    cluster.up(operators=2)
    assert len(cluster.operator_pids()) == 2
    assert cluster.pid("certward-0") == first
    cluster.up(operators=0)
    assert cluster.operator_pids() == []
    assert cluster.env["CLUSTER_OPERATOR_PIDS"] == ""
    cluster.up()


def test_a_patch_reaches_the_operator_and_leaves_it_again(cluster: Cluster) -> None:
    before = cluster.pid("certward-0")
    config = Path(cluster.env["CLUSTER_OPERATOR_CONFIG"])

    cluster.up(patch={"probe": {"interval": "45s"}})
    assert cluster.pid("certward-0") != before
    assert "interval: 45s" in config.read_text()
    with pytest.raises(ClusterError, match="certward-0 ended"):
        cluster.up(patch={"probe": {"interval": "nonsense"}})
    cluster.up()
    assert "interval: 30s" in config.read_text()
