"""How Argo CD and Flux judge an object: the Lua in a Lua like Argo CD's, kstatus's algorithm, CEL as Flux has it."""

from pathlib import Path
from typing import Any

import cel
import yaml
from lupa import lua51

Object = dict[str, Any]

ROOT = Path(__file__).parents[2]
ARGOCD_CM = ROOT / "manifests" / "gitops" / "argocd" / "argocd-cm.yaml"
FLUX = ROOT / "examples" / "gitops" / "flux.yaml"
#: What Argo CD's Lua has without `useOpenLibs`: package, base, table, and of `os` the clock only.
_CLOSED = ("string", "io", "math", "debug", "coroutine", "dofile", "loadfile", "python")
#: gitops-engine knows these; others make the health Unknown.
HEALTH = frozenset({"Healthy", "Suspended", "Progressing", "Missing", "Degraded"})


def argocd(obj: Object) -> tuple[str, str]:
    """Argo CD's health of an object and its message, by the script in the ConfigMap that it reads."""
    if obj["metadata"].get("deletionTimestamp"):
        return "Progressing", "Pending deletion"
    group = obj["apiVersion"].partition("/")[0]
    data = yaml.safe_load(ARGOCD_CM.read_text(encoding="utf-8"))["data"]
    script = data[f"resource.customizations.health.{group}_{obj['kind']}"]
    runtime = lua51.LuaRuntime(unpack_returned_tuples=True, register_eval=False, register_builtins=False)
    given = runtime.globals()
    for name in _CLOSED:
        given[name] = None
    given["obj"] = runtime.table_from(obj, recursive=True)
    answer = runtime.execute(script)
    health, message = answer["status"], answer["message"]
    assert health in HEALTH, health
    assert isinstance(message, str), message
    return health, message


def kstatus(obj: Object) -> str:
    """The status that kstatus computes for a custom resource (sigs.k8s.io/cli-utils 0.37, status.Compute)."""
    metadata, status = obj["metadata"], obj.get("status") or {}
    if metadata.get("deletionTimestamp"):
        return "Terminating"
    if "generation" in metadata and status.get("observedGeneration", metadata["generation"]) != metadata["generation"]:
        return "InProgress"
    conditions = status.get("conditions") or ()
    for condition in conditions:  # in the order of the list
        if condition["type"] in ("Reconciling", "Stalled") and condition["status"] == "True":
            return "InProgress" if condition["type"] == "Reconciling" else "Failed"
    for condition in conditions:
        if condition["type"] == "Ready":
            return "Current" if condition["status"] == "True" else "InProgress"
    return "Current"


def flux(obj: Object) -> str:
    """What a Flux Kustomization sees: healthCheckExprs where the example has them for the kind, else kstatus.

    By RFC 0009 of Flux: generations first, then the expressions in this order, and InProgress where none is true.
    """
    (check,) = yaml.safe_load(FLUX.read_text(encoding="utf-8"))["spec"]["healthCheckExprs"]
    if (check["apiVersion"], check["kind"]) != (obj["apiVersion"], obj["kind"]):
        return kstatus(obj)
    observed = obj.get("status", {}).get("observedGeneration")
    if observed is not None and observed != obj["metadata"]["generation"]:
        return "InProgress"
    for field, verdict in (("inProgress", "InProgress"), ("failed", "Failed"), ("current", "Current")):
        if field in check and cel.evaluate(check[field], obj) is True:
            return verdict
    return "InProgress"
