"""How the CA's own certificate is verified, and what time an answer has, for `requests`."""

import ssl
from typing import Any

from requests import Session
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from certward.acme.patience import POOLS


def tls_context(ca_bundle_pem: bytes) -> ssl.SSLContext:
    """A context that trusts the system's roots (certifi's where it has none) and those of the bundle.

    Raises:
        ValueError: the bundle holds no certificate that can be read.
    """
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"]:
        context.load_verify_locations(cafile=DEFAULT_CA_BUNDLE_PATH)
    if ca_bundle_pem.strip():
        try:
            context.load_verify_locations(cadata=ca_bundle_pem.decode("ascii", "replace"))
        except ssl.SSLError as error:
            raise ValueError("no readable certificate in PEM form") from error
    return context


def mount(session: Session, context: ssl.SSLContext) -> None:
    """Have a session verify with a given context, and take no answer for which its timeout is too short."""
    adapter = _Adapter(context)
    session.mount("https://", adapter)
    session.mount("http://", adapter)


class _Adapter(HTTPAdapter):
    """Verifies with a given context instead of certifi's roots, directly and through proxies."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(pool_connections=2, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as requests declares it
        """The pool for direct connections."""
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as above
        """The pool for connections through a proxy."""
        manager = super().proxy_manager_for(*args, ssl_context=self._context, **kwargs)
        manager.pool_classes_by_scheme = POOLS
        return manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:  # noqa: ANN401 - as above
        """Nothing: requests would load certifi's roots into the context at each connection."""
