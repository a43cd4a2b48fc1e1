"""What `certs auto` and --wait say of Domains in every state, without a cluster."""

import io
from datetime import timedelta

import pytest

from builders import DAY, NOW, app, domain
from certward.cli import auto, waiting
from certward.cli.context import Flags, Session
from certward.cli.output import Output
from certward.cli.view import DomainView
from certward.model.resources import format_time

HOUR = timedelta(hours=1)


def seen(hostname="www.example.com", state="CertIssued", reason="", message="", **status):
    ready = {"type": "Ready", "status": "True" if state == "CertIssued" else "False"}
    told = {
        "observedGeneration": 1,
        "state": state,
        "reason": reason,
        "message": message,
        "lastUpdated": format_time(NOW - HOUR),
        "conditions": [ready],
    }
    return DomainView(domain(hostname=hostname, status={**told, **status}))


def certificate(source="Automatic", renews=30 * DAY):
    kept = {"source": source, "secretName": "www-tls", "notAfter": format_time(NOW + 60 * DAY)}
    return {**kept, "renewalTime": format_time(NOW + renews)} if source == "Automatic" else kept


def failing(reason="DNSWrongTarget", message="It leads elsewhere", after=10 * timedelta(minutes=1), **given):
    attempts = {"failures": 1, "nextAttempt": format_time(NOW + after)}
    return seen(state="Failing", reason=reason, message=message, attempts=attempts, **given)


def told(*views, flags=None, is_one_of_many=False, **of_app):
    out = io.StringIO()
    session = Session(flags or Flags())
    session.out = Output(stdout=out)
    auto.show(session, app(**of_app), views, NOW, is_one_of_many=is_one_of_many)
    return out.getvalue()


def test_all_is_well():
    text = told(
        seen("a.example.com", certificate=certificate()),
        seen("b.example.com", certificate=certificate(renews=20 * DAY)),
    )

    assert text.splitlines() == [
        "=== Automatic certificates are on for shop",
        "",
        "Domain         Status       Last Updated",
        "a.example.com  Cert issued  about 1 hour",
        "b.example.com  Cert issued  about 1 hour",
        "",
        "Next renewal: b.example.com, 2026-12-13 12:00 UTC (in 20 days).",
    ]


def test_what_fails_is_said_with_what_to_do_and_when_it_is_tried_again():
    text = told(failing())

    assert "www.example.com  Failing  DNSWrongTarget  about 1 hour" in text
    assert "www.example.com: It leads elsewhere. Next attempt in 10 minutes." in text
    assert "More: kubectl certward explain www.example.com" in text
    assert text.rstrip().endswith("see whether your DNS is as it should be: kubectl certward domains")


def test_what_has_failed_for_good_goes_before_what_fails_so_far():
    text = told(
        failing(hostname="a.example.com"), seen("*.example.com", "Failed", "WildcardNeedsDNS01", "It cannot be.")
    )

    assert text.index("*.example.com: It cannot be.") < text.index("a.example.com: It leads")
    assert "kubectl certward explain '*.example.com'" in text
    assert text.rstrip().endswith("kubectl certward certs auto refresh")


def test_what_threatens_a_certificate_is_said_beside_it():
    text = told(seen(reason="CAUnavailable", message="The CA does not answer.", certificate=certificate()))

    assert "www.example.com  Cert issued  CAUnavailable  about 1 hour" in text
    assert "www.example.com: The CA does not answer." in text


def test_switched_off_it_says_until_when_it_lasts():
    text = told(seen(reason="AutomaticDisabled", certificate=certificate()), is_automatic=False)

    assert text.startswith("=== Automatic certificates are off for shop\n")
    assert "www.example.com is served with its last automatic certificate until 2027-01-22 12:00 UTC." in text
    assert "Next renewal" not in text
    assert text.rstrip().endswith("kubectl certward certs auto enable")


@pytest.mark.parametrize(
    ("flags", "is_one_of_many", "typed"),
    [
        (Flags(), False, ""),
        (Flags(namespace="team-a"), False, " -n team-a"),
        (Flags(namespace="team-a", app="shop"), False, " -n team-a -a shop"),
        (Flags(), True, " -a shop"),
        (Flags(all_namespaces=True), False, " -n team-a -a shop"),
        (Flags(context="other one", kubeconfig="/k"), False, " --context 'other one' --kubeconfig /k"),
    ],
    ids=["the context's", "another namespace", "an App", "one of several", "everywhere", "another cluster"],
)
def test_what_to_type_next_means_the_same_app(flags, is_one_of_many, typed):
    text = told(seen(certificate=certificate("Manual")), flags=flags, is_one_of_many=is_one_of_many, is_automatic=False)

    assert text.endswith(f"Turn them on by: kubectl certward certs auto enable{typed}\n")


@pytest.mark.parametrize("is_automatic", [True, False])
def test_a_manual_certificate_is_told_of(is_automatic):
    views = [seen(f"{name}.example.com", certificate=certificate("Manual")) for name in "ab"]

    assert (
        "a.example.com and b.example.com are served with manual certificate www-tls until 2027-01-22 12:00 UTC."
        in told(*views, is_automatic=is_automatic)
    )


def test_an_attempt_that_is_due_is_about_to_be_made():
    assert "The next attempt is about to be made." in told(failing(after=timedelta(seconds=-2)))


def test_without_a_hostname_it_says_how_to_add_one():
    assert "kubectl certward domains add" in told()


def test_a_domain_that_nobody_has_looked_at_waits():
    view = DomainView(domain())

    assert "www.example.com  Waiting" in told(view)
    assert waiting.trouble(view) == "the operator has not looked at it yet."


@pytest.mark.parametrize(
    ("view", "is_issued"),
    [
        (seen(certificate=certificate()), True),
        (seen(certificate=certificate("Manual")), False),
        (seen(reason="AutomaticDisabled", certificate=certificate()), False),
        (seen(reason="CAUnavailable", certificate=certificate()), True),
        (failing(), False),
        (DomainView(domain()), False),
    ],
    ids=["automatic", "manual", "switched off before", "threatened", "failing", "unseen"],
)
def test_what_is_waited_for(view, is_issued):
    assert waiting.is_issued(view) is is_issued


@pytest.mark.parametrize(
    ("views", "words"),
    [
        ([], ""),
        ([failing()], ""),
        ([failing(after=HOUR)], "the next attempt is at 2026-11-23 13:00 UTC, after the time limit."),
        ([failing(after=HOUR), failing(after=timedelta(minutes=1))], ""),
        ([seen(state="Failed")], "failed; nothing more is tried"),
        ([seen(state="Failed"), failing()], ""),
        ([seen(state="Failed"), failing(after=HOUR)], "the next attempt is at"),
        ([seen(state="Failed", observedGeneration=0)], ""),
        ([seen(state="Waiting", reason="HostnameTaken")], "www.example.com: nothing more is tried"),
        ([seen(state="Waiting", reason="WaitingForBudget")], ""),
    ],
    ids=[
        "none",
        "soon",
        "too late",
        "one soon",
        "failed",
        "one goes on",
        "none in time",
        "of before",
        "taken",
        "others",
    ],
)
def test_when_waiting_on_is_of_no_use(views, words):
    told = waiting.why_no_longer(views, NOW + timedelta(minutes=15))

    assert words in told
    assert bool(words) is bool(told)
