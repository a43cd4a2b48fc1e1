"""Lists and watches of kinds that the cluster may not have: what it has, pages of a LIST, events of a watch."""

import threading
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import orjson
import urllib3
from kubernetes import client as kubernetes_client

from certward.errors import OperatorError, Rejected, Transient
from certward.kube.kinds import KINDS, path_of

Object = dict[str, Any]

#: Discovery in one document with an ETag; all Kubernetes versions since 1.30 have it.
_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_OK, _NOT_MODIFIED, _FORBIDDEN, _NOT_FOUND, _GONE = 200, 304, 403, 404, 410
_PAGE = 500
_CONNECT_SECONDS, _ANSWER_SECONDS = 5.0, 30.0
#: The API server sends a bookmark each minute, so a stream that is silent for longer is dead.
_SILENCE_SECONDS = 90.0


class NotServed(OperatorError):
    """The API server knows no such kind (any more)."""


class Streams:
    """Reads of the API server that kopf does not do, for many threads."""

    def __init__(self, api: kubernetes_client.ApiClient, *, user_agent: str) -> None:
        self._api = api
        self._pool = api.rest_client.pool_manager
        self._host = api.configuration.host.rstrip("/")
        self._agent = user_agent
        self._lock = threading.Lock()
        self._etag = ""
        self._served: frozenset[str] = frozenset()

    def served(self) -> frozenset[str]:
        """The keys of KINDS that the API server serves now, those of its core group aside.

        As long as nothing changes an answer is empty.

        Raises:
            Rejected: discovery is not allowed.
            Transient: the API server could not be asked.
        """
        with self._lock:
            status, data, etag = self._fetch("/apis", {"Accept": _DISCOVERY, "If-None-Match": self._etag})
            if status != _NOT_MODIFIED:
                _check(status, "discovery")
                self._served, self._etag = _kinds_in(_parsed(data)), etag
            return self._served

    def pages(self, kind: str, *, labels: str) -> Iterator[Object]:
        """A full LIST of a kind over all namespaces, page by page.

        Args:
            kind: a key of KINDS.
            labels: a label selector.

        Raises:
            NotServed: there is no such kind.
            Rejected: listing it is not allowed.
            Transient: the API server could not be asked.
        """
        query = {"limit": str(_PAGE), "labelSelector": labels}
        while True:
            status, data, _ = self._fetch(f"{path_of(kind, '')}?{urlencode(query)}", {"Accept": "application/json"})
            _check(status, f"list {kind}")
            page = _parsed(data)
            yield page
            query["continue"] = page["metadata"].get("continue") or ""
            if not query["continue"]:
                return

    def watch(self, kind: str, since: str, *, labels: str, seconds: float) -> Iterator[tuple[str, Object]]:
        """What happens to a kind after a LIST: ADDED, MODIFIED or DELETED, and the object.

        It ends when the time is over or the API server no longer knows that point; list anew then.

        Args:
            kind: a key of KINDS.
            since: the resourceVersion of the LIST.
            labels: a label selector.
            seconds: how long at most.

        Raises:
            NotServed, Rejected, Transient: as `pages`.
        """
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "labelSelector": labels,
            "resourceVersion": since,
            "timeoutSeconds": str(int(seconds)),
        }
        answer = self._open(f"{path_of(kind, '')}?{urlencode(query)}", {"Accept": "application/json"}, _SILENCE_SECONDS)
        try:
            if answer.status == _GONE:
                return
            _check(answer.status, f"watch {kind}")
            for line in _lines(answer):
                event = _parsed(line)
                if event["type"] == "ERROR":
                    return
                if event["type"] != "BOOKMARK":
                    yield event["type"], event["object"]
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _interrupted(error) from error
        finally:
            answer.close()

    def _fetch(self, path: str, headers: Mapping[str, str]) -> tuple[int, bytes, str]:
        """A whole answer: status, body, ETag."""
        answer = self._open(path, headers, _ANSWER_SECONDS)
        try:
            return answer.status, answer.data, answer.headers.get("ETag", "")
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _interrupted(error) from error
        finally:
            answer.release_conn()

    def _open(self, path: str, headers: Mapping[str, str], silence: float) -> urllib3.BaseHTTPResponse:
        sent = {"User-Agent": self._agent, **headers}
        try:
            self._api.update_params_for_auth(sent, [], ["BearerToken"], path, "GET", None)
            answer: urllib3.BaseHTTPResponse = self._pool.request(
                "GET",
                f"{self._host}{path}",
                headers=sent,
                timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=silence),
                retries=False,
                preload_content=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _interrupted(error) from error
        return answer


def _check(status: int, what: str) -> None:
    """Raise what an answer other than 200 means."""
    if status == _NOT_FOUND:
        raise NotServed("NotServed", f"{what}: the API server serves no such kind")
    if status == _FORBIDDEN:
        raise Rejected("Forbidden", f"the operator's account may not {what}")
    if status != _OK:
        raise Transient("APIServerUnavailable", f"{what}: the API server answered {status}")


def _parsed(data: bytes) -> Object:
    try:
        parsed: Object = orjson.loads(data)
    except ValueError as error:
        raise Transient("APIServerUnavailable", "the API server's answer was cut off") from error
    return parsed


def _interrupted(error: Exception) -> Transient:
    return Transient("APIServerUnavailable", f"the API server did not answer: {type(error).__name__}")


def _lines(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    rest = b""
    for chunk in answer.stream():
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines


def _kinds_in(discovered: Object) -> frozenset[str]:
    served = {
        (f"/apis/{group['metadata']['name']}/{version['version']}", resource["resource"])
        for group in discovered.get("items") or ()
        for version in group.get("versions") or ()
        for resource in version.get("resources") or ()
    }
    return frozenset(kind for kind, place in KINDS.items() if place in served)
