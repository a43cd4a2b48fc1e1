"""What the operator's account has to be allowed, as manifests/base/rbac.yaml grants it."""

from dataclasses import dataclass
from typing import Final

from certward.names import PLATFORM

_SEE: Final = ("list", "watch")
_READ: Final = ("get", *_SEE)
_WRITE: Final = ("create", "patch", "delete")
_ROUTE: Final = (*_READ, *_WRITE)
_OBJECT: Final = ("get", "list", *_WRITE)


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
    Need("certward.dev", ("apps", "domains", "tlspolicies"), _SEE),
    Need("certward.dev", ("apps",), ("patch",)),
    Need("certward.dev", ("apps/status", "domains/status", "tlspolicies/status"), ("patch",)),
    Need("certward.dev", ("hostnamerules",), ("get", "create", "patch"), name="certward"),
    Need("networking.k8s.io", ("ingresses",), _ROUTE),
    Need("networking.k8s.io", ("ingressclasses",), ("get", "list")),
    Need("traefik.io", ("middlewares", "tlsoptions"), _OBJECT, "/apis/traefik.io/v1alpha1"),
    Need("traefik.io", ("ingressroutes", "ingressroutetcps"), _SEE, "/apis/traefik.io/v1alpha1"),
    Need("projectcontour.io", ("httpproxies",), _ROUTE, "/apis/projectcontour.io/v1"),
    Need("projectcontour.io", ("tlscertificatedelegations",), ("get", "list"), "/apis/projectcontour.io/v1"),
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
    Need("", ("services",), ("get", "list")),
    Need("", ("services",), _WRITE, name="certward-challenge"),
    Need("discovery.k8s.io", ("endpointslices",), ("list",)),
    Need("discovery.k8s.io", ("endpointslices",), ("get", *_WRITE), name="certward-challenge-ipv4"),
    Need("discovery.k8s.io", ("endpointslices",), ("get", *_WRITE), name="certward-challenge-ipv6"),
    Need("", ("secrets",), ("get", *_WRITE)),
    Need("events.k8s.io", ("events",), ("create",)),
    Need("certward.dev", ("apps", "domains"), ("create",), is_own=True),
    Need("certward.dev", ("apps",), ("get", "update", "delete"), is_own=True, name=PLATFORM),
    Need("certward.dev", ("domains",), ("get", "delete"), is_own=True, name=PLATFORM),
    Need(
        "projectcontour.io",
        ("tlscertificatedelegations",),
        _WRITE,
        "/apis/projectcontour.io/v1",
        is_own=True,
        name=f"certward-{PLATFORM}-contour",
    ),
    Need("coordination.k8s.io", ("leases",), ("get", "create", "update"), is_own=True),
    Need("", ("configmaps",), ("get", "create", "patch"), is_own=True),
)


def in_words(verb: str, resource: str, group: str) -> str:
    """A right, as in "patch domains.certward.dev/status"."""
    plural, _, sub = resource.partition("/")
    return f"{verb} {plural}{f'.{group}' if group else ''}{f'/{sub}' if sub else ''}"
