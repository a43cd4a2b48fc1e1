"""Which TLS an App is served with: its pinned revision, and the profile in force."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from certward.model import profiles
from certward.model.profiles import Profile
from certward.model.resources import App
from certward.names import ANNOTATION_DEFAULT_REVISION


class DefaultChange(NamedTuple):
    """From this moment on, `revision` was the default for new Apps."""

    since: datetime
    revision: str


def pinned_revision(app: App, *, default: str, history: Sequence[DefaultChange]) -> str:
    """The revision that an App's default profile comes from.

    The annotation says it, once set. Without it: an App that has a revision in its status has asked to move and gets
    today's default; one that was created before the last change of the default (restored from a backup, or created
    while the operator was down) gets the default of its creation time; any other one today's.

    Args:
        app: the App.
        default: the configuration's default revision.
        history: recorded changes of the default, oldest first.
    """
    pinned = app.meta.annotations.get(ANNOTATION_DEFAULT_REVISION, "")
    if pinned in profiles.REVISIONS:
        return pinned
    served = (app.status.get("tls") or {}).get("revision", "")
    if pinned and served in profiles.REVISIONS:
        return str(served)  # an annotation that names no revision is a mistake, not a wish to move
    if served:
        return default
    if not history or app.meta.created_at >= history[-1].since:
        return default
    earlier = [change.revision for change in history if change.since <= app.meta.created_at]
    return earlier[-1] if earlier else history[0].revision


def effective_profile(app: App, *, default: str, history: Sequence[DefaultChange]) -> Profile:
    """The profile that an App is to be served with."""
    return profiles.profile(pinned_revision(app, default=default, history=history), "default")
