"""Reading App, Domain and TLSPolicy from what the API server sends."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from builders import NOW, body, domain
from certward.errors import InvalidSpec
from certward.model.resources import App, Domain, Key, ServiceRef, TLSPolicy, format_time, key_of, parse_time

SERVICE = {"name": "shop", "port": 8080}


def test_an_app_that_asks_for_nothing():
    app = App.from_body(body("App", {"service": SERVICE}))
    assert app.service == ServiceRef("shop", 8080)
    assert not app.is_automatic
    assert app.https_redirect
    assert (app.issuer, app.acme_profile, app.key_type, app.ingress_class) == (None, None, None, None)
    assert (app.paths, app.manual_secrets, app.trusted_ranges, app.status) == ((), (), (), {})


@pytest.mark.parametrize("status", [None, {}, {"observedGeneration": -1}], ids=["none", "empty", "the default"])
def test_what_the_operator_has_not_looked_at_has_no_status(status):
    made = body("Domain", {"hostname": "www.example.com", "appRef": {"name": "shop"}}) | {"status": status}
    assert Domain.from_body(made).status == {}


def test_an_app_that_asks_for_everything():
    spec = {
        "service": {"name": "shop", "port": "http"},
        "paths": [{"path": "/api", "service": {"name": "shop-api", "port": 80}}],
        "certificates": {
            "automatic": True,
            "issuer": "letsencrypt",
            "profile": "classic",
            "keyType": "RSA-2048",
            "manual": [{"secretName": "bought"}],
        },
        "network": {"trustedRanges": ["203.0.113.0/24"]},
        "ingressClassName": "traefik",
        "httpsRedirect": False,
    }
    app = App.from_body(body("App", spec) | {"status": {"hostname": "x.example.net"}})
    assert app.services == (ServiceRef("shop", "http"), ServiceRef("shop-api", 80))
    assert app.paths[0].path == "/api"
    assert (app.is_automatic, app.https_redirect) == (True, False)
    assert (app.issuer, app.acme_profile, app.key_type) == ("letsencrypt", "classic", "RSA-2048")
    assert (app.manual_secrets, app.trusted_ranges, app.ingress_class) == (("bought",), ("203.0.113.0/24",), "traefik")
    assert app.status == {"hostname": "x.example.net"}


def test_a_domain():
    read = Domain.from_body(body("Domain", {"hostname": "www.example.com", "appRef": {"name": "shop"}}))
    assert (read.hostname, read.app) == ("www.example.com", "shop")
    assert (read.secret_name, read.next_secret_name) == ("www-tls", "www-tls-next")
    assert key_of(read) == Key("Domain", "team-a", "www")
    assert str(key_of(read)) == "Domain team-a/www"


def test_a_policy():
    spec = {"targetRefs": [{"kind": "App", "name": "shop"}], "profile": "modern", "revision": "2018-06"}
    policy = TLSPolicy.from_body(body("TLSPolicy", spec))
    assert (policy.targets, policy.selector, policy.profile, policy.revision) == (("shop",), None, "modern", "2018-06")
    everything = TLSPolicy.from_body(body("TLSPolicy", {"profile": "legacy"}))
    assert (everything.targets, everything.revision) == (None, None)


def test_metadata():
    read = Domain.from_body(
        body(
            "Domain",
            {"hostname": "a.example.com", "appRef": {"name": "shop"}},
            annotations={"note": "x"},
            labels=None,
            deletionTimestamp="2026-11-23T12:00:00Z",
        )
    ).meta
    assert (read.uid, read.generation, read.resource_version) == ("0b5e", 3, 1234)
    assert read.created_at == NOW - timedelta(days=1)
    assert (read.annotations, read.labels, read.is_deleting) == ({"note": "x"}, {}, True)


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        (App, {}),
        (App, {"service": {"name": "shop"}}),
        (App, {"service": SERVICE, "paths": [{"path": "/api"}]}),
        (Domain, {}),
        (Domain, {"hostname": "www.example.com"}),
        (Domain, {"appRef": {"name": "shop"}}),
        (TLSPolicy, {}),
    ],
    ids=str,
)
def test_what_cannot_be_done_without_is_asked_for(kind, spec):
    with pytest.raises(InvalidSpec):
        kind.from_body(body(kind.kind, spec))
    without_spec = body(kind.kind, spec)
    del without_spec["spec"]
    with pytest.raises(InvalidSpec):
        kind.from_body(without_spec)


def test_age_decides_before_namespace_and_name():
    older = domain("z", "z", created_at=NOW - timedelta(seconds=1))
    same = [domain("b", "a", created_at=NOW), domain("a", "b", created_at=NOW), domain("a", "a", created_at=NOW)]
    ordered = sorted([*same, older], key=lambda d: d.meta.age_order)
    assert [(d.meta.namespace, d.meta.name) for d in ordered] == [("z", "z"), ("a", "a"), ("a", "b"), ("b", "a")]


def test_times_are_those_of_kubernetes():
    assert parse_time("2026-11-23T12:00:00Z") == NOW
    assert format_time(NOW) == "2026-11-23T12:00:00Z"
    elsewhere = datetime(2026, 11, 23, 14, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert format_time(elsewhere) == "2026-11-23T12:00:00Z"
    assert parse_time("2026-11-23T12:00:00.5Z").tzinfo is UTC
