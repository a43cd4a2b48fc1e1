"""Events of events.k8s.io: what plan/events.py finds worth telling, written beside the work and never in its way."""

import hashlib
import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final

from certward.errors import OperatorError
from certward.kube.client import Client, Object
from certward.model.resources import Resource
from certward.names import API_VERSION, GROUP
from certward.plan.events import Event
from certward.runtime.metrics import EVENTS

log = logging.getLogger(__name__)

#: The same sentence about the same object is not told again within the time for which API servers keep Events.
_SAME_SECONDS: Final = 3600.0
_REMEMBERED: Final = 8192
#: How many wait to be written at most; beyond it the oldest are given up.
_MOST_WAITING: Final = 2000
#: Limits of events.k8s.io/v1, in bytes.
_LONGEST_NOTE, _LONGEST_NAME, _LONGEST_INSTANCE = 1024, 253, 128
_CONTROLLER: Final = f"{GROUP}/operator"


class Events:
    """Writes Events in a thread of its own. For many threads. Only the replica that works tells anything.

    An Event is told once and then forgotten: when it cannot be written it is given up, and counted.
    """

    def __init__(self, client: Client, *, replica: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._replica = replica[:_LONGEST_INSTANCE]
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: deque[Object] = deque()
        self._told: OrderedDict[tuple[str, str, str], float] = OrderedDict()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def close(self, timeout: float = 2.0) -> None:
        """Write what waits, for so many seconds at most."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def tell(self, about: Resource, events: Iterable[Event]) -> None:
        """Have Events written; returns at once and raises nothing."""
        with self._changed:
            for event in events:
                if self._is_old(about, event):
                    continue
                if len(self._waiting) >= _MOST_WAITING:
                    self._waiting.popleft()
                    EVENTS.labels("dropped").inc()
                self._waiting.append(render(about, event, replica=self._replica, now=datetime.now(UTC)))
            self._changed.notify()

    def _is_old(self, about: Resource, event: Event) -> bool:
        """Whether this has been said of the object lately; remembers that it is said now."""
        now, said = self._clock(), (about.meta.uid, event.reason, event.note)
        at = self._told.get(said)
        if at is not None and now - at < _SAME_SECONDS:
            return True
        self._told[said] = now
        self._told.move_to_end(said)
        if len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)
        return False

    def _run(self) -> None:
        is_told = False
        while (manifest := self._next()) is not None:
            try:
                self._client.create(manifest)
                EVENTS.labels("written").inc()
                is_told = False
            except OperatorError as error:
                EVENTS.labels("failed").inc()
                log.log(logging.DEBUG if is_told else logging.WARNING, "no Events can be written: %s", error.message)
                is_told = True
            except Exception:  # a mistake here must not silence all that comes after
                EVENTS.labels("failed").inc()
                log.exception("an Event could not be written: this is a mistake in Certward, please report it")

    def _next(self) -> Object | None:
        """The one that has waited longest; None: nothing more will come."""
        with self._changed:
            while not self._waiting and not self._is_closed:
                self._changed.wait()
            return self._waiting.popleft() if self._waiting else None


def render(about: Resource, event: Event, *, replica: str, now: datetime) -> Object:
    """An Event as events.k8s.io/v1 takes it.

    Args:
        about: one of our objects.
        event: what is told of it.
        replica: who tells it.
        now: aware UTC datetime.
    """
    meta = about.meta
    at = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    mark = hashlib.sha256(f"{meta.uid} {at} {event.reason} {event.note}".encode()).hexdigest()[:16]
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {
            "name": f"{meta.name[: _LONGEST_NAME - len(mark) - 1].rstrip('.-')}.{mark}",
            "namespace": meta.namespace,
        },
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": about.kind,
            "namespace": meta.namespace,
            "name": meta.name,
            "uid": meta.uid,
            "resourceVersion": str(meta.resource_version),
        },
        "type": "Warning" if event.is_warning else "Normal",
        "reason": event.reason,
        "action": event.action,
        "note": _cut(event.note),
        "eventTime": at,
        "reportingController": _CONTROLLER,
        "reportingInstance": replica,
    }


def _cut(note: str) -> str:
    told = note.encode()
    return note if len(told) <= _LONGEST_NOTE else told[: _LONGEST_NOTE - 3].decode(errors="ignore") + "..."
