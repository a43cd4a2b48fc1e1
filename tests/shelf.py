"""ConfigMaps in memory, for tests that need thousands of restarts; tests/integration has the real API server."""

import copy
import json

from certward.errors import Conflict, OperatorError

NAMESPACE = "certward-system"


class Shelf:
    """ConfigMaps as the API server keeps them: versions, conflicts, and errors when told so."""

    def __init__(self):
        self.maps: dict[str, dict] = {}
        self.version = 0
        self.writes: list[str] = []
        self.error: OperatorError | None = None

    def get(self, kind, namespace, name):
        assert (kind, namespace) == ("ConfigMap", NAMESPACE)
        self._fail()
        return copy.deepcopy(self.maps.get(name))

    def create(self, manifest):
        if manifest["metadata"]["name"] in self.maps:
            raise Conflict("Conflict", "it is there already")
        return self._store(manifest)

    def apply(self, manifest):
        live = self.maps.get(manifest["metadata"]["name"])
        if live is None:
            return None
        if live["metadata"]["resourceVersion"] != manifest["metadata"]["resourceVersion"]:
            raise Conflict("Conflict", "it was written meanwhile")
        return self._store(manifest)

    def ledger(self, issuer="le"):
        return json.loads(self.maps[f"certward-budget-{issuer}"]["data"]["ledger.json"])

    def _store(self, manifest):
        self._fail()
        self.version += 1
        stored = copy.deepcopy(manifest)
        stored["metadata"]["resourceVersion"] = str(self.version)
        self.maps[stored["metadata"]["name"]] = stored
        self.writes.append(stored["metadata"]["name"])
        return copy.deepcopy(stored)

    def _fail(self):
        if self.error:
            raise self.error
