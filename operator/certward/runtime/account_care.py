"""What is done about accounts by the clock: contacts told, keys changed when that is asked.

A new key is kept beside the old one before the CA is asked. Whoever finds two keys, after a crash as well, asks the CA
which one it knows. Meanwhile the account is not used; orders wait. Afterwards it rests for as long as other replicas
may take to see the new key, since any of them may be asked for the answer to a challenge.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from certward.config import Config, IssuerConfig
from certward.errors import Conflict, OperatorError, Rejected
from certward.model import keys
from certward.runtime.account_store import Account
from certward.runtime.issuers import LOOK_SECONDS, SEEN_BY_ALL, Issuers
from certward.runtime.metrics import BUGS

log = logging.getLogger(__name__)

#: Seconds that the requests under way may take to end before a key is changed; else it is tried again later.
_PATIENCE: Final = 60.0
#: Seconds after which a CA is told a contact again that it did not take.
_CONTACT_RETRY: Final = 3600.0


class AccountCare:
    """In a thread of its own; in every replica, but only the one with shard 0 changes anything."""

    def __init__(self, config: Config, issuers: Issuers, *, may_work: Callable[[], bool]) -> None:
        self._config = config
        self._issuers = issuers
        self._may_work = may_work
        self._stop = threading.Event()
        self._looking = threading.Lock()
        self._contact_at: dict[str, float] = {}
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
        if account.next_key_pem or (is_registered and account.is_rollover_wanted):
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
        self._contact_at[name] = time.monotonic() + _CONTACT_RETRY
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
        if not gate.close(_PATIENCE):
            log.warning("issuer %s: its account is in use, so its key is changed later", name)
            if not account.next_key_pem:
                gate.open()
            return
        if not account.next_key_pem:
            new_key = keys.generate_key("ECDSA-P256")
            account = self._issuers.store.write(name, replace(account, next_key_pem=new_key))
        if self._config.shards > 1 and (self._stop.wait(SEEN_BY_ALL) or not self._may_work()):
            return  # others use the account too: all have seen by now that it is about to get another key
        new = self._issuers.client_for(configured, replace(account, key_pem=account.next_key_pem, thumbprint=""))
        problem, found = "", new.find_account()
        if not found:
            problem = self._ask_for_change(configured, account)
        elif account.url not in ("", found):
            problem = f"The CA {name} knows the new key as that of another account."
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

    def _ask_for_change(self, configured: IssuerConfig, account: Account) -> str:
        """Ask the CA; returns why it refuses, empty when it has done it."""
        try:
            self._issuers.client_for(configured, account).change_key(account.next_key_pem)
        except Rejected as refusal:
            return refusal.message
        return ""
