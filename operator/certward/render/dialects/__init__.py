"""One module per ingress controller. This one holds what they have in common."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from certward.model.policy import HSTS
from certward.model.profiles import Profile
from certward.model.resources import App, Domain
from certward.plan.enforcement import Capabilities
from certward.plan.observed import Routes
from certward.render import forms
from certward.render.manifests import Manifest


class ObjectRef(NamedTuple):
    """An object by kind and name."""

    kind: str
    namespace: str
    name: str


class GatewayRef(NamedTuple):
    """The Gateway (Gateway API) that a class's listeners attach to, and the ports of its two entries."""

    namespace: str
    name: str
    http_port: int = 80
    https_port: int = 443


@dataclass(frozen=True, slots=True)
class Host:
    """What a dialect is asked to render: one hostname.

    Attributes:
        domain: the Domain.
        app: its App.
        routes: what the ingress is to do.
        class_name: the ingress class in use.
        challenge_port: port of the challenge Service in the Domain's namespace.
        gateway: for dialects of the Gateway API.
        platform: for the hostname that the platform gives an App, the Domain whose certificate it is served with; that
            lies in the platform's namespace and is no other's to name.
        is_platform: this is that Domain.
    """

    domain: Domain
    app: App
    routes: Routes
    class_name: str
    challenge_port: int
    gateway: GatewayRef | None = None
    platform: Domain | None = None
    is_platform: bool = False

    def __post_init__(self) -> None:
        """Let nothing through to a dialect that is not of the right form.

        Raises:
            Blocked: in words for the App's owner.
        """
        forms.check(self.domain, self.app, class_name=self.class_name, secret_name=self.routes.secret_name)

    @property
    def tls(self) -> list[Manifest]:
        """What an Ingress says of its certificate; without a Secret for the one that the controller has by default."""
        if not self.routes.secret_name:
            return []
        secret = {} if self.platform else {"secretName": self.routes.secret_name}
        return [{"hosts": [self.domain.hostname], **secret}]


@dataclass(frozen=True, slots=True)
class Rendered:
    """What should be there for a host, in the order in which it has to come, and what should not.

    Attributes:
        shared: objects that other hosts use as well; they must exist before `own`.
        own: objects of this host alone.
        unwanted: objects of this host that must go.
    """

    shared: tuple[Manifest, ...]
    own: tuple[Manifest, ...]
    unwanted: tuple[ObjectRef, ...]


class Dialect(ABC):
    """How one ingress controller is told what to do.

    Attributes:
        name: what the configuration calls it.
        capabilities: what it can enforce for one host.
        kinds: the kinds of objects that it writes; they have to be served by the API server.
        controllers: `spec.controller` of the IngressClasses, or `spec.controllerName` of the GatewayClasses, that this
            dialect is for. One that ends in `*` stands for all that begin so.
        reads: the kinds of routes that its controller goes by, whoever has written them.
        knows_port_names: Services' ports may be given by name; otherwise they have to be numbers.
        has_one_store: its controller keeps the certificates of all hosts in one store and chooses by their names alone,
            whatever a host's route refers to.
        joins_backends: its controller knows a backend by namespace, Service and port, joined by hyphens, so that those
            of two namespaces can be one to it.
        cluster_settings: the object with the controller's settings for all hosts, if `advice` makes something of it.
    """

    name: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    kinds: ClassVar[tuple[str, ...]]
    controllers: ClassVar[tuple[str, ...]] = ()
    reads: ClassVar[tuple[str, ...]] = ("Ingress",)
    knows_port_names: ClassVar[bool] = True
    has_one_store: ClassVar[bool] = False
    joins_backends: ClassVar[bool] = False
    cluster_settings: ClassVar[ObjectRef | None] = None

    @abstractmethod
    def render(self, host: Host) -> Rendered:
        """The objects for one hostname.

        Raises:
            Blocked: the host cannot be said in this controller's words, in words for the App's owner.
        """

    @abstractmethod
    def all_of(self, domain: Domain) -> tuple[ObjectRef, ...]:
        """Every object that this dialect may have made for a Domain, for taking a host away."""

    def leftovers_in(self, namespace: str) -> tuple[ObjectRef, ...]:  # noqa: ARG002 - most share nothing
        """Objects that the Domains of a namespace share, for when there is none any more."""
        return ()

    def reports(self, domain: Domain) -> tuple[ObjectRef, ...]:  # noqa: ARG002 - most controllers write addresses only
        """Those objects of a Domain in whose status the controller says what it thinks of them."""
        return ()

    def complaint(self, objects: Sequence[Manifest]) -> str:  # noqa: ARG002 - as above
        """What the controller says is wrong with these, as one sentence; empty when it says nothing.

        Args:
            objects: those of `reports` that exist, as they are in the cluster.
        """
        return ""

    def advice(
        self,
        settings: Manifest,  # noqa: ARG002 - most controllers have nothing that can be compared
        profile: Profile,  # noqa: ARG002 - as above
        hsts: HSTS | None,  # noqa: ARG002 - as above
        *,
        is_restricted: bool,  # noqa: ARG002 - as above
    ) -> str:
        """What the administrator would have to set for all hosts at once, as one or two sentences.

        Args:
            settings: the object that `cluster_settings` names, as it is in the cluster.
            profile: in force for the host.
            hsts: the header that its policy asks for.
            is_restricted: the App names ranges that may reach it.
        """
        return self.capabilities.cluster_wide
