"""Few verbs over the `kubernetes` package, with the user's kubeconfig and rights.

That package takes a second to load, so it is loaded here when the first request is made and nowhere else.
"""

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from certward import __version__
from certward.cli.errors import CliError, no_cluster, not_found, refusal
from certward.cli.kubeconfig import Place, load
from certward.kube.kinds import KINDS, path_of

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

Object = dict[str, Any]
Objects = list[Object]

#: The field manager of everything that the plugin writes.
FIELD_MANAGER = "kubectl-certward"

_MERGE, _JSON = "application/merge-patch+json", "application/json"
_MANAGER = {"fieldManager": FIELD_MANAGER}
_PAGE = 500
_CHUNK = 65536
_NOT_FOUND, _BAD_REQUEST = 404, 400


class Api:
    """The API server as the user."""

    def __init__(self, kubeconfig: str | None, context: str | None, timeout: float = 30.0) -> None:
        import urllib3

        self._client, self.place = load(kubeconfig, context)
        self._pool = self._client.rest_client.pool_manager
        #: What the server's clock said in its last answer, as HTTP writes it.
        self.date = ""
        self.server = str(self._client.configuration.host).rstrip("/")
        self._timeout = urllib3.Timeout(connect=min(5.0, timeout), read=timeout)

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """One object; None when there is none."""
        return self._call("get", kind, namespace, name, none_if_gone=True)

    def list(self, kind: str, namespace: str = "", *, labels: str = "") -> list[Object]:
        """All objects of a kind, in one namespace or (empty) in all; kind and apiVersion are filled in."""
        return self.list_at(kind, namespace, labels=labels)[0]

    def list_at(self, kind: str, namespace: str = "", *, labels: str = "") -> tuple[Objects, str]:
        """As `list`, with the version of the list, from which a watch goes on."""
        found: Objects = []
        query = {"limit": str(_PAGE), **({"labelSelector": labels} if labels else {})}
        while True:
            page = self._call("list", kind, namespace, query=query) or {}
            api_version = page.get("apiVersion")
            found += [{"apiVersion": api_version, "kind": kind, **item} for item in page.get("items") or ()]
            query["continue"] = (page.get("metadata") or {}).get("continue") or ""
            if not query["continue"]:
                return found, str((page.get("metadata") or {}).get("resourceVersion") or "")

    def watch(self, kind: str, namespace: str, version: str, *, seconds: int) -> "Watch":
        """Begin to follow a kind from a version on; it ends by itself after so many seconds.

        Raises:
            CliError: the cluster does not answer, or refuses.
        """
        import urllib3

        wanted = {
            "watch": "1",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(seconds),
        }
        path = f"{path_of(kind, namespace)}?{urlencode(wanted)}"
        timeout = urllib3.Timeout(connect=5.0, read=seconds + 5.0)
        answer = self._request("GET", path, body=None, content_type=_JSON, timeout=timeout, preload_content=False)
        if answer.status >= _BAD_REQUEST:
            told = _parsed(answer.read())
            answer.release_conn()
            raise _refused(answer.status, told, "watch", kind, namespace)
        return Watch(answer)

    def create(self, manifest: Mapping[str, Any]) -> Object:
        """Create an object; a failure if it is there already."""
        meta = manifest["metadata"]
        kind, namespace = manifest["kind"], meta.get("namespace", "")
        return self._call("create", kind, namespace, meta.get("name", ""), query=_MANAGER, body=manifest) or {}

    def patch(self, kind: str, namespace: str, name: str, body: Mapping[str, Any]) -> Object:
        """Merge patch of an object that is there (RFC 7386)."""
        return self._call("patch", kind, namespace, name, query=_MANAGER, body=body) or {}

    def delete(self, kind: str, namespace: str, name: str, *, uid: str = "", version: str = "") -> bool:
        """Delete an object; whether it was there.

        Args:
            kind: of the object.
            namespace: of the object.
            name: of the object.
            uid: if given, only this very one.
            version: if given, only as long as its resourceVersion is this one.
        """
        body: Object = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        wanted = {"uid": uid, "resourceVersion": version}
        if given := {field: value for field, value in wanted.items() if value}:
            body["preconditions"] = given
        return self._call("delete", kind, namespace, name, body=body, none_if_gone=True) is not None

    def may(self, verb: str, plural: str, namespace: str = "", *, group: str = "", name: str = "") -> bool:
        """Whether the user has a right, by the API server's own word (SelfSubjectAccessReview)."""
        asked = {"verb": verb, "resource": plural, "group": group, "namespace": namespace, "name": name}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {key: value for key, value in asked.items() if value}},
        }
        answer = self.raw("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body=body)
        return bool((answer or {}).get("status", {}).get("allowed"))

    def raw(self, method: str, path: str, *, body: Mapping[str, Any] | None = None) -> Object | None:
        """A request to any path; None where there is nothing.

        Raises:
            CliError: the cluster does not answer, or refuses.
        """
        status, answer = self._send(method, path, body=body, content_type=_JSON)
        if status == _NOT_FOUND:
            return None
        if status >= _BAD_REQUEST:
            raise refusal(status, answer, verb=method.lower(), what=path, plural=path, namespace="")
        return answer

    def _call(
        self,
        verb: str,
        kind: str,
        namespace: str,
        name: str = "",
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        none_if_gone: bool = False,
    ) -> Object | None:
        method, content_type = {
            "get": ("GET", _JSON),
            "list": ("GET", _JSON),
            "create": ("POST", _JSON),
            "patch": ("PATCH", _MERGE),
            "delete": ("DELETE", _JSON),
        }[verb]
        path = path_of(kind, namespace, "" if verb == "create" else name)
        if query:
            path += f"?{urlencode({key: value for key, value in query.items() if value})}"
        status, answer = self._send(method, path, body=body, content_type=content_type)
        if status < _BAD_REQUEST:
            return answer
        if status == _NOT_FOUND and none_if_gone and answer.get("details"):
            return None
        if status == _NOT_FOUND and answer.get("details") and name:
            raise not_found(f"{kind} {name} is not in namespace {namespace}.")
        raise _refused(status, answer, verb, kind, namespace, name)

    def _send(self, method: str, path: str, *, body: Mapping[str, Any] | None, content_type: str) -> tuple[int, Object]:
        answer = self._request(method, path, body=body, content_type=content_type)
        self.date = answer.headers.get("Date", "")
        return answer.status, _parsed(answer.data)

    def _request(
        self, method: str, path: str, *, body: Mapping[str, Any] | None, content_type: str, **options: object
    ) -> "BaseHTTPResponse":
        import urllib3

        headers = {"Accept": _JSON, "User-Agent": f"kubectl-certward/{__version__}"}
        if body is not None:
            headers["Content-Type"] = content_type
        try:
            self._client.update_params_for_auth(headers, [], ["BearerToken"], path, method, None)
            answer: BaseHTTPResponse = self._pool.request(
                method,
                f"{self.server}{path}",
                body=None if body is None else json.dumps(body).encode(),
                headers=headers,
                retries=False,
                **{"timeout": self._timeout, **options},
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _unreachable(self.server, self.place, error) from None
        return answer


class Watch:
    """A stream of changes, each a type (ADDED, MODIFIED, DELETED, BOOKMARK, ERROR) and an object."""

    def __init__(self, answer: "BaseHTTPResponse") -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[tuple[str, Object]]:
        """Wait for changes until the server ends the stream, or it breaks."""
        import urllib3

        rest = b""
        try:
            for chunk in self._answer.stream(_CHUNK, decode_content=True):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in filter(None, lines):
                    change = _parsed(line)
                    yield str(change.get("type") or ""), change.get("object") or {}
        except (urllib3.exceptions.HTTPError, OSError, ValueError, AttributeError):
            return  # broken: whoever follows begins anew, and finds out why
        finally:
            self._answer.close()


def _parsed(data: bytes) -> Object:
    try:
        parsed = json.loads(data)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _refused(status: int, answer: Object, verb: str, kind: str, namespace: str, name: str = "") -> CliError:
    prefix, plural = KINDS[kind]
    group = prefix.split("/")[2] if prefix.startswith("/apis/") else ""
    whole = f"{plural}.{group}" if group else plural
    return refusal(status, answer, verb=verb, what=f"{kind} {name}".strip(), plural=whole, namespace=namespace)


def _unreachable(server: str, place: Place, error: Exception) -> CliError:
    words = str(error)
    if "certificate verify failed" in words or "CERTIFICATE_VERIFY_FAILED" in words:
        why = "its certificate is not the one that the kubeconfig expects"
    elif "refused" in words:
        why = "the connection is refused"
    elif "timed out" in words or "Timeout" in type(error).__name__:
        why = "no answer in time"
    elif "Name or service not known" in words or "Failed to resolve" in words or "NameResolution" in words:
        why = "its name cannot be resolved"
    else:
        why = type(error).__name__
    of_context = f" of context {place.context}" if place.context else ""
    return no_cluster(f"The cluster{of_context} does not answer at {server}: {why}. Is it the right --context?")
