"""The heart: what to do for a Domain now, decided from what is observed. Total, pure and idempotent."""

from datetime import datetime, timedelta

from certward.model import profiles
from certward.model.pki import CertificateFacts
from certward.model.resources import App
from certward.names import ANNOTATION_REFRESH
from certward.plan import gates, renewal, status
from certward.plan.attempts import Attempts, attempts_of
from certward.plan.checks import CertificateInput, Wanted, why_issue
from certward.plan.gates import Verdict
from certward.plan.observed import Observed, Plan, Routes, Step, label, max_age

#: How long a host may take to show a new certificate before that counts as not served.
PROOF_PATIENCE = timedelta(seconds=30)
PROOF_RETRY = timedelta(milliseconds=250)
PROOF_RETRY_SLOW = timedelta(seconds=10)
#: How long after a route of somebody else for the same host has come or gone it is looked at closely.
DISTURBANCE = timedelta(seconds=12)
DISTURBANCE_LOOK = timedelta(seconds=1)
#: How soon another look is taken at something that no watch tells about (a missing Service, a Secret in the way).
BLOCKED_RECHECK = timedelta(seconds=10)
FAR = timedelta(hours=12)


def decide(observed: Observed, now: datetime) -> Plan:
    """What to do for this Domain now.

    Args:
        observed: everything that the decision depends on.
        now: aware UTC datetime.

    Returns:
        The routes that the host should have, the next step, and the whole status as it should read after it.
    """
    if verdict := gates.closed(observed):
        return Plan(
            routes=None,
            step=Step.NONE,
            status=status.build(observed, verdict, now=now, is_served=False, is_routed=False),
            again_after=BLOCKED_RECHECK if observed.missing_service else FAR,
            why=verdict.reason,
        )
    app = observed.app
    if app is None:  # pragma: no cover - gates.closed has said so; this tells the type checker
        raise AssertionError("an open gate has an App")
    return _decide_open(observed, app, now)


def _decide_open(observed: Observed, app: App, now: datetime) -> Plan:
    facts = observed.secret.facts if observed.secret.is_managed else None
    fits = facts is not None and profiles.fits(observed.profile, facts.key_type)
    key_type = app.key_type or profiles.default_key_type(observed.profile)
    obstacle = gates.cannot_issue(observed) if app.is_automatic else None
    wanted = _wanted(observed, app, key_type, fits=fits, now=now) if app.is_automatic and not obstacle else None
    proven = facts is not None and is_proven(observed, facts)

    routes = Routes(
        challenge=app.is_automatic and obstacle is None,
        secret_name=observed.domain.secret_name if facts else "",
        redirect=app.https_redirect
        and facts is not None
        and (proven or (bool(observed.domain.status.get("certificate")) and not observed.is_moving)),
        profile=observed.profile if fits else None,
        hsts=observed.hsts if proven else None,
    )
    # A host that has no HTTPS to lose moves at once.
    has_arrived = proven or facts is None
    attempts = attempts_of(observed, now)
    step, again, order_open, why = _next_step(observed, facts, wanted, attempts, key_type, now)
    verdict = _verdict(observed, app, facts, obstacle, wanted, attempts)
    issuer = observed.order_issuer if order_open else observed.issuer
    return Plan(
        routes=routes,
        step=step,
        issuer=issuer,
        key_type=key_type,
        leaves_class=has_arrived and observed.is_moving,
        # The key of a stored certificate says that a refresh was done, so it stays until the status says so.
        drop_next_key=bool(observed.next_key_type)
        and not order_open
        and step not in ((Step.PROVE, Step.ADVICE) if _is_stored(observed) else (Step.PLACE,)),
        status=status.build(
            observed,
            verdict,
            now=now,
            is_served=proven,
            has_arrived=has_arrived,
            has_order=order_open,
            handled_refresh=_is_stored(observed),
            failures=attempts.failures if wanted else 0,
            next_attempt=_next_attempt(observed, attempts, verdict) if wanted else None,
        ),
        again_after=min(again, BLOCKED_RECHECK) if obstacle and observed.secret.exists and not facts else again,
        why=why,
    )


def _wanted(observed: Observed, app: App, key_type: str, *, fits: bool, now: datetime) -> Wanted | None:
    wanted = why_issue(
        CertificateInput(
            hostname=observed.domain.hostname,
            secret=observed.secret,
            key_type=key_type,
            is_key_type_asked_for=app.key_type is not None,
            fits_profile=fits,
            issuers=observed.issuers,
            renewal_at=renewal.due_at(observed, facts) if (facts := observed.secret.facts) else None,
            now=now,
        )
    )
    if wanted:
        return wanted
    asked = observed.domain.meta.annotations.get(ANNOTATION_REFRESH, "")
    handled = (observed.domain.status.get("handled") or {}).get("refresh", "")
    is_asked = bool(asked) and asked != handled and not _is_stored(observed)
    return Wanted("Refresh", "a refresh was asked for") if is_asked else None


def _is_stored(observed: Observed) -> bool:
    """Whether the certificate of the order is stored already, so that only the clearing up is left."""
    facts = observed.secret.facts
    return facts is not None and bool(observed.next_spki) and facts.spki_sha256 == observed.next_spki


def is_proven(observed: Observed, facts: CertificateFacts) -> bool:
    """Whether a handshake has shown the certificate at hand: in this process, or as the status remembers."""
    if observed.proof is not None:
        return not observed.proof.problem and observed.proof.fingerprint == facts.fingerprint_sha256
    return not observed.is_moving and status.remembers_served(observed.domain, facts.fingerprint_sha256)


def _next_step(
    observed: Observed,
    facts: CertificateFacts | None,
    wanted: Wanted | None,
    attempts: Attempts,
    key_type: str,
    now: datetime,
) -> tuple[Step, timedelta, bool, str]:
    """-> (step, when to look again, whether an order stays open, one line for the log)."""
    is_open = _order_stays_open(observed, wanted, key_type)
    looks = _looks(observed, facts, now)
    if wanted is None and observed.advice_in is not None and observed.advice_in <= timedelta():
        # Before the handshake: the ingress takes up a new certificate meanwhile, and the status is written once.
        return Step.ADVICE, timedelta(), False, "the CA's advice on the renewal is due"
    if min(looks) <= timedelta():
        return Step.PROVE, timedelta(), is_open, "handshake is due"
    if wanted is None:
        return Step.NONE, _soonest(looks), False, "nothing to do"
    if attempts.held and (attempts.until is None or attempts.until > now):
        if attempts.until is not None:
            looks.append(attempts.until - now)
        return Step.NONE, _soonest(looks), is_open, attempts.held.reason
    if is_open and observed.wait > timedelta():
        return Step.NONE, _soonest([*looks, observed.wait]), True, "the CA works on the order"
    if not is_open and observed.turn is not None:
        return Step.NONE, _soonest([*looks, observed.turn.wait]), False, "it waits for its turn"
    if not observed.is_preflighted and (observed.is_unanswered or not is_open):
        return Step.PREFLIGHT, _soonest(looks), is_open, wanted.message
    return Step.ADVANCE if is_open else Step.PLACE, timedelta(), is_open, wanted.message


def _looks(observed: Observed, facts: CertificateFacts | None, now: datetime) -> list[timedelta]:
    """When to look at a host again, the handshake first."""
    if facts is None:
        return [FAR]
    looks = [proof_due(observed, facts, now), FAR]
    if observed.app and observed.app.is_automatic:
        # One that is overdue is held back by something else, which says when to look.
        due_at = (renewal.due_at(observed, facts), renewal.overdue_at(observed, facts))
        looks += [at - now for at in due_at if at > now]
    if observed.advice_in is not None and observed.advice_in > timedelta():
        looks.append(observed.advice_in)
    return looks


def _order_stays_open(observed: Observed, wanted: Wanted | None, key_type: str) -> bool:
    """An order goes on only while it can still give what is wanted: same issuer, its key at hand and right."""
    if not observed.order_url or observed.app is None or not observed.app.is_automatic:
        return False
    if _is_stored(observed):
        return False
    return wanted is not None and observed.order_issuer == observed.issuer and observed.next_key_type == key_type


def proof_due(observed: Observed, facts: CertificateFacts, now: datetime) -> timedelta:
    """How long until the next handshake; zero or less: now."""
    proof = observed.proof
    if proof is None:
        return timedelta()
    fits = profiles.fits(observed.profile, facts.key_type)
    shown = proof.profile, proof.hsts_max_age
    if fits and proof.profile and shown != (label(observed.profile), max_age(observed.hsts)):
        return timedelta()  # scanned for another profile or header than the one in force now
    if observed.disturbed is not None and observed.disturbed < DISTURBANCE:
        return proof.at + DISTURBANCE_LOOK - now
    if not proof.problem and proof.fingerprint == facts.fingerprint_sha256:
        return proof.at + (_retry(proof.since, observed, now) if proof.since else observed.probe_interval) - now
    if proof.fingerprint != facts.fingerprint_sha256 and not proof.problem:
        return timedelta()  # shown was another certificate, and since then this one has come
    return proof.at + _retry(proof.since or proof.at, observed, now) - now


def _retry(since: datetime, observed: Observed, now: datetime) -> timedelta:
    """How long to wait before another look at something that has been amiss since then."""
    is_fresh = now - since < PROOF_PATIENCE
    return PROOF_RETRY if is_fresh else min(PROOF_RETRY_SLOW, observed.probe_interval)


def _verdict(
    observed: Observed,
    app: App,
    facts: CertificateFacts | None,
    obstacle: Verdict | None,
    wanted: Wanted | None,
    attempts: Attempts,
) -> Verdict:
    if not app.is_automatic:
        if facts:
            return Verdict(
                "CertIssued",
                "AutomaticDisabled",
                "Automatic certificates are off for this App; the last certificate is served until it expires "
                "(status.certificate.notAfter) and is not renewed.",
            )
        return Verdict(
            "Waiting",
            "AutomaticDisabled",
            f"Automatic certificates are off; set spec.certificates.automatic: true on App {app.meta.name}.",
        )
    trouble = obstacle or ((attempts.held or _waiting(observed)) if wanted else None)
    if facts and observed.obstacle and not trouble:
        return Verdict("CertIssued", "ChallengeUnreachable", observed.obstacle)  # so would be a renewal
    if facts:
        return Verdict("CertIssued", *trouble[1:]) if trouble else Verdict("CertIssued")
    if trouble:
        return trouble
    return Verdict("DNSVerified" if observed.is_preflighted or observed.order_url else "InProgress")


def _waiting(observed: Observed) -> Verdict | None:
    """What is said while the order waits for its turn; nothing where it comes in a moment."""
    turn = observed.turn
    if turn is None or turn.expected is None or observed.order_url:
        return None
    return Verdict("Waiting", turn.reason, turn.words)


def _next_attempt(observed: Observed, attempts: Attempts, verdict: Verdict) -> datetime | None:
    turn = observed.turn
    if turn and turn.expected and attempts.held is None and verdict.reason == turn.reason:
        return turn.expected
    return attempts.until


def _soonest(looks: list[timedelta]) -> timedelta:
    return max(min(looks), timedelta())
