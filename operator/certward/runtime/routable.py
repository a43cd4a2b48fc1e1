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
        oldest = min([app, *cache.same_backend(namespace, backend)], key=lambda other: other.meta.age_order)
        if oldest is not app:
            raise Blocked(
                "ServiceNameCollides",
                f"The ingress cannot tell Service {namespace}/{service} from that of the older App "
                f"{oldest.meta.namespace}/{oldest.meta.name}; give the Service another name.",
            )
