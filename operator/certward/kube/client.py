"""Few verbs over the official client's transport: get, list, apply, apply_status, delete.

Authentication, kubeconfig, token refresh and TLS are the `kubernetes` package's; requests go straight to its
connection pool, because its typed models cost more CPU per call than the rest of a reconcile (and know no CRDs).
"""

import math
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import orjson
import urllib3
from kubernetes import client as kubernetes_client
from kubernetes import config as kubernetes_config

from certward.errors import Blocked, Conflict, OperatorError, Rejected, Transient
from certward.kube.kinds import path_of
from certward.model.resources import Resource
from certward.names import API_VERSION, FIELD_MANAGER
from certward.stages import stage

Object = dict[str, Any]
_APPLY = "application/apply-patch+yaml"  # JSON is YAML, and needs no YAML writer
_JSON = "application/json"
_METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_METADATA_ONLY_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_PAGE = 500
_TOKEN_SECONDS = 5.0
_CONNECT_SECONDS = 5.0
#: A renewal that hangs for longer would let the Lease run out, and hold up those of other shards.
_LEASE_SECONDS = 5.0
_NOT_FOUND, _FORBIDDEN, _CONFLICT, _UNPROCESSABLE, _BAD_REQUEST = 404, 403, 409, 422, 400


def load_api_client(connections: int) -> kubernetes_client.ApiClient:
    """The official client, from the pod's ServiceAccount or else from KUBECONFIG.

    Args:
        connections: how many connections to keep open.

    Raises:
        Rejected: neither is there.
    """
    configuration = kubernetes_client.Configuration()
    try:
        kubernetes_config.load_incluster_config(client_configuration=configuration)
    except kubernetes_config.ConfigException:
        try:
            kubernetes_config.load_kube_config(client_configuration=configuration)
        except kubernetes_config.ConfigException as error:
            raise Rejected("NoCluster", f"no cluster to talk to: {error}") from None
    configuration.connection_pool_maxsize = connections
    return kubernetes_client.ApiClient(configuration)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What another client needs to reach the same API server with the same rights."""

    server: str
    ca_path: str | None
    is_insecure: bool
    scheme: str | None
    token: str | None = field(repr=False)
    certificate_path: str | None
    private_key_path: str | None


def credentials_of(api: kubernetes_client.ApiClient) -> Credentials:
    """The credentials in use, with the token as it is now: tokens of ServiceAccounts are renewed on disk."""
    configuration = api.configuration
    headers: dict[str, Any] = {}
    api.update_params_for_auth(headers, [], ["BearerToken"], "/", "GET", None)
    scheme, _, token = str(headers.get("authorization") or "").rpartition(" ")
    return Credentials(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        is_insecure=not configuration.verify_ssl,
        scheme=scheme or None,
        token=token or None,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
    )


class Client:
    """The API server, for many threads at once. Counts its requests by verb, kind and status."""

    def __init__(
        self, api: kubernetes_client.ApiClient, *, user_agent: str = "certward", timeout: float = 30.0
    ) -> None:
        self._api = api
        self._pool = api.rest_client.pool_manager
        self._host = api.configuration.host.rstrip("/")
        self._agent = user_agent
        self._timeout = _timeout(timeout)
        self._lease_timeout = _timeout(min(timeout, _LEASE_SECONDS))
        self._authorized: tuple[float, dict[str, str]] = (-math.inf, {})
        self._count_lock = threading.Lock()
        self.requests: dict[tuple[str, str, int], int] = {}

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """One object, or None when there is none."""
        return self._call("GET", kind, path_of(kind, namespace, name))

    def version(self, kind: str, namespace: str, name: str) -> str:
        """The resourceVersion of an object, of which no more than its metadata is asked for; empty: there is none."""
        found = self._call("GET", kind, path_of(kind, namespace, name), accept=_METADATA_ONLY)
        return str(found["metadata"]["resourceVersion"]) if found else ""

    def list(
        self,
        kind: str,
        namespace: str = "",
        *,
        labels: str = "",
        may_be_absent: bool = False,
        is_metadata_only: bool = False,
    ) -> Iterator[Object]:
        """All objects of a kind, page by page.

        Args:
            kind: as in kinds.py.
            namespace: empty for all.
            labels: a label selector.
            may_be_absent: a kind that the API server does not serve has no objects.
            is_metadata_only: leave out spec and status.
        """
        accept = _METADATA_ONLY_LIST if is_metadata_only else _JSON
        token = ""
        while True:
            query = {"limit": str(_PAGE)}
            if labels:
                query["labelSelector"] = labels
            if token:
                query["continue"] = token
            page = self._call("GET", kind, path_of(kind, namespace), query=query, accept=accept)
            if page is None and may_be_absent:
                return
            if page is None:
                raise Transient("APIServerUnavailable", f"the API server knows no {kind}: are the CRDs installed?")
            yield from page.get("items") or ()
            token = (page.get("metadata") or {}).get("continue") or ""
            if not token:
                return

    def apply(self, manifest: Mapping[str, Any], *, subresource: str = "", has_priority: bool = True) -> Object | None:
        """Server-side apply of a fully rendered object.

        Args:
            manifest: all that the operator says of it.
            subresource: status, or empty.
            has_priority: take over the fields that others have set to something else.

        Returns:
            The object as it is now; None when it (or its namespace) is gone, so there was nothing to apply to.

        Raises:
            Blocked: the API server does not serve this kind, which is not one of ours.
            Conflict: metadata.uid was given and another object has the name now; or without priority a field is
                another's.
            Rejected: the API server refuses the object or the right to write it.
            Transient: it could not be asked.
        """
        meta = manifest["metadata"]
        path = path_of(manifest["kind"], meta.get("namespace", ""), meta["name"])
        if subresource:
            path += f"/{subresource}"
        query = {"fieldManager": FIELD_MANAGER, "force": "true" if has_priority else "false"}
        return self._call("PATCH", manifest["kind"], path, query=query, body=manifest, content_type=_APPLY)

    def apply_status(self, resource: Resource, status: Mapping[str, Any]) -> Object | None:
        """Server-side apply of the whole status of one of our objects, if it still is this object.

        Returns:
            The object as it is now; None when it is gone.

        Raises:
            Conflict: another object has the name now.
            Rejected, Transient: as `apply`.
        """
        meta = resource.meta
        manifest = {
            "apiVersion": API_VERSION,
            "kind": resource.kind,
            "metadata": {"name": meta.name, "namespace": meta.namespace, "uid": meta.uid},
            "status": dict(status),
        }
        return self.apply(manifest, subresource="status")

    def create(self, manifest: Mapping[str, Any]) -> Object | None:
        """Create an object.

        Raises:
            Conflict: it is there already.
        """
        meta = manifest["metadata"]
        path = path_of(manifest["kind"], meta.get("namespace", ""))
        return self._call("POST", manifest["kind"], path, query={"fieldManager": FIELD_MANAGER}, body=manifest)

    def replace(self, manifest: Mapping[str, Any]) -> Object | None:
        """Update an object at the resourceVersion it was read at.

        Raises:
            Conflict: somebody else wrote it since.
        """
        meta = manifest["metadata"]
        path = path_of(manifest["kind"], meta.get("namespace", ""), meta["name"])
        return self._call("PUT", manifest["kind"], path, query={"fieldManager": FIELD_MANAGER}, body=manifest)

    def delete(self, kind: str, namespace: str, name: str, *, uid: str = "") -> None:
        """Delete an object if it is (still) there, and only this one when `uid` is given."""
        body: Object = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        if uid:
            body["preconditions"] = {"uid": uid}
        self._call("DELETE", kind, path_of(kind, namespace, name), body=body)

    def _call(
        self,
        method: str,
        kind: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = _JSON,
        accept: str = _JSON,
    ) -> Object | None:
        headers = {"Accept": accept, "User-Agent": self._agent}
        if body is not None:
            headers["Content-Type"] = content_type
        url = f"{self._host}{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            headers |= self._authorization()
            with stage(f"api {method} {kind}"):
                answer = self._pool.request(
                    method,
                    url,
                    body=None if body is None else orjson.dumps(body),
                    headers=headers,
                    timeout=self._lease_timeout if kind == "Lease" else self._timeout,
                    retries=False,
                )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            self._count(method, kind, 0)
            raise Transient("APIServerUnavailable", f"the API server did not answer: {type(error).__name__}") from error
        self._count(method, kind, answer.status)
        if answer.status < _BAD_REQUEST:
            parsed: Object = orjson.loads(answer.data)
            return parsed
        if refusal := _error(method, kind, path, answer.status, answer.data):
            raise refusal
        return None

    def _authorization(self) -> Mapping[str, str]:
        """The token as it was a moment ago at most: tokens are renewed on disk, long before the old one ends."""
        at, headers = self._authorized
        if time.monotonic() - at > _TOKEN_SECONDS:
            headers = {}
            self._api.update_params_for_auth(headers, [], ["BearerToken"], "/", "GET", None)
            self._authorized = time.monotonic(), headers
        return headers

    def _count(self, method: str, kind: str, status: int) -> None:
        with self._count_lock:
            key = (method, kind, status)
            self.requests[key] = self.requests.get(key, 0) + 1


def _timeout(seconds: float) -> urllib3.Timeout:
    return urllib3.Timeout(connect=min(_CONNECT_SECONDS, seconds), read=seconds)


def _error(method: str, kind: str, path: str, status: int, data: bytes) -> OperatorError | None:
    """What an error answer means; None for 'not there', which each caller expects."""
    try:
        message = str(orjson.loads(data).get("message", ""))
        is_about_an_object = True
    except (ValueError, AttributeError):
        message = data[:200].decode(errors="replace")
        is_about_an_object = False
    if status == _NOT_FOUND and method == "PATCH" and not is_about_an_object and not path.endswith("/status"):
        # The path itself is unknown: a missing namespace or object is told by a Status. Our own kinds' paths, which are
        # written to by /status only, are unknown for a moment when the API server starts.
        return Blocked(
            "KindNotServed",
            f"The API server knows no {kind}; the administrator has to install the definitions (CRDs) of the ingress "
            "controller, or the App has to choose another ingress class.",
        )
    if status == _NOT_FOUND:
        return None
    if status == _CONFLICT:
        return Conflict("Conflict", message)
    if status == _FORBIDDEN and "being terminated" in message:
        return None
    if status == _FORBIDDEN:
        verb = {"PATCH": "patch", "POST": "create", "PUT": "update", "DELETE": "delete"}.get(method, "get")
        return Rejected("Forbidden", f"the operator's account may not {verb} {kind} at {path}: {message}")
    if status in (_UNPROCESSABLE, _BAD_REQUEST):
        return Rejected("Invalid", f"the API server refuses {kind} at {path}: {message}")
    return Transient("APIServerUnavailable", f"the API server answered {status}: {message}")
