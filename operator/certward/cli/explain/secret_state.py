"""What the Secret of a certificate holds, as something to serve a hostname with. Only facts of it are kept."""

from datetime import datetime

from certward.cli.api import Object
from certward.cli.pem import read_secret
from certward.model import pki
from certward.model.resources import Domain
from certward.names import LABEL_DOMAIN, LABEL_MANAGED_BY, MANAGED_BY
from certward.plan.checks import SecretState


def state_of(body: Object | None, domain: Domain, now: datetime) -> SecretState:
    """Judge a Secret.

    Args:
        body: as the API server sends it; None: it is not there.
        domain: whose hostname is to be served.
        now: aware UTC datetime, for the dates of the certificate.
    """
    if body is None:
        return SecretState()
    labels = body["metadata"].get("labels") or {}
    is_managed = labels.get(LABEL_MANAGED_BY) == MANAGED_BY and labels.get(LABEL_DOMAIN) == domain.meta.name
    kept = read_secret(body, now)
    problem = kept.problem
    if kept.facts and not problem and not pki.covers(kept.facts.hostnames, domain.hostname):
        names = ", ".join(kept.facts.hostnames[:5]) or "no DNS name at all"
        problem = f"The certificate does not cover {domain.hostname}; it is for {names}."
    return SecretState(exists=True, is_managed=is_managed, facts=None if problem else kept.facts, problem=problem)
