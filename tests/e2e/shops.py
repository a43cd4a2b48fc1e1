"""An App with a bought certificate, and clients that ask its hosts without a pause."""

from contextlib import ExitStack
from typing import Any

from e2e.bought import Seller, tls_secret
from e2e.streams import Stream
from e2e.world import Domain, Status, World, condition, serial


class Shop:
    """An App with two Domains and a bought certificate for both."""

    def __init__(self, world: World, seller: Seller, *, automatic: bool = False) -> None:
        self.world, self.seller = world, seller
        self.namespace = world.shop()
        self.hosts = [world.hostname(name) for name in ("a", "b")]
        self.leaf = self.buy("bought", self.hosts)
        self.app(automatic=automatic)
        self.domains = [
            world.domain(self.namespace, name, hostname=host) for name, host in zip("ab", self.hosts, strict=True)
        ]

    def buy(self, name: str, hosts: list[str], **how: Any) -> Any:
        """Put a new certificate into a Secret, and return its leaf."""
        chain, key, leaf = self.seller.sell(hosts, **how)
        self.world.apply(tls_secret(name, self.namespace, chain, key))
        return leaf

    def app(self, *names: str, automatic: bool) -> None:
        """Declare the App, with these manual certificates."""
        manual = [{"secretName": name} for name in names or ("bought",)]
        self.world.app(self.namespace, automatic=automatic, certificates={"manual": manual})

    def wait(self, source: str, *domains: Domain, reason: str = "", serial_number: int = 0) -> list[Status]:
        """Wait until these Domains, or all, are Ready with a certificate from there."""

        def told(domain: Domain) -> Status | None:
            status = self.world.status(domain)
            certificate = status.get("certificate") or {}
            is_right = certificate.get("source") == source and (status.get("reason") or "") == reason
            is_right = is_right and serial_number in (0, serial(status))
            return status if is_right and condition(status, "Ready") == "True" else None

        found = []
        for domain in domains or self.domains:
            what = f"{domain.name} is served a certificate that is {source}"
            found.append(self.world.until(lambda one=domain: told(one), what, 45) or {})
        return found

    def poke(self) -> None:
        """Have the operator look at the Secrets now, which no watch tells it of."""
        for domain in self.domains:
            self.world.annotate("domain", self.namespace, domain.name, "certward.dev/refresh=now")

    def stream(self, host: str) -> Stream:
        """Ask a host 20 times a second; both CAs are trusted."""
        return Stream(self.world, host, also_trusts=self.seller.roots)


def streams(stack: ExitStack, shop: Shop) -> list[Stream]:
    found = [stack.enter_context(shop.stream(host)) for host in shop.hosts]
    shop.world.until(lambda: all(len(one.requests) > 5 for one in found), "the streams have begun")
    return found


def go_on(shop: Shop, running: list[Stream]) -> None:
    """Wait until some more requests are through."""
    before = [len(one.requests) for one in running]
    is_more = lambda: all(len(one.requests) > n + 10 for one, n in zip(running, before, strict=True))  # noqa: E731
    shop.world.until(is_more, "the streams go on")


def source_of(status: Status) -> str:
    """Where the certificate comes from that a Ready Domain is served with."""
    is_ready = condition(status, "Ready") == "True"
    return str((status.get("certificate") or {}).get("source", "")) if is_ready else ""
