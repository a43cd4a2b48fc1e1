"""Orders found again in the status of Domains."""

from datetime import timedelta

import pytest

from builders import DAY, NOW, domain
from certward.model.resources import format_time
from certward.plan.traces import traces

MINUTE = timedelta(minutes=1)


def issued(at, *, source: str = "Automatic", state: str = "CertIssued", changed=None):
    certificate = {"source": source, "notBefore": format_time(at)}
    return {"state": state, "lastUpdated": format_time(changed or at), "certificate": certificate}


CASES = [
    pytest.param({}, NOW - MINUTE, 0, id="new"),
    pytest.param({"order": {"createdAt": format_time(NOW), "issuer": "le"}}, NOW - MINUTE, 1, id="open order"),
    pytest.param({"order": {"createdAt": format_time(NOW - DAY), "issuer": "le"}}, NOW - MINUTE, 0, id="older order"),
    pytest.param(issued(NOW), NOW - MINUTE, 1, id="issued since"),
    pytest.param(issued(NOW - DAY), NOW - MINUTE, 0, id="issued before"),
    pytest.param(issued(NOW, source="Manual"), NOW - MINUTE, 0, id="manual"),
    pytest.param(issued(NOW - 3 * DAY), None, 1, id="ledger lost, issued this week"),
    pytest.param(issued(NOW - 9 * DAY), None, 0, id="ledger lost, issued long ago"),
    pytest.param({"order": {"createdAt": "soon"}}, NOW, 0, id="not a time"),
    pytest.param({"order": ["x"], "certificate": 7}, NOW, 0, id="not of the form"),
]


@pytest.mark.parametrize(("status", "written", "count"), CASES)
def test_orders_that_may_be_missing(status, written, count):
    found = list(traces([domain(status=status)], written, NOW))
    assert len(found) == count
    for trace in found:
        assert trace.request.hostnames == ("www.example.com",)
        assert trace.at <= NOW


def test_with_the_ledger_lost_certificates_of_old_domains_are_renewals():
    young = domain(status=issued(NOW - DAY), created_at=NOW - 2 * DAY)
    old = domain(status=issued(NOW - DAY), created_at=NOW - 60 * DAY)
    assert [trace.request.renews for trace in traces([young, old], None, NOW)] == [False, True]
