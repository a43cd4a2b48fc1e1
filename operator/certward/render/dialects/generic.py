"""Any ingress controller: what the Ingress of Kubernetes itself can say, and no annotation.

That is a certificate for a host, its paths, and the challenge path. Which TLS is spoken, whether plain HTTP is
redirected, what header is sent and who may come in are the controller's own settings, the same for all hosts.
"""

from collections.abc import Sequence

from certward.model.resources import Domain
from certward.plan.enforcement import Capabilities
from certward.render.dialects import Dialect, Host, ObjectRef, Rendered
from certward.render.ingress import app_paths, challenge_path, ingress
from certward.render.manifests import Manifest

_CHALLENGE, _APP = "challenge", "app"


class Generic(Dialect):
    """The dialect for controllers that no other dialect is for."""

    name = "generic"
    capabilities = Capabilities(
        engine="the ingress controller",
        versions=frozenset(),
        suites=frozenset(),
        groups=frozenset(),
        orders_suites=False,
        sets_tls13_suites=False,
        foreign_route="can take the host's paths or replace its certificate, as the ingress controller sees fit",
        sends_hsts=False,
        redirects=False,
        restricts_ranges=False,
        cluster_wide=(
            "Certward cannot tell this ingress controller anything but certificate and paths: versions, suites, "
            "groups, redirect, HSTS and allowed ranges are what it is configured with for all hosts."
        ),
        source="the Ingress API (networking.k8s.io/v1)",
        tried="That the API server accepts the objects; no particular controller.",
    )
    kinds = ("Ingress",)

    def render(self, host: Host) -> Rendered:
        """The objects for one hostname; a profile changes nothing in them."""
        own: list[Manifest] = []
        unwanted: list[ObjectRef] = []
        if host.routes.challenge:
            own.append(_ingress(host, _CHALLENGE, [challenge_path(host.challenge_port)]))
        else:
            unwanted.append(_ref(host.domain, _CHALLENGE))
        own.append(_ingress(host, _APP, app_paths(host.app), host.tls))
        return Rendered(shared=(), own=tuple(own), unwanted=tuple(unwanted))

    def all_of(self, domain: Domain) -> tuple[ObjectRef, ...]:
        """Every object that this dialect may have made for a Domain."""
        return _ref(domain, _APP), _ref(domain, _CHALLENGE)


def _name(domain: Domain, role: str) -> str:
    """An Ingress's name; it ends unlike those of all other dialects."""
    return f"certward-{domain.object_name}-{role}-{Generic.name}"


def _ref(domain: Domain, role: str) -> ObjectRef:
    return ObjectRef("Ingress", domain.meta.namespace, _name(domain, role))


def _ingress(host: Host, role: str, paths: list[Manifest], tls: Sequence[Manifest] = ()) -> Manifest:
    return ingress(host.domain, _name(host.domain, role), host.class_name, paths, tls=tls)
