"""An issuer: a CA's directory and our account there, for many threads at once."""

import json
import math
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

from acme import messages

from certward.acme.account import AccountKey
from certward.acme.detail import shown_detail
from certward.acme.holds import Holds
from certward.acme.problems import ProblemReply, to_error
from certward.acme.settings import ExternalAccount, IssuerSettings
from certward.acme.shared import Shared
from certward.acme.tally import Tally
from certward.acme.tls import tls_context
from certward.acme.transport import JSON, Reply, Transport
from certward.errors import ConfigError, IssuerUnusable, OperatorError, RateLimited, Rejected, Transient

__all__ = ["ExternalAccount", "Issuer", "IssuerSettings"]

#: Seconds before which a directory is not fetched anew for what is not in it.
DIRECTORY_RENEWAL: Final = 60.0

#: What CAs answer to newAccount with a binding that they do not know or cannot verify (RFC 8555, 7.3.4).
_REFUSED_BINDING = ("unauthorized", "malformed")
#: What CAs answer to a signature by another key than the account's.
_WRONG_KEY = ("unauthorized", "malformed")
_REQUIRED_RESOURCES = ("newNonce", "newAccount", "newOrder")


class Issuer:
    """A CA and our account there. Safe for threads: each has its own connection and nonces.

    Args:
        settings: from the configuration.
        account_key_pem: the account's private key; RSA or ECDSA.
        account_url: where the account is already known.
        timeout: seconds to connect, and seconds for a whole reply.
        user_agent: how we introduce ourselves.
        is_replaced: tells whether the account has another key by now; asked when the CA does not accept a request.

    Attributes:
        tally: how the CA has answered.

    Raises:
        ConfigError: caBundle or the account key cannot be read.
    """

    def __init__(
        self,
        settings: IssuerSettings,
        account_key_pem: bytes,
        account_url: str = "",
        *,
        timeout: float = 30.0,
        user_agent: str = "certward",
        is_replaced: Callable[[], bool] = lambda: False,
    ) -> None:
        self._settings = settings
        self._account_url = account_url
        self._timeout = timeout
        self._user_agent = user_agent
        self._is_replaced = is_replaced
        try:
            self._context = tls_context(settings.ca_bundle_pem)
        except ValueError as error:
            raise ConfigError("issuers", f"caBundle of issuer {settings.name}: {error}") from error
        try:
            self._key = AccountKey(account_key_pem)
        except ValueError as error:
            raise ConfigError("issuers", f"{error}, of issuer {settings.name}") from None
        self._directory: Mapping[str, Any] = {}
        self._fetching: Shared[Mapping[str, Any]] = Shared()
        self._renewed_at = -math.inf
        self._registering: Shared[str] = Shared()
        self._holds = Holds(settings.name)
        self.tally = Tally()
        self._local = threading.local()

    def __repr__(self) -> str:
        return f"Issuer({self.name!r}, {self._settings.directory!r})"

    @property
    def name(self) -> str:
        """The issuer's name in the configuration."""
        return self._settings.name

    @property
    def thumbprint(self) -> str:
        """The account key's thumbprint (RFC 7638), base64url; the second half of every key authorization."""
        return self._key.thumbprint

    @property
    def account_url(self) -> str:
        """The account's URL, empty as long as it is not known."""
        return self._account_url

    def ensure_account(self) -> str:
        """The account's URL; the account is created, or found again by its key, where it is not known yet.

        Raises:
            Transient, RateLimited, Rejected: as the CA says.
        """
        if self._account_url:
            return self._account_url
        try:
            return self._register(known="")
        except ProblemReply as reply:
            raise self.error(reply) from reply

    def forget_account(self) -> None:
        """Have the account found by its key when it is next needed, or made."""
        self._account_url = ""

    def find_account(self) -> str:
        """The URL of the account with this key, empty where the CA says that it has none (RFC 8555, 7.3.1); makes none.

        Raises:
            Transient, RateLimited, Rejected: as the CA says; whether there is one is not known then.
        """
        for is_bound in (False, True):
            binding = self._binding() if is_bound else None
            registration = messages.NewRegistration.from_data(
                only_return_existing=True, external_account_binding=binding
            )
            try:
                return self._ask_for_account(registration)
            except ProblemReply as refusal:
                if refusal.problem.code == "accountDoesNotExist":
                    return ""
                # A binding may be good for one use only, so that no CA gets it that does not ask for it.
                is_wanted = refusal.problem.code == "externalAccountRequired" and self._settings.external_account
                if is_bound or not is_wanted:
                    raise self.error(refusal) from refusal
        raise AssertionError("unreachable")

    def is_key_of(self, account_url: str) -> bool:
        """Whether the CA shows an account to who has this key (RFC 8555, 6.2, 6.3 and 7.1.2); no: not, or to nobody.

        Raises:
            Transient, RateLimited: it could not be asked.
        """
        try:
            return bool(self._post(account_url, b"", account_url).json().get("status") == "valid")
        except (ProblemReply, ValueError):
            return False

    def change_key(self, new_key_pem: bytes) -> None:
        """Give the account another key (RFC 8555, 7.3.5); this client is of no use afterwards.

        Raises:
            Rejected: the CA does not do that, or not with this key.
            Transient, RateLimited: it is not known whether it was done.
        """
        url = self.directory().get("keyChange")
        if not isinstance(url, str):
            raise Rejected("CARejected", f"The CA {self.name} does not change the keys of accounts.")
        account_url = self.ensure_account()
        endorsed = AccountKey(new_key_pem).endorse(self._key, account_url=account_url, url=url)
        try:
            self.post(url, endorsed)
        except ProblemReply as reply:
            raise self.error(reply) from reply

    def update_contact(self) -> None:
        """Tell the CA the e-mail address of the settings, or that there is none any more (RFC 8555, 7.3.2).

        Raises:
            Rejected: it does not accept it.
            Transient, RateLimited: try again later.
        """
        contact = [f"mailto:{self._settings.email}"] if self._settings.email else []
        try:
            self.post(self.ensure_account(), json.dumps({"contact": contact}).encode())
        except ProblemReply as reply:
            raise self.error(reply) from reply

    def profiles(self) -> Mapping[str, str]:
        """The ACME profiles that the CA offers, with their descriptions (draft-ietf-acme-profiles).

        Raises:
            Transient: the directory cannot be had.
        """
        meta = self.directory().get("meta")
        profiles = meta.get("profiles") if isinstance(meta, dict) else None
        return profiles if isinstance(profiles, dict) else {}

    def supports_profiles(self) -> bool:
        """Whether the CA offers profiles at all."""
        return bool(self.profiles())

    def directory(self) -> Mapping[str, Any]:
        """The CA's directory (RFC 8555, 7.1.1), fetched once and again after trouble.

        Raises:
            Transient: it cannot be had, or what is there is no directory.
        """
        return self._directory or self._fetching.run(self._fetch_directory)

    def renew_directory(self) -> None:
        """Fetch the directory anew, unless that was done in the last minute: a CA may offer more, or less, by now.

        Raises:
            Transient, RateLimited: it cannot be had.
        """

        def attempt() -> Mapping[str, Any]:
            if time.monotonic() < self._renewed_at + DIRECTORY_RENEWAL:
                return self._directory or self._fetch_directory()
            fetched = self._fetch_directory()
            self._renewed_at = time.monotonic()
            return fetched

        self._fetching.run(attempt)

    def has_resource_url(self, url: str) -> bool:
        """Whether a URL from elsewhere, such as a status, leads to this CA."""
        own = (self._settings.directory, str(self.directory()["newOrder"]))
        return urlsplit(url)[:2] in {urlsplit(known)[:2] for known in own}

    def post(self, url: str, payload: bytes = b"", *, accept: str = JSON) -> Reply:
        """A request in the account's name; an account that the CA has lost is registered again, once.

        Raises:
            ProblemReply: the CA refused; see `error`.
            Transient: it did not answer.
        """
        account_url = self.ensure_account()
        try:
            return self._post(url, payload, account_url, accept)
        except ProblemReply as reply:
            if reply.problem.code != "accountDoesNotExist":
                raise
        return self._post(url, payload, self._register(known=account_url), accept)

    def post_by_key(self, url: str, payload: bytes, key_pem: bytes) -> Reply:
        """A request in the name of a key instead of the account's, for a revocation by a certificate's own key.

        Raises:
            ProblemReply, Transient: as `post`.
            Rejected: the key is of a kind that cannot sign for ACME.
        """
        try:
            key = AccountKey(key_pem)
        except ValueError as error:
            raise Rejected("CARejected", f"The certificate's own key cannot be used at {self.name}: {error}.") from None
        transport = self._transport_of(key)
        try:
            return transport.post(url, payload, new_nonce_url=str(self.directory()["newNonce"]))
        finally:
            transport.close()

    def get(self, url: str) -> Reply:
        """A request without a signature.

        Raises:
            ProblemReply, Transient: as `post`.
        """
        return self._transport().get(url)

    def document(self, reply: Reply) -> dict[str, Any]:
        """The JSON object of a reply.

        Raises:
            Transient: there is none.
        """
        try:
            return reply.json()
        except ValueError as error:
            raise self.not_understood() from error

    def error(self, reply: ProblemReply, hostname: str = "") -> OperatorError:
        """The operator's error for a refused request."""
        if reply.problem.code in _WRONG_KEY and self._is_replaced():
            return Transient("CAUnavailable", f"The account at the CA {self.name} gets another key; it is tried again.")
        return to_error(
            reply.problem,
            retry_after=reply.retry_after,
            now=datetime.now(UTC),
            issuer_name=self.name,
            hostname=hostname,
        )

    def not_understood(self) -> Transient:
        """The error for an answer that is not what RFC 8555 promises."""
        return Transient("CAUnavailable", f"The CA {self.name} gave an answer that is not ACME; it is tried again.")

    def close(self) -> None:
        """Close the calling thread's connections; those of other threads close when the threads end."""
        transport: Transport | None = getattr(self._local, "transport", None)
        if transport is not None:
            transport.close()

    def _transport(self) -> Transport:
        transport: Transport | None = getattr(self._local, "transport", None)
        if transport is None:
            transport = self._local.transport = self._transport_of(self._key)
        return transport

    def _transport_of(self, key: AccountKey) -> Transport:
        return Transport(
            self.name,
            key,
            self._context,
            holds=self._holds,
            tally=self.tally,
            timeout=self._timeout,
            user_agent=self._user_agent,
        )

    def _post(self, url: str, payload: bytes, account_url: str, accept: str = JSON) -> Reply:
        new_nonce_url = str(self.directory()["newNonce"])
        try:
            return self._transport().post(
                url, payload, new_nonce_url=new_nonce_url, account_url=account_url, accept=accept
            )
        except (Transient, ProblemReply) as error:
            # A CA that moved shows as one that is away or as something that is not a CA.
            if isinstance(error, Transient) or not error.problem.code:
                self._directory = {}
            raise

    def _fetch_directory(self) -> Mapping[str, Any]:
        try:
            document = self._transport().get(self._settings.directory).json()
        except ProblemReply as reply:
            error = self.error(reply)
            in_trouble = reply.problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR
            raise (error if in_trouble or isinstance(error, RateLimited) else self._no_directory()) from reply
        except ValueError as error:
            raise self._no_directory() from error
        if not all(isinstance(document.get(name), str) for name in _REQUIRED_RESOURCES):
            raise self._no_directory()
        self._directory = document
        return document

    def _no_directory(self) -> Transient:
        return Transient(
            "CAUnavailable",
            f"What answers for issuer {self.name} is not an ACME directory: check `directory` in the"
            " operator's configuration.",
        )

    def _register(self, known: str) -> str:
        """Register unless another thread has replaced the account URL that is `known` to be of no use."""

        def attempt() -> str:
            if self._account_url == known:
                self._account_url = self._new_account()
            return self._account_url

        return self._registering.run(attempt)

    def _new_account(self) -> str:
        """Create the account, or find the one with the same key (RFC 8555, 7.3 and 7.3.1)."""
        registration = messages.NewRegistration.from_data(
            email=self._settings.email or None,
            terms_of_service_agreed=True,
            external_account_binding=self._binding(),
        )
        return self._ask_for_account(registration)

    def _ask_for_account(self, registration: messages.NewRegistration) -> str:
        """The URL that newAccount gives (RFC 8555, 7.3)."""
        try:
            reply = self._post(str(self.directory()["newAccount"]), registration.json_dumps().encode(), account_url="")
        except ProblemReply as refusal:
            if registration.external_account_binding and refusal.problem.code in _REFUSED_BINDING:
                raise self._refused_binding(shown_detail(refusal.problem.detail)) from refusal
            raise
        location = reply.headers.get("Location", "")
        if not location:
            raise self.not_understood()
        return location

    def _binding(self) -> dict[str, Any] | None:
        """The external account's for newAccount, None where none is configured."""
        external = self._settings.external_account
        try:
            return self._key.bind(external, self.directory()) if external else None
        except ValueError as error:
            raise self._refused_binding(str(error)) from None

    def _refused_binding(self, why: str) -> IssuerUnusable:
        sentence = (
            f"The CA {self.name} cannot be used with the external account that is configured: the operator's "
            f"administrator has to correct externalAccountBinding of issuer {self.name}, or the Secret with its key."
        )
        return IssuerUnusable("CARejected", f"{sentence} The reason is: {why}" if why else sentence)
