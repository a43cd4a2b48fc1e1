"""Which dialect an ingress class speaks: as configured, else by the controller that the class names in the cluster."""

import contextlib
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from certward.config import Config
from certward.config.models import IngressClass
from certward.errors import Blocked, Rejected
from certward.kube.client import Client
from certward.model.resources import App
from certward.render.dialects import Dialect, GatewayRef
from certward.render.registry import DIALECTS, for_controller

_UNCONFIGURED = IngressClass()
#: So many names are remembered before those are forgotten that lead to nothing: everybody can make up such names.
_MOST_NAMES = 1024
#: How long a class that was found is taken to be as it was, and one that was not found to be missing, in seconds.
_BELIEVED, _MISSING_BELIEVED = 60.0, 5.0


@dataclass(frozen=True, slots=True)
class Class:
    """An ingress class that Apps can be routed by.

    Attributes:
        name: of the IngressClass or GatewayClass.
        dialect: how its controller is told what to do.
        gateway: where its listeners attach, for dialects of the Gateway API.
        settings: what the configuration says of it.
    """

    name: str
    dialect: Dialect
    gateway: GatewayRef | None
    settings: IngressClass


class Classes:
    """Knows the classes that are configured and looks the others up. For many threads."""

    def __init__(self, config: Config, client: Client) -> None:
        self._config = config
        self._client = client
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, Class | Blocked]] = {}

    def name_for(self, app: App | None) -> str:
        """The class of an App: its own or the default one."""
        return (app.ingress_class if app else None) or self._config.ingress.default_class

    def of(self, app: App | None) -> Class:
        """The class of an App.

        Raises:
            Blocked: there is no such class, or it cannot be told how to write for it; in words for the App's owner.
            Transient: the API server could not be asked.
        """
        return self.named(self.name_for(app))

    def named(self, name: str) -> Class:
        """The class of that name; raises as `of` does."""
        with self._lock:
            at, known = self._known.get(name, (0.0, None))
        believed = _MISSING_BELIEVED if isinstance(known, Blocked) else _BELIEVED
        if known is None or time.monotonic() - at > believed:
            known = self._look(name)
            with self._lock:
                if len(self._known) >= _MOST_NAMES:
                    self._known = {at: one for at, one in self._known.items() if not isinstance(one[1], Blocked)}
                self._known[name] = (time.monotonic(), known)
        if isinstance(known, Blocked):
            raise Blocked(known.reason, known.message)
        return known

    def reads(self, name: str) -> tuple[str, ...]:
        """The kinds of routes that a class's controller goes by; none while it is not known.

        Raises:
            Transient: the API server could not be asked.
        """
        try:
            return self.named(name).dialect.reads
        except Blocked:
            return ()

    def settings(self, name: str) -> IngressClass:
        """What the configuration says of a class, with everything at its default where it says nothing."""
        return self._config.ingress.classes.get(name, _UNCONFIGURED)

    def _look(self, name: str) -> Class | Blocked:
        settings = self.settings(name)
        if settings.dialect:
            dialect = DIALECTS[settings.dialect]
            if "ListenerSet" not in dialect.kinds:
                return Class(name, dialect, None, settings)
            gateway = self._gateway(name, settings)
            return gateway if isinstance(gateway, Blocked) else Class(name, dialect, gateway, settings)
        if found := self._look_up("IngressClass", name):
            controller = str((found.get("spec") or {}).get("controller") or "")
            return Class(name, for_controller(controller) or DIALECTS["generic"], None, settings)
        if found := self._look_up("GatewayClass", name):
            controller = str((found.get("spec") or {}).get("controllerName") or "")
            by_controller = for_controller(controller)
            if by_controller is None:
                return Blocked(
                    "IngressClassUnknown",
                    f"GatewayClass {name} is of controller {controller}, for which Certward has no dialect; choose "
                    "another class.",
                )
            gateway = self._gateway(name, settings)
            return gateway if isinstance(gateway, Blocked) else Class(name, by_controller, gateway, settings)
        return Blocked(
            "IngressClassUnknown",
            f"There is no ingress class {name}: no IngressClass, no GatewayClass and no entry in the configuration has "
            f"that name; use one of: {', '.join(self._all()) or 'none is there'}.",
        )

    def _gateway(self, class_name: str, settings: IngressClass) -> GatewayRef | Blocked:
        """The Gateway that is configured, else the only one of the class."""
        wanted = settings.gateway
        ports = (wanted.http_port, wanted.https_port)
        if wanted.name:
            if self._client.get("Gateway", wanted.namespace, wanted.name) is None:
                return Blocked(
                    "GatewayNotFound",
                    f"There is no Gateway {wanted.namespace}/{wanted.name}, which the configuration names for class "
                    f"{class_name}; the administrator has to create it or correct "
                    f"ingress.classes.{class_name}.gateway.",
                )
            return GatewayRef(wanted.namespace, wanted.name, *ports)
        found = [
            body["metadata"]
            for body in self._client.list("Gateway", may_be_absent=True)
            if (body.get("spec") or {}).get("gatewayClassName") == class_name
        ]
        if len(found) == 1:
            return GatewayRef(found[0]["namespace"], found[0]["name"], *ports)
        how_many = f"{len(found)} Gateways are" if found else "No Gateway is"
        return Blocked(
            "GatewayNotFound",
            f"{how_many} of class {class_name}; the administrator has to name one in "
            f"ingress.classes.{class_name}.gateway of the configuration.",
        )

    def _look_up(self, kind: str, name: str) -> Mapping[str, Any] | None:
        """A class that the operator's account may read; an administrator who does not grant that configures classes."""
        try:
            return self._client.get(kind, "", name)
        except Rejected:
            return None

    def _all(self) -> list[str]:
        names = set(self._config.ingress.classes)
        for kind in ("IngressClass", "GatewayClass"):
            with contextlib.suppress(Rejected):
                names |= {str(body["metadata"]["name"]) for body in self._client.list(kind, may_be_absent=True)}
        return sorted(names)
