"""Which changes are told by an Event, and how Events are written: once, as the API takes them, never in the way."""

import copy
import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from builders import DAY, NOW, app, domain, facts, observed, policy, proof, secret
from certward.errors import ChallengeFailed, Transient
from certward.plan import events
from certward.plan.domain import decide
from certward.plan.events import Event
from certward.runtime.events import Events, render


def status_of(seen, now=NOW):
    return decide(seen, now).status


WAITING = status_of(observed(app=None))
FAILING = status_of(observed(failure=ChallengeFailed("DNSNotFound", "There is no www.example.com in DNS; add it.")))
UNREACHABLE = status_of(observed(failure=ChallengeFailed("ChallengeUnreachable", "The CA got no answer.")))
TRIED_AGAIN = status_of(observed(domain=domain(status=UNREACHABLE), order_url="https://ca.example/1"), NOW + DAY)
ISSUED = status_of(observed(secret=secret(), proof=proof()))
RENEWED = status_of(observed(secret=secret(facts(2)), proof=proof(facts(2)), domain=domain(status=ISSUED)))
HIDDEN = status_of(
    observed(secret=secret(), proof=replace(proof(), problem="Another one is shown."), domain=domain(status=ISSUED))
)


def changed(status, kind, value, reason, message=""):
    after = copy.deepcopy(dict(status))
    (found,) = (c for c in after["conditions"] if c["type"] == kind)
    found |= {"status": value, "reason": reason, "message": message}
    return after


UNENFORCED = changed(ISSUED, "PolicyEnforced", "False", "NotServed", "TLSv1.0 is accepted.")
OVERDUE = changed(ISSUED, "RenewalOverdue", "True", "Overdue", "It ought to have been renewed.")
BY_HAND = {**RENEWED, "certificate": {**RENEWED["certificate"], "source": "Manual"}}


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({}, status_of(observed()), []),
        ({}, WAITING, [("AppNotFound", True)]),
        (WAITING, WAITING, []),
        ({}, status_of(observed(app=app(is_automatic=False))), []),
        (WAITING, FAILING, [("DNSNotFound", True)]),
        (FAILING, {**FAILING, "message": "In other words."}, []),
        (FAILING, status_of(observed()), []),
        (FAILING, {**FAILING, "state": "Waiting", "reason": "WaitingForBudget"}, []),
        (FAILING, {**FAILING, "state": "Waiting", "reason": "RateLimited"}, []),
        (status_of(observed()), ISSUED, []),
        ({}, ISSUED, []),
        (WAITING, ISSUED, [("Issued", False)]),
        (FAILING, ISSUED, [("Issued", False)]),
        (TRIED_AGAIN, ISSUED, [("Issued", False)]),
        (ISSUED, ISSUED, []),
        (ISSUED, RENEWED, [("Renewed", False)]),
        (ISSUED, {**ISSUED, "handled": {"revoke": "keyCompromise"}}, [("Revoked", False)]),
        ({}, BY_HAND, [("Served", False)]),
        (BY_HAND, ISSUED, [("Switched", False)]),
        (ISSUED, {**ISSUED, "reason": "DNSNotFound", "message": "No such name."}, [("DNSNotFound", True)]),
        (ISSUED, HIDDEN, [("NotServed", True)]),
        (HIDDEN, ISSUED, [("ServedAgain", False)]),
        (ISSUED, UNENFORCED, [("PolicyNotEnforced", True)]),
        (UNENFORCED, UNENFORCED, []),
        (UNENFORCED, ISSUED, [("PolicyEnforced", False)]),
        (ISSUED, OVERDUE, [("RenewalOverdue", True)]),
        (OVERDUE, OVERDUE, []),
        (ISSUED, {**ISSUED, "ingressClassName": "traefik"}, []),
        ({**ISSUED, "ingressClassName": "traefik"}, {**ISSUED, "ingressClassName": "contour"}, [("Moved", False)]),
    ],
)
def test_what_is_told_of_a_domain(before, after, told):
    found = events.of_domain(domain(status=before), after)
    assert [(event.reason, event.is_warning) for event in found] == told


def test_a_certificate_is_told_with_until_when_and_why_from_whom():
    after = changed(ISSUED, "CertificateIssued", "True", "Issued", "Issued by b, because a could not.")
    (event,) = events.of_domain(domain(status=FAILING), after)
    assert event.note == (
        "www.example.com is served with a certificate from CN=Test CA until 2027-02-20T12:00:00Z. "
        "Issued by b, because a could not."
    )


def of_app(profile="default", ready=("True", "Served"), message=""):
    return {
        "tls": {"profile": profile, "revision": "2026-11", "minVersion": "TLSv1.2", "policy": "p"},
        "conditions": [{"type": "Ready", "status": ready[0], "reason": ready[1], "message": message}],
    }


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({}, of_app(), []),
        (of_app(), of_app(), []),
        (of_app(), of_app("modern"), [("TLSProfileChanged", False)]),
        (of_app(), of_app(ready=("False", "DomainsFailing")), []),
        (of_app(), of_app(ready=("False", "DomainsPending")), []),
        (of_app(), of_app(ready=("False", "ServiceNotFound")), [("ServiceNotFound", True)]),
        (of_app(ready=("False", "ServiceNotFound")), of_app(ready=("False", "ServiceNotFound")), []),
    ],
)
def test_what_is_told_of_an_app(before, after, told):
    found = events.of_app(app(status=before), after)
    assert [(event.reason, event.is_warning) for event in found] == told


def of_policy(accepted=("True", "Accepted"), enforced=("True", "Enforced")):
    pairs = (("Accepted", accepted), ("Enforced", enforced))
    return {"conditions": [{"type": t, "status": s, "reason": r, "message": ""} for t, (s, r) in pairs]}


CONFLICTED = of_policy(("False", "Conflicted"), ("False", "Conflicted"))
PARTLY = of_policy(enforced=("False", "PartiallyOverridden"))


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({}, of_policy(), []),
        ({}, of_policy(enforced=("False", "NotShown")), []),
        ({}, CONFLICTED, [("Conflicted", True)]),
        (CONFLICTED, CONFLICTED, []),
        (CONFLICTED, of_policy(("False", "BelowFloor"), ("False", "BelowFloor")), [("BelowFloor", True)]),
        (CONFLICTED, of_policy(), [("Accepted", False)]),
        (of_policy(), PARTLY, [("PartiallyOverridden", True)]),
        (PARTLY, PARTLY, []),
    ],
)
def test_what_is_told_of_a_policy(before, after, told):
    found = events.of_policy(policy(status=before), after)
    assert [(event.reason, event.is_warning) for event in found] == told


class Post:
    """Takes Events, or refuses them; `taken` waits until so many have come."""

    def __init__(self):
        self.came = []
        self.error = None
        self.changed = threading.Condition()

    def create(self, manifest):
        with self.changed:
            self.came.append(manifest)
            self.changed.notify_all()
        if self.error:
            raise self.error

    def taken(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.came) >= count, timeout=10)
            return [manifest["reason"] for manifest in self.came]


@pytest.fixture
def clock():
    return [1000.0]


@pytest.fixture
def post():
    return Post()


@pytest.fixture
def writer(post, clock):
    made = Events(post, replica="certward-0", clock=lambda: clock[0])
    made.start()
    yield made
    made.close()


FAILED = Event("DNSNotFound", "There is no www.example.com in DNS.", "Issue", is_warning=True)


def test_the_same_is_told_once_an_hour(writer, post, clock):
    writer.tell(domain(), [FAILED])
    writer.tell(domain(), [FAILED])
    writer.tell(domain("other"), [FAILED])
    clock[0] += 3599
    writer.tell(domain(), [FAILED, replace(FAILED, note="Something else.")])
    clock[0] += 1
    writer.tell(domain(), [FAILED])
    assert post.taken(4) == ["DNSNotFound"] * 4
    writer.close()
    assert len(post.came) == 4


@pytest.mark.parametrize("error", [Transient("APIServerUnavailable", "no answer"), RuntimeError("a mistake")])
def test_what_cannot_be_written_is_given_up_and_what_follows_is_written(writer, post, error):
    post.error = error
    writer.tell(domain(), [FAILED])
    post.taken(1)
    post.error = None
    writer.tell(domain(), [Event("Issued", "It is there.", "Issue")])
    assert post.taken(2) == ["DNSNotFound", "Issued"]


def test_that_none_can_be_written_is_logged_once(writer, post, caplog):
    post.error = Transient("APIServerUnavailable", "no answer")
    for number in range(3):
        writer.tell(domain(f"d{number}"), [FAILED])
    post.taken(3)
    writer.close()
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "no Events can be written: no answer"
    ]


def test_what_waits_is_written_at_the_end(post):
    writer = Events(post, replica="certward-0")
    writer.tell(domain(), [FAILED, Event("Issued", "It is there.", "Issue")])
    assert post.came == []
    writer.start()
    writer.close()
    assert post.taken(2) == ["DNSNotFound", "Issued"]


def test_telling_never_waits_and_never_grows_without_end(post):
    writer = Events(post, replica="certward-0")  # not started: nothing is taken away
    for number in range(2500):
        writer.tell(domain(f"d{number}"), [FAILED])
    writer.start()
    writer.close(timeout=10)
    assert len(post.came) == 2000
    assert post.came[-1]["regarding"]["name"] == "d2499"


def test_an_event_keeps_to_the_limits_of_the_api():
    long = Event("Issued", "ü" * 2000, "Issue")
    made = render(domain("a" * 240), long, replica="r", now=NOW)
    assert len(made["note"].encode()) <= 1024
    assert len(made["metadata"]["name"]) <= 253
    again = render(domain("a" * 240), long, replica="r", now=NOW + timedelta(microseconds=1))
    assert again["metadata"]["name"] != made["metadata"]["name"]
    assert made["eventTime"] == "2026-11-23T12:00:00.000000Z"
    assert render(domain(), FAILED, replica="r", now=NOW + DAY)["type"] == "Warning"
