"""Whether an App may be routed by a controller at all."""

import re

from certward.errors import Blocked
from certward.kube.cache import Cache
from certward.model.resources import App, backend_ids
from certward.names import CHALLENGE_SERVICE
from certward.render.dialects import Dialect


def check(dialect: Dialect, app: App, cache: Cache, *, challenge_port: int) -> None:
    """Refuse an App that would be open to more than it says, or be given what is another's.

    Args:
        dialect: of the controller.
        app: the App.
        cache: the other Apps.
        challenge_port: port of the Services by which hostnames are validated.

    Raises:
        Blocked: in words for the App's owner.
    """
    dialect.capabilities.check(app)
    if not dialect.joins_backends:
        return
    namespace = app.meta.namespace
    for backend, service in backend_ids(app).items():
        validates = re.fullmatch(rf"(.+)-{CHALLENGE_SERVICE}-{challenge_port}", backend)
        if validates and validates[1] != namespace:
            raise Blocked(
                "ServiceNameCollides",
                f"The ingress cannot tell Service {namespace}/{service} from the one by which hostnames of namespace "
                f"{validates[1]} are validated; give the Service another name.",
            )
        holder = _holder(app, backend, cache)
        if holder.meta.namespace != namespace:
            raise Blocked(
                "ServiceNameCollides",
                f"The ingress cannot tell Service {namespace}/{service} from that of App "
                f"{holder.meta.namespace}/{holder.meta.name}, which came first; give the Service another name.",
            )


def backends(dialect: Dialect, app: App, cache: Cache, *, challenge_port: int) -> tuple[str, ...]:
    """Which backends are an App's own from now on, to be told in its status; sorted.

    All that it names once it is routed. While it is refused, those of them that were its own before: it is back where
    it was when it takes back what it is refused for.

    Args:
        dialect: of the controller.
        app: the App.
        cache: the other Apps.
        challenge_port: port of the Services by which hostnames are validated.
    """
    if not dialect.joins_backends:
        return ()
    try:
        check(dialect, app, cache, challenge_port=challenge_port)
    except Blocked:
        return kept_backends(app)
    return tuple(sorted(backend_ids(app)))


def kept_backends(app: App) -> tuple[str, ...]:
    """The backends that are an App's own and that it still names, sorted."""
    return tuple(sorted(app.held_backends & backend_ids(app).keys()))


def _holder(app: App, backend: str, cache: Cache) -> App:
    """Whose a backend is that an App names, for all Apps of its namespace: whoever is routed by it, else the oldest.

    By age alone, an old App could take the routes of a younger one away, which has long been served, by naming another
    Service.
    """
    claimants = [app, *cache.with_backend(backend)]
    return min(claimants, key=lambda one: (backend not in one.held_backends, one.meta.age_order))
