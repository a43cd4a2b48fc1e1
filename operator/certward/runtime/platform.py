"""The platform's own names: an App and a Domain `*.suffix` in the operator's namespace.

By them its wildcard certificate is obtained or read, watched, served and proven like any other.
"""

import logging
from typing import Any

from certward.config import Config
from certward.kube.cache import Cache
from certward.kube.client import Client, Object
from certward.kube.ensure import is_managed
from certward.model.resources import Domain
from certward.names import API_VERSION, LABEL_MANAGED_BY, MANAGED_BY, PLATFORM
from certward.runtime.namespaces import OPERATOR_SERVICE

log = logging.getLogger(__name__)


class Platform:
    """Keeps the two objects; only the replica that works writes them."""

    def __init__(self, config: Config, client: Client, cache: Cache, namespace: str) -> None:
        self._config = config
        self._client = client
        self._cache = cache
        self._namespace = namespace

    @property
    def suffix(self) -> str:
        """The platform's domain; empty where it has none."""
        return self._config.platform_domain.suffix

    @property
    def domain(self) -> Domain | None:
        """The Domain of its wildcard certificate, as last heard."""
        return self._cache.domain(self._namespace, PLATFORM) if self.suffix else None

    @property
    def is_missing(self) -> bool:
        """Whether one of the two objects is not there, as last heard, though there is a domain."""
        there = (self._cache.app(self._namespace, PLATFORM), self._cache.domain(self._namespace, PLATFORM))
        return bool(self.suffix) and None in there

    def ensure(self) -> None:
        """Have the objects as the configuration says, and gone where it says nothing.

        Raises:
            OperatorError: the API server could not or would not.
        """
        for kind, spec in (("App", self._app()), ("Domain", self._wildcard())):
            live = self._client.get(kind, self._namespace, PLATFORM)
            if live is not None and not is_managed(live):
                log.warning("%s %s/%s is not Certward's and is left alone", kind, self._namespace, PLATFORM)
                continue
            self._keep(kind, spec if self.suffix else None, live)

    def _keep(self, kind: str, spec: dict[str, Any] | None, live: Object | None) -> None:
        is_same = live is not None and spec is not None and _has(live.get("spec") or {}, spec)
        if is_same or (live is None and spec is None):
            return
        # A hostname cannot be changed: the Domain makes way for another one.
        if live is not None and (spec is None or kind == "Domain"):
            self._client.delete(kind, self._namespace, PLATFORM, uid=live["metadata"]["uid"])
            live = None
        if spec is not None:
            log.info("%s %s/%s stands for the platform's own names", kind, self._namespace, PLATFORM)
            self._write(kind, spec, live)

    def _write(self, kind: str, spec: dict[str, Any], live: Object | None) -> None:
        """Not by an apply: that of the pinned revision, under the same name, would take the spec for given up."""
        if live is not None:
            self._client.replace({"apiVersion": API_VERSION, "kind": kind, "metadata": live["metadata"], "spec": spec})
            return
        meta = {"name": PLATFORM, "namespace": self._namespace, "labels": {LABEL_MANAGED_BY: MANAGED_BY}}
        self._client.create({"apiVersion": API_VERSION, "kind": kind, "metadata": meta, "spec": spec})

    def _app(self) -> dict[str, Any]:
        given = self._config.platform_domain.certificate_secret
        certificates: dict[str, Any] = {"automatic": not given}
        if given:
            certificates["manual"] = [{"secretName": given}]
        # Who asks for a name that no App has is answered by the answerer, which knows of nothing but challenges.
        service = {"name": OPERATOR_SERVICE, "port": "http01"}
        return {"service": service, "certificates": certificates, "httpsRedirect": False}

    def _wildcard(self) -> dict[str, Any]:
        return {"hostname": f"*.{self.suffix}", "appRef": {"name": PLATFORM}}


def _has(live: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return all(live.get(field) == value for field, value in wanted.items())
