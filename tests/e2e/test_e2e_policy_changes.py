"""A TLSPolicy that comes, changes and goes while clients are at work: they notice the new TLS and nothing else."""

import time
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from e2e import planes, policies
from e2e.outside import key_type
from e2e.streams import KeptConnection, Stream
from e2e.world import Domain, World, condition

pytestmark = pytest.mark.cluster

T10, T11, T12, T13 = "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"
#: Within so many seconds every new handshake follows a policy.
PROMPT = 2.0
#: Within so many seconds a route of somebody else is noticed.
NOTICED = 10.0


@dataclass
class Pair:
    """A host under a policy and its neighbour on the same port, in the same namespace, of another App."""

    host: Domain
    neighbour: Domain

    @property
    def namespace(self) -> str:
        """Where both are."""
        return self.host.namespace


@pytest.fixture
def pair(world: World) -> Pair:
    """Two Apps with a Domain each, served and proven."""
    namespace = world.shop()
    world.app(namespace, automatic=True)
    world.app(namespace, "neighbour", automatic=True)
    made = Pair(world.domain(namespace), world.domain(namespace, "neighbour", app="neighbour"))
    world.wait_issued(made.host, made.neighbour)
    for domain, app in ((made.host, "shop"), (made.neighbour, "neighbour")):
        world.until(lambda domain=domain, app=app: policies.is_proven(world, domain, app), f"{app} is proven")
    return made


def set_policy(world: World, pair: Pair, profile: str, revision: str = "", **more: object) -> float:
    """Apply the one policy; returns when that was done."""
    world.apply(policies.manifest(pair.namespace, "of-shop", profile, revision, apps=["shop"], **more))  # type: ignore[arg-type]
    return time.monotonic()


def drop_policy(world: World, pair: Pair) -> float:
    """Delete it; returns when that was done."""
    world.delete("tlspolicy", pair.namespace, "of-shop")
    return time.monotonic()


def test_new_handshakes_follow_a_policy_within_two_seconds_and_no_request_fails(world: World, pair: Pair) -> None:
    host = pair.host
    steps = (
        ("modern", lambda: set_policy(world, pair, "modern"), {T13}),
        ("2018-06 modern", lambda: set_policy(world, pair, "modern", "2018-06"), {T12}),
        ("none", lambda: drop_policy(world, pair), {T12, T13}),
    )
    with ExitStack() as streams:
        stream = streams.enter_context(Stream(world, host.hostname))
        beside = streams.enter_context(Stream(world, pair.neighbour.hostname))
        world.until(lambda: len(stream.requests) > 10 and len(beside.requests) > 10, "the streams run")
        kept = KeptConnection(world, host.hostname)
        streams.callback(kept.close)
        assert kept.status() == 200
        told = []
        for name, act, versions in steps:
            at = act()
            took = policies.seconds_until(world, host, versions, at)
            # A client that speaks all versions gets the newest one of the profile, and keeps getting it.
            after = time.monotonic()
            world.until(lambda after=after: len(stream.versions(after)) > 0, "requests go on")
            world.until(lambda at=at: time.monotonic() > at + PROMPT + 0.5, "the two seconds are over", 4)
            late = stream.versions(at + PROMPT)
            told.append(
                f"{name}: offers follow in {took:.2f} s, first request {stream.first(max(versions), at) - at:.2f} s"
            )
            assert late == {max(versions)}, name
            # A connection from before may go on or be closed; it may not be left with errors.
            assert kept.status() in {0, 200}, name
            assert world.protocols(host.hostname) == versions
            assert took < PROMPT, told
        world.until(lambda: stream.requests[-1].began - stream.requests[0].began > 10, "ten seconds of requests", 15)
    print("\n" + "\n".join(told), f"\n{len(stream.requests)} and {len(beside.requests)} requests")
    assert stream.failures == []
    assert beside.failures == []
    assert beside.versions() == {T13}
    assert key_type(world.served_leaf(host.hostname)) == "ECDSA-P256"
    world.until(lambda: policies.is_proven(world, host), "proven again")


def test_the_certificate_comes_before_settings_that_need_another_key(world: World, pair: Pair) -> None:
    host = pair.host
    old = world.served_leaf(host.hostname)
    with ExitStack() as streams:
        stream = streams.enter_context(Stream(world, host.hostname))
        beside = streams.enter_context(Stream(world, pair.neighbour.hostname))
        world.until(lambda: len(stream.requests) > 10, "the stream runs")
        at = set_policy(world, pair, "default", "2018-06")
        # The settings are never there without the key that they need.
        seen: list[tuple[str, str]] = []

        def follows() -> bool:
            versions = ",".join(sorted(world.protocols(host.hostname)))
            key = key_type(world.served_leaf(host.hostname))
            seen.append((versions, key))
            return versions == older

        older = ",".join(sorted(world.plane.offers({T11, T12})))
        world.until(follows, "the older default is served")
        took = time.monotonic() - at
        world.until(lambda: stream.requests[-1].began > at + took + 1, "requests go on")
    print(f"\nRSA certificate and settings after {took:.2f} s; seen on the way: {list(dict.fromkeys(seen))}")
    assert stream.failures == []
    assert beside.failures == []
    assert stream.versions(at + took) == {T12}
    new = world.served_leaf(host.hostname)
    assert (key_type(old), key_type(new)) == ("ECDSA-P256", "RSA-2048")
    assert not [versions for versions, key in seen if versions == older and key != "RSA-2048"]
    world.until(lambda: policies.is_told(world, host, {T11, T12}), "what is served is told")
    assert policies.tls(world, pair.namespace)["policy"] == "of-shop"


def test_hsts_is_sent_over_https_and_goes_with_the_policy(world: World, pair: Pair) -> None:
    host = pair.host.hostname
    name = "strict-transport-security"
    assert name not in world.https_get(host).headers
    with Stream(world, host) as stream:
        world.until(lambda: len(stream.requests) > 10, "the stream runs")
        values = (
            ({"maxAge": 31536000}, "max-age=31536000"),
            (
                {"maxAge": 63072000, "includeSubDomains": True, "preload": True},
                "max-age=63072000; includeSubDomains; preload",
            ),
        )
        for hsts, header in values:
            at = set_policy(world, pair, "default", hsts=hsts)
            world.until(lambda header=header: world.https_get(host).headers.get(name) == header, f"{header} is sent")
            print(f"\n{header}: {time.monotonic() - at:.2f} s", end="")
            for path in ("/", "/.well-known/acme-challenge/nothing"):
                assert name not in world.http_get(host, path).headers
        world.until(lambda: policies.tls(world, pair.namespace)["grade"] == "A+", "HSTS is what A+ asks for")
        drop_policy(world, pair)
        world.until(lambda: name not in world.https_get(host).headers, "no header any more")
        at = time.monotonic()
        world.until(lambda: stream.requests[-1].began > at + 1.5, "requests go on")
    assert stream.failures == []
    assert {request.hsts for request in stream.requests if request.began > at} == {""}
    assert name not in world.https_get(pair.neighbour.hostname).headers


def test_hsts_waits_until_https_is_served(world: World) -> None:
    namespace = world.shop()
    world.apply(policies.manifest(namespace, "all", "default", hsts={"maxAge": 300}))
    world.app(namespace, httpsRedirect=False)  # automatic certificates are off
    www = world.domain(namespace)
    world.wait_state(www, "Waiting", "AutomaticDisabled")
    world.until(lambda: world.http_get(www.hostname).backend == "shop", "plain HTTP works")
    assert "strict-transport-security" not in world.http_get(www.hostname).headers
    world.app(namespace, automatic=True, httpsRedirect=False)
    world.wait_issued(www)
    world.until(
        lambda: world.https_get(www.hostname).headers.get("strict-transport-security") == "max-age=300",
        "the header is sent",
    )
    assert "strict-transport-security" not in world.http_get(www.hostname).headers


@pytest.mark.parametrize("kind", list(planes.chosen().foreign))
def test_a_foreign_route_for_the_host_is_named_and_forgotten(world: World, pair: Pair, kind: str) -> None:
    """What it does there is the controller's way; that the status says it, and takes it back, is the same for all."""
    namespace, host = pair.namespace, pair.host.hostname
    foreign = world.plane.foreign[kind]
    set_policy(world, pair, "modern")
    world.until(lambda: world.protocols(host) == {T13}, "modern is served")
    world.until(lambda: policies.is_proven(world, pair.host), "modern is proven")
    elsewhere = world.namespace()
    world.backend(elsewhere, "intruder")
    world.apply(foreign.make(elsewhere, host, world.platform.settings_of(world.plane.name)))
    began = time.monotonic()

    def is_named() -> bool:
        status = world.status(pair.host)
        for what, expected in foreign.spoils.items():
            if (condition(status, what), condition(status, what, field="reason")) != expected:
                return False
        words = " ".join(condition(status, what, field="message") for what in foreign.spoils)
        return f"{elsewhere}/intruder" in words and foreign.words in words

    if foreign.spoils:
        world.until(is_named, "the culprit is named", NOTICED)
        named = time.monotonic() - began
        world.until(
            lambda: policies.told(world, "app", namespace, "shop", "PolicyEnforced").status != "True",
            "the App says so too",
            NOTICED,
        )
        world.until(
            lambda: policies.of_policy(world, namespace, "of-shop", "Enforced").status == "False",
            "the policy says so too",
            NOTICED,
        )
        is_down = "Served" in foreign.spoils
        assert condition(world.status(pair.host), "Ready") == ("False" if is_down else "True")
        print(f"\nnamed after {named:.2f} s: {condition(world.status(pair.host), 'PolicyEnforced', field='message')}")
    else:
        # It is looked at closely for a while, and nothing of the host's is taken away.
        world.until(lambda: time.monotonic() > began + NOTICED / 2, "a close look has been taken", NOTICED)
        assert policies.is_proven(world, pair.host)
        assert world.protocols(host) == {T13}
        assert world.https_get(host, "/intruder").backend == "shop"
    assert policies.told(world, "domain", namespace, "neighbour", "PolicyEnforced").status == "True"

    world.delete(kind.lower(), elsewhere, "intruder")
    began = time.monotonic()
    world.until(lambda: policies.is_proven(world, pair.host), "the policy is served again", NOTICED)
    print(f"\nTrue again {time.monotonic() - began:.2f} s after its removal")
    assert world.protocols(host) == {T13}
    world.until(
        lambda: policies.of_policy(world, namespace, "of-shop", "Enforced").status == "True", "the policy agrees"
    )


def test_a_key_that_the_policy_cannot_serve_keeps_the_last_settings(world: World) -> None:
    namespace = world.shop()
    world.app(namespace, automatic=True, certificates={"keyType": "ECDSA-P256"})
    www = world.domain(namespace)
    serial = world.wait_issued(www)["certificate"]["serialNumber"]
    world.until(lambda: policies.is_proven(world, www), "today's default is proven")
    world.apply(policies.manifest(namespace, "old", "legacy", "2018-06", apps=["shop"]))
    status = world.wait_state(www, "CertIssued", "KeyTypeNotServed")
    assert "ECDSA-P256" in status["message"]
    assert condition(status, "Ready") == "True"
    assert world.protocols(www.hostname) == {T12, T13}
    assert world.https_get(www.hostname).backend == "shop"

    # The rest of the App is followed all the same.
    world.backend(namespace, "api")
    api = {"path": "/api", "service": {"name": "api", "port": 8080}}
    world.app(namespace, automatic=True, certificates={"keyType": "ECDSA-P256"}, paths=[api])
    world.until(lambda: world.https_get(www.hostname, "/api").backend == "api", "the new path leads to its Service", 20)
    assert world.https_get(www.hostname).backend == "shop"
    assert world.protocols(www.hostname) == {T12, T13}

    # Nothing claims that the policy is served.
    for kind, name in (("domain", "www"), ("app", "shop")):
        told = world.until(
            lambda kind=kind, name=name: (
                now
                if (now := policies.told(world, kind, namespace, name, "PolicyEnforced")).status == "False"
                else None
            ),
            f"{kind}: PolicyEnforced is False",
            5,
        )
        assert told.reason == "NotServed"
        assert "ECDSA-P256" in told.message
    assert policies.of_policy(world, namespace, "old", "Enforced").status == "False"
    assert world.get("tlspolicy", namespace, "old")["status"]["apps"]["enforced"] == 0

    world.app(namespace, automatic=True)
    world.wait_issued(www, not_serial=serial)
    legacy = {T10, T11, T12}
    policies.seconds_until(world, www, legacy, time.monotonic())
    world.until(lambda: policies.is_told(world, www, legacy), "what is served is told")
    policies.wait_told(world, namespace, "old", "Enforced", policies.enforced(world, legacy))


@pytest.mark.parametrize(
    ("profile", "revision", "versions"),
    [
        pytest.param("modern", "", {T13}, id="with the certificate at hand"),
        pytest.param("legacy", "2018-06", {T10, T11, T12}, id="with another key"),
    ],
)
def test_nothing_is_said_to_be_enforced_before_a_handshake_has_shown_it(
    world: World, pair: Pair, profile: str, revision: str, versions: set[str]
) -> None:
    at = set_policy(world, pair, profile, revision)
    seen: list[tuple[bool, bool]] = []

    def is_said() -> bool:
        is_enforced = policies.of_policy(world, pair.namespace, "of-shop", "Enforced").status == "True"
        seen.append((is_enforced, policies.offers(world, pair.host) == versions))
        return policies.is_told(world, pair.host, versions) and is_enforced == world.plane.is_able(versions)

    world.until(is_said, "the policy is enforced, or said to be impossible here")
    print(f"\nEnforced after {time.monotonic() - at:.2f} s")
    # Said first, looked second: so whatever is said must hold by then.
    assert (True, False) not in seen
    policies.seconds_until(world, pair.host, versions, at)
