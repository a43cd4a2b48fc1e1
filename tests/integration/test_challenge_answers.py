"""What the load on cert-manager stands on: a watch that misses nothing, and the answers that its solver would give.

cert-manager itself does not run here: the comparison builds it, the tests do not.
"""

import http.client
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

import pytest
from kubernetes import client

from cluster.binaries import module_file
from cluster.errors import ClusterError
from cluster.handle import Cluster
from engines import free_ports
from scale.drivers.challenge_answers import ChallengeAnswers
from scale.drivers.watching import Watching

APPS = ("certward.dev", "v1alpha1")
CHALLENGES = ("acme.cert-manager.io", "v1")


@pytest.fixture
def custom(cluster: Cluster) -> client.CustomObjectsApi:
    return client.CustomObjectsApi(cluster.api)


def app(custom: client.CustomObjectsApi, namespace: str, name: str) -> None:
    body = {"apiVersion": "/".join(APPS), "kind": "App", "metadata": {"name": name}}
    custom.create_namespaced_custom_object(
        *APPS, namespace, "apps", {**body, "spec": {"service": {"name": name, "port": 80}}}
    )


def test_a_watch_tells_what_is_there_what_comes_and_what_changes(
    cluster: Cluster, custom: client.CustomObjectsApi
) -> None:
    namespace = cluster.namespace()
    seen: dict[str, int] = {}

    def see(body: dict[str, Any]) -> None:
        if body["metadata"]["namespace"] == namespace:
            seen[body["metadata"]["name"]] = body["spec"]["service"]["port"]

    watching = Watching(cluster.api, (*APPS, "apps"), see)
    app(custom, namespace, "before")
    watching.begin()
    try:
        cluster.wait_for(lambda: seen == {"before": 80}, what="the App from before is told")
        app(custom, namespace, "after")
        cluster.wait_for(lambda: seen == {"before": 80, "after": 80}, what="the new App is told")
        change = {"spec": {"service": {"port": 81}}}
        custom.patch_namespaced_custom_object(
            *APPS, namespace, "apps", "after", change, _content_type="application/merge-patch+json"
        )
        cluster.wait_for(lambda: seen == {"before": 80, "after": 81}, what="the changed App is told")
    finally:
        watching.stop()
    app(custom, namespace, "too-late")
    watching.stop()
    assert "too-late" not in seen


@pytest.fixture
def port(cluster: Cluster) -> Iterator[int]:
    definitions = module_file(
        "cert-manager", "github.com/cert-manager/cert-manager", "deploy/crds/*cert-manager.io_*.yaml"
    )
    cluster.kubectl("apply", "--server-side", "-f", "-", input=definitions.read_text())
    cluster.until_served("challenges.acme.cert-manager.io")
    (port,) = free_ports(1)
    answers = ChallengeAnswers(cluster.api, "127.0.0.1", port)
    answers.begin()
    with pytest.raises(ClusterError, match="INGRESS=none"):
        ChallengeAnswers(cluster.api, "127.0.0.1", port)
    yield port
    answers.stop()
    answers.stop()


def asked(port: int, target: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", target)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_a_challenge_is_answered_to_the_ca_and_as_a_proxy_even_if_asked_before_it_is_there(
    cluster: Cluster, custom: client.CustomObjectsApi, port: int
) -> None:
    path = "/.well-known/acme-challenge/a-token"
    spec = {
        "type": "HTTP-01",
        "token": "a-token",
        "key": "a-token.a-thumbprint",
        "dnsName": "www.example.com",
        "url": "https://ca.example.com/chall/1",
        "authorizationURL": "https://ca.example.com/authz/1",
        "issuerRef": {"name": "nobody"},
        "solver": {"http01": {"ingress": {}}},
    }
    body = {"apiVersion": "/".join(CHALLENGES), "kind": "Challenge", "metadata": {"name": "one"}, "spec": spec}
    with ThreadPoolExecutor(2) as pool:
        early = [pool.submit(asked, port, target) for target in (path, f"http://www.example.com{path}")]
        custom.create_namespaced_custom_object(*CHALLENGES, cluster.namespace(), "challenges", body)
        assert [each.result() for each in early] == [(HTTPStatus.OK, "a-token.a-thumbprint")] * 2
    assert asked(port, "/elsewhere") == (HTTPStatus.NOT_FOUND, "")
