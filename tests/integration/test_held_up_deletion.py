"""A Domain that is being deleted and not gone yet: somebody's finalizer holds it up, or its dependents go first."""

import json
from typing import Any

from cluster.handle import Cluster
from e2e.world import Domain, World
from integration import observer

#: For so long nothing may happen, in seconds.
SILENCE = 3.0


def two_claims(world: World) -> tuple[Domain, Domain]:
    """A Domain that is served, and one of another namespace that waits for its hostname."""
    one, two = world.shop(), world.namespace()
    world.backend(two, "heir")
    world.app(one, automatic=True)
    world.app(two, automatic=True, service={"name": "heir", "port": 8080})
    first = world.domain(one)
    world.until_dated("domain", first.namespace, first.name)
    world.wait_issued(first)
    second = world.domain(two, "mine", hostname=first.hostname)
    world.wait_state(second, "Waiting", "HostnameTaken")
    return first, second


def finalizers(world: World, domain: Domain, *names: str) -> None:
    patch = json.dumps({"metadata": {"finalizers": list(names) or None}})
    of = (f"--namespace={domain.namespace}", "--type=merge", f"--patch={patch}")
    world.kubectl("patch", "domain", domain.name, *of)


def asked_about(log: observer.AuditLog, namespace: str) -> list[dict[str, Any]]:
    """What the operator has asked of the API server about the routes of a namespace."""
    routes = ("ingresses", "tlsoptions", "middlewares")
    told = [entry.get("objectRef") or {} for entry in log.of_the_operator()]
    return [ref for ref in told if ref.get("namespace") == namespace and ref.get("resource") in routes]


def test_a_finalizer_keeps_no_routes_of_a_hostname_that_is_anothers(cluster: Cluster, world: World) -> None:
    first, second = two_claims(world)
    finalizers(world, first, "example.com/held")
    try:
        log = observer.AuditLog(cluster)
        world.delete("domain", first.namespace, first.name)
        own = "certward.dev/domain=www"
        kinds = "ingresses,tlsoptions.traefik.io"
        world.until(lambda: world.names(kinds, first.namespace, own) == set(), "its routes are gone")
        assert world.get("domain", first.namespace, first.name)["metadata"]["deletionTimestamp"]
        world.wait_issued(second)
        assert world.https_get(first.hostname).backend == "heir"
        assert world.secret(first), "it goes when its Domain does"
        assert len(asked_about(log, first.namespace)) <= 10, "each of its routes is read and deleted, and no others"

        log = observer.AuditLog(cluster)
        world.annotate("domain", first.namespace, first.name, "example.com/look=again")
        observer.throughout(SILENCE, lambda: nothing(asked_about(log, first.namespace)))
        cluster.up(operators=0)
        cluster.up()
        world.until(lambda: world.https_get(first.hostname).backend == "heir", "the next one has it")
        assert world.names(kinds, first.namespace, own) == set(), "a new process makes none"
    finally:
        finalizers(world, first)
    world.until(lambda: world.secret(first) == {}, "its Secret has gone with it")
    assert world.wait_issued(second)


def nothing(asked: list[dict[str, Any]]) -> None:
    assert asked == []


def test_routes_that_go_before_their_domain_are_not_made_anew(cluster: Cluster, world: World) -> None:
    """In the foreground, Kubernetes deletes what belongs to a Domain first, and so does the operator meanwhile."""
    first, second = two_claims(world)
    log = observer.AuditLog(cluster)
    world.kubectl("delete", "domain", first.name, f"--namespace={first.namespace}", "--cascade=foreground")
    assert world.get("domain", first.namespace, first.name) == {}
    assert world.routes(first.namespace) == set()
    assert world.secret(first) == {}
    assert len(asked_about(log, first.namespace)) <= 10
    world.wait_issued(second)
    assert world.https_get(first.hostname).backend == "heir"
