"""Objects of the operator's that somebody else has changed or deleted: found by listing them every so often."""

import logging
from collections.abc import Iterable

from certward.errors import OperatorError, Rejected
from certward.kube.cache import Cache
from certward.kube.ensure import Ensurer
from certward.kube.known import Whose
from certward.model.resources import App, Domain, Key, key_of
from certward.render.registry import DIALECTS

log = logging.getLogger(__name__)

#: Every kind that any dialect writes, and what a challenge Service needs.
KINDS = tuple(dict.fromkeys(("Service", "EndpointSlice", *(kind for each in DIALECTS.values() for kind in each.kinds))))


class Drift:
    """For the replica that works."""

    def __init__(self, cache: Cache, ensurer: Ensurer) -> None:
        self._cache = cache
        self._ensurer = ensurer

    def look(self, *, is_new: bool = False) -> set[Key]:
        """List all kinds.

        Args:
            is_new: this replica begins to work; it compares what is listed instead of reading each object.

        Returns:
            The keys whose objects are not as they were seen to be right.
        """
        found: set[Key] = set()
        for kind in KINDS:
            try:
                found |= self._keys(self._ensurer.look_over(kind, is_new=is_new))
            except OperatorError as error:  # each object is read by name then
                level = logging.DEBUG if isinstance(error, Rejected) else logging.WARNING
                log.log(level, "%s not listed: %s", kind, error.message)
        return found

    def _keys(self, changed: Iterable[Whose]) -> set[Key]:
        keys: set[Key] = set()
        for namespace, domain, app in changed:
            if domain:
                keys.add(Key("Domain", namespace, domain))
                continue
            keys.add(Key("Builtin", namespace, app) if app else Key("Namespace", "", namespace))
            if not app:
                keys |= {Key("Builtin", namespace, one.meta.name) for one in self._cache.all(App, namespace)}
            those = self._cache.domains_of(namespace, app) if app else self._cache.all(Domain, namespace)
            routed = sorted(those, key=lambda one: "ingressClassName" not in one.status)
            keys |= {key_of(one) for one in routed[:1]}
        return keys
