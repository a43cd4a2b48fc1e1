"""Moving an App to today's TLS default: what to write, and what it would change."""

from collections.abc import Sequence
from dataclasses import dataclass

from certward.model.impact import Impact, move
from certward.model.policy import Rules, pinned_revision
from certward.model.profiles import Profile
from certward.model.resources import App, TLSPolicy
from certward.names import ANNOTATION_DEFAULT_REVISION


@dataclass(frozen=True, slots=True)
class Upgrade:
    """One App's move to today's default; showing it is the dry run, writing `annotation` is the move.

    Attributes:
        annotation: name and value to set on the App.
        pinned: the revision that the App is pinned to now.
        impact: what that changes; nothing where a policy in force names its own revision.
    """

    annotation: tuple[str, str]
    pinned: str
    impact: Impact

    @property
    def is_needed(self) -> bool:
        """Whether the App is not at today's default yet."""
        return self.pinned != self.annotation[1]

    @property
    def profile(self) -> Profile:
        """What the App is served with afterwards."""
        return self.impact.after


def upgrade(app: App, rules: Rules, policies: Sequence[TLSPolicy] = ()) -> Upgrade:
    """Plan an App's move to today's default.

    Args:
        app: the App.
        rules: from the configuration, with the history of defaults.
        policies: those of its namespace; what is in force goes before the App's default.
    """
    return Upgrade(
        annotation=(ANNOTATION_DEFAULT_REVISION, rules.default),
        pinned=pinned_revision(app, default=rules.default, history=rules.history),
        impact=move(app, policies, rules, rules),
    )
