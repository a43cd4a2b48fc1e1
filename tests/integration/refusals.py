"""What the API server has refused to the operator for want of a right."""

from datetime import datetime, timedelta

from cluster import processes
from cluster.handle import Cluster
from integration import observer

#: An API server that starts refuses everybody for a moment, until it has read the roles.
_START = timedelta(seconds=10)


def decision(entry: observer.Object) -> str:
    """What the authorizer said to a request: allow or forbid."""
    return str(entry["annotations"]["authorization.k8s.io/decision"])


def refused(cluster: Cluster, log: observer.AuditLog) -> set[str]:
    """The requests of the operator's own clients that were not allowed, in words."""
    starts = _api_server_starts(cluster)
    made = (entry for entry in log.of_the_operator() if decision(entry) != "allow")
    return {observer.in_words(entry) for entry in made if not _is_early(entry, starts)}


def _api_server_starts(cluster: Cluster) -> list[datetime]:
    """When the API server was started in this cluster's life."""
    lines = processes.log_file(cluster.state, "apiserver").read_text(errors="replace").splitlines()
    marks = (line.split() for line in lines if line.startswith("--- "))
    return [datetime.strptime(words[1], "%Y-%m-%dT%H:%M:%S%z") for words in marks]


def _is_early(entry: observer.Object, starts: list[datetime]) -> bool:
    """Whether a request came while the API server was starting."""
    at = datetime.fromisoformat(entry["requestReceivedTimestamp"])
    return any(start <= at < start + _START for start in starts)
