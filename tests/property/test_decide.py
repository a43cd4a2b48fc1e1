"""What holds of decide whatever is observed, and where it leads when the world does what it says."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from builders import (
    DAY,
    DEFAULT,
    MODERN,
    NOW,
    RSA_ONLY,
    app,
    broken_secret,
    domain,
    facts,
    foreign_secret,
    proof,
    secret,
)
from certward.errors import Blocked, ChallengeFailed, InvalidSpec, RateLimited, Rejected, Transient
from certward.model import profiles
from certward.model.hostnames import is_wildcard
from certward.model.pki import CertificateFacts
from certward.model.profiles import Profile, fits
from certward.model.resources import format_time
from certward.names import ANNOTATION_REFRESH
from certward.plan import renewal
from certward.plan.challenges import Ways
from certward.plan.checks import SecretState
from certward.plan.domain import FAR, decide
from certward.plan.manual import Manual, ManualSecret, Refused, expiring_at
from certward.plan.observed import Observed, Proof, Step, Turn, label
from certward.plan.schedule import Window
from certward.plan.serving import PROOF_PATIENCE
from property.world import Crash, World

STATES = {"Waiting", "InProgress", "DNSVerified", "CertIssued", "Failing", "Failed"}
KEY_TYPES = st.sampled_from(["ECDSA-P256", "ECDSA-P384", "RSA-2048", "RSA-4096"])
PROFILES = st.sampled_from(sorted(profiles.TABLE.values(), key=label))
MOMENTS = st.sampled_from(
    [timedelta(), *(sign * timedelta(seconds=s) for s in (0.4, 1, 5, 45, 700, 90_000, 6e6) for sign in (1, -1))]
)
AT = MOMENTS.map(lambda offset: NOW + offset)

FAILURES = st.one_of(
    st.builds(
        lambda reason, until: RateLimited(reason, "The CA asks for patience.", until=until), st.just("RateLimited"), AT
    ),
    st.sampled_from(
        [
            ChallengeFailed("ChallengeUnreachable", "The CA does not reach it."),
            ChallengeFailed("OrderInvalid", "The order is over."),
            Rejected("CARejected", "The CA refuses."),
            Transient("CAUnavailable", "The CA is away."),
            Blocked("Elsewhere", "Something has to come first."),
            InvalidSpec("Unclear", "It makes no sense."),
        ]
    ),
)
LEAVES = st.builds(
    lambda serial, key_type, age, life: facts(serial, key_type=key_type, not_before=NOW - age, not_after=NOW + life),
    st.integers(1, 2),
    KEY_TYPES,
    st.sampled_from([timedelta(), DAY, 80 * DAY]),
    st.sampled_from([timedelta(hours=1), 5 * DAY, 89 * DAY]),
)
SECRETS = st.one_of(
    st.just(SecretState()),
    st.just(foreign_secret()),
    st.just(broken_secret()),
    st.builds(
        secret,
        LEAVES,
        issuer=st.sampled_from(["", "main", "former"]),
        issued_at=st.none() | AT,
        in_a_row=st.integers(0, 20),
    ),
)
APPS = st.builds(
    app,
    is_automatic=st.booleans(),
    key_type=st.none() | KEY_TYPES,
    https_redirect=st.booleans(),
)
REFRESH = st.sampled_from([{}, {ANNOTATION_REFRESH: "1"}, {ANNOTATION_REFRESH: "2"}])
FINGERPRINTS = st.sampled_from(["", facts(1).fingerprint_sha256, facts(2).fingerprint_sha256])


def _conditions(draw: st.DrawFn) -> list[dict[str, object]]:
    return [
        {
            "type": kind,
            "status": draw(st.sampled_from(["True", "False", "Unknown"])),
            "reason": "Before",
            "message": "",
            "observedGeneration": 1,
            "lastTransitionTime": format_time(NOW - DAY),
        }
        for kind in draw(st.lists(st.sampled_from(["Ready", "Served", "PolicyEnforced"]), unique=True))
    ]


@st.composite
def statuses(draw: st.DrawFn) -> dict[str, object]:
    """What an operator, maybe an older one, may have left."""
    status: dict[str, object] = {}
    if draw(st.booleans()):
        status |= {
            "state": draw(st.sampled_from(sorted(STATES))),
            "reason": draw(st.sampled_from(["", "CAUnavailable", "RateLimited", "CARejected", "HostnameTaken"])),
            "message": "So it was.",
            "lastUpdated": format_time(NOW - DAY),
            "conditions": _conditions(draw),
        }
    if draw(st.booleans()):
        until = draw(st.none() | AT)
        status["attempts"] = {"failures": draw(st.integers(0, 40))}
        if until or draw(st.booleans()):
            status["attempts"]["nextAttempt"] = format_time(until) if until else None
    if draw(st.booleans()):
        source, name = draw(st.sampled_from([("Automatic", "www-tls"), ("Manual", "bought"), ("Manual", "other")]))
        status["certificate"] = {"source": source, "secretName": name, "fingerprintSHA256": draw(FINGERPRINTS)}
    if draw(st.booleans()):
        status["served"] = {"observedAt": format_time(NOW - DAY), "fingerprintSHA256": draw(FINGERPRINTS)}
    if draw(st.booleans()):
        status["handled"] = {"refresh": draw(st.sampled_from(["1", "2"]))}
    return status


PROOFS = st.one_of(
    st.none(),
    st.builds(
        Proof,
        at=AT.filter(lambda at: at <= NOW),
        fingerprint=FINGERPRINTS,
        problem=st.sampled_from(["", "The ingress serves another certificate."]),
        versions=st.sampled_from([(), ("TLSv1.2", "TLSv1.3")]),
        policy_problem=st.sampled_from(["", "It accepts too much."]),
        policy_reason=st.sampled_from(["", "Enforced", "EnforcedNarrower", "NotServed", "NotEnforceable"]),
        profile=st.sampled_from(["", label(DEFAULT), label(RSA_ONLY)]),
        since=st.none() | AT.filter(lambda at: at <= NOW),
    ),
)
ORDERS = st.fixed_dictionaries(
    {
        "order_url": st.just("https://ca.test/order/1"),
        "order_issuer": st.sampled_from(["main", "main", "former", ""]),
        "order_created_at": st.sampled_from(["", "2026-11-23T11:00:00Z"]),
        "next_key_type": st.sampled_from(["ECDSA-P256", "ECDSA-P256", "RSA-2048", ""]),
        "next_spki": st.sampled_from(["", facts(1).spki_sha256, facts(2).spki_sha256]),
        "wait": st.sampled_from([timedelta(), timedelta(seconds=3)]),
    }
)


@st.composite
def proofs(draw: st.DrawFn, known: CertificateFacts | None, profile: Profile) -> Proof | None:
    """Any handshake; half of the time one that showed what is at hand."""
    if known is None or draw(st.booleans()):
        return draw(PROOFS)
    return proof(known, at=NOW - draw(st.sampled_from([timedelta(), timedelta(minutes=2)])), profile=label(profile))


TURNS = st.builds(
    Turn,
    wait=st.timedeltas(timedelta(seconds=1), timedelta(days=2)),
    expected=st.none() | st.just(NOW.replace(microsecond=0) + timedelta(hours=3)),
    words=st.just("The CA takes only so many orders."),
)


def windows() -> st.SearchStrategy[Window]:
    """What a CA may advise: before, around and after now."""
    return st.builds(
        lambda start, length: Window(NOW + start, NOW + start + length),
        st.timedeltas(timedelta(days=-60), timedelta(days=60)),
        st.timedeltas(timedelta(), timedelta(days=5)),
    )


MANUALS = st.lists(
    st.builds(
        Manual,
        secret=st.one_of(
            st.builds(ManualSecret, st.sampled_from(["bought", "other"]), exists=st.just(True), facts=LEAVES),
            st.builds(
                ManualSecret,
                st.sampled_from(["bought", "other"]),
                exists=st.just(True),
                facts=st.none() | LEAVES,
                problem=st.just("There is no private key."),
            ),
            st.builds(ManualSecret, st.sampled_from(["bought", "other"])),
        ),
        intrudes_on=st.sampled_from(["", "", "", "team-b/www"]),
        collides_with=st.sampled_from(["", "", "", "team/www"]),
        taken_from=st.sampled_from(["", "", "", "api"]),
        awaited=st.sampled_from(["", "", "", "api"]),
    ),
    max_size=2,
    unique_by=lambda one: one.secret.name,
).map(tuple)
WAYS = st.builds(
    Ways,
    zone=st.sampled_from(["", "acme.example.com", "example.com"]),
    is_persist_on=st.booleans(),
    txt_name=st.sampled_from(
        ["", "_acme-challenge.example.com", "www.example.com.acme.example.com", "else.acme.example.com", "else.test"]
    ),
    http_problem=st.sampled_from(["", "The port is closed."]),
    persist_record=st.sampled_from([("", ""), ("_validation-persist.example.com", "ca.test; accounturi=x")]),
)
REFUSALS = st.builds(Refused, FINGERPRINTS, st.timedeltas(timedelta(seconds=1), timedelta(minutes=10)))


@st.composite
def situations(draw: st.DrawFn) -> Observed:
    """Anything that may be observed, likely or not."""
    held = draw(SECRETS)
    profile = draw(st.sampled_from([DEFAULT, DEFAULT, RSA_ONLY]) | PROFILES)
    closed = draw(
        st.sampled_from(
            [
                *([{}] * 5),
                {"owner": "team-b/www"},
                {"refusal": ("HostnameReserved", "It belongs to the platform.")},
                {"collides_with": "team/b-www"},
                {"missing_service": "shop"},
                {"unknown_issuer": "nowhere"},
            ]
        )
    )
    issuers = draw(st.sampled_from([("main",), ("main", "spare"), ()]))
    failure = draw(st.none() | FAILURES)
    return Observed(
        domain=domain(
            hostname=draw(st.sampled_from(["www.example.com", "www.example.com", "*.example.com"])),
            status=draw(statuses()),
            generation=draw(st.integers(1, 3)),
            annotations=draw(REFRESH),
        ),
        app=draw(st.one_of(APPS, APPS, APPS, st.none())),
        profile=profile,
        last=draw(st.none() | PROFILES),
        secret=held,
        stored_since=draw(st.none() | st.timedeltas(timedelta(), timedelta(days=40))),
        ways=draw(WAYS),
        manual=draw(st.one_of(st.just(()), MANUALS)),
        refused=draw(st.none() | REFUSALS),
        issuers=issuers,
        issuer=draw(st.sampled_from(issuers)) if issuers else "",
        is_preflighted=draw(st.booleans()),
        proof=draw(proofs(held.facts, profile)),
        failure=failure,
        turn=draw(st.none() | TURNS),
        is_pause_over=not isinstance(failure, RateLimited) and draw(st.booleans()),
        window=draw(st.none() | windows()),
        advice_in=draw(st.none() | st.timedeltas(timedelta(hours=-1), timedelta(days=1))),
        is_edited=draw(st.booleans()),
        dns_targets=draw(
            st.sampled_from([(), ("edge.example.net",), ("203.0.113.7", "203.0.113.8"), ("2001:db8::7",)])
        ),
        is_pointed_here=draw(st.none() | st.booleans()),
        dns_warning=draw(st.sampled_from(["", "It could not be looked up."])),
        **closed,
        **(draw(ORDERS) if draw(st.booleans()) else {}),
    )


@settings(deadline=None)
@given(situations())
def test_every_situation_has_a_plan_whose_status_the_schema_takes(seen):
    plan = decide(seen, NOW)
    assert plan.status["state"] in STATES
    assert timedelta() <= plan.again_after <= FAR
    assert {"Ready", "Served", "Reconciling", "Stalled"} <= {c["type"] for c in plan.status["conditions"]}
    for condition in plan.status["conditions"]:
        assert condition["reason"]
        assert condition["status"] in {"True", "False", "Unknown"}


@settings(deadline=None)
@given(situations())
def test_a_plan_without_a_step_never_asks_to_look_again_at_once(seen):
    plan = decide(seen, NOW)
    assert plan.step is not Step.NONE or plan.again_after > timedelta()


@settings(deadline=None)
@given(situations(), st.sampled_from([timedelta(), timedelta(seconds=1), timedelta(hours=1), DAY]))
def test_a_status_that_was_written_is_written_the_same_again(seen, later):
    written = decide(seen, NOW).status
    order = written.get("order") or {}
    back = replace(
        seen,
        domain=replace(seen.domain, status=written),
        failure=None,
        is_edited=seen.is_edited and seen.failure is None,
        order_created_at=seen.order_created_at or order.get("createdAt", ""),
    )
    before = decide(back, NOW)
    assert before.status == written
    # The only moments at which time alone changes what is said: a renewal falls due, or it or an attempt is held no
    # longer.
    known = seen.secret.facts
    thresholds = [renewal.due_at(back, known), renewal.overdue_at(back, known)] if known else []
    thresholds += [NOW + renewal.held_for(back, known, NOW)] if known else []
    for one in seen.manual:
        if bought := one.secret.facts:
            thresholds += [bought.not_before, expiring_at(bought), bought.not_after]
    if seen.proof and seen.proof.since:
        thresholds.append(seen.proof.since + PROOF_PATIENCE)
    if not any(NOW < at <= NOW + later for at in thresholds):
        assert decide(back, NOW + later).status == written


@settings(deadline=None)
@given(situations())
def test_https_is_never_routed_with_a_profile_that_the_key_does_not_fit(seen):
    plan = decide(seen, NOW)
    routes = plan.routes
    if routes and routes.secret_name:
        of_manual = {one.secret.name: one.secret.facts for one in seen.manual}
        known = {seen.domain.secret_name: seen.secret.facts, **of_manual}[routes.secret_name]
        is_fit = known and routes.profile and fits(routes.profile, known.key_type)
        assert routes.profile in (None, seen.profile, seen.last)
        assert routes.profile is None or is_fit or (plan.serving is None and not seen.is_moving)
        assert routes.profile == seen.profile or not (known and plan.serving and fits(seen.profile, known.key_type))
    elif routes:
        assert routes.profile is None
        assert not routes.redirect, "a redirect to HTTPS that is not there"


@settings(deadline=None)
@given(situations(), st.none() | FAILURES, statuses())
def test_what_is_served_does_not_depend_on_how_a_renewal_goes(seen, failure, status):
    kept = {
        name: seen.domain.status[name] for name in ("certificate", "served", "conditions") if name in seen.domain.status
    }
    others = {name: value for name, value in status.items() if name not in ("certificate", "served", "conditions")}
    other = replace(
        seen,
        failure=failure,
        domain=replace(seen.domain, status=others | kept),
        order_url="",
        is_preflighted=False,
        next_key_type="",
        next_spki="",
    )
    assert decide(other, NOW).routes == decide(seen, NOW).routes


@settings(deadline=None)
@given(situations())
def test_the_ca_is_asked_only_while_automatic_is_on_and_the_challenge_is_routed(seen):
    plan = decide(seen, NOW)
    if plan.step in (Step.PREFLIGHT, Step.PLACE, Step.ADVANCE):
        assert seen.app
        assert seen.app.is_automatic
        assert plan.routes
        assert plan.routes.challenge != is_wildcard(seen.domain.hostname), "which the DNS speaks for"
        assert plan.issuer
        assert fits(seen.profile, plan.key_type)


# The world: what comes of a plan that is carried out.

EDITS = st.sampled_from(
    [
        "automatic on",
        "automatic off",
        "redirect",
        "key type RSA",
        "key type none",
        "issuer spare",
        "issuer none",
        "modern",
        "default",
        "rsa only",
        "refresh",
        "an hour",
        "two months",
        "a hundred days",
        "crash",
        "secret lost",
        "app gone",
        "app back",
        "ca waits",
        "ca fails once",
        "ca rejects once",
        "ca is away once",
        "ca limits once",
        "manual named",
        "manual not named",
        "manual garbage",
        "manual good",
        "ingress stuck",
        "ingress well",
    ]
)


def _edit_app(world: World, **changes: object) -> None:
    if world.app:
        meta = replace(world.app.meta, generation=world.app.meta.generation + 1)
        world.app = replace(world.app, meta=meta, **changes)


def apply(world: World, edit: str) -> None:
    """Let something happen, and let the operator hear of it."""
    world.is_told = True
    changes = {
        "automatic on": {"is_automatic": True},
        "automatic off": {"is_automatic": False},
        "redirect": {"https_redirect": not (world.app and world.app.https_redirect)},
        "key type RSA": {"key_type": "RSA-3072"},
        "key type none": {"key_type": None},
        "issuer spare": {"issuer": "spare"},
        "issuer none": {"issuer": None},
    }
    passing = {"an hour": timedelta(hours=1), "two months": 61 * DAY, "a hundred days": 100 * DAY}
    failing = {
        "ca fails once": ChallengeFailed("ChallengeUnreachable", "The CA does not reach it."),
        "ca rejects once": Rejected("CARejected", "The CA refuses."),
        "ca is away once": Transient("CAUnavailable", "The CA is away."),
        "ca limits once": RateLimited("RateLimited", "Later.", until=world.now + timedelta(hours=2)),
    }
    told = {"modern": MODERN, "default": DEFAULT, "rsa only": RSA_ONLY}
    if edit in changes:
        _edit_app(world, **changes[edit])
    elif edit in passing:
        world.now += passing[edit]
    elif edit in failing:
        world.ca_failures.append(failing[edit])
    elif edit in told:
        world.profile = told[edit]
    else:
        _happen(world, edit)


def _happen(world: World, edit: str) -> None:
    if edit == "refresh":
        asked = int(world.domain.meta.annotations.get(ANNOTATION_REFRESH, "0")) + 1
        meta = replace(world.domain.meta, annotations={ANNOTATION_REFRESH: str(asked)})
        world.domain = replace(world.domain, meta=meta)
    elif edit == "crash":
        world.crash()
    elif edit == "secret lost":
        world.secret = SecretState()
    elif edit == "app gone":
        world.app = None
    elif edit == "app back":
        world.app = world.app or app()
    elif edit == "ca waits":
        world.ca_waits.append(timedelta(seconds=2))
    elif edit.startswith("manual "):
        _buy(world, edit)
    elif edit.startswith("ingress "):
        world.stuck_at = world.serves() if edit == "ingress stuck" else None
    else:
        raise AssertionError(edit)


def _buy(world: World, edit: str) -> None:
    """Something about the manual certificate."""
    if edit == "manual garbage":
        world.manual = ManualSecret("bought", exists=True, problem="There is no private key.")
        return
    if edit != "manual good":
        _edit_app(world, manual_secrets=("bought",) if edit == "manual named" else ())
    if edit != "manual not named":
        serial = 900 + world.bought
        known = facts(serial, key_type="RSA-2048", not_before=world.now - DAY, not_after=world.now + 300 * DAY)
        world.bought += 1
        world.manual = ManualSecret("bought", exists=True, facts=known)


def rest(world: World) -> None:
    """Until there is nothing to do but to wait for a renewal, a check, or somebody."""
    for _ in range(8):
        plan = world.settle()
        pause = plan.again_after
        until = (world.domain.status.get("attempts") or {}).get("nextAttempt")
        is_right = plan.serving is not None and fits(world.profile, plan.serving.facts.key_type)
        can_be_shown = is_right and world.rendered == world.profile
        if not until and not world.lost.wait and not (can_be_shown and pause <= timedelta(seconds=30)):
            return
        world.now += timedelta(days=1, seconds=1) if until else pause
        world.lost.wait = timedelta()
    raise AssertionError("it never comes to rest")


def assert_at_rest(world: World) -> None:
    """Nothing happens before it is said to: no step, no write, no other routes."""
    plan = decide(world.gather(), world.now)
    assert plan.step is Step.NONE
    assert plan.again_after > timedelta()
    for part in (0.0, 0.5, 0.999):
        again = decide(world.gather(), world.now + plan.again_after * part)
        assert again.step is Step.NONE, part
        assert again.status == world.domain.status, part
        assert again.routes == world.routes


def assert_as_declared(world: World) -> None:
    """What a user would see of a Domain at rest."""
    status, known = world.domain.status, world.usable()
    if world.app is None:
        assert status["reason"] == "AppNotFound"
        return
    asked, manual = world.app.key_type, world.usable_manual()
    if world.app.is_automatic and fits(world.profile, asked or "RSA-2048") and status["reason"] != "CARejected":
        assert known, status
        assert asked in (None, known.key_type)
        assert fits(world.profile, known.key_type)
        assert world.app.issuer in (None, world.secret.issuer)
        assert world.rendered == world.profile
        assert (status.get("handled") or {}).get("refresh") == world.domain.meta.annotations.get(ANNOTATION_REFRESH)
        assert (status["state"], status["reason"]) == ("CertIssued", "")
        assert world.serves() == known
        assert status["certificate"]["source"] == "Automatic"
    if manual and not world.app.is_automatic:
        assert world.serves() == manual
        assert status["certificate"]["source"] == "Manual"
        assert (status["state"], status["reason"]) == ("CertIssued", "")
        return
    # With a profile that no certificate at hand can be served with, the host keeps what it had, whoever names it.
    if known and world.rendered and not manual and fits(world.profile, known.key_type):
        assert world.serves() == known
        assert {c["type"]: c["status"] for c in status["conditions"]}["Ready"] == "True"
        assert status["certificate"]["fingerprintSHA256"] == known.fingerprint_sha256
        assert world.routes
        assert world.routes.redirect == world.app.https_redirect


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(EDITS, st.integers(0, 4)), max_size=8))
@example([("default", 9), ("ca waits", 0), ("refresh", 9)])
@example([("ca rejects once", 1), ("automatic on", 0)])
@example([("automatic on", 9), ("manual named", 9), ("rsa only", 9), ("manual not named", 9)])
@example([("default", 9), ("two months", 9), ("ca rejects once", 9), ("crash", 3)])
def test_whatever_happens_it_comes_to_rest_as_declared(happenings):
    world = World()
    for edit, passes in happenings:
        apply(world, edit)
        for _ in range(passes):
            was_served = world.serves()
            # A process that dies before it has written down what it saw has to see it again.
            is_written = "certificate" in world.domain.status
            was_redirected = bool(world.routes and world.routes.redirect and is_written)
            world.turn()
            if was_served and world.app and was_served in (world.usable(), world.usable_manual()):
                assert world.serves() in (world.usable(), world.usable_manual()), f"taken away after {edit}"
                assert world.routes
                assert world.routes.redirect >= (was_redirected and world.app.https_redirect), edit
    world.ca_failures.clear()
    world.stuck_at, world.lost.refused = None, ""
    rest(world)
    assert_at_rest(world)
    assert_as_declared(world)


@settings(max_examples=60, deadline=None)
@given(st.lists(EDITS.filter(lambda edit: edit == "ca waits" or not edit.startswith(("ca ", "ingress "))), max_size=4))
def test_a_crash_anywhere_costs_at_most_one_more_order(edits):
    smooth = _run(edits, dies_before=None)
    total = smooth.effects
    for effect in range(total):
        rough = _run(edits, dies_before=effect)
        assert_as_declared(rough)
        assert len(rough.orders) <= len(smooth.orders) + 1, f"before effect {effect} of {total}"
        assert rough.usable() is None or rough.next_key is None, "the key of an order that is over stays behind"


class Counted(World):
    """A world in which effects are counted and one of them may be the last of a process."""

    effects = 0


def _run(edits: list[str], *, dies_before: int | None) -> Counted:
    """From the beginning through some edits to rest, dying once before a certain effect."""
    world = Counted()

    def before_effect() -> None:
        world.effects += 1
        if world.effects - 1 == dies_before:
            raise Crash

    world.before_effect = before_effect
    for edit in ["default", *edits]:
        apply(world, edit)
        try:
            rest(world)
        except Crash:
            world.crash()
            rest(world)
    return world
