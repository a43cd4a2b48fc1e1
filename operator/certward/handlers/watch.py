"""Watch events go into the cache and the queue; nothing is decided here."""

from typing import Any

import kopf

from certward.names import GROUP, VERSION
from certward.runtime.intake import Intake


def register(registry: kopf.OperatorRegistry, intake: Intake) -> None:
    """Watch our three kinds; routes.py watches the routes that are not ours."""

    async def on_event(type: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002, ANN401 - kopf's names
        meta = body["metadata"]
        if type == "DELETED":
            intake.deleted(body["kind"], meta["namespace"], meta["name"], meta["uid"])
        else:
            intake.changed(dict(body))

    for plural in ("apps", "domains", "tlspolicies"):
        kopf.on.event(GROUP, VERSION, plural, registry=registry, id=f"watch-{plural}")(on_event)
