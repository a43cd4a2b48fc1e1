"""Whom else a manual certificate concerns where the ingress has one store for all hosts; Secrets in memory."""

import base64
from types import SimpleNamespace

import pytest

import chains
from builders import app, domain
from certward.kube.cache import Cache
from certward.names import LABEL_DOMAIN, LABEL_MANAGED_BY, MANAGED_BY
from certward.plan.checks import SecretState
from certward.render.registry import DIALECTS
from certward.runtime.manuals import Manuals
from certward.runtime.secrets import Secrets
from secret_shelf import KEY, NOW, Shelf, certificate

OLD, YOUNG = NOW.replace(year=2020), NOW.replace(year=2025)
CLASSES = SimpleNamespace(of=lambda _: SimpleNamespace(dialect=DIALECTS["traefik"]))
BOUGHT = app(manual_secrets=("bought",))


class Store(Shelf):
    """Tells which Secrets were asked for, in all namespaces alike."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def get(self, kind, namespace, name):
        self.asked.append(name)
        return super().get(kind, namespace, name)


@pytest.fixture
def store():
    return Store()


def hold(store, name, *, of="", hostname="*.example.com"):
    data = {"tls.crt": encode(certificate(hostname)), "tls.key": encode(KEY)}
    labels = {LABEL_MANAGED_BY: MANAGED_BY, LABEL_DOMAIN: of} if of else {}
    store.put({"metadata": {"name": name, "labels": labels}, "type": "kubernetes.io/tls", "data": data})


def encode(pem):
    return base64.b64encode(pem).decode()


def served(name, secret, namespace="team-a", *, source="Manual", issued="Manual", **of):
    status = {
        "certificate": {"source": source, "secretName": secret},
        "conditions": [{"type": "CertificateIssued", "status": "True", "reason": issued}],
    }
    return domain(name, namespace, hostname=f"{name}.example.com", status=status, **of)


def manual_of(store, one, *others, of=BOUGHT, automatic=None, roots=b"", now=NOW):
    cache = Cache()
    for resource in (of, one, *others):
        cache.put(resource)
    manuals = Manuals(store, cache, Secrets(store), CLASSES, roots)
    (found,) = manuals.of(one, of, automatic or SecretState(), now)
    return found


def test_an_old_domain_does_not_take_the_certificate_of_a_younger_one_away_by_naming_a_secret(store):
    # team-a/b-www-tls and team-a-b/www-tls read the same to the ingress.
    hold(store, "b-www-tls")
    theirs = domain("www", "team-a-b", hostname="www.elsewhere.test", created_at=YOUNG)
    naming = app(manual_secrets=("b-www-tls",))
    mine = domain("shop", hostname="shop.example.com", created_at=OLD)
    assert manual_of(store, mine, theirs, of=naming).collides_with == "team-a-b/www"
    # Where it was served first, the older one stays and the younger one has to give way.
    before = served("shop", "b-www-tls", created_at=OLD)
    assert manual_of(store, before, theirs, of=naming).collides_with == ""
    younger = served("shop", "b-www-tls", created_at=YOUNG.replace(year=2026))
    assert manual_of(store, younger, theirs, of=naming).collides_with == "team-a-b/www"


@pytest.mark.parametrize(
    ("is_trusted", "is_served", "came", "intrudes_on"),
    [
        (True, True, YOUNG, ""),
        (True, True, OLD, "team-b/api"),
        (True, False, YOUNG, "team-b/api"),
        (False, True, YOUNG, "team-b/api"),
    ],
)
def test_a_newcomer_takes_no_trusted_certificate_away_that_is_served(store, is_trusted, is_served, came, intrudes_on):
    root, intermediate = chains.hierarchy()
    bought = chains.leaf("*.example.com", issuer=intermediate)
    data = {"tls.crt": encode(bought.pem + intermediate.pem), "tls.key": encode(bought.key_pem)}
    store.put({"metadata": {"name": "bought"}, "type": "kubernetes.io/tls", "data": data})
    since = chains.NOW.replace(year=2023)
    mine = served("www", "bought" if is_served else "", created_at=since)
    newcomer = domain("api", "team-b", hostname="api.example.com", created_at=came)
    found = manual_of(store, mine, newcomer, roots=root.pem if is_trusted else b"", now=chains.NOW)
    assert found.intrudes_on == intrudes_on


@pytest.mark.parametrize(
    ("hostname", "source", "of", "expected"),
    [
        ("api.example.com", "Automatic", "shop", "api"),
        ("api.example.com", "Manual", "shop", ""),
        ("api.other.test", "Automatic", "shop", ""),
        ("api.example.com", "Automatic", "gone", ""),
        ("*.example.com", "Automatic", "shop", "api"),
    ],
)
def test_it_is_not_served_where_it_would_take_a_neighbours_automatic_one_away(store, hostname, source, of, expected):
    hold(store, "bought")
    status = {"certificate": {"source": source, "secretName": "api-tls"}}
    neighbour = domain("api", hostname=hostname, app=of, status=status)
    assert manual_of(store, domain(), neighbour).taken_from == expected
    assert manual_of(store, served("www", "bought"), neighbour).taken_from == ""


def test_those_that_are_served_with_it_go_over_together(store):
    hold(store, "bought")
    hold(store, "api-tls", of="api")
    own = SecretState(exists=True, is_managed=True, facts=Secrets(store).state(domain("api"), NOW, b"").facts)
    assert own.facts
    mine = served("www", "bought", issued="Issued")
    waiting, ready = served("api", "bought"), served("api", "bought", issued="Issued")
    assert manual_of(store, mine, waiting, automatic=own).awaited == "api"
    assert manual_of(store, mine, ready, automatic=own).awaited == ""
    store.delete("Secret", "team-a", "api-tls")
    assert manual_of(store, mine, ready, automatic=own).awaited == "api", "its status says what was"


def test_to_wait_for_a_thousand_others_costs_no_request_for_each(store):
    hold(store, "bought")
    for number in range(1000):
        hold(store, f"d{number:04}-tls", of=f"d{number:04}")
    others = [served(f"d{number:04}", "bought", issued="Issued") for number in range(1000)]
    own = SecretState(exists=True, is_managed=True, facts=Secrets(store).state(domain("d0000"), NOW, b"").facts)
    store.asked.clear()
    last = served("zzz", "bought")
    assert manual_of(store, served("www", "bought", issued="Issued"), *others, last, automatic=own).awaited == "zzz"
    assert store.asked == ["bought"]


def test_secrets_that_nobody_names_any_more_are_not_remembered_for_ever(store, monkeypatch):
    monkeypatch.setattr("certward.runtime.manuals._REMEMBERED", 3)
    manuals = Manuals(store, Cache(), Secrets(store), CLASSES, b"")
    for number in range(5):
        hold(store, f"bought-{number}")
        manuals.of(domain(), app(manual_secrets=(f"bought-{number}",)), SecretState(), NOW)
    assert [name for _, name in manuals._known] == ["bought-2", "bought-3", "bought-4"]
