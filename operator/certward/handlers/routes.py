"""Watches the routes that are not ours, of whichever kinds the cluster has at the moment.

Kopf does not do this: when a kind goes away its watch may get a 404, which ends the whole operator; it repeats a
warning about the kinds that are not there; and to notice new ones it has to read all CustomResourceDefinitions. Here
the kinds come from discovery, which every account may read, and each has a thread that lists, watches, lists anew.
"""

import logging
import threading
import time
from collections.abc import Iterator

from certward.errors import OperatorError, Rejected
from certward.kube.foreign import SELECTOR
from certward.kube.routes import ROUTE_KINDS
from certward.kube.streams import NotServed, Object, Streams
from certward.runtime.intake import RESYNC_SECONDS, Intake
from certward.runtime.metrics import BUGS

log = logging.getLogger(__name__)

#: How soon a new kind is noticed.
_DISCOVERY_SECONDS = 3.0
#: No kind is listed more often than this.
_LIST_SECONDS = 1.0
_BACKOFF_FIRST, _BACKOFF_MAX = 0.2, 5.0
#: A right may be granted later; nobody who waits for that counts seconds.
_FORBIDDEN_SECONDS = 60.0
_REFUSALS_PASSED_OVER = 5


class RouteWatch:
    """Feeds the intake; a thread for each kind of route that is there."""

    def __init__(self, streams: Streams, intake: Intake) -> None:
        self._streams = streams
        self._intake = intake
        self._told: set[str] = set()
        self._stop = threading.Event()
        self._threads: dict[str, threading.Thread] = {}
        self._discoverer = threading.Thread(target=self._discover, name="routes", daemon=True)

    def start(self) -> None:
        """Start watching as soon as the intake has listed everything once."""
        self._discoverer.start()

    def stop(self) -> None:
        """Let the threads end; those that wait for an event end with the process."""
        self._stop.set()

    def _discover(self) -> None:
        while not self._intake.synced_at:
            if self._stop.wait(0.1):
                return
        while not self._stop.is_set():
            try:
                for kind in sorted(self._streams.served() & ROUTE_KINDS.keys()):
                    self._ensure(kind)
            except OperatorError as error:
                log.debug("cannot discover kinds: %s", error.message)
            except Exception:  # nothing else would notice new kinds
                BUGS.inc()
                log.exception("this is a mistake in Certward, please report it")
                self._stop.wait(_FORBIDDEN_SECONDS)
            self._stop.wait(_DISCOVERY_SECONDS)

    def _ensure(self, kind: str) -> None:
        thread = self._threads.get(kind)
        if thread is None or not thread.is_alive():
            self._threads[kind] = threading.Thread(
                target=self._follow, args=(kind,), name=f"routes-{kind}", daemon=True
            )
            self._threads[kind].start()

    def _follow(self, kind: str) -> None:
        """List and watch a kind, over and over, until it is gone."""
        failures = 0
        while not self._stop.is_set():
            pause, began = _LIST_SECONDS, time.monotonic()
            try:
                self._list_and_watch(kind)
            except NotServed:
                self._intake.routes_listed(kind, ())
                return
            except OperatorError as error:
                failures = failures + 1 if time.monotonic() - began < _BACKOFF_MAX else 1
                pause = self._pause(kind, failures, error)
            except Exception:  # a mistake over one kind must not stop the others
                BUGS.inc()
                log.exception("%s: this is a mistake in Certward, please report it", kind)
                pause = _FORBIDDEN_SECONDS
            self._stop.wait(pause)

    def _list_and_watch(self, kind: str) -> None:
        since = ""

        def listed() -> Iterator[Object]:
            nonlocal since
            for page in self._streams.pages(kind, labels=SELECTOR):
                since = page["metadata"]["resourceVersion"]
                yield from page.get("items") or ()

        self._intake.routes_listed(kind, listed())
        for event, body in self._streams.watch(kind, since, labels=SELECTOR, seconds=RESYNC_SECONDS):
            if self._stop.is_set():
                return
            if event == "DELETED":
                meta = body["metadata"]
                self._intake.route_deleted(kind, meta["namespace"], meta["name"])
            else:
                self._intake.route_changed(kind, body)

    def _pause(self, kind: str, failures: int, error: OperatorError) -> float:
        """Seconds to leave a kind alone after errors in a row; says once what only an administrator can mend."""
        # An API server that starts refuses everybody for a moment.
        if not isinstance(error, Rejected) or failures <= _REFUSALS_PASSED_OVER:
            log.debug("%s: %s", kind, error.message)
            return float(min(_BACKOFF_FIRST * 2 ** min(failures, 10), _BACKOFF_MAX))
        if kind not in self._told:
            self._told.add(kind)
            log.warning("routes of kind %s that are not Certward's go unnoticed: %s", kind, error.message)
        return _FORBIDDEN_SECONDS
