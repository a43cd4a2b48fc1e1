"""What becomes of the routes of a Domain or an App that is being deleted."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from builders import app, domain
from certward.config import Config
from certward.errors import Blocked, Transient
from certward.kube.cache import Cache
from certward.kube.ensure import Ensurer
from certward.model.resources import Key
from certward.names import LABEL_MANAGED_BY, MANAGED_BY
from certward.render.registry import DIALECTS
from certward.runtime.domains import Domains
from certward.runtime.host_routes import HostRoutes
from certward.runtime.memory import Memories

KEY = Key("Domain", "team-a", "www")


class Api:
    """Objects by kind and name; counts what it is asked."""

    def __init__(self, *refs, fails=False):
        meta = {"labels": {LABEL_MANAGED_BY: MANAGED_BY}, "uid": "uid"}
        self.there = {ref: {"metadata": meta | {"name": ref[2]}} for ref in map(tuple, refs)}
        self.asked = []
        self.fails = fails

    def get(self, *ref):
        self.asked.append(("GET", ref))
        return self.there.get(ref)

    def delete(self, *ref, uid):
        self.asked.append(("DELETE", ref))
        if self.fails:
            raise Transient("APIServerUnavailable", "away")
        assert self.there.pop(ref)["metadata"]["uid"] == uid


def named(name):
    if name not in DIALECTS:
        raise Blocked("IngressClassUnknown", "There is no such class.")
    return SimpleNamespace(dialect=DIALECTS[name])


def domains_of(api, *resources):
    """The part of the operator that works on Domains, as far as it is needed for one that goes."""
    cache = Cache()
    for each in resources:
        cache.put(each)
    forgets = SimpleNamespace(begin=lambda: None, forget=lambda *_: None)
    routes = HostRoutes(
        Config(),
        cache,
        classes=SimpleNamespace(name_for=lambda app: (app and app.ingress_class) or "traefik", named=named),
        ensurer=Ensurer(api, listed_every=600.0, is_free=lambda *_: False),
        **dict.fromkeys(("permitted", "services", "namespaces", "preflights", "prover")),
    )
    return cache, Domains(
        cache,
        routes=routes,
        issuance=forgets,
        secrets=forgets,
        memories=Memories(datetime.now(UTC)),
        **dict.fromkeys(("gatherer", "manuals", "status", "revocations", "prover", "glances")),
    )


def going(**status):
    return domain(is_deleting=True, status=status)


def of(dialect):
    return {tuple(ref) for ref in DIALECTS[dialect].all_of(domain())}


def test_the_routes_of_a_domain_in_deletion_are_taken_away_once():
    api = Api(*of("traefik"), ("Secret", "team-a", "www-tls"))
    cache, domains = domains_of(api, app(), going(ingressClassName="traefik"))
    assert domains.reconcile(KEY, set()) is None
    assert set(api.there) == {("Secret", "team-a", "www-tls")}, "that goes when the Domain does"
    assert len(api.asked) == 2 * len(of("traefik"))
    for _ in range(3):
        domains.reconcile(KEY, set())
    assert len(api.asked) == 2 * len(of("traefik")), "it is known that they are not there"

    cache.drop(KEY)
    domains.reconcile(KEY, set())
    assert domains._routes._ensurer._known._of == {kind: {} for kind, *_ in of("traefik")}, "nothing of it is kept"
    assert domains._memories.peek(KEY) is None
    assert len(api.asked) == 2 * len(of("traefik")), "of what is gone nothing is asked"


@pytest.mark.parametrize(
    ("status", "class_of_app", "expected"),
    [
        pytest.param({}, None, {"traefik"}, id="not routed yet"),
        pytest.param({"ingressClassName": "contour"}, None, {"traefik", "contour"}, id="on its way to another class"),
        pytest.param({"ingressClassName": "contour"}, "contour", {"contour"}, id="of another class"),
        pytest.param({"ingressClassName": "gone"}, None, set(DIALECTS), id="of a class that is gone"),
    ],
)
def test_only_what_its_classes_may_have_made_is_looked_for(status, class_of_app, expected):
    api = Api()
    _, domains = domains_of(api, app(ingress_class=class_of_app), going(**status))
    domains.reconcile(KEY, set())
    assert {ref for _, ref in api.asked} == set().union(*map(of, expected))


def test_what_could_not_be_taken_away_is_tried_again():
    api = Api(*of("traefik"), fails=True)
    _, domains = domains_of(api, going())
    with pytest.raises(Transient):
        domains.reconcile(KEY, set())
    api.fails = False
    domains.reconcile(KEY, set())
    assert api.there == {}
