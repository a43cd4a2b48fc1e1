"""What a namespace with challenge routes needs: the Service and EndpointSlices that lead to the answerer."""

import threading
import time
from collections.abc import Mapping

from certward.config import Config
from certward.kube.cache import Cache
from certward.kube.client import Client
from certward.kube.ensure import Ensurer
from certward.model.hostnames import is_wildcard
from certward.model.resources import App, Domain
from certward.names import CHALLENGE_SERVICE
from certward.render.dialects import Dialect
from certward.render.manifests import challenge_objects

#: The operator's own Service; its EndpointSlices name the replicas.
OPERATOR_SERVICE = "certward"
_FAMILIES = ("ipv4", "ipv6")


class Namespaces:
    """Keeps the challenge Service in every namespace that needs it, and in no other."""

    def __init__(
        self,
        config: Config,
        client: Client,
        cache: Cache,
        ensurer: Ensurer,
        *,
        namespace: str,
        dialects: Mapping[str, Dialect],
    ) -> None:
        self._config = config
        self._client = client
        self._cache = cache
        self._ensurer = ensurer
        self._dialects = dialects
        self._namespace = namespace
        self._lock = threading.Lock()
        self._addresses: tuple[str, ...] = ()
        self._read_at = -1e9

    def ensure(self, namespace: str) -> None:
        """Have the objects there as long as a Domain of the namespace wants certificates, and gone afterwards."""
        if self._is_needed(namespace):
            self.provide(namespace)
        else:
            self._ensurer.absent((*_slices(namespace), ("Service", namespace, CHALLENGE_SERVICE)))
        has_builtin = any(app.status.get("hostname") for app in self._cache.all(App, namespace))
        if not has_builtin and not self._cache.all(Domain, namespace):
            for dialect in self._dialects.values():
                self._ensurer.absent(dialect.leftovers_in(namespace))

    def provide(self, namespace: str) -> None:
        """Have the objects there."""
        port = self._config.challenge.http01.port
        manifests = challenge_objects(namespace, port=port, addresses=self.addresses())
        self._ensurer.present(manifests)
        there = {m["metadata"]["name"] for m in manifests}
        self._ensurer.absent(ref for ref in _slices(namespace) if ref[2] not in there)

    def addresses(self) -> tuple[str, ...]:
        """Where the replicas answer, as configured or as the operator's own EndpointSlices say."""
        advertise = self._config.challenge.http01.advertise
        if advertise:
            return tuple(str(address) for address in advertise)
        with self._lock:
            if time.monotonic() - self._read_at > 1.0:
                self._addresses = self._read()
                self._read_at = time.monotonic()
            return self._addresses

    def _read(self) -> tuple[str, ...]:
        found: set[str] = set()
        slices = self._client.list(
            "EndpointSlice", self._namespace, labels=f"kubernetes.io/service-name={OPERATOR_SERVICE}"
        )
        for endpoint_slice in slices:
            for endpoint in endpoint_slice.get("endpoints") or ():
                if (endpoint.get("conditions") or {}).get("ready") is not False:
                    found.update(endpoint.get("addresses") or ())
        return tuple(sorted(found))

    def _is_needed(self, namespace: str) -> bool:
        for domain in self._cache.all(Domain, namespace):
            app = self._cache.app(namespace, domain.app)
            is_challenged = app is not None and app.is_automatic and not is_wildcard(domain.hostname)
            if is_challenged and not domain.meta.is_deleting:
                return True
        return False


def _slices(namespace: str) -> tuple[tuple[str, str, str], ...]:
    return tuple(("EndpointSlice", namespace, f"{CHALLENGE_SERVICE}-{family}") for family in _FAMILIES)
