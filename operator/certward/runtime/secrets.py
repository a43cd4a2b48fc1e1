"""Reading and writing the Secrets of Domains. Private keys pass through these frames and stay in none."""

import hashlib
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from certward.errors import Conflict, Rejected, Transient
from certward.kube.client import Client, Object
from certward.model import keys, pki
from certward.model.keys import CertificateProblem
from certward.model.resources import Domain, format_time, secret_name
from certward.names import ANNOTATION_REFRESH, ANNOTATION_REVOKE
from certward.plan.checks import SecretState
from certward.render.manifests import (
    ANNOTATION_IN_A_ROW,
    ANNOTATION_INSTEAD_OF,
    ANNOTATION_ISSUED_AT,
    ANNOTATION_ISSUER,
    ANNOTATION_NOT_REVOKED,
    ANNOTATION_REVOKED,
    CERTIFICATE_MARKS,
    certificate_secret,
    next_key_secret,
    requests_of,
)
from certward.runtime.secret_state import decode, is_ours, read

#: How long what was found in a Secret is taken to be so within a burst of passes over the same Domain, in seconds.
_BELIEVED = 15.0


class _Seen(NamedTuple):
    """A look at a Secret.

    Attributes:
        at: monotonic time.
        of: what was asked of the Domain then; with a change of it begins another look.
    """

    at: float
    of: tuple[object, ...]


class _Known(NamedTuple):
    """What was found in a Secret.

    Attributes:
        state: it.
        uid: of the Domain that it was looked at for. To another one of the same name it may be something else.
    """

    state: SecretState
    uid: str


class Secrets:
    """The certificate Secrets. Remembers what it found in one by its resourceVersion, without the key."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], _Known] = {}
        self._seen: dict[tuple[str, str], _Seen] = {}
        self._roots_pem = b""

    def state(self, domain: Domain, now: datetime, roots_pem: bytes) -> SecretState:
        """What `<domain>-tls` holds.

        Args:
            domain: whose.
            now: aware UTC datetime, for the dates of the certificate.
            roots_pem: what counts as trusted.
        """
        self._roots_pem = roots_pem
        known = self._believed(domain)
        if known is None:
            known = self._found(domain, self._client.get(*_place(domain)), now, roots_pem)
        if known.facts and known.facts.not_after <= now:
            return replace(known, facts=None, problem=pki.EXPIRED)
        return known

    def _believed(self, domain: Domain) -> SecretState | None:
        """What was found a moment ago, unless something was amiss or is asked of the Domain since."""
        at = (domain.meta.namespace, domain.secret_name)
        with self._lock:
            seen = self._seen.get(at)
        known = self.known(domain) or SecretState()
        is_fresh = seen is not None and time.monotonic() - seen.at < _BELIEVED and seen.of == _asked_of(domain)
        return known if is_fresh and not known.problem else None

    def _found(self, domain: Domain, live: Object | None, now: datetime, roots_pem: bytes) -> SecretState:
        at = (domain.meta.namespace, domain.secret_name)
        known = self.known(domain)
        if live is None:
            known = None
        elif known is None or known.resource_version != str(live["metadata"]["resourceVersion"]):
            known = read(live, domain, now, roots_pem)
        with self._lock:
            if known is None:
                self._known.pop(at, None)
            else:
                self._known[at] = _Known(known, domain.meta.uid)
            self._seen[at] = _Seen(time.monotonic(), _asked_of(domain))
        return known or SecretState()

    def is_as_known(self, domain: Domain) -> bool:
        """Whether `<domain>-tls` is of the version that was read last; neither certificate nor key are read for it."""
        known = self.known(domain)
        version = self._client.version(*_place(domain)) if known else ""
        return known is not None and known.resource_version == version

    def known(self, domain: Domain) -> SecretState | None:
        """What `<domain>-tls` held when it was last read, at the last pass over its Domain; None: not read, or gone."""
        with self._lock:
            known = self._known.get((domain.meta.namespace, domain.secret_name))
        return known.state if known and known.uid == domain.meta.uid else None

    def forget(self, namespace: str, domain: str) -> None:
        """Drop what is remembered of the Secret of a Domain that is gone."""
        at = (namespace, secret_name(domain))
        with self._lock:
            self._known.pop(at, None)
            self._seen.pop(at, None)

    def next_key(self, domain: Domain) -> bytes | None:
        """The key of an open order, or None when there is none that can be used."""
        live = self._client.get("Secret", domain.meta.namespace, domain.next_secret_name)
        if live is None or not is_ours(live, domain):
            return None
        key_pem = decode(live, "tls.key")
        try:
            keys.load_private_key(key_pem)
        except CertificateProblem:
            return None
        return key_pem

    def next_key_facts(self, domain: Domain) -> tuple[str, str]:
        """(key type, hash of the public half) of the key of an open order; ("", "") when there is none."""
        key_pem = self.next_key(domain)
        if key_pem is None:
            return ("", "")
        public_key = keys.load_private_key(key_pem).public_key()
        return (keys.key_type_of(key_pem), hashlib.sha256(keys.spki(public_key)).hexdigest())

    def store_next_key(self, domain: Domain, key_pem: bytes) -> None:
        """Keep the key of an order before the CA is told of it.

        Raises:
            Rejected: a Secret of that name is somebody else's; it is left untouched.
            Transient: the namespace is being deleted.
            OperatorError: the API server could not or would not.
        """
        self._see_that_it_is_ours(domain, domain.next_secret_name)
        _kept(self._client.apply(next_key_secret(domain, key_pem=key_pem)), domain)

    def drop_next_key(self, domain: Domain) -> None:
        """Delete the key of an order that is over; a Secret of that name that is somebody else's is left untouched."""
        live = self._client.get("Secret", domain.meta.namespace, domain.next_secret_name)
        if live is not None and is_ours(live, domain):
            self._client.delete("Secret", domain.meta.namespace, domain.next_secret_name, uid=live["metadata"]["uid"])

    def store_certificate(
        self,
        domain: Domain,
        *,
        chain_pem: bytes,
        key_pem: bytes,
        issuer: str,
        instead_of: str = "",
        not_revoked: str = "",
        in_a_row: int = 0,
    ) -> None:
        """Put certificate and key into `<domain>-tls`, in one write.

        Args:
            domain: whose.
            chain_pem: the certificate and its chain.
            key_pem: its key.
            issuer: the configured issuer that it came from.
            instead_of: the issuer that was to be asked and why it could not issue; empty when it was this one.
            not_revoked: the revocation that was asked for the certificate before and has not been done; else empty.
            in_a_row: how many replacements by time or advice, each too early, have led to it.

        Raises:
            Rejected: a Secret of that name has come meanwhile that is somebody else's; it is left untouched.
            OperatorError: the API server could not or would not.
        """
        marks = requests_of(domain) | {ANNOTATION_ISSUED_AT: format_time(datetime.now(UTC))}
        marks |= {ANNOTATION_NOT_REVOKED: not_revoked} if not_revoked else {}
        marks |= {ANNOTATION_IN_A_ROW: str(in_a_row)} if in_a_row else {}
        manifest = certificate_secret(
            domain, chain_pem=chain_pem, key_pem=key_pem, issuer=issuer, instead_of=instead_of, marks=marks
        )
        is_first = self.known(domain) is None
        self._forget_look(domain)
        written = self._written_first(manifest) if is_first else None
        if written is None:
            self._see_that_it_is_ours(domain, domain.secret_name)
            written = self._client.apply(manifest)
        _kept(written, domain)
        self._found(domain, written, datetime.now(UTC), self._roots_pem)  # or the next pass would read it

    def _written_first(self, manifest: Mapping[str, Any]) -> Object | None:
        """Write a Secret that was not there, without another look: what has come meanwhile is not overwritten.

        Whoever has a Secret of type kubernetes.io/tls has set its data, and its type cannot be changed.

        Returns:
            The Secret; None where there may be another.
        """
        try:
            return self._client.apply(manifest, has_priority=False)
        except (Conflict, Rejected):
            return None

    def _forget_look(self, domain: Domain) -> None:
        with self._lock:
            self._seen.pop((domain.meta.namespace, domain.secret_name), None)

    def certificate(self, domain: Domain) -> tuple[bytes, bytes]:
        """Chain and key in `<domain>-tls`, empty where there are none."""
        live = self._client.get("Secret", domain.meta.namespace, domain.secret_name)
        if live is None or not is_ours(live, domain):
            return b"", b""
        return decode(live, "tls.crt"), decode(live, "tls.key")

    def adopt(self, domain: Domain) -> None:
        """Make a Secret that was restored go with its Domain, as one that was written here does.

        Raises:
            OperatorError: the API server could not or would not.
        """
        self._write_anew(domain)

    def mark_revoked(self, domain: Domain, *, fingerprint: str, asked: str) -> None:
        """Note beside a certificate that it has been revoked.

        Args:
            domain: whose.
            fingerprint: of the certificate.
            asked: the value that asked for it, which is handled by that.

        Raises:
            Conflict: the Secret was written meanwhile.
            OperatorError: the API server could not or would not.
        """
        self._write_anew(domain, {ANNOTATION_REVOKED: fingerprint, ANNOTATION_REVOKE: asked})

    def _see_that_it_is_ours(self, domain: Domain, name: str) -> None:
        live = self._client.get("Secret", domain.meta.namespace, name)
        if live is not None and not is_ours(live, domain):
            raise Rejected(
                "SecretInvalid",
                f"A Secret {name} that is not Certward's is in the way and is left untouched; rename or delete it, "
                f"then change annotation {ANNOTATION_REFRESH} of this Domain.",
            )

    def _write_anew(self, domain: Domain, marks: Mapping[str, str] | None = None) -> None:
        """Write what a Secret holds as the operator writes it: a server-side apply states all or loses the rest."""
        live = self._client.get("Secret", domain.meta.namespace, domain.secret_name)
        if live is None or not is_ours(live, domain):
            return
        annotations = live["metadata"].get("annotations") or {}
        manifest = certificate_secret(
            domain,
            chain_pem=decode(live, "tls.crt"),
            key_pem=decode(live, "tls.key"),
            issuer=annotations.get(ANNOTATION_ISSUER, ""),
            instead_of=annotations.get(ANNOTATION_INSTEAD_OF, ""),
            marks={name: annotations[name] for name in CERTIFICATE_MARKS if name in annotations} | dict(marks or {}),
        )
        manifest["metadata"] |= {name: live["metadata"][name] for name in ("uid", "resourceVersion")}
        self._forget_look(domain)
        _kept(self._client.apply(manifest), domain)


def _place(domain: Domain) -> tuple[str, str, str]:
    return ("Secret", domain.meta.namespace, domain.secret_name)


def _asked_of(domain: Domain) -> tuple[object, ...]:
    """What a person changes to have it looked at anew."""
    asked = domain.meta.annotations
    return (domain.meta.uid, domain.meta.generation, asked.get(ANNOTATION_REFRESH), asked.get(ANNOTATION_REVOKE))


def _kept(answer: Object | None, domain: Domain) -> None:
    if answer is None:
        raise Transient("APIServerUnavailable", f"namespace {domain.meta.namespace} is being deleted")
