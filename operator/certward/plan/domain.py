"""The heart: what to do for a Domain now, decided from what is observed. Total, pure and idempotent."""

from dataclasses import replace
from datetime import datetime, timedelta

from certward.model import pki, profiles
from certward.model.hostnames import is_wildcard
from certward.model.pki import CertificateFacts
from certward.model.profiles import Profile
from certward.model.resources import App
from certward.names import ANNOTATION_REFRESH
from certward.plan import gates, renewal, revocation, status, verdicts
from certward.plan.attempts import Attempts, attempts_of
from certward.plan.checks import CertificateInput, Wanted, why_issue
from certward.plan.gates import Verdict
from certward.plan.manual import expiring_at
from certward.plan.observed import Observed, Plan, Routes, Step, label, max_age
from certward.plan.serving import PROOF_PATIENCE, Choice, choose

PROOF_RETRY = timedelta(milliseconds=250)
PROOF_RETRY_SLOW = timedelta(seconds=10)
#: How long after a route of somebody else for the same host has come or gone it is looked at closely.
DISTURBANCE = timedelta(seconds=12)
DISTURBANCE_LOOK = timedelta(seconds=1)
#: How soon another look is taken at something that no watch tells about (a missing Service, a Secret in the way).
BLOCKED_RECHECK = timedelta(seconds=10)
#: How soon it is looked again whether the owner of a wildcard has set the CNAME record that DNS-01 needs.
DELEGATION_RECHECK = timedelta(seconds=30)
FAR = timedelta(hours=12)
#: So long after the certificate was shown by another ingress class the routes of the former one stay.
MOVE_SETTLES = timedelta(seconds=1.5)
#: So long the route of plain HTTP may be put off for a first certificate, to come with its redirect.
PLAIN_PATIENCE = timedelta(seconds=60)
#: The same with the time in a line for an order, from the creation of its Domain on.
PLAIN_MOST = timedelta(minutes=5)


def decide(observed: Observed, now: datetime) -> Plan:
    """What to do for this Domain now.

    Args:
        observed: everything that the decision depends on.
        now: aware UTC datetime.

    Returns:
        The routes that the host should have, the next step, and the whole status as it should read after it.
    """
    return revocation.first(_decide(observed, now), observed, now)


def _decide(observed: Observed, now: datetime) -> Plan:
    if verdict := gates.closed(observed):
        return Plan(
            routes=None,
            step=Step.NONE,
            status=status.build(observed, verdict, Choice(), now=now, is_routed=False),
            again_after=BLOCKED_RECHECK if observed.missing_service else FAR,
            why=verdict.reason,
        )
    app = observed.app
    if app is None:  # pragma: no cover - gates.closed has said so; this tells the type checker
        raise AssertionError("an open gate has an App")
    return _decide_open(observed, app, now)


def _decide_open(observed: Observed, app: App, now: datetime) -> Plan:
    choice = choose(observed, now)
    facts = choice.serving.facts if choice.serving else None
    fits = facts is not None and profiles.fits(observed.profile, facts.key_type)
    key_type = app.key_type or profiles.default_key_type(observed.profile)
    obstacle = gates.cannot_issue(observed) if app.is_automatic else None
    wanted = _wanted(observed, app, key_type, now=now) if app.is_automatic and not obstacle else None
    proven = facts is not None and is_proven(observed, facts)
    # While another certificate takes over, the one before is as good, as long as it is that which is shown.
    if proven:
        choice = replace(choice, before=None)
    shown = choice.serving if proven else choice.before if _shows_before(observed, choice) else None
    kept = "" if facts else _kept(observed)

    redirects = (
        app.https_redirect
        and (facts is not None or bool(kept))
        and (shown is not None or (bool(observed.domain.status.get("certificate")) and not observed.is_moving))
    )
    secret_name, profile = _rendered(observed, choice, kept, fits=fits)
    attempts = attempts_of(observed, now)
    is_put_off = not redirects and obstacle is None and _may_put_off_plain(observed, app, attempts, now)
    routes = Routes(
        challenge=app.is_automatic and obstacle is None and not is_wildcard(observed.domain.hostname),
        secret_name=secret_name,
        redirect=redirects,
        profile=profile,
        hsts=observed.hsts,
        plain=not is_put_off,
    )
    # A host that has no HTTPS to lose moves at once. Another one keeps its old routes for a moment after the new ones
    # have shown the certificate: an ingress may take up the listener before what is behind it.
    moving_for = now - observed.proof.at if proven and observed.proof and observed.is_moving else MOVE_SETTLES
    has_arrived = (proven and moving_for >= MOVE_SETTLES) or (facts is None and not kept)
    step, again, order_open, why = _next_step(observed, facts, wanted, attempts, key_type, now)
    if moving_for < MOVE_SETTLES:
        again = min(again, MOVE_SETTLES - moving_for)
    if is_put_off:
        again = min(again, PLAIN_PATIENCE - observed.begun_since)
    verdict = _verdict(observed, app, choice, obstacle, wanted, attempts, now)
    issuer = observed.order_issuer if order_open else observed.issuer
    # No watch tells of a Secret that is in the way, or of a manual one that comes, or of what others wait for.
    is_polled = (obstacle and observed.secret.exists and not observed.secret.facts) or choice.is_short
    is_polled = is_polled or (not facts and bool(observed.manual))
    if obstacle and obstacle.reason == "WildcardNeedsDNS01" and observed.ways.zone:
        again = min(again, DELEGATION_RECHECK)
    return Plan(
        routes=routes,
        step=step,
        issuer=issuer,
        key_type=key_type,
        serving=choice.serving,
        refuses=choice.refuses,
        leaves_class=has_arrived and observed.is_moving,
        # The key of a stored certificate says that a refresh was done, so it stays until the status says so.
        drop_next_key=bool(observed.next_key_type)
        and not order_open
        and not (_is_stored(observed) and step in (Step.PROVE, Step.ADVICE)),
        status=status.build(
            observed,
            verdict,
            choice,
            now=now,
            shown=shown,
            has_arrived=has_arrived,
            has_order=order_open,
            handled_refresh=_is_stored(observed),
            failures=attempts.failures if wanted else 0,
            next_attempt=_next_attempt(observed, attempts, verdict) if wanted else None,
        ),
        again_after=min(again, BLOCKED_RECHECK) if is_polled else again,
        why=why,
    )


def _may_put_off_plain(observed: Observed, app: App, attempts: Attempts, now: datetime) -> bool:
    """Whether a first certificate is on its way and nothing has gone wrong, so that plain HTTP can come redirected."""
    is_first = not observed.domain.status.get("certificate") and not observed.is_moving
    is_awaited = (
        attempts.held is None and not attempts.failures and (observed.turn is None or not observed.turn.expected)
    )
    is_due = observed.begun_since < PLAIN_PATIENCE and now - observed.domain.meta.created_at < PLAIN_MOST
    return app.is_automatic and app.https_redirect and is_first and is_awaited and is_due and not observed.obstacle


def _shows_before(observed: Observed, choice: Choice) -> bool:
    proof, before = observed.proof, choice.before
    return bool(proof and before and proof.fingerprint == before.facts.fingerprint_sha256) and not observed.is_moving


def _rendered(observed: Observed, choice: Choice, kept: str, *, fits: bool) -> tuple[str, Profile | None]:
    """The Secret and the profile that the host is served with.

    Where the profile in force cannot be served with the key at hand, it is the one that the host was last served with,
    so that the App is followed in everything else; nothing is touched where that does not go with the key either.
    """
    serving, last = choice.serving, observed.last
    if serving is None:  # what is not good any more is brought to no other ingress
        return kept, last if kept and not observed.is_moving else None
    if fits:
        return serving.secret_name, observed.profile
    return serving.secret_name, last if last and profiles.fits(last, serving.facts.key_type) else None


def _kept(observed: Observed) -> str:
    """A certificate that has been served and cannot be any more; its routes stay, as nothing better is there.

    A manual one that is still listed, and an automatic one that has expired and is going to be renewed: perhaps only by
    a clock of the operator's that is wrong, while clients are content with it.
    """
    known = observed.domain.status.get("certificate") or {}
    is_automatic = observed.app is not None and observed.app.is_automatic
    if is_automatic and observed.secret.is_managed and observed.secret.problem == pki.EXPIRED:
        own = observed.domain.secret_name
        return own if known.get("secretName") == own else ""
    is_listed = any(one.secret.name == known.get("secretName") for one in observed.manual)
    return str(known["secretName"]) if known.get("source") == "Manual" and is_listed else ""


def _wanted(observed: Observed, app: App, key_type: str, *, now: datetime) -> Wanted | None:
    automatic = observed.secret.facts if observed.secret.is_managed else None
    facts = observed.secret.facts
    wanted = why_issue(
        CertificateInput(
            hostname=observed.domain.hostname,
            secret=observed.secret,
            key_type=key_type,
            is_key_type_asked_for=app.key_type is not None,
            fits_profile=automatic is not None and profiles.fits(observed.profile, automatic.key_type),
            issuers=observed.issuers,
            renewal_at=renewal.due_at(observed, facts) if facts else None,
            now=now,
            held_for=renewal.held_for(observed, facts, now) if facts else timedelta(),
        )
    )
    if wanted:
        return wanted
    asked = observed.domain.meta.annotations.get(ANNOTATION_REFRESH, "")
    handled = (observed.domain.status.get("handled") or {}).get("refresh", "")
    is_asked = bool(asked) and asked not in (handled, observed.secret.refresh) and not _is_stored(observed)
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
    return [proof_due(observed, facts, now) if facts else FAR, *looks_beside_proof(observed, now)]


def looks_beside_proof(observed: Observed, now: datetime) -> list[timedelta]:
    """When to look at a host again for other reasons than its handshake."""
    looks = [FAR]
    automatic = observed.secret.facts
    moments = [at for one in observed.manual if one.secret.facts for at in _turning_points(one.secret.facts)]
    if automatic and observed.app and observed.app.is_automatic:
        # One that is overdue is held back by something else, which says when to look.
        due, held_until = renewal.due_at(observed, automatic), now + renewal.held_for(observed, automatic, now)
        moments += [max(due, held_until), renewal.overdue_at(observed, automatic)]
    looks += [at - now for at in moments if at > now]
    if observed.refused:
        looks.append(max(observed.refused.again_in, timedelta(seconds=1)))
    if observed.advice_in is not None and observed.advice_in > timedelta():
        looks.append(observed.advice_in)
    return looks


def _turning_points(facts: CertificateFacts) -> tuple[datetime, ...]:
    """When something changes in what a manual certificate is worth."""
    return facts.not_before, expiring_at(facts), facts.not_after


def _order_stays_open(observed: Observed, wanted: Wanted | None, key_type: str) -> bool:
    """An order goes on only while it can still give what is wanted: same issuer, and the right key if it has one."""
    if not observed.order_url or observed.app is None or not observed.app.is_automatic:
        return False
    if _is_stored(observed):
        return False
    # Most keys are derived, and none is kept.
    has_right_key = observed.next_key_type in ("", key_type)
    return wanted is not None and observed.order_issuer == observed.issuer and has_right_key


def proof_due(observed: Observed, facts: CertificateFacts, now: datetime) -> timedelta:
    """How long until the next handshake; zero or less: now."""
    proof = observed.proof
    if proof is None or proof.at > now:  # nothing is proven by a look in times to come: the clock was set back
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
    if not fits and not observed.domain.status.get("certificate"):
        return proof.at + observed.probe_interval - now  # nothing has been rendered, and nothing is going to be
    return proof.at + _retry(proof.since or proof.at, observed, now, is_awaited=fits) - now


def _retry(since: datetime, observed: Observed, now: datetime, *, is_awaited: bool = True) -> timedelta:
    """How long to wait before another look at something that has been amiss since then; not awaited: until an edit."""
    is_fresh = now - since < PROOF_PATIENCE
    if not is_fresh and not is_awaited:
        return observed.probe_interval
    return PROOF_RETRY if is_fresh else min(PROOF_RETRY_SLOW, observed.probe_interval)


def _verdict(
    observed: Observed,
    app: App,
    choice: Choice,
    obstacle: Verdict | None,
    wanted: Wanted | None,
    attempts: Attempts,
    now: datetime,
) -> Verdict:
    serving = choice.serving
    if not app.is_automatic:
        return verdicts.without_automatic(observed, app, choice, now)
    trouble = obstacle or ((attempts.held or _waiting(observed)) if wanted else None)
    if serving is None:
        return trouble or Verdict("DNSVerified" if observed.is_preflighted or observed.order_url else "InProgress")
    if trouble:
        return Verdict("CertIssued", *trouble[1:])
    if observed.obstacle:
        return Verdict("CertIssued", "ChallengeUnreachable", observed.obstacle)  # so would be a renewal
    return verdicts.issued(observed, choice)


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
