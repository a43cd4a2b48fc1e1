"""The configured issuers and their accounts: one account key each, made once, kept in a Secret, reused for ever."""

import base64
import hashlib
import json
import logging
import threading

from certward import __version__
from certward.acme.client import ExternalAccount, Issuer, IssuerSettings
from certward.config import Config, IssuerConfig
from certward.errors import ConfigError, Conflict, IssuerUnusable, OperatorError, Rejected
from certward.kube.client import Client, Object
from certward.model import keys
from certward.names import ACCOUNT_SECRET, GROUP, LABEL_MANAGED_BY, MANAGED_BY

log = logging.getLogger(__name__)

_ANNOTATION_DIRECTORY = f"{GROUP}/directory"
_ANNOTATION_ACCOUNT = f"{GROUP}/account-url"
#: Thumbprint of the key that the account is with: a Secret whose key was exchanged has another account.
_ANNOTATION_THUMBPRINT = f"{GROUP}/account-thumbprint"


class Issuers:
    """Hands out ACME clients by the issuer's name. For many threads."""

    def __init__(self, config: Config, client: Client, *, namespace: str) -> None:
        self._config = config
        self._client = client
        self._namespace = namespace
        self._lock = threading.Lock()
        self._issuers: dict[str, Issuer] = {}
        self._registered: set[str] = set()
        self._seen: dict[str, tuple[str, str]] = {}
        self._versions: dict[str, int] = {}

    def names(self) -> tuple[str, ...]:
        """All configured issuers, in order."""
        return tuple(issuer.name for issuer in self._config.issuers)

    def ready(self, name: str) -> Issuer:
        """An issuer whose account exists at the CA; makes key and account when they are missing.

        Raises:
            OperatorError: the CA or the API server could not or would not.
        """
        issuer = self._load(name, create=True)
        if issuer is None:  # pragma: no cover - create=True makes one
            raise Rejected("CARejected", f"issuer {name} has no account key")
        if name not in self._registered:
            url = issuer.ensure_account()
            self._remember_account(name, url, issuer.thumbprint)
            self._registered.add(name)
        return issuer

    def version(self, name: str) -> int:
        """How often the Secrets of an issuer have been found changed, so that what has failed is tried anew."""
        return self._versions.get(name, 0)

    def look_again(self) -> set[str]:
        """See whether the Secrets with the account's key and the external account's have changed or gone.

        Returns:
            The issuers whose have; they are read anew when they are next asked for.

        Raises:
            OperatorError: the API server could not or would not.
        """
        changed = set()
        for configured in self._config.issuers:
            with self._lock:
                name, known = configured.name, self._seen.get(configured.name)
                if known is None:
                    continue
                account = self._client.get("Secret", self._namespace, _secret_name(name))
                if known == (_digest(account), _digest(self._external_secret(configured))):
                    continue
                log.info("issuer %s: the keys of its account have changed", name)
                self._seen.pop(name)
                self._issuers.pop(name, None)
                self._registered.discard(name)
                self._versions[name] = self._versions.get(name, 0) + 1
                changed.add(name)
        return changed

    def thumbprint(self, name: str) -> str | None:
        """The account key's thumbprint (RFC 7638), or None while there is no key."""
        try:
            issuer = self._load(name, create=False)
        except OperatorError as error:
            log.warning("account key of issuer %s: %s", name, error.message)
            return None
        return issuer.thumbprint if issuer else None

    def answers(self) -> dict[str, dict[str, int]]:
        """How each issuer that was asked has answered: counts by HTTP status, for metrics."""
        known = self._issuers.copy()  # without the lock, which is held while the API server is asked for a key
        return {name: issuer.tally.counts() for name, issuer in known.items()}

    def _load(self, name: str, *, create: bool) -> Issuer | None:
        with self._lock:
            known = self._issuers.get(name)
            if known is not None:
                return known
            configured = self._config.issuer(name)
            if configured is None:
                return None
            secret = self._client.get("Secret", self._namespace, _secret_name(name))
            if secret is None:
                if not create:
                    return None
                secret = self._create(configured)
            external = self._external_secret(configured)
            self._seen[name] = (_digest(secret), _digest(external))
            issuer = self._make(configured, secret, external)
            self._issuers[name] = issuer
            return issuer

    def _create(self, configured: IssuerConfig) -> Object:
        key_pem = keys.generate_key("ECDSA-P256")
        manifest: Object = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": _secret_name(configured.name),
                "namespace": self._namespace,
                "labels": {LABEL_MANAGED_BY: MANAGED_BY},
                "annotations": {_ANNOTATION_DIRECTORY: configured.directory},
            },
            "type": "Opaque",
            "data": {"tls.key": base64.b64encode(key_pem).decode()},
        }
        try:
            created = self._client.create(manifest)
        except Conflict:
            created = self._client.get("Secret", self._namespace, _secret_name(configured.name))
        if created is None:
            raise Rejected("CARejected", f"namespace {self._namespace} of the operator is gone")
        log.info("made an account key for issuer %s", configured.name)
        return created

    def _make(self, configured: IssuerConfig, secret: Object, external: Object | None) -> Issuer:
        key_pem = base64.b64decode((secret.get("data") or {}).get("tls.key") or "")
        annotations = secret["metadata"].get("annotations") or {}
        is_same_ca = annotations.get(_ANNOTATION_DIRECTORY) == configured.directory
        settings = IssuerSettings(
            name=configured.name,
            directory=configured.directory,
            email=configured.email,
            ca_bundle_pem=configured.ca_bundle,
            external_account=_external_account(configured, external),
        )
        url = annotations.get(_ANNOTATION_ACCOUNT, "") if is_same_ca else ""
        try:
            issuer = Issuer(settings, key_pem, url, user_agent=f"certward/{__version__}")
        except ConfigError:
            raise IssuerUnusable(
                "CARejected",
                f"The account key of issuer {configured.name} cannot be used; the administrator has to restore Secret "
                f"{_secret_name(configured.name)} in the operator's namespace, or to delete it, so that a new account "
                "is made.",
            ) from None
        if annotations.get(_ANNOTATION_THUMBPRINT) != issuer.thumbprint:
            issuer.forget_account()  # another key was put into the Secret; the CA knows by the key whose it is
        return issuer

    def _external_secret(self, configured: IssuerConfig) -> Object | None:
        binding = configured.external_account_binding
        return self._client.get("Secret", self._namespace, binding.hmac_key_secret_ref.name) if binding else None

    def _remember_account(self, name: str, url: str, thumbprint: str) -> None:
        """Write the account's URL beside its key, where people look for it; the key alone would do."""
        secret = self._client.get("Secret", self._namespace, _secret_name(name))
        configured = self._config.issuer(name)
        if secret is None or configured is None:
            return
        wanted = {
            _ANNOTATION_ACCOUNT: url,
            _ANNOTATION_THUMBPRINT: thumbprint,
            _ANNOTATION_DIRECTORY: configured.directory,
        }
        annotations = secret["metadata"].get("annotations") or {}
        if any(annotations.get(key) != value for key, value in wanted.items()):
            meta = secret["metadata"]
            self._client.apply(
                {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "metadata": {
                        "name": meta["name"],
                        "namespace": meta["namespace"],
                        "uid": meta["uid"],
                        "annotations": wanted,
                    },
                }
            )


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


def _digest(secret: Object | None) -> str:
    """Of what a Secret holds, so that notes beside it count for nothing; empty when it is not there."""
    if secret is None:
        return ""
    return hashlib.sha256(json.dumps(secret.get("data"), sort_keys=True).encode()).hexdigest()


def _secret_name(issuer: str) -> str:
    return f"{ACCOUNT_SECRET}{issuer}"
