"""The Secrets `certward-account-<issuer>` in the operator's namespace: an account's key, and what its CA was told."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from certward.errors import Conflict, Rejected, Transient
from certward.kube.client import Client, Object
from certward.names import ACCOUNT_SECRET, ANNOTATION_ROLLOVER, GROUP, LABEL_MANAGED_BY, MANAGED_BY

_DIRECTORY = f"{GROUP}/directory"
_URL = f"{GROUP}/account-url"
#: Of the key that the account is with: a Secret whose key was exchanged has another account.
_THUMBPRINT = f"{GROUP}/account-thumbprint"
_CONTACT = f"{GROUP}/contact"
_HANDLED = f"{GROUP}/rollover-handled"
_PROBLEM = f"{GROUP}/rollover-problem"
_KEY, _NEXT_KEY = "tls.key", "next.key"


@dataclass(frozen=True, slots=True)
class Account:
    """What a Secret holds. Keys are in no repr.

    Attributes:
        key_pem: the account's key.
        next_key_pem: the one that is to replace it. Which of the two the CA knows is not certain while it is here.
        directory: of the CA at which the account is.
        url: the account's URL there; empty while it is not known.
        thumbprint: of the key with which it has this URL.
        contact: the e-mail address that the CA was told; empty when none.
        asked: the value with which a new key is asked for.
        handled: the value of that which was handled last.
        problem: why the last new key was not taken, as a sentence; beside `next_key_pem`: why it is not known whether
            it was, so that the account is used with the key before.
        uid: of the Secret.
        resource_version: as it was read.
    """

    key_pem: bytes = field(repr=False)
    next_key_pem: bytes = field(default=b"", repr=False)
    directory: str = ""
    url: str = ""
    thumbprint: str = ""
    contact: str = ""
    asked: str = ""
    handled: str = ""
    problem: str = ""
    uid: str = ""
    resource_version: str = ""

    @property
    def is_changing(self) -> bool:
        """Whether nobody may use the account until it is found out which of two keys the CA knows."""
        return bool(self.next_key_pem) and not self.problem

    @property
    def is_rollover_wanted(self) -> bool:
        """Whether a new key is asked for, or is on its way."""
        return bool(self.next_key_pem) or self.asked not in ("", self.handled)


class AccountStore:
    """Reads and writes them. For many threads, in several replicas."""

    def __init__(self, client: Client, *, namespace: str) -> None:
        self._client = client
        self._namespace = namespace

    def read(self, issuer: str) -> Account | None:
        """The account at an issuer; None while there is no Secret.

        Raises:
            OperatorError: the API server could not or would not.
        """
        live = self._client.get("Secret", self._namespace, secret_name(issuer))
        return None if live is None else _account(live)

    def create(self, issuer: str, account: Account) -> Account:
        """Keep a new account, unless there is one already.

        Returns:
            The one that is there now.

        Raises:
            OperatorError: the API server could not or would not.
        """
        try:
            created = self._client.create(self._manifest(issuer, account))
        except Conflict:
            created = self._client.get("Secret", self._namespace, secret_name(issuer))
        if created is None:
            raise Rejected("CARejected", f"namespace {self._namespace} of the operator is gone")
        return _account(created)

    def write(self, issuer: str, account: Account) -> Account:
        """Write an account that was read, whole: a server-side apply states all or loses the rest.

        Raises:
            Conflict: somebody else has written it since.
            OperatorError: the API server could not or would not.
        """
        manifest = self._manifest(issuer, account)
        manifest["metadata"] |= {"uid": account.uid, "resourceVersion": account.resource_version}
        written = self._client.apply(manifest)
        if written is None:
            raise Transient("APIServerUnavailable", f"Secret {secret_name(issuer)} is being deleted")
        return _account(written)

    def _manifest(self, issuer: str, account: Account) -> Object:
        told = {
            _DIRECTORY: account.directory,
            _URL: account.url,
            _THUMBPRINT: account.thumbprint,
            _CONTACT: account.contact,
            _HANDLED: account.handled,
            _PROBLEM: account.problem,
        }
        data = {_KEY: account.key_pem, _NEXT_KEY: account.next_key_pem}
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": secret_name(issuer),
                "namespace": self._namespace,
                "labels": {LABEL_MANAGED_BY: MANAGED_BY},
                "annotations": {name: value for name, value in told.items() if value},
            },
            "type": "Opaque",
            # An empty one, too: what is left out stays where another manager has written it, as a restore does.
            "data": {name: base64.b64encode(value).decode() for name, value in data.items()},
        }


def secret_name(issuer: str) -> str:
    """The Secret of the account at an issuer."""
    return f"{ACCOUNT_SECRET}{issuer}"


def _account(live: Mapping[str, Any]) -> Account:
    meta, data = live["metadata"], live.get("data") or {}
    annotations = meta.get("annotations") or {}
    key_pem = base64.b64decode(data.get(_KEY) or "")
    next_key_pem = base64.b64decode(data.get(_NEXT_KEY) or "")
    return Account(
        key_pem=key_pem,
        next_key_pem=b"" if next_key_pem == key_pem else next_key_pem,
        directory=annotations.get(_DIRECTORY, ""),
        url=annotations.get(_URL, ""),
        thumbprint=annotations.get(_THUMBPRINT, ""),
        contact=annotations.get(_CONTACT, ""),
        asked=annotations.get(ANNOTATION_ROLLOVER, ""),
        handled=annotations.get(_HANDLED, ""),
        problem=annotations.get(_PROBLEM, ""),
        uid=meta["uid"],
        resource_version=str(meta["resourceVersion"]),
    )
