"""Which ingress class a hostname is routed by, and its controller's dialect: as far as a user can see."""

from dataclasses import dataclass

from certward.cli.api import Api
from certward.cli.findings import Unseen
from certward.cli.seeing import get_any, list_any, see
from certward.config import Config
from certward.config.models import IngressClass
from certward.model.resources import App, Domain
from certward.render.dialects import Dialect, GatewayRef
from certward.render.registry import DIALECTS, for_controller

_UNCONFIGURED = IngressClass()


@dataclass(frozen=True, slots=True)
class Class:
    """An ingress class.

    Attributes:
        name: of the IngressClass or GatewayClass.
        dialect: how its controller is told what to do.
        gateway: where its listeners attach, for dialects of the Gateway API; None also where that cannot be told.
        settings: what the configuration says of it.
    """

    name: str
    dialect: Dialect
    gateway: GatewayRef | None = None
    settings: IngressClass = _UNCONFIGURED


def name_for(domain: Domain, app: App | None, config: Config | None) -> str:
    """The class that routes a Domain; empty where that cannot be told."""
    told = str(domain.status.get("ingressClassName") or "")
    return told or (app.ingress_class if app else None) or (config.ingress.default_class if config else "")


def find(api: Api, name: str, config: Config | None) -> Class | Unseen | None:
    """A class by its name; None: there is no such class."""
    settings = config.ingress.classes.get(name, _UNCONFIGURED) if config else _UNCONFIGURED
    dialect = DIALECTS.get(settings.dialect) or _by_controller(api, name)
    if dialect is None or isinstance(dialect, Unseen):
        # Classes are often named for their controller, and users seldom may read them.
        dialect = DIALECTS.get(name) if isinstance(dialect, Unseen) and name in DIALECTS else dialect
    if dialect is None or isinstance(dialect, Unseen):
        return dialect
    gateway = _gateway(api, name, settings) if "ListenerSet" in dialect.kinds else None
    return Class(name, dialect, gateway, settings)


def _by_controller(api: Api, name: str) -> Dialect | Unseen | None:
    found = see(lambda: api.get("IngressClass", "", name))
    if isinstance(found, Unseen):
        return found
    if found:
        return for_controller(str((found.get("spec") or {}).get("controller") or "")) or DIALECTS["generic"]
    gateway = see(lambda: get_any(api, "GatewayClass", "", name))
    if isinstance(gateway, Unseen) or gateway is None:
        return gateway
    return for_controller(str((gateway.get("spec") or {}).get("controllerName") or ""))


def _gateway(api: Api, class_name: str, settings: IngressClass) -> GatewayRef | None:
    """The Gateway that is configured, else the only one of the class."""
    wanted = settings.gateway
    ports = (wanted.http_port, wanted.https_port)
    if wanted.name:
        return GatewayRef(wanted.namespace, wanted.name, *ports)
    listed = see(lambda: list_any(api, "Gateway"))
    found = [
        body["metadata"]
        for body in (() if isinstance(listed, Unseen) else listed or ())
        if (body.get("spec") or {}).get("gatewayClassName") == class_name
    ]
    return GatewayRef(found[0]["namespace"], found[0]["name"], *ports) if len(found) == 1 else None
