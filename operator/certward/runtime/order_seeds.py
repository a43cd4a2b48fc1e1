"""The secret from which the keys of open orders are derived, so that a restarted operator has them, unwritten.

It is in one Secret of the operator's namespace and changes once a day, and the one before is kept for a day more: with
it nobody derives the key of a certificate that was issued the day before yesterday. Whoever reads it today could as
well order certificates with the account's key beside it.
"""

import base64
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from certward.errors import Conflict, Transient
from certward.kube.client import Client, Object
from certward.model.resources import format_time, parse_time
from certward.names import GROUP, LABEL_MANAGED_BY, MANAGED_BY

SEED_NAME = "certward-order-seed"
_SINCE = f"{GROUP}/since"
_LIFETIME = timedelta(days=1)
_SEED_BYTES = 32


@dataclass(frozen=True, slots=True)
class _Seeds:
    """The one in force, since when, and the one before."""

    since: datetime
    current: bytes = field(repr=False)
    previous: bytes = field(repr=False)


class OrderSeeds:
    """Reads the Secret, and makes it where it is not there or too old. For many threads, in several replicas."""

    def __init__(self, client: Client, *, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self._lock = threading.Lock()
        self._known: _Seeds | None = None

    def of(self, order_created_at: str) -> bytes:
        """The seed for the key of an order.

        Args:
            order_created_at: when it was placed, RFC 3339.

        Raises:
            OperatorError: the API server could not or would not.
        """
        placed = parse_time(order_created_at)
        with self._lock:
            if self._known is None or placed - self._known.since > _LIFETIME:
                self._known = self._fresh()
            return self._known.current if placed >= self._known.since else self._known.previous

    def _fresh(self) -> _Seeds:
        live = self._client.get("Secret", self._namespace, SEED_NAME)
        found = _read(live) if live else None
        now = datetime.now(UTC).replace(microsecond=0)
        if found and now - found.since <= _LIFETIME:
            return found
        previous = found.current if found else secrets.token_bytes(_SEED_BYTES)
        manifest = self._render(now, secrets.token_bytes(_SEED_BYTES), previous)
        try:
            if live is None:
                written = self._client.create(manifest)
            else:
                manifest["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
                written = self._client.apply(manifest)
        except Conflict:  # another replica was faster
            written = self._client.get("Secret", self._namespace, SEED_NAME)
        made = _read(written) if written else None
        if made is None:
            raise Transient("APIServerUnavailable", f"Secret {SEED_NAME} in namespace {self._namespace} cannot be kept")
        return made

    def _render(self, since: datetime, current: bytes, previous: bytes) -> Object:
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": SEED_NAME,
                "namespace": self._namespace,
                "labels": {LABEL_MANAGED_BY: MANAGED_BY},
                "annotations": {_SINCE: format_time(since)},
            },
            "type": "Opaque",
            "data": {
                "current": base64.b64encode(current).decode(),
                "previous": base64.b64encode(previous).decode(),
            },
        }


def _read(live: Mapping[str, object]) -> _Seeds | None:
    """What a Secret holds; None where it is spoilt, so that it is made anew: that costs the orders that are open."""
    data, meta = live.get("data"), live.get("metadata")
    if not isinstance(data, Mapping) or not isinstance(meta, Mapping):
        return None
    try:
        current, previous = (base64.b64decode(data[name], validate=True) for name in ("current", "previous"))
        since = parse_time((meta.get("annotations") or {})[_SINCE])
    except (KeyError, ValueError, TypeError):
        return None
    if len(current) != _SEED_BYTES or len(previous) != _SEED_BYTES:
        return None
    return _Seeds(since, current, previous)
