"""Every state of the three kinds, with the statuses that the operator's own functions make of them."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from builders import (
    DAY,
    DEFAULT,
    NOW,
    app,
    domain,
    facts,
    foreign_secret,
    meta,
    observed,
    policy,
    proof,
    secret,
    with_order,
)
from certward.errors import ChallengeFailed, RateLimited, Rejected, Transient
from certward.model.grade import Grade
from certward.model.policy import Effective, Rules
from certward.names import ANNOTATION_DEFAULT_REVISION, API_VERSION
from certward.plan import app as of_app
from certward.plan import policy as of_policy
from certward.plan.domain import decide
from certward.plan.observed import Observed, Turn

Object = dict[str, Any]

ISSUED = observed(secret=secret(), proof=proof())
DUE = facts(not_before=NOW - 61 * DAY, not_after=NOW + 29 * DAY)
OVERDUE = facts(not_before=NOW - 88 * DAY, not_after=NOW + 2 * DAY)
MANUAL_ONLY = app(is_automatic=False)
LATER = Turn(timedelta(minutes=30), NOW + timedelta(hours=3), "The CA takes only so many orders.")
_REFUSED = ChallengeFailed("ChallengeUnreachable", "No answer.")


def _renewing(known: Any, **changes: Any) -> Observed:
    return observed(**({"secret": secret(known), "proof": proof(known)} | changes))


#: What a Domain is in -> what was observed.
DOMAINS: dict[str, Observed] = {
    "its App is not there": observed(app=None),
    "its hostname is another's": observed(owner="team-b/www"),
    "its hostname is not allowed": observed(refusal=("HostnameNotAllowed", "Ask.")),
    "a Service of its App is not there": observed(missing_service="shop"),
    "automatic certificates are off": observed(app=MANUAL_ONLY),
    "nothing has happened yet": observed(),
    "an order is open": with_order(),
    "it waits for the CA's limits": observed(turn=LATER),
    "the CA limits": observed(failure=RateLimited("RateLimited", "Later.", until=NOW + DAY)),
    "a validation has failed": observed(failure=_REFUSED),
    "the CA is away": observed(failure=Transient("CAUnavailable", "Down.")),
    "the CA rejects it for good": observed(failure=Rejected("CARejected", "Never.")),
    "a Secret is in the way": observed(secret=foreign_secret()),
    "issued, not shown yet": observed(secret=secret()),
    "served": ISSUED,
    "served, automatic certificates are off": replace(ISSUED, app=MANUAL_ONLY),
    "served, a renewal is due": _renewing(DUE),
    "served, a renewal fails": _renewing(DUE, failure=_REFUSED),
    "served, a renewal is overdue": _renewing(OVERDUE, failure=_REFUSED),
}

_RESOLVED = of_app.Resolved(
    effective=Effective(DEFAULT, policy=""),
    grades=[Grade("A", "")],
    issuer="main",
    acme_profile="",
    ingress_class="traefik",
)
#: What an App is in -> which of the Domains above it has, and what is wrong with it.
APPS: dict[str, tuple[tuple[str, ...], tuple[str, str] | None]] = {
    "it has no Domains": ((), None),
    "all are served": (("served",), None),
    "automatic certificates are off": (("automatic certificates are off",), None),
    "one is at work": (("served", "an order is open"), None),
    "one waits for somebody": (("served", "its hostname is another's"), None),
    "one waits for the CA's limits": (("it waits for the CA's limits",), None),
    "one fails and is tried again": (("served", "a validation has failed"), None),
    "one has been given up": (("served", "the CA rejects it for good"), None),
    "one is at work, one has been given up": (("an order is open", "the CA rejects it for good"), None),
    "a Service is not there": (("served",), ("ServiceNotFound", "There is no Service shop.")),
    "its Gateway is not there": (("served",), ("GatewayNotFound", "No Gateway is of class eg.")),
    "its ingress class is not known": (("served",), ("IngressClassUnknown", "Name another.")),
}


def _shown(status: str = "True", reason: str = "Enforced") -> Any:
    condition = {"type": "PolicyEnforced", "status": status, "reason": reason, "message": "As found."}
    tls = {"policy": "modern", "profile": "modern", "revision": "2026-11"}
    annotations = {ANNOTATION_DEFAULT_REVISION: "2026-11"}
    return app(of={"annotations": annotations}, status={"tls": tls, "conditions": [condition]})


_PINNED = app(of={"annotations": {ANNOTATION_DEFAULT_REVISION: "2026-11"}})
_OLDER = replace(policy("older"), meta=meta("older", created_at=NOW - 9 * DAY))
#: What a TLSPolicy is in -> itself, the others, the Apps.
POLICIES: dict[str, tuple[Any, list[Any], list[Any]]] = {
    "in force, shown by handshakes": (policy(), [], [_shown()]),
    "not shown yet": (policy(), [], [_PINNED]),
    "it has no Apps": (policy(), [], []),
    "the App that it names is not there": (policy(targets=("gone",)), [], []),
    "its revision is not known": (policy(revision="2020-01"), [], [_PINNED]),
    "an older one is for the same Apps": (policy(), [_OLDER], [_PINNED]),
    "a closer one is in force": (policy(), [policy("closer", targets=("shop",))], [_PINNED]),
    "the ingress serves something else": (policy(), [], [_shown("False", "NotServed")]),
    "the ingress cannot do it": (policy(), [], [_shown("False", "NotEnforceable")]),
}


def objects() -> Iterator[tuple[str, str, Object]]:
    """Kind, state in words, and the object as the API server would have it."""
    for kind in ("Domain", "App", "TLSPolicy"):
        # The default of the definitions, until the operator has looked.
        yield kind, "new", _object(kind, {"observedGeneration": -1})
    for words, seen in DOMAINS.items():
        yield "Domain", words, _object("Domain", decide(seen, NOW).status)
    for words, (names, problem) in APPS.items():
        domains = [domain(f"d{n}", status=decide(DOMAINS[name], NOW).status) for n, name in enumerate(names)]
        built = of_app.status(app(), domains, replace(_RESOLVED, problem=problem), now=NOW)
        yield "App", words, _object("App", built)
    for words, (one, others, apps) in POLICIES.items():
        built = of_policy.status(one, [one, *others], apps, Rules(default="2026-11"), now=NOW)
        yield "TLSPolicy", words, _object("TLSPolicy", built)


def _object(kind: str, status: Object) -> Object:
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": "www", "namespace": "team-a", "generation": 1},
        "status": status,
    }
