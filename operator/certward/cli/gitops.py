"""Whether an object is kept in git, so that a change in the cluster would be undone or is to be made there."""

from certward.cli.api import Object

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
