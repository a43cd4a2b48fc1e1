"""One module per ingress controller. This one holds what they have in common and finds them by name."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from certward.model.resources import App, Domain
from certward.plan.enforcement import Capabilities
from certward.plan.observed import Routes
from certward.render.manifests import Manifest


class ObjectRef(NamedTuple):
    """An object by kind and name."""

    kind: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Host:
    """What a dialect is asked to render: one hostname.

    Attributes:
        domain: the Domain.
        app: its App.
        routes: what the ingress is to do.
        class_name: the ingress class in use.
        challenge_port: port of the challenge Service in the Domain's namespace.
    """

    domain: Domain
    app: App
    routes: Routes
    class_name: str
    challenge_port: int


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


class Dialect(Protocol):
    """How one ingress controller is told what to do."""

    name: str
    capabilities: Capabilities

    def render(self, host: Host) -> Rendered:
        """The objects for one hostname."""
        ...

    def all_of(self, domain: Domain) -> tuple[ObjectRef, ...]:
        """Every object that this dialect may have made for a Domain, for taking a host away."""
        ...

    def leftovers_in(self, namespace: str) -> tuple[ObjectRef, ...]:
        """Objects that the Domains of a namespace share, for when there is none any more."""
        ...
