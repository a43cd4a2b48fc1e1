"""Whether an object is kept in git or elsewhere, so that a change in the cluster would be undone, or belongs there."""

from typing import NamedTuple

from certward.cli.api import FIELD_MANAGER, Object

# What the two well-known tools put on what they manage. Argo CD's usual label app.kubernetes.io/instance says nothing
# by itself: Helm charts carry it as well.
_MARKS = {
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "argocd.argoproj.io/instance": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
}
_MANAGERS = {
    "argocd-controller": "Argo CD",
    "argocd-application-controller": "Argo CD",
    "kustomize-controller": "Flux",
    "helm-controller": "Flux",
}
#: What Helm puts on what it has installed, and kubectl on what it has applied from the client's side.
_RELEASE = "meta.helm.sh/release-name"
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Keeper(NamedTuple):
    """Who puts an object back to what is declared elsewhere.

    Attributes:
        name: in words.
        is_release: it comes from a Helm chart, so that a change belongs into the chart's values.
        is_git: it comes from git.
    """

    name: str
    is_release: bool = False
    is_git: bool = False


def keeper_of(body: Object, key: str) -> Keeper | None:
    """Who would undo a change of one key of a ConfigMap, or stumble over it; None where nobody is known to.

    Args:
        body: the ConfigMap as it was read, with managedFields.
        key: of `data`.
    """
    meta = body.get("metadata") or {}
    annotations = meta.get("annotations") or {}
    tool, release = manager_of(body), annotations.get(_RELEASE)
    if tool:
        return Keeper(f"{tool} (Helm release {release})" if release else tool, bool(release), is_git=True)
    if release:
        return Keeper(f"Helm (release {release})", is_release=True)
    # The next server-side apply by that manager conflicts, or writes its own text where conflicts are forced.
    for entry in meta.get("managedFields") or ():
        manager = entry.get("manager", "")
        owned = (entry.get("fieldsV1") or {}).get("f:data") or {}
        if entry.get("operation") == "Apply" and manager != FIELD_MANAGER and f"f:{key}" in owned:
            return Keeper(f"server-side apply (field manager {manager})")
    return Keeper("kubectl apply") if _APPLIED in annotations else None


def manager_of(body: Object) -> str:
    """The tool that keeps an object as git has it; empty where there is no sign of one."""
    meta = body.get("metadata") or {}
    for mark in {**(meta.get("labels") or {}), **(meta.get("annotations") or {})}:
        if mark in _MARKS:
            return _MARKS[mark]
    for entry in meta.get("managedFields") or ():
        if found := _MANAGERS.get(entry.get("manager", "")):
            return found
    return ""
