"""What the CA says of when it wants a certificate renewed (ACME Renewal Information, RFC 9773)."""

import logging
import time
from datetime import UTC, datetime, timedelta
from typing import Final

from certward.acme import certificates
from certward.errors import OperatorError, RateLimited
from certward.model.resources import key_of
from certward.plan import schedule
from certward.plan.observed import Observed
from certward.plan.schedule import Window
from certward.runtime.issuers import Issuers
from certward.runtime.memory import Advice, Memory

log = logging.getLogger(__name__)

#: When to ask a CA for its advice again that did not answer.
_RETRY: Final = timedelta(minutes=10)


def ask(issuers: Issuers, observed: Observed, memory: Memory) -> None:
    """Ask the CA that issued the certificate at hand. Its silence is no failure of the Domain's.

    Args:
        issuers: the CAs.
        observed: of the Domain.
        memory: of the Domain; the answer is put there, with when to ask again.
    """
    facts = observed.secret.facts
    if facts is None:  # pragma: no cover - it is asked about a certificate only
        return
    window = memory.advice.window if memory.advice else None
    again = _RETRY
    try:
        info = certificates.renewal_info(issuers.ready(observed.secret.issuer), facts.ari_id)
        window = Window(info.start, info.end) if info else None
        again = info.ask_again_after if info else certificates.DEFAULT_ASK_AGAIN
    except RateLimited as limit:
        again = limit.until - datetime.now(UTC)
    except OperatorError as error:
        log.debug("%s: no advice on the renewal: %s", key_of(observed.domain), error.message)
    wait = schedule.ask_again_after(facts.not_before, facts.not_after, again)
    ask_at = time.monotonic() + wait / timedelta(seconds=1)
    memory.advice = Advice(facts.fingerprint_sha256, window, ask_at)
