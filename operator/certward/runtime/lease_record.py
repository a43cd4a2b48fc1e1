"""A Lease as one look found it, what is written into it, and for how long it has looked like that."""

import copy
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

from certward.errors import Conflict
from certward.kube.client import Client, Object
from certward.names import ANNOTATION_SHARDS, ANNOTATION_WANTED_BY
from certward.plan.shards import lease_name

_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True, slots=True)
class Record:
    """The Lease of a shard, as it was last read or written.

    Attributes:
        shard: its number.
        namespace: the operator's own.
        body: as the API server has it; empty: there is none.
    """

    shard: int
    namespace: str
    body: Object = field(default_factory=dict)

    @classmethod
    def read(cls, client: Client, namespace: str, shard: int) -> Self:
        """Read a Lease.

        Raises:
            OperatorError: the API server could not or would not.
        """
        return cls(shard, namespace, client.get("Lease", namespace, lease_name(shard)) or {})

    @property
    def is_there(self) -> bool:
        """Whether there is such a Lease."""
        return bool(self.body)

    @property
    def holder(self) -> str:
        """Who holds it; empty: nobody."""
        return str((self.body.get("spec") or {}).get("holderIdentity") or "")

    @property
    def seconds(self) -> float:
        """For how long after a renewal nobody else may take it; 0 where it does not say."""
        return float((self.body.get("spec") or {}).get("leaseDurationSeconds") or 0)

    @property
    def wanted_by(self) -> str:
        """Who asks for it; empty: nobody."""
        return str(self._annotations().get(ANNOTATION_WANTED_BY) or "")

    @property
    def shards(self) -> int:
        """Into how many shards its last holder split the work; 0: it was about to change that."""
        told = str(self._annotations().get(ANNOTATION_SHARDS) or "1")
        return int(told) if told.isdecimal() else 1

    @property
    def transitions(self) -> int:
        """How often it has come to another holder."""
        return int((self.body.get("spec") or {}).get("leaseTransitions") or 0)

    def was_with_another_since(self, earlier: "Record") -> bool:
        """Whether somebody else than the holder of an earlier record has it or had it meanwhile.

        One that was deleted, or out of which somebody struck the holder by hand, was with nobody.
        """
        is_with_another = self.holder not in ("", earlier.holder)
        return is_with_another or self.transitions > earlier.transitions

    @property
    def mark(self) -> tuple[object, ...]:
        """What changes with each renewal, and with each wish."""
        spec = self.body.get("spec") or {}
        return spec.get("holderIdentity"), spec.get("renewTime"), "" if self.holder else self.wanted_by

    def held(self, replica: str, *, duration: float, shards: int) -> Object:
        """The body that says that a replica holds it, from now on for `duration` seconds."""
        now = datetime.now(UTC).strftime(_TIME)
        body = copy.deepcopy(self.body) or {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": lease_name(self.shard), "namespace": self.namespace},
            "spec": {},
        }
        spec, annotations = body["spec"], dict(self._annotations())
        if spec.get("holderIdentity") != replica:
            spec["acquireTime"] = now
            spec["leaseTransitions"] = self.transitions + 1
            annotations.pop(ANNOTATION_WANTED_BY, None)
        if shards != 1 or ANNOTATION_SHARDS in annotations:
            annotations[ANNOTATION_SHARDS] = str(shards)
        if annotations:
            body["metadata"]["annotations"] = annotations
        spec["holderIdentity"] = replica
        spec["leaseDurationSeconds"] = int(duration)
        spec["renewTime"] = now
        return body

    def given_up(self) -> Object:
        """The body that says that nobody holds it."""
        body = copy.deepcopy(self.body)
        body["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1}
        return body

    def wished(self, replica: str) -> Object:
        """The body with a replica's wish in it."""
        body = copy.deepcopy(self.body)
        body["metadata"]["annotations"] = {**self._annotations(), ANNOTATION_WANTED_BY: replica}
        return body

    def written(self, body: Object | None) -> Self:
        """The same Lease as the API server has it now, after a write."""
        return type(self)(self.shard, self.namespace, body or {})

    def _annotations(self) -> dict[str, str]:
        return (self.body.get("metadata") or {}).get("annotations") or {}


class Sightings:
    """Since when each Lease has looked as it does, by this machine's monotonic clock alone. For one thread.

    Args:
        duration: of a Lease that does not name its own, in seconds.
    """

    def __init__(self, duration: float) -> None:
        self._duration = duration
        self._since: dict[int, tuple[object, float]] = {}

    def see(self, record: Record) -> float:
        """Take note of a Lease; returns for how many seconds it has been like that."""
        now = time.monotonic()
        mark, since = self._since.get(record.shard, (None, 0.0))
        if mark != record.mark:
            since = now
            self._since[record.shard] = (record.mark, now)
        return now - since

    def is_free(self, record: Record, replica: str) -> bool:
        """Whether nobody but this replica holds it, or the holder has not renewed it for the Lease's duration."""
        age = self.see(record)
        return record.holder in ("", replica) or age > (record.seconds or self._duration)

    def is_kept_for_another(self, record: Record, replica: str) -> bool:
        """Whether it was given up for somebody who asked for it, and who is given the time to take it."""
        return not record.holder and record.wanted_by not in ("", replica) and self.see(record) <= self._duration


class Records:
    """All Leases as a replica last saw them. For one thread, but for reading.

    Args:
        client: of the API server.
        namespace: the operator's own.
        replica: who looks.
        duration: of a Lease that it holds, in seconds.
    """

    def __init__(self, client: Client, *, namespace: str, replica: str, duration: float) -> None:
        self._client = client
        self._namespace = namespace
        self._replica = replica
        self._duration = duration
        self._sightings = Sightings(duration)
        self._of: dict[int, Record] = {}

    def known(self, shard: int) -> Record | None:
        """A Lease as it was last seen; None before the first look."""
        return self._of.get(shard)

    def read(self, shard: int) -> Record:
        """Look at a Lease.

        Raises:
            OperatorError: the API server could not or would not.
        """
        record = Record.read(self._client, self._namespace, shard)
        self._sightings.see(record)
        self._of[shard] = record
        return record

    def hold(self, shard: int, shards: int) -> Record:
        """Write a Lease as held by this replica from now on, at the version that was last seen.

        Args:
            shard: its number.
            shards: into how many the work is split.

        Raises:
            Conflict: somebody else has written it since, or deleted it.
            OperatorError: the API server could not or would not.
        """
        record = self._of[shard]
        body = record.held(self._replica, duration=self._duration, shards=shards)
        written = self._client.replace(body) if record.is_there else self._client.create(body)
        if written is None:
            raise Conflict("Conflict", f"Lease {lease_name(shard)} is gone")
        return self._take_note(record.written(written))

    def give_up(self, shard: int) -> None:
        """Have nobody hold a Lease, if it is this replica's.

        Raises:
            Conflict: somebody else has written it meanwhile.
            OperatorError: the API server could not or would not.
        """
        record = self.read(shard)
        if record.holder == self._replica:
            self._take_note(record.written(self._client.replace(record.given_up())))

    def wish_for(self, shard: int) -> Record:
        """Put this replica's name into a Lease as one that asks for it; returns it.

        Raises:
            OperatorError: as `hold`.
        """
        record = self._of[shard]
        return self._take_note(record.written(self._client.replace(record.wished(self._replica))))

    def is_free(self, shard: int) -> bool:
        """Whether nobody else holds a Lease that is alive, as of the last look."""
        return self._sightings.is_free(self._of[shard], self._replica)

    def is_kept_for_another(self, shard: int) -> bool:
        """Whether it was given up for somebody else, who is given the time to take it."""
        return self._sightings.is_kept_for_another(self._of[shard], self._replica)

    def live_holder(self, shard: int) -> str:
        """Who holds a Lease and is alive; empty: nobody."""
        record = self._of[shard]
        return "" if self._sightings.is_free(record, "") else record.holder

    def _take_note(self, record: Record) -> Record:
        self._sightings.see(record)
        self._of[record.shard] = record
        return record
