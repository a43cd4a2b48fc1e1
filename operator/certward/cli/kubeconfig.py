"""Which cluster is meant, and as whom it is talked to."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from certward.cli.errors import no_cluster

_IN_CLUSTER: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True)
class Place:
    """Which cluster, and where in it, a kubeconfig means.

    Attributes:
        context: name of the context; empty inside of a pod.
        namespace: of the context; "default" where it names none.
    """

    context: str
    namespace: str


def load(kubeconfig: str | None, context: str | None) -> tuple[Any, Place]:
    """Return a client of the `kubernetes` package as the user, and where it leads.

    It is read once: a later change of the kubeconfig, such as of its current context, leads nobody elsewhere.

    Args:
        kubeconfig: a file, or several as in $KUBECONFIG; by default that, or ~/.kube/config, or a pod's own account.
        context: its name; by default the current one.

    Raises:
        CliError: there is none that can be used.
    """
    import yaml
    from kubernetes import client, config

    configuration = client.Configuration()
    configuration.connection_pool_maxsize = 16  # some commands ask for several things at once
    files = kubeconfig or os.environ.get("KUBECONFIG") or str(Path("~/.kube/config").expanduser())
    is_there = any(Path(file).is_file() for file in files.split(os.pathsep) if file)
    if not is_there and not kubeconfig and (_IN_CLUSTER / "token").is_file():
        config.load_incluster_config(client_configuration=configuration)
        namespace = (_IN_CLUSTER / "namespace").read_text(encoding="utf-8").strip()
        return client.ApiClient(configuration), Place("", namespace or "default")
    if not is_there:
        raise no_cluster(
            f"There is no kubeconfig at {files}, so there is no cluster to talk to. Name one by --kubeconfig or by the "
            "variable KUBECONFIG."
        )
    try:
        contexts, current = config.list_kube_config_contexts(files)
    except (config.ConfigException, OSError, ValueError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise no_cluster(f"The kubeconfig {files} cannot be read: {error}") from None
    chosen = context or (current or {}).get("name", "")
    known = {entry["name"]: entry.get("context") or {} for entry in contexts}
    if chosen not in known:
        there = ", ".join(sorted(known)) or "none at all"
        raise no_cluster(f"The kubeconfig has no context {chosen}; it has {there}.")
    try:
        config.load_kube_config(files, context=chosen, client_configuration=configuration, persist_config=False)
    except (config.ConfigException, OSError, ValueError, TypeError) as error:
        raise no_cluster(f"The context {chosen} of the kubeconfig cannot be used: {error}") from None
    return client.ApiClient(configuration), Place(chosen, known[chosen].get("namespace") or "default")
