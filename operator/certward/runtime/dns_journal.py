"""What has been put into the DNS for DNS-01, written down beforehand, so that it is taken out again whatever happens.

A ConfigMap in the operator's namespace for each shard. Writes are serialised, and those that come together are one.
"""

import json
import logging
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from certward.errors import Blocked, Conflict
from certward.kube.client import Client, Object
from certward.kube.ensure import is_managed
from certward.model.resources import format_time
from certward.names import LABEL_MANAGED_BY, MANAGED_BY

log = logging.getLogger(__name__)

NAME = "certward-dns-records"
_KEY = "records.json"


class Entry(NamedTuple):
    """A record.

    Attributes:
        name: where it stands.
        value: of the TXT record.
        domain: "namespace/name" of the Domain that it is for.
        order: URL of the order that it is for.
        at: when it was written down, RFC 3339.
    """

    name: str
    value: str
    domain: str
    order: str
    at: str

    @property
    def record(self) -> tuple[str, str]:
        """Name and value."""
        return self.name, self.value


class Journal:
    """The records that may be in the DNS. For many threads.

    Args:
        client: of the API server.
        namespace: the operator's own.
        shard: of the Domains that they are for.
    """

    def __init__(self, client: Client, namespace: str, shard: int = 0) -> None:
        self._client, self._namespace = client, namespace
        self._name = f"{NAME}-{shard}" if shard else NAME
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._entries: dict[tuple[str, str], Entry] = {}
        self._wanted = self._written = 0
        self._version = ""

    def load(self) -> None:
        """Read what an earlier leader has left.

        Raises:
            OperatorError: the API server could not or would not.
        """
        with self._writing:
            found = self._read()
            with self._lock:
                self._entries = {entry.record: entry for entry in found} | self._entries

    def entries(self) -> tuple[Entry, ...]:
        """All records that may be in the DNS."""
        with self._lock:
            return tuple(self._entries.values())

    def add(self, name: str, value: str, *, domain: str, order: str) -> None:
        """Write a record down that is about to be made; returns once it stands there.

        Raises:
            OperatorError: the API server could not or would not; then the record may not be made.
        """
        with self._lock:
            known = self._entries.get((name, value))
            if known and (known.domain, known.order) == (domain, order) and self._wanted == self._written:
                return
            self._entries[name, value] = Entry(name, value, domain, order, format_time(datetime.now(UTC)))
        self._write()

    def remove(self, records: Iterable[tuple[str, str]]) -> None:
        """Cross records out that are gone from the DNS.

        Raises:
            OperatorError: as `add`; they are crossed out with the next write.
        """
        with self._lock:
            for record in records:
                self._entries.pop(record, None)
        self._write()

    def _write(self) -> None:
        with self._lock:
            self._wanted += 1
            mine = self._wanted
        with self._writing:
            if self._written >= mine:
                return  # somebody has written it along with their own
            with self._lock:
                number, entries = self._wanted, sorted(self._entries.values())
            try:
                self._keep(entries)
            except Conflict:
                # Somebody else has written: what they knew of is not lost either.
                found = self._read()
                with self._lock:
                    self._entries = {entry.record: entry for entry in found} | self._entries
                    number, entries = self._wanted, sorted(self._entries.values())
                self._keep(entries)
            self._written = number

    def _read(self) -> list[Entry]:
        live = self._client.get("ConfigMap", self._namespace, self._name)
        self._version = ""
        if live is None:
            return []
        if not is_managed(live):
            raise Blocked(
                "ChallengeUnreachable",
                f"ConfigMap {self._name} in the operator's namespace is not Certward's and is left untouched, so no "
                "record of DNS-01 can be made; the administrator has to delete it.",
            )
        self._version = str(live["metadata"]["resourceVersion"])
        try:
            return [Entry(**entry) for entry in json.loads((live.get("data") or {}).get(_KEY) or "[]")]
        except (ValueError, TypeError, RecursionError) as error:
            log.warning("ConfigMap %s cannot be read, so records of DNS-01 may be left over: %s", self._name, error)
            return []

    def _keep(self, entries: list[Entry]) -> None:
        manifest: Object = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": self._name, "namespace": self._namespace, "labels": {LABEL_MANAGED_BY: MANAGED_BY}},
            "data": {_KEY: json.dumps([entry._asdict() for entry in entries], indent=1)},
        }
        if self._version:
            manifest["metadata"]["resourceVersion"] = self._version
            written = self._client.apply(manifest)
        else:
            written = self._client.create(manifest)
        if written is None:
            self._version = ""
            raise Conflict("Conflict", f"ConfigMap {self._name} or its namespace is gone")
        self._version = str(written["metadata"]["resourceVersion"])
