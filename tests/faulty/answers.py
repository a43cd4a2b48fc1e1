"""The answers that a faulty CA gives in place of Pebble's."""

import json
import time
from dataclasses import dataclass, field
from email.utils import formatdate
from math import ceil

from faulty.faults import Fault

PROBLEM = "application/problem+json"
#: What a CA says of a certificate that is to be renewed at once (RFC 9773, 4.2).
PASSED_WINDOW = b'{"suggestedWindow": {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}}'
HTML = b"<!DOCTYPE html><html><head><title>Please wait</title></head><body>Checking your browser.</body></html>"


@dataclass
class Answer:
    """An answer; `until` is the moment of its Retry-After, in seconds since the epoch."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    until: float | None = None

    @property
    def document(self) -> dict:
        """The body as a JSON object; empty when it is none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


def problem(status: int, code: str, detail: str) -> Answer:
    """A problem document (RFC 8555, 6.7)."""
    document = {"type": f"urn:ietf:params:acme:error:{code}", "detail": detail, "status": status}
    return Answer(status, {"Content-Type": PROBLEM}, json.dumps(document).encode())


def refusal(fault: Fault, *, retry_after: int, elsewhere: str) -> Answer:
    """The answer to a request that the CA never sees.

    Args:
        fault: one of those before the CA.
        retry_after: seconds.
        elsewhere: where a redirect leads.
    """
    until = time.time() + retry_after
    match fault:
        case Fault.BAD_NONCE:
            return problem(400, "badNonce", "JWS has an invalid anti-replay nonce")
        case Fault.SERVER_INTERNAL:
            return problem(500, "serverInternal", "Error creating new resource")
        case Fault.NO_ACCOUNT:
            return problem(400, "accountDoesNotExist", "Account is not known")
        case Fault.UNAVAILABLE:
            return Answer(503, {"Content-Type": "text/html"}, HTML)
        case Fault.REDIRECT:
            return Answer(307, {"Location": elsewhere})
        case Fault.RATE_LIMITED_SECONDS | Fault.RATE_LIMITED_DATE:
            words = "too many new orders (300) from this account in the last 3h0m0s, retry after"  # Let's Encrypt's
            answer = problem(429, "rateLimited", f"{words} {time.strftime('%F %T UTC', time.gmtime(until))}")
        case Fault.TOO_MANY_SECONDS | Fault.TOO_MANY_DATE:
            answer = Answer(429, {"Content-Type": "text/plain"}, b"Too many requests")
        case Fault.BUSY:
            answer = Answer(503, {"Content-Type": "text/html"}, HTML)
        case _:
            raise AssertionError(f"{fault} is no refusal")
    is_date = fault in (Fault.RATE_LIMITED_DATE, Fault.TOO_MANY_DATE)
    answer.until = float(ceil(until)) if is_date else until
    answer.headers["Retry-After"] = formatdate(answer.until, usegmt=True) if is_date else str(retry_after)
    return answer
