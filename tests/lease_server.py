"""Leases in memory and a clock that stands still, for tests of who takes which and when."""

import copy
from types import SimpleNamespace

from certward.errors import Conflict
from certward.runtime import lease, lease_record


class Server:
    """Keeps Leases as the API server does: a write against an older version is a conflict."""

    def __init__(self):
        self.leases = {}
        self.version = 0

    @property
    def lease(self):
        return self.leases.get("certward")

    def get(self, _kind, _namespace, name):
        return copy.deepcopy(self.leases.get(name))

    def create(self, lease):
        if lease["metadata"]["name"] in self.leases:
            raise Conflict("Conflict", "It exists.")
        return self._keep(lease)

    def replace(self, lease):
        live = self.leases.get(lease["metadata"]["name"])
        if live is None:
            return None
        if lease["metadata"]["resourceVersion"] != live["metadata"]["resourceVersion"]:
            raise Conflict("Conflict", "It was changed.")
        return self._keep(lease)

    def _keep(self, lease):
        self.version += 1
        kept = copy.deepcopy(lease)
        kept["metadata"]["resourceVersion"] = self.version
        self.leases[kept["metadata"]["name"]] = kept
        return copy.deepcopy(kept)


def stopped_clock(monkeypatch):
    """The monotonic clock of all that deals with Leases; it goes on only when its `value` is set."""
    now = SimpleNamespace(value=1000.0)
    for module in (lease, lease_record):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now.value))
    return now
