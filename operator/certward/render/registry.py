"""All dialects, by their names and by the controllers that they are for."""

from collections.abc import Mapping

from certward.render.dialects import Dialect
from certward.render.dialects.contour import Contour
from certward.render.dialects.envoy_gateway import EnvoyGateway
from certward.render.dialects.generic import Generic
from certward.render.dialects.haproxy_ingress import HAProxyIngress
from certward.render.dialects.ingress_nginx import IngressNginx
from certward.render.dialects.traefik import Traefik

_ALL: tuple[Dialect, ...] = (Traefik(), EnvoyGateway(), Contour(), IngressNginx(), HAProxyIngress(), Generic())
DIALECTS: Mapping[str, Dialect] = {dialect.name: dialect for dialect in _ALL}


def for_controller(controller: str) -> Dialect | None:
    """The dialect for the controller that an IngressClass or a GatewayClass names; None when there is none."""
    for dialect in _ALL:
        if any(_is(controller, known) for known in dialect.controllers):
            return dialect
    return None


def _is(controller: str, known: str) -> bool:
    return controller.startswith(known[:-1]) if known.endswith("*") else controller == known
