"""The private key for an open order: derived where that is possible, else kept before it is used.

An elliptic curve's key is derived from a seed of the operator's and the order's URL, so that a restarted operator goes
on with an order without a Secret having been written and deleted for each. An RSA key cannot be derived; it is kept in
`<domain>-tls-next` from before the signing request until the certificate is stored.
"""

import hashlib

from certward.errors import ChallengeFailed, Transient
from certward.model import keys, pki
from certward.model.pki import CertificateFacts
from certward.model.resources import Domain
from certward.runtime.memory import Memory
from certward.runtime.order_seeds import OrderSeeds
from certward.runtime.secrets import Secrets


class OrderKey:
    """Lives in the frame of one step; nothing else holds the key."""

    def __init__(self, secrets: Secrets, seeds: OrderSeeds, domain: Domain, memory: Memory, key_type: str) -> None:
        """Look for a kept one, unless this process knows that there is none.

        Raises:
            OperatorError: the API server could not or would not answer.
        """
        self._secrets, self._seeds, self._domain, self._memory = secrets, seeds, domain, memory
        self._key_type = key_type
        self._pem = secrets.next_key(domain) if memory.has_next_key is not False else None
        memory.has_next_key = self._pem is not None

    def csr(self) -> bytes:
        """The signing request for the Domain's hostname, DER; the same key each time.

        Raises:
            OperatorError: the key cannot be kept.
        """
        if self._pem is None and not keys.is_derivable(self._key_type):
            self._pem = keys.generate_key(self._key_type)
            self._secrets.store_next_key(self._domain, self._pem)
            self._memory.has_next_key = True
        return keys.csr_der(self.pem(), [self._domain.hostname])

    def pem(self, certificate_pem: bytes = b"") -> bytes:
        """The key.

        Args:
            certificate_pem: what the CA has issued; what is wanted now may be of another type than what was asked for.

        Raises:
            Transient: with reason OrderInvalid where the key is gone.
            ChallengeFailed: with reason OrderInvalid where the CA issued for a key that it was not asked for.
            OperatorError: the API server could not or would not answer.
        """
        issued = _leaf(certificate_pem)
        key_type = issued.key_type if issued else self._key_type
        if self._pem is None and keys.is_derivable(key_type) and self._memory.order:
            seed = self._seeds.of(self._memory.order_created_at)
            self._pem = keys.derive_key(seed, self._label(), key_type)
        if self._pem is None or (issued and issued.spki_sha256 != _public_half(self._pem)):
            # A key that this process made and still has is not gone: the CA took another.
            if not self._memory.is_resumed and (self._pem or keys.is_derivable(self._key_type)):
                raise ChallengeFailed("OrderInvalid", "The CA issued a certificate of no use: it is for another key.")
            raise Transient("OrderInvalid", "The key of the open order is gone; it is placed anew.")
        return self._pem

    def _label(self) -> str:
        """What nobody else's key is derived from, even if a CA gave two orders one URL."""
        meta = self._domain.meta
        url = self._memory.order.url if self._memory.order else ""
        return f"{url}|{meta.namespace}/{meta.name}|{self._domain.hostname}"


def _leaf(certificate_pem: bytes) -> CertificateFacts | None:
    """The certificate, None where there is none that can be read; that is told where it is stored."""
    try:
        return pki.facts_of(pki.load_chain(certificate_pem)[0]) if certificate_pem else None
    except keys.CertificateProblem:
        return None


def _public_half(key_pem: bytes) -> str:
    return hashlib.sha256(keys.spki(keys.load_private_key(key_pem).public_key())).hexdigest()
