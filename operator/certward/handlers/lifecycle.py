"""How kopf is to behave: it watches and does nothing else, and it outlives the API server being away."""

from collections.abc import Callable, Iterator
from typing import Any

import kopf

from certward.kube.client import Credentials


class _Forever:
    """Delays between attempts to reach the API server, without an end; each iteration starts anew."""

    def __iter__(self) -> Iterator[float]:
        yield from (0.2, 0.5, 1, 2, 3, 5)
        while True:
            yield 5


class _NoEssence(kopf.DiffBaseStorage):
    """Nothing to compare: kopf would copy each object with each event, for handlers of changes that are not there."""

    def build(self, **_: object) -> kopf.BodyEssence:
        """Leave everything out."""
        return kopf.BodyEssence()

    def fetch(self, **_: object) -> kopf.BodyEssence | None:
        """Find nothing."""
        return None

    def store(self, **_: object) -> None:
        """Keep nothing."""


def settings() -> kopf.OperatorSettings:
    """Kopf's settings: no events posted, no annotations, watches renewed before middleboxes cut them."""
    made = kopf.OperatorSettings()
    made.posting.enabled = False
    made.persistence.diffbase_storage = _NoEssence()
    made.scanning.disabled = True
    made.watching.server_timeout = 300
    made.watching.client_timeout = 310
    made.watching.connect_timeout = 10
    # Ten thousand bodies at once, each with a task of its own, take more memory than what is kept of them.
    made.watching.chunk_size = 500
    made.queueing.idle_timeout = 0.5
    made.networking.request_timeout = 30
    made.networking.error_backoffs = _Forever()
    return made


def register(registry: kopf.OperatorRegistry, credentials: Callable[[], Credentials]) -> None:
    """Let kopf use the credentials that the rest of the operator uses."""

    def login(**_: Any) -> kopf.ConnectionInfo:  # noqa: ANN401 - kopf's protocol
        found = credentials()
        return kopf.ConnectionInfo(
            server=found.server,
            ca_path=found.ca_path,
            insecure=found.is_insecure,
            scheme=found.scheme,
            token=found.token,
            certificate_path=found.certificate_path,
            private_key_path=found.private_key_path,
        )

    kopf.on.login(registry=registry, id="login")(login)
