"""Admission policies in a cluster, and requests to it in somebody's name.

The policies are those that kustomize renders, in force as soon as a first write is refused. What one of them forbids is
asked for by a dry run, which the API server judges as it does the real thing.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import yaml

from certward.kube import kinds
from cluster.handle import Cluster
from cluster.operator_process import NAMESPACE, SERVICE_ACCOUNT
from integration.rendering import MANIFESTS, Object, kustomize

OPERATOR = f"system:serviceaccount:{NAMESPACE}:{SERVICE_ACCOUNT}"
MANAGED = {"app.kubernetes.io/managed-by": "certward"}
POLICY, BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
#: Where the kinds live that Certward does not touch.
_MORE = {
    "GRPCRoute": ("/apis/gateway.networking.k8s.io/v1", "grpcroutes"),
    "TLSRoute": ("/apis/gateway.networking.k8s.io/v1", "tlsroutes"),
    POLICY: ("/apis/admissionregistration.k8s.io/v1", "validatingadmissionpolicies"),
}
_OK = 300


@dataclass(frozen=True)
class Answer:
    """What the API server said: the HTTP status and, of a refusal, the words."""

    status: int
    words: str

    def is_refused_by(self, policy: str) -> bool:
        """Whether it was this policy that forbade it."""
        return self.status == HTTPStatus.FORBIDDEN and f"ValidatingAdmissionPolicy '{policy}'" in self.words

    @property
    def is_granted(self) -> bool:
        """Whether it did, or would do, what it was asked for."""
        return self.status < _OK


class Speaker:
    """Somebody who asks the API server for things. A dry run unless it is told `for_real`."""

    def __init__(
        self, cluster: Cluster, user: str = "", *, groups: tuple[str, ...] = (), for_real: bool = False
    ) -> None:
        self._api, self._user, self._groups, self._for_real = cluster.api, user, groups, for_real

    def apply(self, manifest: Object) -> Answer:
        """Server-side apply, as the operator writes."""
        told = {"fieldManager": "certward", "force": "true"}
        return self._ask("PATCH", _path(manifest), told, manifest, "application/apply-patch+yaml")

    def create(self, manifest: Object) -> Answer:
        """Create it."""
        return self._ask("POST", _path(manifest, name=""), {}, manifest)

    def merge(self, manifest: Object, **change: Any) -> Answer:
        """Change an object by a merge patch."""
        return self._ask("PATCH", _path(manifest), {}, change, "application/merge-patch+json")

    def delete(self, manifest: Object) -> Answer:
        """Delete it."""
        return self._ask("DELETE", _path(manifest), {}, {} if self._for_real else {"dryRun": ["All"]})

    def get(self, manifest: Object) -> Object:
        """An object as it is."""
        found: Object = json.loads(self._request("GET", _path(manifest), {}, None, "").data)
        return found

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Object,
        content: str = "application/json",
    ) -> Answer:
        answer = self._request(method, path, dict(query) | ({} if self._for_real else {"dryRun": "All"}), body, content)
        if answer.status < _OK:
            return Answer(answer.status, "")
        try:
            return Answer(answer.status, json.loads(answer.data)["message"])
        except ValueError:  # the path is unknown
            return Answer(answer.status, answer.data.decode())

    def _request(self, method: str, path: str, query: Mapping[str, str], body: Object | None, content: str) -> Any:
        headers = {"Accept": "application/json", "Content-Type": content}
        if self._user:
            headers["Impersonate-User"] = self._user
        return self._api.rest_client.pool_manager.request(
            method,
            f"{self._api.configuration.host}{path}?{urlencode(query)}",
            body=None if body is None else json.dumps(body),
            headers=headers,
        )


def _path(manifest: Object, name: str | None = None) -> str:
    meta = manifest["metadata"]
    prefix, plural = _MORE.get(manifest["kind"]) or kinds.KINDS[manifest["kind"]]
    within = f"/namespaces/{meta['namespace']}" if "namespace" in meta else ""
    end = meta["name"] if name is None else name
    return f"{prefix}{within}/{plural}" + (f"/{end}" if end else "")


def thing(kind: str, namespace: str, name: str, labels: Mapping[str, str] | None = None, **rest: Any) -> Object:
    """An object of a kind that Certward knows, with what else it holds."""
    group = (_MORE.get(kind) or kinds.KINDS[kind])[0].removeprefix("/apis/").removeprefix("/api/")
    meta = {"name": name, "namespace": namespace, "labels": dict(labels or {})}
    meta |= rest.pop("meta", {})
    return {"apiVersion": group, "kind": kind, "metadata": meta, **rest}


def policies(part: str) -> dict[str, Object]:
    """The objects of one component, by kind and name, as they are installed beside the base."""
    names = [document["metadata"]["name"] for document in _documents(part)]
    rendered = kustomize(MANIFESTS / "overlays" / "admission")
    return {
        f"{each['kind']} {each['metadata']['name']}": each for each in rendered if each["metadata"]["name"] in names
    }


def _documents(part: str) -> Iterator[Object]:
    folder = MANIFESTS / "admission" / part
    for name in yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]:
        yield from yaml.safe_load_all((folder / name).read_text(encoding="utf-8"))


def put(cluster: Cluster, *objects: Object) -> None:
    """Apply objects as the administrator."""
    text = yaml.safe_dump_all(objects)
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=text)


@contextmanager
def in_force(cluster: Cluster, part: str, probes: Mapping[str, tuple[Speaker, Object]]) -> Iterator[dict[str, Object]]:
    """Have a component installed.

    Args:
        cluster: where.
        part: which.
        probes: for each policy a write that it refuses, by which it is seen to be in force.
    """
    objects = policies(part)
    put(cluster, *objects.values())
    try:
        for name, (speaker, manifest) in probes.items():
            until_refused(cluster, name, speaker, manifest)
        yield objects
    finally:
        cluster.kubectl("delete", "--ignore-not-found", "-f", "-", input=yaml.safe_dump_all(objects.values()))


def until_refused(cluster: Cluster, policy: str, speaker: Speaker, manifest: Object) -> None:
    """Wait until a policy refuses what it is to refuse; an API server takes a second to know it."""
    cluster.wait_for(lambda: speaker.apply(manifest).is_refused_by(policy), 30, f"{policy} is in force")


@contextmanager
def without(cluster: Cluster, policy: Object, rule: int) -> Iterator[None]:
    """Have a policy without one of its rules, in which everything is right for as long as this lasts."""
    changed = json.loads(json.dumps(policy))
    changed["spec"]["validations"][rule]["expression"] = "true"
    put(cluster, changed)
    try:
        yield
    finally:
        put(cluster, policy)


def warnings(cluster: Cluster, name: str) -> list[Object]:
    """What the type checker of the control plane says of a policy, once it has looked at it."""
    policy: Object = {"kind": POLICY, "metadata": {"name": name}}

    def checked() -> Object | None:
        found = Speaker(cluster).get(policy)
        seen: Object = found.get("status") or {}
        return seen if seen.get("observedGeneration") == found["metadata"]["generation"] else None

    status = cluster.wait_for(checked, 30, f"{name} is type-checked")
    found: list[Object] = (status.get("typeChecking") or {}).get("expressionWarnings") or []
    return found
