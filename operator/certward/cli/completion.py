"""Names from the cluster for the completion of shells; no names where that would fail or take long."""

from collections.abc import Callable, Iterable
from typing import Any

import typer

_PATIENCE = 3.0  # seconds; whoever presses Tab will not wait for longer


def contexts(incomplete: str) -> list[str]:
    """Contexts of the kubeconfig."""

    def names() -> list[str]:
        from kubernetes import config

        found, _ = config.list_kube_config_contexts()
        return [entry["name"] for entry in found]

    return _matching(names, incomplete)


def namespaces(ctx: typer.Context, incomplete: str) -> list[str]:
    """Namespaces in which there are Apps: what a user may list need not include namespaces themselves."""
    return _matching(lambda: (body["metadata"]["namespace"] for body in _list(ctx, "App", everywhere=True)), incomplete)


def apps(ctx: typer.Context, incomplete: str) -> list[str]:
    """Apps of the namespace that the line means so far."""
    return _matching(lambda: (body["metadata"]["name"] for body in _list(ctx, "App")), incomplete)


def domains(ctx: typer.Context, incomplete: str) -> list[str]:
    """Hostnames and names of the Domains in the namespace that the line means so far."""

    def names() -> Iterable[str]:
        for body in _list(ctx, "Domain"):
            yield body["spec"]["hostname"]
            yield body["metadata"]["name"]

    return _matching(names, incomplete)


def _list(ctx: typer.Context, kind: str, *, everywhere: bool = False) -> list[dict[str, Any]]:
    from certward.cli.api import Api
    from certward.cli.command import flags_of

    flags = flags_of(ctx)
    api = Api(flags.kubeconfig, flags.context, timeout=_PATIENCE)
    namespace = "" if everywhere or flags.all_namespaces else flags.namespace or api.place.namespace
    return api.list(kind, namespace)


def _matching(names: Callable[[], Iterable[str]], incomplete: str) -> list[str]:
    try:
        return sorted({name for name in names() if name.startswith(incomplete)})
    except Exception:  # noqa: BLE001 - a shell must not show an error where it completes a word
        return []
