"""TLSPolicies as a user writes and reads them."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from certward.probe.scan import scan_versions
from e2e.world import Domain, World, condition

#: The annotation that holds the revision whose default an App has.
PIN = "certward.dev/tls-default-revision"


class Told(NamedTuple):
    """A condition."""

    status: str
    reason: str
    message: str


def manifest(
    namespace: str,
    name: str,
    profile: str,
    revision: str = "",
    *,
    apps: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    hsts: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A TLSPolicy for these Apps; else for those with these labels; else for the whole namespace."""
    spec: dict[str, Any] = {"profile": profile}
    if revision:
        spec["revision"] = revision
    if apps:
        spec["targetRefs"] = [{"kind": "App", "name": app} for app in apps]
    if labels:
        spec["selector"] = {"matchLabels": dict(labels)}
    if hsts:
        spec["hsts"] = dict(hsts)
    return {
        "apiVersion": "certward.dev/v1alpha1",
        "kind": "TLSPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def told(world: World, kind: str, namespace: str, name: str, what: str) -> Told:
    """A condition of an object."""
    status = world.get(kind, namespace, name).get("status") or {}
    return Told(*(condition(status, what, field=field) for field in ("status", "reason", "message")))


def of_policy(world: World, namespace: str, name: str, what: str) -> Told:
    """A condition of a TLSPolicy: Accepted or Enforced."""
    return told(world, "tlspolicy", namespace, name, what)


def wait_told(
    world: World, namespace: str, name: str, what: str, expected: tuple[str, str], timeout: float = 0.0
) -> Told:
    """Wait until a TLSPolicy's condition has this status and reason."""
    return world.until(
        lambda: now if (now := of_policy(world, namespace, name, what))[:2] == expected else None,
        f"TLSPolicy {name}: {what}={expected}",
        timeout,
    )


def tls(world: World, namespace: str, app: str = "shop") -> dict[str, Any]:
    """What an App's status says of its TLS."""
    return dict((world.get("app", namespace, app).get("status") or {}).get("tls") or {})


def is_proven(world: World, domain: Domain, app: str = "shop") -> bool:
    """Whether PolicyEnforced is True for a Domain and for its App."""
    objects = ("domain", domain.name), ("app", app)
    return {told(world, kind, domain.namespace, name, "PolicyEnforced").status for kind, name in objects} == {"True"}


def is_told(world: World, domain: Domain, versions: set[str], app: str = "shop") -> bool:
    """Whether a Domain and its App say of a profile with these versions what is true of this ingress.

    That is: proven where it can be told to offer them; else that it cannot, with what an administrator could do.
    """
    if world.plane.is_able(versions):
        return is_proven(world, domain, app)
    objects = ("domain", domain.name), ("app", app)
    found = [told(world, kind, domain.namespace, name, "PolicyEnforced") for kind, name in objects]
    advice = world.plane.can.cluster_wide
    return {it[:2] for it in found} == {("False", "NotEnforceable")} and advice in found[0].message


def enforced(world: World, versions: set[str]) -> tuple[str, str]:
    """What a TLSPolicy says of Enforced, for a profile with these versions, in the end."""
    return ("True", "Enforced") if world.plane.is_able(versions) else ("False", "NotEnforceable")


def make_older(world: World, namespace: str, name: str) -> None:
    """Wait until what is made from now on is younger than a TLSPolicy: ages have whole seconds."""
    text = world.get("tlspolicy", namespace, name)["metadata"]["creationTimestamp"]
    created = datetime.fromisoformat(text)
    world.until(lambda: datetime.now(UTC).timestamp() >= created.timestamp() + 1, "the second is over", 5)


def offers(world: World, domain: Domain) -> set[str]:
    """The versions that are accepted now: as `world.protocols`, but fast enough for measuring."""
    return set(scan_versions(world.platform.https, domain.hostname))


def seconds_until(world: World, domain: Domain, versions: set[str], since: float, timeout: float = 30.0) -> float:
    """Seconds from a moment (time.monotonic) until a profile with these versions is served; openssl confirms it."""
    possible = world.plane.offers(versions)
    world.until(lambda: offers(world, domain) == possible, f"{domain.name} serves {sorted(possible)}", timeout)
    took = time.monotonic() - since
    assert world.protocols(domain.hostname) == possible
    return took
