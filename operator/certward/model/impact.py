"""What a move to another revision changes: which Apps, and which well-known clients are locked out or let in."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from certward.model.clients import CLIENTS, Client, negotiates
from certward.model.policy import Rules, effective
from certward.model.profiles import Profile, default_key_type, fits
from certward.model.resources import App, Key, TLSPolicy, key_of
from certward.names import ANNOTATION_DEFAULT_REVISION


@dataclass(frozen=True, slots=True)
class Impact:
    """What a move means for one App.

    Attributes:
        app: whose TLS it is.
        before: what it is to be served with now, cut to the floor.
        after: what it would be served with.
        lost: clients that connect now and no longer would, at once or after the next renewal; as in `CLIENTS`.
        gained: clients that do not connect now and then would for good.
    """

    app: Key
    before: Profile
    after: Profile
    lost: tuple[Client, ...]
    gained: tuple[Client, ...]

    @property
    def is_change(self) -> bool:
        """Whether the App is served anything else, or the same under another revision."""
        return self.before != self.after


def impact(apps: Iterable[App], policies: Sequence[TLSPolicy], rules_now: Rules, rules_after: Rules) -> list[Impact]:
    """Tell what changes if every App moved to the default revision of other rules.

    That concerns the Apps that are served their default, and those whose policy names no revision; an App whose
    policy names one, or is refused, stays as it is.

    Args:
        apps: of any namespaces.
        policies: of any namespaces.
        rules_now: what is in force.
        rules_after: the same with another default revision, and another floor if that is to change as well.

    Returns:
        The Apps whose TLS changes, by namespace and name.
    """
    found = (move(app, policies, rules_now, rules_after) for app in sorted(apps, key=key_of))
    return [one for one in found if one.is_change]


def move(app: App, policies: Sequence[TLSPolicy], rules_now: Rules, rules_after: Rules) -> Impact:
    """Tell what changes for one App if it moved to the default revision of other rules; perhaps nothing."""
    before = effective(app, policies, rules_now).profile
    return compare(app, before, effective(pinned_to(app, rules_after.default), policies, rules_after).profile)


def compare(app: App, before: Profile, after: Profile) -> Impact:
    """Tell what it means for one App to be served with another profile."""
    now = clients_of(before, _key_type(app, before))
    then = _clients_after(app, before, after)
    return Impact(
        app=key_of(app),
        before=before,
        after=after,
        lost=tuple(client for client in now if client not in then),
        gained=tuple(client for client in then if client not in now),
    )


def pinned_to(app: App, revision: str) -> App:
    """The App as it is once its annotation says that revision."""
    annotations = {**app.meta.annotations, ANNOTATION_DEFAULT_REVISION: revision}
    return replace(app, meta=replace(app.meta, annotations=annotations))


def clients_of(profile: Profile, key_type: str) -> tuple[Client, ...]:
    """The clients that connect to a host with that profile and a certificate with such a key, as in `CLIENTS`."""
    return tuple(client for client in CLIENTS if negotiates(client, profile, key_type))


def _clients_after(app: App, before: Profile, after: Profile) -> tuple[Client, ...]:
    """The clients that connect with the key that is served at the move and still with the one after a renewal.

    A profile that the App's own key type does not fit is never served: the host keeps what it has.
    """
    if app.key_type and not fits(after, app.key_type):
        return clients_of(before, app.key_type)
    at_once, in_the_end = _key_type(app, before), _key_type(app, after)
    lasting = clients_of(after, in_the_end)
    if not fits(after, at_once):  # then a new certificate comes first
        return lasting
    return tuple(client for client in lasting if negotiates(client, after, at_once))


def _key_type(app: App, profile: Profile) -> str:
    """The key type that the App asks for or gets; what its manual certificates have is not known here."""
    return app.key_type or default_key_type(profile)
