"""The private key for an open order: made when the CA wants the signing request, kept when the CA takes its time.

Until the signing request is sent any key will do, so none is kept. Most CAs then issue within a second, and the key
goes straight into the certificate's Secret. Only when the order has to be left alone with its request sent does the key
go into `<domain>-tls-next`, from where a restarted operator goes on. What a crash within that second costs is an order.
"""

from certward.errors import OperatorError, Transient
from certward.model import keys
from certward.model.resources import Domain
from certward.runtime.memory import Memory
from certward.runtime.secrets import Secrets


class OrderKey:
    """Lives in the frame of one step; nothing else holds the key."""

    def __init__(self, secrets: Secrets, domain: Domain, memory: Memory, key_type: str) -> None:
        """Look for a kept one, unless this process knows that there is none.

        Raises:
            OperatorError: the API server could not or would not answer.
        """
        self._secrets, self._domain, self._memory = secrets, domain, memory
        self._key_type = key_type
        self._pem = secrets.next_key(domain) if memory.has_next_key is not False else None
        memory.has_next_key = self._pem is not None

    def see_that_it_fits(self) -> None:
        """Give the order up that was finalized with a key that is gone.

        Raises:
            Transient: with reason OrderInvalid: place a new one.
        """
        order = self._memory.order
        if self._pem is None and order is not None and order.status in ("processing", "valid"):
            raise Transient("OrderInvalid", "The key of the open order is gone; it is placed anew.")

    def csr(self) -> bytes:
        """The signing request for the Domain's hostname, DER."""
        if self._pem is None:
            self._pem = keys.generate_key(self._key_type)
        return keys.csr_der(self._pem, [self._domain.hostname])

    def pem(self) -> bytes:
        """The key.

        Raises:
            Transient: with reason OrderInvalid where there is none.
        """
        if self._pem is None:
            raise Transient("OrderInvalid", "The key of the open order is gone; it is placed anew.")
        return self._pem

    def keep(self) -> None:
        """Keep a key that the CA may have been told of, before the order is left alone.

        Raises:
            OperatorError: it cannot be kept; the order is looked at anew before anything else is done about it.
        """
        if self._pem is None or self._memory.has_next_key:
            return
        try:
            self._secrets.store_next_key(self._domain, self._pem)
        except OperatorError:
            self._memory.order = None
            raise
        self._memory.has_next_key = True
