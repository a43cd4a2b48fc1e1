"""A watch over one custom resource of the whole cluster, in a thread of its own."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import urllib3
from kubernetes import client

# So many seconds after it began, the server ends a watch; the next one goes on from there.
_LENGTH = 300
_PAUSE = 0.2


class Watching:
    """`see` is called with each object, at first with those that are there, then whenever one is new or has changed.

    It is called in the watch's thread; deletions are not told. Once `begin` has returned, nothing is missed.
    """

    def __init__(self, api: client.ApiClient, resource: tuple[str, str, str], see: Callable[[dict[str, Any]], None]):
        """Take a client, the resource as (group, version, plural), and what to call."""
        self._custom = client.CustomObjectsApi(api)
        self._resource, self._see = resource, see
        self._is_over = threading.Event()
        self._open: urllib3.BaseHTTPResponse | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def begin(self) -> None:
        """Start; raises `kubernetes.client.ApiException` when the API server does not know the resource."""
        self._custom.list_cluster_custom_object(*self._resource, limit=1)
        self._thread.start()

    def stop(self) -> None:
        """End the watch and its thread; twice is once, and it need not have begun."""
        self._is_over.set()
        opened = self._open
        if opened is not None:
            with contextlib.suppress(ValueError, OSError):  # it has come to its own end meanwhile
                opened.shutdown()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        version = ""
        while not self._is_over.is_set():
            try:
                version = self._follow(version or self._list())
            except (urllib3.exceptions.HTTPError, client.ApiException, OSError):
                version = ""
                self._is_over.wait(_PAUSE)

    def _list(self) -> str:
        found = self._custom.list_cluster_custom_object(*self._resource)
        for each in found["items"]:
            self._see(each)
        return str(found["metadata"]["resourceVersion"])

    def _follow(self, version: str) -> str:
        """Watch from a version on; return that of the last change, or nothing where one has to list anew."""
        response = self._custom.list_cluster_custom_object(
            *self._resource, watch=True, resource_version=version, timeout_seconds=_LENGTH, _preload_content=False
        )
        self._open = response
        try:
            if self._is_over.is_set():  # it was asked to stop before there was anything to shut down
                return version
            for line in _lines(response):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return ""
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] != "DELETED":
                    self._see(event["object"])
        finally:
            self._open = None
            response.close()
        return version


def _lines(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    rest = b""
    for chunk in response.stream(None, decode_content=False):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
