"""What a CA, or what stands in front of it, may do wrong, and which request it is done to."""

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Kind(StrEnum):
    """What a request is for."""

    DIRECTORY = "directory"
    NEW_NONCE = "newNonce"
    NEW_ACCOUNT = "newAccount"
    NEW_ORDER = "newOrder"
    AUTHZ = "authz"
    CHALLENGE = "challenge"
    ORDER = "order"
    FINALIZE = "finalize"
    CERT = "cert"
    RENEWAL_INFO = "renewalInfo"
    OTHER = "other"


class Fault(StrEnum):
    """One kind of trouble."""

    # The CA never sees the request.
    BAD_NONCE = "badNonce"
    RATE_LIMITED_SECONDS = "rateLimited, seconds"
    RATE_LIMITED_DATE = "rateLimited, date"
    TOO_MANY_SECONDS = "bare 429, seconds"
    TOO_MANY_DATE = "bare 429, date"
    BUSY = "503 with Retry-After"
    UNAVAILABLE = "503"
    SERVER_INTERNAL = "serverInternal"
    NO_ACCOUNT = "accountDoesNotExist"
    REDIRECT = "redirect"
    RESET_BEFORE = "reset before"
    # The CA has acted, and its answer is lost or spoilt.
    RESET_AFTER = "reset after"
    TRUNCATED = "truncated"
    TRUNCATED_UNSEEN = "truncated without a length"
    HTML = "HTML"
    # Answers that are whole and slow, would be asked for again without a pause, or bring a nonce of no use.
    DRIP = "drip"
    AT_ONCE = "Retry-After of 0"
    SPOILT_NONCE = "spoilt nonce"
    EMPTY_NONCE = "empty nonce"
    # The CA ends the order.
    ORDER_INVALID = "order turns invalid"
    WRONG_KEY = "certificate for another key"
    WRONG_NAME = "certificate for another name"
    ANOTHERS = "certificate of another order"
    # The CA asks for more than it needs.
    PASSED_WINDOW = "advice to renew at once"


#: With a Retry-After.
HOLDING = frozenset(
    {
        Fault.RATE_LIMITED_SECONDS,
        Fault.RATE_LIMITED_DATE,
        Fault.TOO_MANY_SECONDS,
        Fault.TOO_MANY_DATE,
        Fault.BUSY,
    }
)
#: After these the answer does not arrive in a form that can be used.
LOSING = frozenset({Fault.RESET_AFTER, Fault.TRUNCATED, Fault.TRUNCATED_UNSEEN, Fault.HTML})
ENDING = frozenset({Fault.ORDER_INVALID, Fault.WRONG_KEY, Fault.WRONG_NAME, Fault.ANOTHERS})
#: These are overcome at once.
HARMLESS = frozenset({Fault.BAD_NONCE, Fault.SPOILT_NONCE, Fault.EMPTY_NONCE, Fault.DRIP, Fault.AT_ONCE})

_ANYWHERE = HOLDING | {Fault.UNAVAILABLE, Fault.RESET_BEFORE, Fault.RESET_AFTER, Fault.DRIP}
_SIGNED = (
    _ANYWHERE
    | LOSING
    | {
        Fault.BAD_NONCE,
        Fault.SERVER_INTERNAL,
        Fault.REDIRECT,
        Fault.SPOILT_NONCE,
        Fault.EMPTY_NONCE,
    }
)
#: What may be done to which kind of request, also by chance; advice, which makes a client order more, only on purpose.
POSSIBLE: Mapping[Kind, frozenset[Fault]] = {
    Kind.DIRECTORY: _ANYWHERE | LOSING | {Fault.SERVER_INTERNAL, Fault.REDIRECT},
    Kind.NEW_NONCE: _ANYWHERE | {Fault.EMPTY_NONCE, Fault.SPOILT_NONCE, Fault.REDIRECT},
    Kind.NEW_ACCOUNT: _SIGNED,
    Kind.NEW_ORDER: _SIGNED | {Fault.NO_ACCOUNT},
    Kind.AUTHZ: _SIGNED | {Fault.AT_ONCE},
    Kind.CHALLENGE: _SIGNED,
    Kind.ORDER: _SIGNED | {Fault.ORDER_INVALID, Fault.AT_ONCE},
    Kind.FINALIZE: _SIGNED | {Fault.ORDER_INVALID},
    Kind.CERT: _SIGNED | {Fault.WRONG_KEY, Fault.WRONG_NAME, Fault.ANOTHERS},
    Kind.RENEWAL_INFO: _ANYWHERE | LOSING,
    Kind.OTHER: frozenset(),
}


class Plan(Protocol):
    """Decides what is done to a request. Called by one thread."""

    def choose(self, kind: Kind, hostname: str) -> Fault | None:
        """Return the trouble for this request; `hostname` is empty where it concerns none."""


class Peace:
    """No trouble."""

    def choose(self, kind: Kind, hostname: str) -> Fault | None:  # noqa: ARG002 - as in Plan
        """Return None."""
        return None


@dataclass(frozen=True)
class Strike:
    """Trouble for the next requests of a kind: of any hostname where it names none."""

    kind: Kind
    fault: Fault
    hostname: str = ""
    times: int = 1


class Script:
    """Each strike is carried out so many times as it says, in the order given."""

    def __init__(self, strikes: Iterable[Strike]) -> None:
        self._left = [[strike, strike.times] for strike in strikes]

    def choose(self, kind: Kind, hostname: str) -> Fault | None:
        """Return the first strike that fits and is not used up."""
        for item in self._left:
            strike, left = item
            if left and strike.kind is kind and strike.hostname in ("", hostname):
                item[1] -= 1
                return strike.fault
        return None


class Sequence(Script):
    """A script of which each strike waits until those before it are used up."""

    def choose(self, kind: Kind, hostname: str) -> Fault | None:
        """Return the next strike where it fits."""
        waiting = next((strike for strike, left in self._left if left), None)
        return super().choose(kind, hostname) if waiting and waiting.kind is kind else None


class Chance:
    """Trouble with some probability, the same for the n-th request of a kind and hostname each time.

    Args:
        seed: what all of it follows from.
        probability: of trouble, for each request.
        delays: at most so many troubles of a hostname that make it wait.
        ends: the share of the hostnames whose order the CA may end, once.
        shared: at most so many troubles of requests that concern no hostname.
    """

    def __init__(self, seed: int, probability: float, *, delays: int = 4, ends: float = 0.3, shared: int = 30) -> None:
        self._seed = seed
        self._probability = probability
        self._ends = ends
        self._limits = {"": shared}
        self._delays = delays
        self._seen: Counter[tuple[Kind, str]] = Counter()
        self._delayed: Counter[str] = Counter()
        self._ended: set[str] = set()

    def choose(self, kind: Kind, hostname: str) -> Fault | None:
        """Draw."""
        self._seen[kind, hostname] += 1
        draw = self._draw(hostname, f"{kind} {self._seen[kind, hostname]}")
        if draw.random() >= self._probability:
            return None
        allowed = sorted(self._allowed(kind, hostname))
        if not allowed:
            return None
        fault = draw.choice(allowed)
        if fault in ENDING:
            self._ended.add(hostname)
        elif fault not in HARMLESS:
            self._delayed[hostname] += 1
        return fault

    def _draw(self, hostname: str, what: str) -> random.Random:
        """Chances that depend on the first label only: the rest is another one each time."""
        label = hostname.partition(".")[0]
        return random.Random(f"{self._seed} {label} {what}")  # noqa: S311 - the same each time

    def _allowed(self, kind: Kind, hostname: str) -> frozenset[Fault]:
        allowed = POSSIBLE[kind]
        may_end = self._draw(hostname, "ends").random() < self._ends
        if may_end and hostname not in self._ended and allowed & ENDING:
            return allowed & ENDING
        allowed -= ENDING
        if self._delayed[hostname] >= self._limits.get(hostname, self._delays):
            allowed &= HARMLESS
        return allowed
