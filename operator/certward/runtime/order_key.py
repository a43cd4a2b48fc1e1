"""The private key for an open order: derived where that is possible, else kept before it is used.

An elliptic curve's key is derived from a seed of the operator's and the order's URL, so that a restarted operator goes
on with an order without a Secret having been written and deleted for each. An RSA key cannot be derived; it is kept in
`<domain>-tls-next` from before the signing request until the certificate is stored.
"""

from certward.errors import Transient
from certward.model import keys
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

    def pem(self) -> bytes:
        """The key.

        Raises:
            Transient: with reason OrderInvalid where it is gone.
            OperatorError: the API server could not or would not answer.
        """
        if self._pem is None and keys.is_derivable(self._key_type) and self._memory.order:
            seed = self._seeds.of(self._memory.order_created_at)
            self._pem = keys.derive_key(seed, self._memory.order.url, self._key_type)
        if self._pem is None:
            raise Transient("OrderInvalid", "The key of the open order is gone; it is placed anew.")
        return self._pem
