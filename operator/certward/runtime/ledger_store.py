"""Where a ledger is kept: one ConfigMap for each issuer and shard, in the operator's namespace."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from certward.errors import Conflict, Rejected
from certward.kube.client import Client, Object
from certward.kube.ensure import is_managed
from certward.names import LABEL_MANAGED_BY, MANAGED_BY
from certward.plan import ledger_document
from certward.plan.ledger_document import Snapshot
from certward.plan.windows import Limit

log = logging.getLogger(__name__)

_KEY = "ledger.json"


@dataclass(slots=True)
class LedgerStore:
    """The ConfigMap of one issuer and shard. For one thread at a time."""

    client: Client
    namespace: str
    issuer: str
    directory: str
    limits: Mapping[Limit, int]
    shard: int = 0
    _version: str = ""
    _may_write: bool = True

    @property
    def name(self) -> str:
        """The ConfigMap's name."""
        return ledger_document.config_map(self.issuer, self.shard)

    @property
    def exists(self) -> bool:
        """Whether the ConfigMap was there when it was last looked at."""
        return bool(self._version)

    def read(self, now: float) -> Snapshot | None:
        """What is kept; None when there is nothing that can be used, which is logged.

        Raises:
            Transient: the API server could not be asked.
        """
        self._version, self._may_write = "", True
        try:
            live = self.client.get("ConfigMap", self.namespace, self.name)
        except Rejected as error:
            log.warning("the ledger of issuer %s is not kept: %s", self.issuer, error.message)
            self._may_write = False
            return None
        if live is None:
            return None
        if not is_managed(live):
            log.warning("ConfigMap %s is not Certward's and is left untouched; the ledger is not kept", self.name)
            self._may_write = False
            return None
        self._version = live["metadata"]["resourceVersion"]
        try:
            return ledger_document.parse((live.get("data") or {})[_KEY], self.directory, self.limits, now)
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            log.warning("ConfigMap %s cannot be used, the ledger starts anew: %s", self.name, error)
            return None

    def write(self, snapshot: Snapshot) -> None:
        """Keep this.

        Raises:
            Conflict: somebody else has written since it was read; read again.
            OperatorError: the API server could not or would not.
        """
        if not self._may_write:
            return
        text, left_out = ledger_document.render(snapshot, self.directory)
        if left_out:
            log.warning("ConfigMap %s has no room for %d of the least used limits", self.name, left_out)
        manifest: Object = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": self.name,
                "namespace": self.namespace,
                "labels": {LABEL_MANAGED_BY: MANAGED_BY},
            },
            "data": {_KEY: text},
        }
        if self._version:
            # Applied at the version that was read, so that nothing written meanwhile is lost.
            manifest["metadata"]["resourceVersion"] = self._version
            written = self.client.apply(manifest)
        else:
            written = self.client.create(manifest)
        if written is None:
            self._version = ""
            raise Conflict("Conflict", f"ConfigMap {self.name} or its namespace is gone")
        self._version = written["metadata"]["resourceVersion"]
