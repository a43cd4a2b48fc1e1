"""The default revision and the floor change in the operator's configuration, and Apps are there already."""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cluster.handle import Cluster
from e2e import policies
from e2e.outside import key_type
from e2e.world import Domain, World

OLD, NEW = "2018-06", "2026-11"
T10, T11, T12, T13 = "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"
#: How many Apps must not notice: enough to meet every worker of the operator.
APPS = int(os.environ.get("CERTWARD_TEST_APPS") or "10")


def protocols(world: World, domains: list[Domain]) -> dict[str, set[str]]:
    """The versions that openssl is accepted with, by App."""
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda domain: world.protocols(domain.hostname), domains)
        return {domain.name: versions for domain, versions in zip(domains, found, strict=True)}


def apps(world: World, namespace: str) -> dict[str, dict[str, Any]]:
    """Annotations and status of all Apps of a namespace."""
    listed = json.loads(world.kubectl("get", "apps.certward.dev", f"--namespace={namespace}", "-o", "json"))["items"]
    return {
        each["metadata"]["name"]: {
            "pinned": each["metadata"].get("annotations", {}).get(policies.PIN, ""),
            "status": each.get("status") or {},
        }
        for each in listed
    }


def history(world: World) -> list[dict[str, str]]:
    """The recorded changes of the default."""
    data = world.get("configmap", "certward-system", "certward-defaults")["data"]
    found: list[dict[str, str]] = json.loads(data["history"])
    return found


def make(world: World, namespace: str, *names: str, **app: Any) -> list[Domain]:
    """Apps with a Domain each."""
    for name in names:
        world.app(namespace, name, automatic=True, **app)
    return [world.domain(namespace, name, app=name) for name in names]


def test_a_new_default_changes_nothing_for_apps_that_are_there(cluster: Cluster, world: World) -> None:
    cluster.up(patch={"tls": {"defaultRevision": NEW}})
    namespace = world.shop()
    domains = make(world, namespace, *(f"app-{number:02}" for number in range(APPS)))
    world.wait_issued(*domains, timeout=120)
    for domain in domains:
        world.until(lambda domain=domain: policies.is_proven(world, domain, domain.name), f"{domain.name} is proven")
    told, seen = apps(world, namespace), protocols(world, domains)
    assert {each["pinned"] for each in told.values()} == {NEW}
    assert set(map(frozenset, seen.values())) == {frozenset({T12, T13})}
    leaves = {domain.name: world.served_leaf(domain.hostname) for domain in domains}
    recorded = history(world)
    assert recorded[-1]["revision"] == NEW

    cluster.up(operators=0, patch={"tls": {"defaultRevision": NEW}})
    late = make(world, namespace, "late")  # nobody is there to pin it
    created = world.get("app", namespace, "late")["metadata"]["creationTimestamp"]
    time.sleep(max(0.0, 1.1 - time.time() % 1))  # times of objects have whole seconds: the change comes in a later one
    cluster.up(patch={"tls": {"defaultRevision": OLD}})
    assert history(world)[: len(recorded)] == recorded
    assert [entry["revision"] for entry in history(world)[len(recorded) :]] == [OLD]
    assert history(world)[-1]["since"] > created

    new = make(world, namespace, "new")
    world.wait_issued(*late, *new, timeout=60)
    expected = {"late": (NEW, {T12, T13}, "ECDSA-P256"), "new": (OLD, {T11, T12}, "RSA-2048")}
    for (domain,) in (late, new):
        revision, versions, key = expected[domain.name]
        world.until(lambda domain=domain: policies.is_proven(world, domain, domain.name), f"{domain.name} is proven")
        assert world.protocols(domain.hostname) == versions
        assert key_type(world.served_leaf(domain.hostname)) == key
        assert apps(world, namespace)[domain.name]["pinned"] == revision
        assert policies.tls(world, namespace, domain.name)["revision"] == revision

    assert protocols(world, domains) == seen
    assert {domain.name: world.served_leaf(domain.hostname) for domain in domains} == leaves
    now = apps(world, namespace)
    assert {name: now[name] for name in told} == told

    # One of them asks to move.
    mover, *others = domains
    world.annotate("app", namespace, mover.name, f"{policies.PIN}-")
    took = policies.seconds_until(world, mover, {T11, T12}, time.monotonic())
    print(f"\n{APPS} Apps untouched; one moved to {OLD} in {took:.1f} s with a new key")
    assert key_type(world.served_leaf(mover.hostname)) == "RSA-2048"
    world.until(lambda: apps(world, namespace)[mover.name]["pinned"] == OLD, "the new pin is written down")
    assert protocols(world, others) == {name: seen[name] for name in seen if name != mover.name}


def test_a_floor_outranks_policies_and_pins(cluster: Cluster, world: World) -> None:
    namespace = world.shop()
    world.apply(
        policies.manifest(namespace, "old", "legacy", OLD, apps=["legacy"]),
        policies.manifest(namespace, "older", "modern", OLD, apps=["modern"]),
    )
    legacy, modern = make(world, namespace, "legacy", "modern")
    (pinned,) = make(world, namespace, "pinned", annotations={policies.PIN: "2017-09"})
    world.wait_issued(legacy, modern, pinned, timeout=60)
    for domain, versions in ((legacy, {T10, T11, T12}), (modern, {T12}), (pinned, {T10, T11, T12})):
        policies.seconds_until(world, domain, versions, time.monotonic())

    cluster.up(patch={"tls": {"floor": {"minVersion": T12}}})
    for domain in (legacy, modern, pinned):
        policies.seconds_until(world, domain, {T12}, time.monotonic())
        world.until(
            lambda domain=domain: policies.tls(world, namespace, domain.name)["minVersion"] == T12,
            f"{domain.name} says that it is cut",
        )
        world.until(lambda domain=domain: policies.is_proven(world, domain, domain.name), f"{domain.name} is proven")
    assert world.get("configmap", "certward-system", "certward-defaults")["data"]["floor"] == T12
    told = policies.wait_told(world, namespace, "old", "Accepted", ("False", "BelowFloor"))
    assert T12 in told.message
    assert policies.of_policy(world, namespace, "older", "Accepted").status == "True"
    assert policies.tls(world, namespace, "legacy")["policy"] == "old"  # what is left of it is served

    cluster.up(patch={"tls": {"floor": {"minVersion": T13}}})
    for domain in (legacy, modern, pinned):
        policies.seconds_until(world, domain, {T13}, time.monotonic())
        world.until(
            lambda domain=domain: (
                policies.tls(world, namespace, domain.name).items()
                >= {"profile": "default", "revision": NEW, "policy": ""}.items()
            ),
            f"{domain.name} says that today's default is served",
        )
    for policy in ("old", "older"):
        policies.wait_told(world, namespace, policy, "Accepted", ("False", "BelowFloor"))

    cluster.up()
    for domain, versions in ((legacy, {T10, T11, T12}), (modern, {T12}), (pinned, {T10, T11, T12})):
        policies.seconds_until(world, domain, versions, time.monotonic())
    policies.wait_told(world, namespace, "old", "Accepted", ("True", "Accepted"))
