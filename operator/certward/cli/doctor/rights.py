"""What the operator's account has to be allowed, as manifests/base/rbac.yaml grants it."""

from dataclasses import dataclass
from typing import Final

_READ: Final = ("get", "list", "watch")
_ROUTE: Final = ("get", "list", "watch", "create", "patch", "delete")
_OBJECT: Final = ("get", "list", "create", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Need:
    """Rights on some resources of a group.

    Attributes:
        group: of the API; empty for the core.
        resources: in their plural, with subresource.
        verbs: what has to be allowed.
        api: the path by which it is seen whether the cluster has these resources; empty: every cluster does.
        is_own: in the operator's own namespace only.
        name: of this one object only.
    """

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    api: str = ""
    is_own: bool = False
    name: str = ""


NEEDS: Final = (
    Need("certward.dev", ("apps", "domains", "tlspolicies"), _READ),
    Need("certward.dev", ("apps",), ("patch",)),
    Need("certward.dev", ("apps/status", "domains/status", "tlspolicies/status"), ("patch",)),
    Need("certward.dev", ("hostnamerules",), ("get", "create", "patch")),
    Need("networking.k8s.io", ("ingresses",), _ROUTE),
    Need("networking.k8s.io", ("ingressclasses",), ("get", "list")),
    Need("traefik.io", ("ingressroutes",), _ROUTE, "/apis/traefik.io/v1alpha1"),
    Need("traefik.io", ("middlewares", "tlsoptions"), _OBJECT, "/apis/traefik.io/v1alpha1"),
    Need("traefik.io", ("ingressroutetcps",), ("list", "watch"), "/apis/traefik.io/v1alpha1"),
    Need("projectcontour.io", ("httpproxies",), _ROUTE, "/apis/projectcontour.io/v1"),
    Need(
        "projectcontour.io",
        ("tlscertificatedelegations",),
        _OBJECT,
        "/apis/projectcontour.io/v1",
    ),
    Need("gateway.networking.k8s.io", ("httproutes", "listenersets"), _ROUTE, "/apis/gateway.networking.k8s.io/v1"),
    Need("gateway.networking.k8s.io", ("gateways",), _READ, "/apis/gateway.networking.k8s.io/v1"),
    Need("gateway.networking.k8s.io", ("gatewayclasses",), ("get", "list"), "/apis/gateway.networking.k8s.io/v1"),
    Need(
        "gateway.envoyproxy.io",
        ("clienttrafficpolicies", "securitypolicies"),
        _OBJECT,
        "/apis/gateway.envoyproxy.io/v1alpha1",
    ),
    Need("", ("configmaps",), ("get",), name="ingress-nginx-controller"),
    Need("", ("services",), _OBJECT),
    Need("discovery.k8s.io", ("endpointslices",), _OBJECT),
    Need("", ("secrets",), ("get", "create", "patch", "delete")),
    Need("events.k8s.io", ("events",), ("create",)),
    Need("certward.dev", ("apps", "domains"), ("create", "update", "delete"), is_own=True),
    Need("coordination.k8s.io", ("leases",), ("get", "create", "update", "patch"), is_own=True),
    Need("", ("configmaps",), ("get", "create", "patch"), is_own=True),
    Need("discovery.k8s.io", ("endpointslices",), _READ, is_own=True),
)


def in_words(verb: str, resource: str, group: str) -> str:
    """A right, as in "patch domains.certward.dev/status"."""
    plural, _, sub = resource.partition("/")
    return f"{verb} {plural}{f'.{group}' if group else ''}{f'/{sub}' if sub else ''}"
