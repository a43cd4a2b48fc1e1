"""The configured issuers and their accounts: one account key each, kept in a Secret, the same for all replicas."""

import asyncio
import base64
import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from certward import __version__
from certward.acme.client import ExternalAccount, Issuer, IssuerSettings
from certward.config import Config, IssuerConfig
from certward.errors import ConfigError, IssuerUnusable, OperatorError, Rejected
from certward.kube.client import Client, Object
from certward.model import keys
from certward.model.resources import parse_time
from certward.runtime.account_store import Account, AccountStore, secret_name
from certward.runtime.gate import Gate

log = logging.getLogger(__name__)

#: Seconds between two looks at the Secrets, in every replica.
LOOK_SECONDS: Final = 5.0
#: Seconds in which every replica has seen a new key.
SEEN_BY_ALL: Final = 2 * LOOK_SECONDS + 1
#: Seconds in which a key that was not there, or could not be had, is not looked for again: anybody may ask for answers
#: by it. A new key waits for as long before a CA sees it, or another replica could still say that there is none.
NO_KEY_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class _Miss:
    """A look for a key that found none that can be used.

    Attributes:
        until: when it is looked for again, as monotonic time.
        why: what was wrong, as a sentence; empty where there is just none yet.
    """

    until: float
    why: str = ""


class Issuers:
    """Hands out ACME clients by the issuer's name. For many threads."""

    def __init__(self, config: Config, client: Client, *, namespace: str) -> None:
        self._config = config
        self._client = client
        self._namespace = namespace
        self.store = AccountStore(client, namespace=namespace)
        self._lock = threading.Lock()
        self._issuers: dict[str, Issuer] = {}
        self._loaded_at: dict[str, float] = {}
        self._misses: dict[str, _Miss] = {}
        self._registered: dict[str, str] = {}
        self._seen: dict[str, tuple[str, str]] = {}
        self._versions: dict[str, int] = {}
        self._changed_at: dict[str, datetime] = {}
        self._gates = {issuer.name: Gate() for issuer in config.issuers}

    def names(self) -> tuple[str, ...]:
        """All configured issuers, in order."""
        return tuple(issuer.name for issuer in self._config.issuers)

    def gate(self, name: str) -> Gate:
        """What keeps an account from being used while its key is changed; always open for one not configured."""
        return self._gates.get(name) or Gate()

    def using(self, name: str) -> AbstractContextManager[bool]:
        """Use an account: `with issuers.using(name) as is_free`; not free while its key is changed."""
        return self.gate(name).using()

    def ready(self, name: str) -> Issuer:
        """An issuer whose account exists at the CA; makes key and account when they are missing.

        Raises:
            OperatorError: the CA or the API server could not or would not.
        """
        issuer = self._load(name)
        if not issuer.account_url:
            # The key may be new, and another replica may hold for a moment that there is none: a validation that fails
            # for that costs a minute. This wait comes once for an account, in a worker's thread, and holds no lock.
            time.sleep(max(0.0, self._loaded_at[name] + NO_KEY_SECONDS - time.monotonic()))
        url = issuer.ensure_account()  # another one than before where the CA had lost the account
        if self._registered.get(name) != url:
            self._remember_account(name, url, issuer.thumbprint)
            self._registered[name] = url
        return issuer

    def version(self, name: str) -> int:
        """How often the Secrets of an issuer have been found changed, so that what has failed is tried anew."""
        return self._versions.get(name, 0)

    def look_again(self, *, is_follower: bool = False) -> set[str]:
        """See whether the Secrets with the account's key and the external account's have changed or gone.

        Args:
            is_follower: another replica takes care of the accounts: what was kept from use while a key was changed is
                used again once that is over and all replicas can have seen it.

        Returns:
            The issuers whose have; they are read anew when they are next asked for.

        Raises:
            OperatorError: the API server could not or would not.
        """
        accounts = [(configured, self.store.read(configured.name)) for configured in self._config.issuers]
        changed = {configured.name for configured, account in accounts if self.notice(configured, account)}
        for configured, account in accounts:
            if is_follower and (account is None or not account.is_changing):
                self.gate(configured.name).open(after=SEEN_BY_ALL)
        return changed

    def notice(self, configured: IssuerConfig, account: Account | None) -> bool:
        """Take note of an account as it stands in its Secret now.

        Returns:
            Whether it is not the one that was used so far.

        Raises:
            OperatorError: the API server could not or would not.
        """
        name = configured.name
        if account is not None and account.is_changing:
            self.gate(name).close()
        digests = (_key_digest(account), _digest(self._external_secret(configured)))
        with self._lock:
            known = self._seen.get(name)
            if known is None or known == digests:
                return False
            log.info("issuer %s: the keys of its account have changed", name)
            self._seen.pop(name)
            self._issuers.pop(name, None)
            self._registered.pop(name, None)
            self._versions[name] = self._versions.get(name, 0) + 1
            self._changed_at[name] = datetime.now(UTC)
            return True

    def has_changed_since(self, name: str, created_at: str) -> bool:
        """Whether an account has got another key since a moment (RFC 3339): then its CA may have seen wrong answers."""
        changed_at = self._changed_at.get(name)
        return changed_at is not None and bool(created_at) and parse_time(created_at) <= changed_at

    def thumbprint(self, name: str) -> str | None:
        """The account key's thumbprint (RFC 7638), or None while there is no key."""
        known = self._issuers.get(name)
        if known is None:
            with self._lock:
                known = self._issuers.get(name) or self._look(name)
        return known.thumbprint if known else None

    async def thumbprint_awaited(self, name: str) -> str | None:
        """The same for an event loop, which is not kept from other work while the API server is asked for the key."""
        known = self._issuers.get(name)
        return known.thumbprint if known else await asyncio.to_thread(self.thumbprint, name)

    def client_for(self, configured: IssuerConfig, account: Account) -> Issuer:
        """A client for an account, whether it is the one in use or not.

        Raises:
            IssuerUnusable: its key, or that of its external account, cannot be used.
            OperatorError: the API server could not or would not.
        """
        return self._make(configured, account, self._external_secret(configured))

    def answers(self) -> dict[str, dict[str, int]]:
        """How each issuer that was asked has answered: counts by HTTP status, for metrics."""
        known = self._issuers.copy()  # without the lock, which is held while the API server is asked for a key
        return {name: issuer.tally.counts() for name, issuer in known.items()}

    def _load(self, name: str) -> Issuer:
        known = self._issuers.get(name)  # without the lock, as in all that is done for known ones
        if known is not None:
            return known
        configured = self._config.issuer(name)
        if configured is None:
            raise Rejected("CARejected", f"issuer {name} is not configured")
        with self._lock:
            known = self._issuers.get(name)
            if known is not None:
                return known
            account = self.store.read(name)
            if account is None:
                key_pem = keys.generate_key("ECDSA-P256")
                account = self.store.create(name, Account(key_pem, directory=configured.directory))
                log.info("made an account key for issuer %s", name)
            return self._keep(configured, account)

    def _look(self, name: str) -> Issuer | None:
        """Look for a key that is not known yet, unless that has just been done. Whoever calls has the lock."""
        configured, began, last = self._config.issuer(name), time.monotonic(), self._misses.get(name)
        if configured is None or (last is not None and began < last.until):
            return None
        try:
            account = self.store.read(name)
            if account is not None:
                return self._keep(configured, account)
            self._misses[name] = _Miss(began + NO_KEY_SECONDS)  # it may have been made since
        except OperatorError as error:
            self._misses[name] = _Miss(time.monotonic() + NO_KEY_SECONDS, error.message)
            if last is None or last.why != error.message:
                log.warning("account key of issuer %s: %s", name, error.message)
        return None

    def _keep(self, configured: IssuerConfig, account: Account) -> Issuer:
        """Use an account from here on. Whoever calls has the lock."""
        name, external = configured.name, self._external_secret(configured)
        self._seen[name] = (_key_digest(account), _digest(external))
        issuer = self._make(configured, account, external, lambda: self._is_replaced(name, account))
        self._misses.pop(name, None)
        self._loaded_at[name] = time.monotonic()
        self._issuers[name] = issuer
        return issuer

    def _is_replaced(self, name: str, used: Account) -> bool:
        """Whether the account has got another key than the one that is used here, or is about to."""
        try:
            account = self.store.read(name)
        except OperatorError:
            return False
        return account is not None and (bool(account.next_key_pem) or _key_digest(account) != _key_digest(used))

    def _make(
        self,
        configured: IssuerConfig,
        account: Account,
        external: Object | None,
        is_replaced: Callable[[], bool] = lambda: False,
    ) -> Issuer:
        settings = IssuerSettings(
            name=configured.name,
            directory=configured.directory,
            email=configured.email,
            ca_bundle_pem=configured.ca_bundle,
            external_account=_external_account(configured, external),
        )
        url = account.url if account.directory == configured.directory else ""
        try:
            issuer = Issuer(
                settings, account.key_pem, url, user_agent=f"certward/{__version__}", is_replaced=is_replaced
            )
        except ConfigError:
            raise IssuerUnusable(
                "CARejected",
                f"The account key of issuer {configured.name} cannot be used; the administrator has to restore Secret "
                f"{secret_name(configured.name)} in the operator's namespace, or to delete it, so that a new account "
                "is made.",
            ) from None
        if account.thumbprint != issuer.thumbprint:
            issuer.forget_account()  # another key was put into the Secret; the CA knows by the key whose it is
        return issuer

    def _external_secret(self, configured: IssuerConfig) -> Object | None:
        binding = configured.external_account_binding
        return self._client.get("Secret", self._namespace, binding.hmac_key_secret_ref.name) if binding else None

    def _remember_account(self, name: str, url: str, thumbprint: str) -> None:
        """Write the account's URL beside its key, where people look for it; the key alone would do."""
        account, configured = self.store.read(name), self._config.issuer(name)
        if account is None or configured is None:
            return
        if (account.url, account.thumbprint, account.directory) != (url, thumbprint, configured.directory):
            is_the_same = (account.url, account.directory) == (url, configured.directory)
            told = account.contact if is_the_same else ""
            account = replace(account, url=url, thumbprint=thumbprint, directory=configured.directory, contact=told)
            self.store.write(name, account)


def _external_account(configured: IssuerConfig, secret: Object | None) -> ExternalAccount | None:
    binding = configured.external_account_binding
    if binding is None:
        return None
    ref = binding.hmac_key_secret_ref
    value = base64.b64decode(((secret or {}).get("data") or {}).get(ref.key) or "").decode(errors="replace").strip()
    if not value:
        raise IssuerUnusable(
            "CARejected",
            f"Issuer {configured.name} cannot be used: the administrator has to put the key of its external account "
            f"into Secret {ref.name} of the operator's namespace, as {ref.key}.",
        )
    return ExternalAccount(key_id=binding.key_id, hmac_key=value)


def _key_digest(account: Account | None) -> str:
    """Of the account's key; notes beside it count for nothing. Empty when there is no Secret."""
    return hashlib.sha256(account.key_pem).hexdigest() if account else ""


def _digest(secret: Object | None) -> str:
    """Of what a Secret holds; empty when it is not there."""
    if secret is None:
        return ""
    return hashlib.sha256(json.dumps(secret.get("data"), sort_keys=True).encode()).hexdigest()
