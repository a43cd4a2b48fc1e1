"""What ingress controllers say, in the status of the objects that were written for a host."""

import contextlib

from certward.errors import Rejected
from certward.kube.client import Client
from certward.plan.observed import Observed
from certward.runtime.classes import Classes


class Reports:
    """Reads them when something is amiss, so that people are told what the controller has told us."""

    def __init__(self, classes: Classes, client: Client) -> None:
        self._classes = classes
        self._client = client

    def on(self, observed: Observed) -> str:
        """The controller's complaint about a host as a sentence to be appended; empty when it has none.

        Args:
            observed: whose objects are read.

        Raises:
            Blocked: there is no such class.
            Transient: the API server could not be asked.
        """
        dialect = self._classes.of(observed.app).dialect
        live = [self._client.get(*ref) for ref in dialect.reports(observed.domain)]
        complaint = dialect.complaint([body for body in live if body is not None])
        return f" {complaint}" if complaint else ""

    def advice(self, observed: Observed) -> str:
        """What the administrator can set for all hosts where nothing can be set for one; a sentence to be appended.

        Raises: as `on`.
        """
        dialect, app = self._classes.of(observed.app).dialect, observed.app
        live = None
        if dialect.cluster_settings and app:
            with contextlib.suppress(Rejected):  # an administrator need not let us read it
                live = self._client.get(*dialect.cluster_settings)
        if live is None or app is None:
            words = dialect.capabilities.cluster_wide
        else:
            words = dialect.advice(live, observed.profile, observed.hsts, is_restricted=bool(app.trusted_ranges))
        return f" {words}" if words else ""
