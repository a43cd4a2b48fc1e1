"""When the built-in hostname of an App is looked at; tests/e2e/test_e2e_platform.py shows it on a cluster."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from builders import DEFAULT, app, domain
from certward.config import Config
from certward.kube.cache import Cache
from certward.kube.foreign import ForeignRoutes
from certward.model.resources import Builtin, Key, builtin_hostname, format_time
from certward.plan.builtin import SERVED
from certward.render.registry import DIALECTS
from certward.runtime.builtin import Builtins
from certward.runtime.classes import Class
from certward.runtime.memory import Memories

KEY = Key("Builtin", "team-a", "shop")
NOW = datetime.now(UTC)
INTERVAL = timedelta(minutes=10)


def wildcard():
    certificate = {
        "issuer": "CN=Test CA",
        "serialNumber": "01",
        "fingerprintSHA256": "ab" * 32,
        "keyType": "ECDSA-P256",
        "secretName": "certward-platform-tls",
        "notBefore": format_time(NOW - timedelta(days=1)),
        "notAfter": format_time(NOW + timedelta(days=89)),
    }
    return domain("certward-platform", "sys", hostname="*.apps.test", status={"certificate": certificate})


def builtins_of(one, looks, *, dialect="traefik", gone=()):
    """Built-in hostnames of a process that has just started, with all that they use standing still."""
    cache, config = Cache(), Config()
    cache.put(one)
    class_ = Class("traefik", DIALECTS[dialect], None, config.ingress.classes["traefik"])
    take_away = gone.update if isinstance(gone, set) else lambda _: None
    nothing = SimpleNamespace(present=lambda _: None, absent=take_away, doubt=lambda _: None)
    return Builtins(
        config,
        cache,
        permitted=SimpleNamespace(is_platform=lambda *_: False),
        platform=SimpleNamespace(suffix="apps.test", domain=wildcard()),
        classes=SimpleNamespace(of=lambda _: class_, name_for=lambda _: "traefik", reads=lambda _: frozenset()),
        ensurer=nothing,
        services=SimpleNamespace(numbered=lambda one: one),
        policies=SimpleNamespace(effective=lambda _: SimpleNamespace(profile=DEFAULT, hsts=None)),
        foreign=ForeignRoutes(),
        prover=SimpleNamespace(prove=lambda *_: looks.append(datetime.now(UTC)) or INTERVAL),
        memories=Memories(datetime.now(UTC)),  # not NOW: in a whole run that is long ago
    )


@pytest.mark.parametrize(("status", "is_looked_at"), [("True", False), ("False", True), ("Unknown", True)])
def test_after_a_restart_those_that_were_served_are_looked_at_one_by_one(status, is_looked_at):
    looks = []
    conditions = [{"type": SERVED, "status": status, "reason": "Served", "message": "Narrower than asked for."}]
    shop = app(status={"conditions": conditions})
    builtins = builtins_of(shop, looks)
    news = set()
    again = builtins.reconcile(KEY, news)
    assert bool(looks) == is_looked_at
    assert timedelta() < again <= INTERVAL
    if not is_looked_at:
        assert not news, "nothing is written because of a restart"
        assert builtins.told(shop).condition.message == "Narrower than asked for."


def test_an_app_that_must_not_be_routed_loses_the_routes_that_it_had():
    gone = set()
    shop = app(trusted_ranges=("203.0.113.0/24",))
    builtins_of(shop, [], dialect="generic", gone=gone).reconcile(KEY, set())
    own = Builtin(meta=shop.meta, hostname="", app="shop", status={})
    assert set(DIALECTS["generic"].all_of(own)) <= gone, "the ranges would be open to everybody"


def test_an_app_in_deletion_loses_the_routes_that_it_had():
    gone, looks = set(), []
    shop = app(of={"is_deleting": True})
    assert builtins_of(shop, looks, gone=gone).reconcile(KEY, set()) is None
    own = Builtin(meta=shop.meta, hostname="", app="shop", status={})
    assert set(DIALECTS["traefik"].all_of(own)) <= gone, "a finalizer may hold it up, and the hostname is another's"
    assert looks == []


def test_no_domain_can_have_the_name_that_built_in_routes_are_made_of():
    own = Builtin(meta=app("a").meta, hostname="", app="a", status={})
    assert len(own.object_name) > 63, "a Domain's name has 63 characters at most"


def test_of_two_apps_with_one_built_in_hostname_the_older_has_it():
    """Names that were searched for until their hashes began alike, which takes some seconds."""
    long = "storefront-of-the-northern-region-with-a-rather-long-na"
    first, second = app(f"{long}ecmn"), app(f"{long}iceo", "team-b", of={"created_at": NOW})
    assert builtin_hostname(first, "apps.test") == builtin_hostname(second, "apps.test")
    for one, is_routed in ((first, True), (second, False)):
        gone, looks = set(), []
        builtins = builtins_of(one, looks, gone=gone)
        builtins._cache.put(second if one is first else first)
        builtins.reconcile(Key("Builtin", one.meta.namespace, one.meta.name), set())
        assert bool(looks) == is_routed
        own = Builtin(meta=one.meta, hostname="", app=one.meta.name, status={})
        assert (set(DIALECTS["traefik"].all_of(own)) <= gone) != is_routed
        assert ("older App team-a/" in builtins.told(one).condition.message) != is_routed
