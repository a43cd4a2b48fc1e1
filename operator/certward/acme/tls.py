"""How the CA's own certificate is verified, for `requests`."""

import ssl
from typing import Any

from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH


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


class ContextAdapter(HTTPAdapter):
    """Verifies with a given context instead of certifi's roots, directly and through proxies."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(pool_connections=2, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as requests declares it
        """The pool for direct connections."""
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as above
        """The pool for connections through a proxy."""
        return super().proxy_manager_for(*args, ssl_context=self._context, **kwargs)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:  # noqa: ANN401 - as above
        """Nothing: requests would load certifi's roots into the context at each connection."""
