"""What a CA complains about, and what that means for a domain: one table.

A CA's problem document (RFC 8555, 6.7) becomes an error of the operator with a reason and a sentence for the
owner of the domain. The sentence is the same each time the same thing happens, because a status that changes
by itself would be written for ever; so the CA's own words go through `detail` first.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

from certward.acme.detail import shown_detail
from certward.errors import ChallengeFailed, IssuerUnusable, OperatorError, RateLimited, Rejected, Transient
from certward.names import ACCOUNT_SECRET

#: How long to wait where a CA says "too many" and not for how long.
DEFAULT_RATE_LIMIT_WAIT = timedelta(hours=1)
#: How deep a problem document's subproblems are followed.
_SUBPROBLEM_DEPTH = 2

_TYPE_PREFIX = "urn:ietf:params:acme:error:"


@dataclass(frozen=True)
class Problem:
    """A problem document, reduced to what is used.

    Attributes:
        code: the type without the ACME prefix, such as "rateLimited"; empty where it is none of ACME's.
        detail: the CA's words, as they came.
        status: the HTTP status it came with, 0 where it stood inside another object.
        hostname: the identifier it is about, where it names one.
        subproblems: RFC 8555, 6.7.1.
    """

    code: str
    detail: str = ""
    status: int = 0
    hostname: str = ""
    subproblems: tuple["Problem", ...] = ()


class ProblemReply(Exception):
    """The CA answered with an error; it becomes an OperatorError before it leaves this room.

    Attributes:
        problem: what the CA said; without a code where it said nothing that ACME knows.
        retry_after: seconds that the CA asked to wait, None where it did not.
    """

    def __init__(self, problem: Problem, retry_after: float | None) -> None:
        super().__init__(problem.code or f"HTTP {problem.status}")
        self.problem = problem
        self.retry_after = retry_after


@dataclass(frozen=True)
class _Verdict:
    """What a problem type means; the sentence may name {hostname}, {issuer} as "the CA x", and {name} as "x"."""

    error: type[OperatorError]
    reason: str
    sentence: str


def _unreachable(sentence: str) -> _Verdict:
    return _Verdict(ChallengeFailed, "ChallengeUnreachable", sentence)


def _rejected(sentence: str) -> _Verdict:
    return _Verdict(Rejected, "CARejected", sentence)


def _unusable(sentence: str) -> _Verdict:
    return _Verdict(IssuerUnusable, "CARejected", sentence)


def _unavailable(sentence: str) -> _Verdict:
    return _Verdict(Transient, "CAUnavailable", sentence)


_ASK_ADMINISTRATOR = "the operator's administrator has to look at issuer {name}."

TABLE: Mapping[str, _Verdict] = {
    # Validation of a hostname (RFC 8555, 6.7 and 8).
    "connection": _unreachable(
        "{issuer} could not connect to {hostname} on port 80: check that its DNS points here and that no"
        " firewall is in between."
    ),
    "unauthorized": _unreachable(
        "{issuer} asked {hostname} for the challenge and got another answer: check that its DNS points here only."
    ),
    "incorrectResponse": _unreachable(
        "{issuer} asked {hostname} for the challenge and got a wrong answer: check that its DNS points here only."
    ),
    "tls": _unreachable(
        "{issuer} was sent on to HTTPS at {hostname} and the handshake failed: remove the redirect of the"
        " challenge path."
    ),
    "dns": _Verdict(
        ChallengeFailed,
        "DNSNotFound",
        "{issuer} could not look up {hostname}: check that the name exists and that its name servers answer.",
    ),
    "dnssec": _Verdict(
        ChallengeFailed,
        "DNSNotFound",
        "{issuer} could not validate DNSSEC of {hostname}: check its DS records.",
    ),
    "caa": _Verdict(
        ChallengeFailed,
        "CAAForbids",
        "The CAA records of {hostname} or of a domain above it do not allow {issuer}: add it to them or remove them.",
    ),
    # The hostname itself.
    "rejectedIdentifier": _rejected("{issuer} does not issue certificates for {hostname}."),
    "unsupportedIdentifier": _rejected("{issuer} does not issue certificates for names like {hostname}."),
    # The request.
    "badCSR": _rejected("{issuer} does not accept the certificate request for {hostname}: try another keyType."),
    "badPublicKey": _rejected("{issuer} does not accept the key: try another keyType."),
    "malformed": _rejected("{issuer} does not understand the request for {hostname}."),
    "invalidProfile": _rejected("{issuer} does not offer the ACME profile that is asked for."),
    "badRevocationReason": _rejected("{issuer} does not accept this reason for a revocation."),
    "alreadyRevoked": _rejected("The certificate of {hostname} has been revoked already."),
    "badSignatureAlgorithm": _unusable("{issuer} does not accept the account key's algorithm: " + _ASK_ADMINISTRATOR),
    # The account.
    "externalAccountRequired": _unusable(
        "{issuer} needs an external account: the operator's administrator has to set externalAccountBinding of issuer "
        "{name}."
    ),
    "userActionRequired": _unusable(
        "{issuer} wants something done by the account's holder, such as agreeing to new terms: " + _ASK_ADMINISTRATOR
    ),
    "invalidContact": _unusable(
        "{issuer} does not accept the e-mail address in the operator's configuration: " + _ASK_ADMINISTRATOR
    ),
    "unsupportedContact": _unusable(
        "{issuer} does not accept the e-mail address in the operator's configuration: " + _ASK_ADMINISTRATOR
    ),
    "paused": _rejected(
        "{issuer} paused {hostname} after many failed attempts: mend its DNS, then have it unpaused there."
    ),
    # Limits and trouble on the CA's side.
    "rateLimited": _Verdict(
        RateLimited, "RateLimited", "{issuer} accepts no more requests for now; it goes on by itself."
    ),
    "serverInternal": _unavailable("{issuer} has a problem of its own; it is tried again."),
    "badNonce": _unavailable("{issuer} kept rejecting its own nonces; it is tried again."),
    "accountDoesNotExist": _unavailable("{issuer} does not know the account; it is registered again."),
    "orderNotReady": _unavailable("{issuer} is not ready to finalize the order; it is tried again."),
    "alreadyReplaced": _Verdict(
        Transient,
        "OrderInvalid",
        "{issuer} has seen a renewal of this certificate already; it is ordered anew.",
    ),
}

#: The same type means something else where it answers a request instead of a validation.
_IN_REQUEST: Mapping[str, _Verdict] = {
    "unauthorized": _unusable(
        "{issuer} does not accept the operator's account: the administrator has to have it reactivated there, or to "
        f"delete Secret {ACCOUNT_SECRET}{{name}} in the operator's namespace, so that a new one is made."
    ),
}

_NOT_SEEN = _Verdict(
    ChallengeFailed,
    "DNSNotFound",
    "{issuer} did not find the TXT record that proves control over {hostname}: check that the name servers of the zone"
    " answer to everybody, all with the same.",
)

#: The same types mean something else where the CA looked for a TXT record.
_BY_DNS: Mapping[str, _Verdict] = dict.fromkeys(
    ("unauthorized", "incorrectResponse", "connection", "malformed"), _NOT_SEEN
)

_REFUSED = _rejected("{issuer} refused the request for {hostname}.")
_NO_ACME = _unavailable("{issuer} gave an answer that is not ACME; it is tried again.")
_NO_SENSE = _unreachable("{issuer} could not validate {hostname}.")

# Let's Encrypt reports a pause as rateLimited, but no wait ends it, and it concerns one hostname only.
_PAUSED = re.compile(r"temporarily prevented from requesting certificates|\bpaused\b", re.IGNORECASE)


def parse_problem(document: object, status: int = 0, *, depth: int = _SUBPROBLEM_DEPTH) -> Problem:
    """A problem document from a reply, an order or a challenge; whatever it holds, nothing is raised."""
    if not isinstance(document, Mapping):
        return Problem("", status=status)
    kind, detail = document.get("type"), document.get("detail")
    code = kind.removeprefix(_TYPE_PREFIX) if isinstance(kind, str) and kind.startswith(_TYPE_PREFIX) else ""
    identifier, subproblems = document.get("identifier"), document.get("subproblems")
    value = identifier.get("value") if isinstance(identifier, Mapping) else None
    return Problem(
        code=code,
        detail=detail if isinstance(detail, str) else "",
        status=status,
        hostname=value if isinstance(value, str) else "",
        subproblems=tuple(parse_problem(item, depth=depth - 1) for item in subproblems[:100])
        if isinstance(subproblems, list) and depth > 0
        else (),
    )


def to_error(
    problem: Problem, *, retry_after: float | None, now: datetime, issuer_name: str, hostname: str
) -> OperatorError:
    """The error for a request that the CA refused.

    Args:
        problem: what the CA said.
        retry_after: seconds from the reply's Retry-After, None where there was none.
        now: aware UTC; RateLimited counts from it.
        issuer_name: the issuer's name in the configuration.
        hostname: the domain's hostname, empty for requests that concern none.
    """
    problem = _of_hostname(problem, hostname)
    code = "paused" if problem.code == "rateLimited" and _PAUSED.search(problem.detail) else problem.code
    too_many = problem.status == HTTPStatus.TOO_MANY_REQUESTS
    busy = problem.status == HTTPStatus.SERVICE_UNAVAILABLE and retry_after is not None
    if code != "paused" and (too_many or busy):
        code = "rateLimited"
    verdict = _IN_REQUEST.get(code) or TABLE.get(code)
    if verdict is None:
        # What is no ACME problem comes from something in front of the CA, and passes.
        verdict = _REFUSED if code and problem.status < HTTPStatus.INTERNAL_SERVER_ERROR else _NO_ACME
    message = _message(verdict, problem, issuer_name, hostname)
    if verdict.error is RateLimited:
        wait = DEFAULT_RATE_LIMIT_WAIT if retry_after is None else timedelta(seconds=retry_after)
        return RateLimited(verdict.reason, message, until=now + wait)
    return verdict.error(verdict.reason, message)


def to_challenge_error(problem: Problem, *, issuer_name: str, hostname: str, is_by_dns: bool = False) -> OperatorError:
    """The error for an authorization that the CA could not validate, from its challenge's problem."""
    problem = _of_hostname(problem, hostname)
    verdict = TABLE.get(problem.code, _NO_SENSE)
    if is_by_dns:
        verdict = _BY_DNS.get(problem.code, verdict)
    if verdict.error in (Transient, RateLimited):
        verdict = _NO_SENSE
    return verdict.error(verdict.reason, _message(verdict, problem, issuer_name, hostname))


def _of_hostname(problem: Problem, hostname: str) -> Problem:
    """The subproblem about the hostname; where the problem is only a wrapper, else the first known one."""
    known = [item for item in problem.subproblems if item.code in TABLE]
    if not known:
        return problem
    mine = [item for item in known if item.hostname == hostname]
    if not mine and problem.code in TABLE:
        return problem
    chosen = (mine or known)[0]
    return Problem(chosen.code, chosen.detail, problem.status, chosen.hostname)


def _message(verdict: _Verdict, problem: Problem, issuer_name: str, hostname: str) -> str:
    subject = hostname or problem.hostname or "this name"
    sentence = verdict.sentence.format(issuer=f"the CA {issuer_name}", name=issuer_name, hostname=subject)
    sentence = sentence[0].upper() + sentence[1:]
    detail = shown_detail(problem.detail)
    return f"{sentence} It says: {detail}" if detail else sentence
