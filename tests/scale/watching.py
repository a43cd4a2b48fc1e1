"""Domains as a watch shows them, each change with the moment at which it was seen."""

import threading
import time
from collections.abc import Callable
from typing import Any, cast

import urllib3
from kubernetes import client, watch

Body = dict[str, Any]
API = ("certward.dev", "v1alpha1")
#: So long one connection of a watch lasts at most; the next one goes on where it ended. `stop` waits no longer.
_CONNECTION_SECONDS = 3


class DomainWatch:
    """All Domains of the cluster, followed in a thread from `start` to `stop`.

    Args:
        api: the client to use.
        seen: called in that thread with each body and the time.monotonic() at which it came; a list at the start, and
            after a watch that was lost, counts as seen at that moment.
    """

    def __init__(self, api: client.ApiClient, seen: Callable[[Body, float], None]) -> None:
        self._custom = client.CustomObjectsApi(api)
        self._seen = seen
        self._stop = threading.Event()
        self._version = ""
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """List, so that nothing which comes later is missed, and begin to follow."""
        self._list()
        self._thread.start()

    def stop(self) -> None:
        """End it, and return once it has ended."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_CONNECTION_SECONDS + 5)

    def _list(self) -> None:
        found = cast("Body", self._custom.list_cluster_custom_object(*API, "domains"))
        self._version = found["metadata"]["resourceVersion"]
        for body in found["items"]:
            self._seen(body, time.monotonic())

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._follow()
            except (client.ApiException, urllib3.exceptions.HTTPError, OSError):
                if self._stop.wait(0.2):
                    return
                try:
                    self._list()
                except (client.ApiException, urllib3.exceptions.HTTPError, OSError):
                    continue  # the API server is away; it is asked again

    def _follow(self) -> None:
        events = watch.Watch().stream(
            self._custom.list_cluster_custom_object,
            *API,
            "domains",
            resource_version=self._version,
            timeout_seconds=_CONNECTION_SECONDS,
            allow_watch_bookmarks=True,
        )
        for event in events:
            body, at = event["object"], time.monotonic()
            self._version = body["metadata"]["resourceVersion"]
            if event["type"] in ("ADDED", "MODIFIED"):
                self._seen(body, at)
            if self._stop.is_set():
                return
