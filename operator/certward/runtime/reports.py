"""What ingress controllers say, in the status of the objects that were written for a host."""

from certward.kube.client import Client
from certward.plan.observed import Observed
from certward.runtime.classes import Classes


class Reports:
    """Reads them when something is amiss, so that people are told what the controller has told us."""

    def __init__(self, classes: Classes, client: Client) -> None:
        self._classes = classes
        self._client = client

    def on(self, observed: Observed, *, is_wanted: bool = True) -> str:
        """The controller's complaint about a host as a sentence to be appended; empty when it has none.

        Args:
            observed: whose objects are read.
            is_wanted: False saves the reading.

        Raises:
            Blocked: there is no such class.
            Transient: the API server could not be asked.
        """
        if not is_wanted:
            return ""
        dialect = self._classes.of(observed.app).dialect
        live = [self._client.get(*ref) for ref in dialect.reports(observed.domain)]
        complaint = dialect.complaint([body for body in live if body is not None])
        return f" {complaint}" if complaint else ""
