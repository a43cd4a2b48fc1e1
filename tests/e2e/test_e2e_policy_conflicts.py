"""Which of several TLSPolicies is in force, what the others say, and what bad ones do: nothing."""

import time

import pytest

from e2e import policies
from e2e.outside import key_type
from e2e.world import Domain, World

pytestmark = pytest.mark.cluster

T10, T11, T12, T13 = "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"
DEFAULT = {T12, T13}
PROMPT = 2.0


@pytest.fixture
def www(world: World) -> Domain:
    """A Domain of an App `shop`, served with today's default."""
    return served(world)["shop"]


def served(world: World, *apps: str) -> dict[str, Domain]:
    """Apps of one namespace with a Domain each, served and proven."""
    namespace = world.shop()
    found = {}
    for app in apps or ("shop",):
        world.app(namespace, app, automatic=True)
        found[app] = world.domain(namespace, app, app=app)
    world.wait_issued(*found.values())
    for app, domain in found.items():
        world.until(lambda app=app, domain=domain: policies.is_proven(world, domain, app), f"{app} is proven")
    return found


def in_force(world: World, domain: Domain, policy: str, versions: set[str], app: str = "") -> None:
    """Wait until a policy is in force for an App, by its status and by handshake."""
    app = app or domain.name
    world.until(lambda: policies.tls(world, domain.namespace, app)["policy"] == policy, f"{app} says {policy!r}")
    policies.seconds_until(world, domain, versions, time.monotonic())


@pytest.mark.parametrize(
    ("revision", "modern", "legacy", "key"),
    [
        pytest.param("", {T13}, {T12, T13}, "ECDSA-P256", id="today's"),
        pytest.param("2018-06", {T12}, {T10, T11, T12}, "RSA-2048", id="2018-06, which needs another key"),
    ],
)
def test_a_second_policy_takes_effect_once_the_first_is_gone(
    world: World, www: Domain, revision: str, modern: set[str], legacy: set[str], key: str
) -> None:
    namespace = www.namespace
    world.apply(policies.manifest(namespace, "modern", "modern", revision, apps=["shop"]))
    in_force(world, www, "modern", modern)
    world.until(lambda: policies.is_told(world, www, modern), "modern is proven")
    policies.make_older(world, namespace, "modern")
    world.apply(policies.manifest(namespace, "legacy", "legacy", revision, apps=["shop"]))
    told = policies.wait_told(world, namespace, "legacy", "Accepted", ("False", "Conflicted"))
    assert "TLSPolicy modern " in told.message
    assert policies.of_policy(world, namespace, "legacy", "Enforced")[:2] == ("False", "Conflicted")
    assert policies.of_policy(world, namespace, "modern", "Accepted").status == "True"
    assert policies.of_policy(world, namespace, "modern", "Enforced").status == "True"
    assert world.get("tlspolicy", namespace, "legacy")["status"]["apps"] == {"targeted": 1, "inForce": 0, "enforced": 0}
    assert world.protocols(www.hostname) == world.plane.offers(modern)
    assert policies.tls(world, namespace)["policy"] == "modern"

    before = world.served_leaf(www.hostname)
    world.delete("tlspolicy", namespace, "modern")
    at = time.monotonic()
    world.until(lambda: key_type(world.served_leaf(www.hostname)) == key, "the key that legacy needs")
    took = policies.seconds_until(world, www, legacy, at)
    after = world.served_leaf(www.hostname)
    print(f"\nlegacy {revision} after {took:.2f} s, {'with a new key' if before != after else 'same certificate'}")
    assert took < (PROMPT if before == after else PROMPT + world.platform.patience)
    policies.wait_told(world, namespace, "legacy", "Accepted", ("True", "Accepted"))
    policies.wait_told(world, namespace, "legacy", "Enforced", policies.enforced(world, legacy))
    assert policies.tls(world, namespace)["policy"] == "legacy"


def test_the_closer_policy_goes_first_and_labels_and_targets_are_followed(world: World) -> None:
    domains = served(world, "named", "labelled", "plain")
    namespace = domains["plain"].namespace
    named, labelled, plain = domains.values()
    for app in ("named", "labelled"):
        world.kubectl("label", "app.certward.dev", app, "tier=public", f"--namespace={namespace}")
    # The widest one is the oldest: age counts among equals only.
    world.apply(
        policies.manifest(namespace, "all", "modern", "2018-06"),
        policies.manifest(namespace, "public", "modern", labels={"tier": "public"}),
        policies.manifest(namespace, "one", "legacy", "2018-06", apps=["named", "nobody"]),
    )
    in_force(world, named, "one", {T10, T11, T12})
    in_force(world, labelled, "public", {T13})
    in_force(world, plain, "all", {T12})
    for policy, targeted in (("all", 3), ("public", 2)):
        told = policies.wait_told(world, namespace, policy, "Enforced", ("False", "PartiallyOverridden"))
        assert "named" in told.message
        assert policies.of_policy(world, namespace, policy, "Accepted").status == "True"
        counts = world.get("tlspolicy", namespace, policy)["status"]["apps"]
        assert (counts["targeted"], counts["inForce"]) == (targeted, 1)
    policies.wait_told(world, namespace, "one", "Enforced", policies.enforced(world, {T10, T11, T12}))
    assert "nobody" in policies.of_policy(world, namespace, "one", "Accepted").message

    world.kubectl("label", "app.certward.dev", "labelled", "tier-", f"--namespace={namespace}")
    at = time.monotonic()
    assert policies.seconds_until(world, labelled, {T12}, at) < PROMPT
    in_force(world, labelled, "all", {T12})
    policies.wait_told(world, namespace, "public", "Enforced", ("False", "Overridden"))
    world.kubectl("label", "app.certward.dev", "plain", "tier=public", f"--namespace={namespace}")
    at = time.monotonic()
    assert policies.seconds_until(world, plain, {T13}, at) < PROMPT
    in_force(world, plain, "public", {T13})

    # The policy turns to another App.
    world.apply(policies.manifest(namespace, "one", "legacy", "2018-06", apps=["plain"]))
    in_force(world, plain, "one", {T10, T11, T12})
    in_force(world, named, "public", {T13})
    in_force(world, labelled, "all", {T12})


def test_of_two_policies_of_one_age_the_first_by_name_is_in_force(world: World, www: Domain) -> None:
    namespace = www.namespace
    world.apply(
        policies.manifest(namespace, "b", "modern", apps=["shop"]),
        policies.manifest(namespace, "a", "modern", "2018-06", apps=["shop"]),
    )
    ages = {name: world.get("tlspolicy", namespace, name)["metadata"]["creationTimestamp"] for name in ("a", "b")}
    first, second = sorted(("a", "b"), key=lambda name: (ages[name], name))
    in_force(world, www, first, {"a": {T12}, "b": {T13}}[first], app="shop")
    told = policies.wait_told(world, namespace, second, "Accepted", ("False", "Conflicted"))
    assert f"TLSPolicy {first} " in told.message


def test_a_policy_without_a_target_waits_for_it(world: World) -> None:
    namespace = world.shop()
    world.apply(
        policies.manifest(namespace, "early", "modern", apps=["shop"]),
        policies.manifest(namespace, "nowhere", "modern", labels={"tier": "nowhere"}),
    )
    told = policies.wait_told(world, namespace, "early", "Accepted", ("False", "TargetNotFound"))
    assert "App shop" in told.message
    assert policies.of_policy(world, namespace, "early", "Enforced").status == "False"
    policies.wait_told(world, namespace, "nowhere", "Accepted", ("True", "Accepted"))
    assert policies.of_policy(world, namespace, "nowhere", "Enforced")[:2] == ("Unknown", "NoApps")
    world.app(namespace, automatic=True)
    www = world.domain(namespace)
    world.wait_issued(www)
    in_force(world, www, "early", {T13}, app="shop")
    policies.wait_told(world, namespace, "early", "Accepted", ("True", "Accepted"))
    policies.wait_told(world, namespace, "early", "Enforced", ("True", "Enforced"))
    world.delete("app.certward.dev", namespace, "shop")
    policies.wait_told(world, namespace, "early", "Accepted", ("False", "TargetNotFound"))


@pytest.mark.parametrize(
    ("profile", "revision", "reason"),
    [
        pytest.param("modern", "2019-01", "RevisionUnknown", id="unknown revision"),
        pytest.param("strict", "2026-11", "ProfileRetired", id="retired profile"),
        pytest.param("modern", "2017-09", "ProfileUnknown", id="a profile that came later"),
    ],
)
def test_a_policy_in_force_that_is_spoiled_leaves_the_app_as_it_was(
    world: World, www: Domain, profile: str, revision: str, reason: str
) -> None:
    namespace = www.namespace
    world.apply(policies.manifest(namespace, "own", "modern", apps=["shop"], hsts={"maxAge": 600}))
    in_force(world, www, "own", {T13}, app="shop")
    header = "strict-transport-security"
    world.until(lambda: world.https_get(www.hostname).headers.get(header) == "max-age=600", "the header is sent")
    # One that would come next in rank gets no chance by the mistake of another.
    world.apply(policies.manifest(namespace, "all", "legacy"))

    world.apply(policies.manifest(namespace, "own", profile, revision, apps=["shop"], hsts={"maxAge": 600}))
    policies.wait_told(world, namespace, "own", "Accepted", ("False", reason))
    policies.wait_told(world, namespace, "own", "Enforced", ("False", reason))
    world.until(lambda: policies.tls(world, namespace)["policy"] == "", "the App has taken it in")
    tls = policies.tls(world, namespace)
    assert (tls["profile"], tls["revision"]) == ("modern", "2026-11")
    assert world.protocols(www.hostname) == {T13}
    # Looking again changes nothing, and neither does another change of the App.
    world.kubectl("label", "app.certward.dev", "shop", "touched=yes", f"--namespace={namespace}")
    world.app(namespace, automatic=True, httpsRedirect=False)
    world.until(lambda: world.http_get(www.hostname).backend == "shop", "the change has been seen")
    assert world.protocols(www.hostname) == {T13}
    assert policies.tls(world, namespace)["profile"] == "modern"

    world.apply(policies.manifest(namespace, "own", "modern", "2018-06", apps=["shop"]))
    in_force(world, www, "own", {T12}, app="shop")
    policies.wait_told(world, namespace, "own", "Enforced", ("True", "Enforced"))
