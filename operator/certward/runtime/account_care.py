"""What is done about accounts by the clock: contacts told, keys changed when that is asked.

A new key is kept beside the old one before the CA is asked. Whoever finds two keys, after a crash as well, asks the CA
which one it knows. Meanwhile the account is not used; orders wait. Afterwards it rests for as long as other replicas
may take to see the new key, since any of them may be asked for the answer to a challenge.

A CA that wants an external account may refuse to say which key it knows. Then both are kept, the account goes on with
the key before, and the CA is asked again later.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from certward.acme.client import Issuer
from certward.config import Config, IssuerConfig
from certward.errors import Conflict, OperatorError, RateLimited, Rejected, Retryable
from certward.model import keys
from certward.names import ANNOTATION_ROLLOVER
from certward.runtime.account_store import Account
from certward.runtime.issuers import LOOK_SECONDS, SEEN_BY_ALL, Issuers
from certward.runtime.metrics import BUGS

log = logging.getLogger(__name__)

#: Seconds that the requests under way may take to end before a key is changed; else it is tried again later.
_PATIENCE: Final = 60.0
#: Seconds after which a CA is told a contact again that it did not take, or asked again what it did not say.
_RETRY: Final = 3600.0


class AccountCare:
    """In a thread of its own; in every replica, but only the one with shard 0 changes anything."""

    def __init__(self, config: Config, issuers: Issuers, *, may_work: Callable[[], bool]) -> None:
        self._config = config
        self._issuers = issuers
        self._may_work = may_work
        self._stop = threading.Event()
        self._looking = threading.Lock()
        self._contact_at: dict[str, float] = {}
        self._doubts: dict[str, tuple[object, float]] = {}
        self._change_at: dict[str, float] = {}
        self._thread = threading.Thread(target=self._run, name="accounts", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what the CA is being asked is waited for."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def is_alive(self) -> bool:
        """Whether the thread goes on."""
        return self._thread.is_alive()

    def is_busy(self) -> bool:
        """Whether it is just doing something about an account."""
        return self._looking.locked()

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            with self._looking:
                self.look()

    def look(self) -> None:
        """Look at all accounts once. What is wrong with one, such as a CA that is away, holds up no other."""
        for configured in self._config.issuers:
            try:
                if self._may_work():
                    self._attend(configured)
            except Conflict:
                log.debug("account at issuer %s: somebody else wrote first", configured.name)
            except OperatorError as error:
                log.warning("account at issuer %s: %s", configured.name, error.message)
            except Exception:  # the next look has to come
                BUGS.inc()
                log.exception("this is a mistake in Certward, please report it")

    def _attend(self, configured: IssuerConfig) -> None:
        name = configured.name
        account = self._issuers.store.read(name)
        if account is None:
            return
        is_registered = bool(account.url) and account.directory == configured.directory
        is_wanted = account.next_key_pem or (is_registered and account.is_rollover_wanted)
        if is_wanted and not self._is_put_off(name, account):
            if time.monotonic() >= self._change_at.get(name, 0.0):
                self._change_key(configured, account)
            return
        self._issuers.gate(name).open()  # as an attempt that was called off has left it
        if (
            is_registered
            and account.contact != configured.email
            and self._contact_at.get(name, 0.0) <= time.monotonic()
        ):
            self._tell_contact(configured, account)

    def _tell_contact(self, configured: IssuerConfig, account: Account) -> None:
        name = configured.name
        self._contact_at[name] = time.monotonic() + _RETRY
        with self._issuers.using(name) as is_free:
            if not is_free:
                return
            self._issuers.ready(name).update_contact()
            self._issuers.store.write(name, replace(account, contact=configured.email))
        self._contact_at.pop(name)
        log.info("issuer %s has been told the contact", name)

    def _change_key(self, configured: IssuerConfig, account: Account) -> None:
        """Go on with a change of key from wherever it stands."""
        name, gate = configured.name, self._issuers.gate(configured.name)
        was_put_off = bool(account.next_key_pem and account.problem)
        if not gate.close(_PATIENCE):
            log.warning("issuer %s: its account is in use, so its key is changed later", name)
            if not account.is_changing:
                gate.open()
            return
        if not account.is_changing:
            next_key_pem = account.next_key_pem or keys.generate_key("ECDSA-P256")
            account = self._issuers.store.write(name, replace(account, next_key_pem=next_key_pem, problem=""))
        if self._config.shards > 1 and (self._stop.wait(SEEN_BY_ALL) or not self._may_work()):
            return  # others use the account too: all have seen by now that it is about to get another key
        try:
            new = self._issuers.client_for(configured, replace(account, key_pem=account.next_key_pem, thumbprint=""))
            problem = self._settle(configured, account, new)
        except OperatorError as refusal:
            if isinstance(refusal, RateLimited):
                self._change_at[name] = time.monotonic() + (refusal.until - datetime.now(UTC)) / timedelta(seconds=1)
            if isinstance(refusal, Retryable) and not was_put_off:
                raise
            self._put_off(configured, account, refusal)
            return
        if problem:
            account = replace(account, next_key_pem=b"", handled=account.asked, problem=problem)
            log.error("issuer %s: the account keeps its key: %s", name, problem)
        else:
            account = replace(
                account,
                key_pem=account.next_key_pem,
                next_key_pem=b"",
                thumbprint=new.thumbprint,
                handled=account.asked,
                problem="",
            )
            log.info("issuer %s: the account has a new key", name)
        self._issuers.notice(configured, self._issuers.store.write(name, account))
        gate.open(after=SEEN_BY_ALL)

    def _settle(self, configured: IssuerConfig, account: Account, new: Issuer) -> str:
        """See to it that the account has its new key; returns why it certainly has not, empty when it has.

        Raises:
            OperatorError: it is not known whether it has.
        """
        name, old = configured.name, self._issuers.client_for(configured, account)
        try:
            found = new.find_account()
        except OperatorError:
            # A CA may tell that with a binding only, and take that once; then it shows by whom the account is heard.
            if old.account_url and new.is_key_of(old.account_url):
                return ""
            if not old.account_url or not old.is_key_of(old.account_url):
                raise
            found = ""
        if found:
            is_ours = account.url in ("", found)
            return "" if is_ours else f"The CA {name} knows the new key as that of another account."
        try:
            old.change_key(account.next_key_pem)
        except Rejected as refusal:
            return refusal.message
        return ""

    def _put_off(self, configured: IssuerConfig, account: Account, refusal: OperatorError) -> None:
        """Have the account used with the key before, and the new one kept, for the CA does not say which it knows."""
        name = configured.name
        problem = (
            f"The CA {name} does not say which of two keys the account has. The one before is used, and it is asked "
            f"again each hour, and when {ANNOTATION_ROLLOVER} or the external account's key changes. {refusal.message}"
        )
        log.error("issuer %s: %s", name, problem)
        self._issuers.notice(configured, self._issuers.store.write(name, replace(account, problem=problem)))
        self._doubts[name] = (self._basis(name, account), time.monotonic() + _RETRY)
        self._issuers.gate(name).open()

    def _is_put_off(self, name: str, account: Account) -> bool:
        basis, until = self._doubts.get(name, (None, 0.0))
        return bool(account.problem) and basis == self._basis(name, account) and time.monotonic() < until

    def _basis(self, name: str, account: Account) -> object:
        """What a change of is a reason to ask the CA at once."""
        return account.asked, self._issuers.version(name)
