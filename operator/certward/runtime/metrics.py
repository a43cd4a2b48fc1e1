"""Metrics that are counted where something happens. docs/metrics.md says what each means and what to make of it."""

from collections.abc import Iterable
from typing import Final

from prometheus_client import Counter, Histogram, disable_created_metrics

from certward import stages

# A second series for each counter, which nothing here needs.
disable_created_metrics()  # type: ignore[no-untyped-call]

RECONCILES: Final = Counter("certward_reconciles", "Passes over an object, by kind and outcome.", ["kind", "outcome"])
RECONCILE_SECONDS: Final = Histogram(
    "certward_reconcile_seconds",
    "Duration of one pass over an object.",
    ["kind"],
    buckets=(0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30),
)
STAGE_SECONDS: Final = Histogram(
    "certward_stage_seconds",
    "Time that a stage of a pass has taken, without the stages within it.",
    ["stage"],
    buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2.5, 10),
)
stages.listen(lambda name, seconds: STAGE_SECONDS.labels(name).observe(seconds))
BUGS: Final = Counter("certward_bugs", "Passes that ended with an unexpected exception; any is worth a report.")
TIME_TO_CERTIFICATE: Final = Histogram(
    "certward_time_to_certificate_seconds",
    "From when a Domain first wanted a certificate until a handshake has shown it.",
    buckets=(0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400),
)
FAILURES: Final = Counter("certward_failures", "Failed attempts at a certificate, by reason.", ["reason"])
ORDERS_PLACED: Final = Counter("certward_orders_placed", "Orders that a CA has taken.", ["issuer"])
ORDERS_ENDED: Final = Counter(
    "certward_orders_ended", "Orders that came to an end, or were not taken, by outcome.", ["issuer", "outcome"]
)
CERTIFICATES: Final = Counter(
    "certward_certificates_issued",
    "Certificates that were stored; renewal says whether a valid one was at hand.",
    ["issuer", "renewal"],
)
EVENTS: Final = Counter("certward_events", "Kubernetes Events, by what became of them.", ["outcome"])


def expect(issuers: Iterable[str]) -> None:
    """Have the series of these issuers there from the start: Prometheus does not see the first step of a new one."""
    for issuer in issuers:
        ORDERS_PLACED.labels(issuer)
        for outcome in ("issued", "failed", "invalid", "refused", "rate_limited"):
            ORDERS_ENDED.labels(issuer, outcome)
        for is_renewal in ("true", "false"):
            CERTIFICATES.labels(issuer, is_renewal)
