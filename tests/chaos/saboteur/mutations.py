"""Mistakes that an operator makes on purpose, each of which breaks one invariant of the chaos suite."""

import logging
import time


def make(name: str) -> None:
    """Have this process make a mistake from now on."""
    _MUTATIONS[name]()


def _drop_the_secret_first() -> None:
    """The Secret is deleted before the next certificate is written into it."""
    from certward.runtime.secrets import Secrets

    store = Secrets.store_certificate

    def dropping(self, domain, **given):
        self._client.delete("Secret", domain.meta.namespace, domain.secret_name)
        store(self, domain, **given)

    Secrets.store_certificate = dropping


def _take_the_route_away() -> None:
    """The HTTPS route is not there for some seconds while a certificate is renewed."""
    from certward.runtime.secrets import Secrets

    store = Secrets.store_certificate

    def without_a_route(self, domain, **given):
        is_renewal = self.known(domain) is not None
        ref = ("Ingress", domain.meta.namespace, f"certward-{domain.meta.name}-https")
        route = self._client.get(*ref) if is_renewal else None
        if route is not None:
            self._client.delete(*ref)
            time.sleep(4)
            kept = ("name", "namespace", "labels", "annotations", "ownerReferences")
            meta = {name: route["metadata"][name] for name in kept if name in route["metadata"]}
            self._client.apply({**{name: route[name] for name in ("apiVersion", "kind", "spec")}, "metadata": meta})
        store(self, domain, **given)

    Secrets.store_certificate = without_a_route


def _use_one_key_again() -> None:
    """Each order of a Domain has the same key."""
    from certward.runtime.order_key import OrderKey

    OrderKey._label = lambda self: self._domain.hostname


def _use_one_key_for_all() -> None:
    """All Domains have the same key."""
    from certward.runtime.order_key import OrderKey

    OrderKey._label = lambda _self: "everybody's"


def _log_the_key() -> None:
    """A line of the key is in the log, without what the log itself would know a key by."""
    from certward.runtime.secrets import Secrets

    store = Secrets.store_certificate

    def telling(self, domain, **given):
        store(self, domain, **given)
        logging.getLogger("certward").info("stored %s", given["key_pem"].decode().splitlines()[2])

    Secrets.store_certificate = telling


def _order_blindly() -> None:
    """Each order is placed twice."""
    from certward.acme import orders

    place = orders.new_order

    def twice(issuer, hostnames, **given):
        place(issuer, hostnames, **{**given, "replaces": ""})
        return place(issuer, hostnames, **given)

    orders.new_order = twice


def _never_clean_up() -> None:
    """What is not needed any more stays."""
    from certward.runtime.secrets import Secrets

    Secrets.drop_next_key = lambda _self, _domain: None


_MUTATIONS = {
    "secret-dropped-first": _drop_the_secret_first,
    "route-taken-away": _take_the_route_away,
    "key-used-again": _use_one_key_again,
    "one-key-for-all": _use_one_key_for_all,
    "key-logged": _log_the_key,
    "ordered-twice": _order_blindly,
    "never-cleaned-up": _never_clean_up,
}
NAMES = tuple(_MUTATIONS)
