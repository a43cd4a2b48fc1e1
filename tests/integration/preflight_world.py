"""A zone, web servers on loopback addresses, and a preflight that may go to some of them."""

import re

from certward.probe.caa import CAAPolicy
from certward.probe.fetch import Fetcher, Ports
from certward.probe.preflight import Preflight, preflight
from certward.probe.public import network
from certward.probe.resolver import Resolver
from integration.dns_world import Zone
from integration.pebble_world import directory_certificate, free_ports
from integration.web_world import THUMBPRINT, Web

NAME = "www.example.com"
HERE, ELSEWHERE, THIRD = "127.0.0.1", "127.0.0.2", "127.0.0.3"
PAGE = b"<html><title>Welcome to nginx! secret-of-the-page</title></html>"
TARGET = "edge.example.net"


class World:
    """A zone, web servers for HTTP and HTTPS, and a fetcher that may go to some of loopback."""

    def __init__(self, folder):
        _, certificate, key = directory_certificate()
        (folder / "server.pem").write_bytes(certificate + key)
        self.zone = Zone()
        http, https = free_ports(2)
        self.web, self.tls = Web(http), Web(https, folder / "server.pem")
        self.resolver = self.resolver_of(self.zone)
        self.allowed = [network(text) for text in (HERE, ELSEWHERE, "::1", "ff02::1", "255.255.255.255")]

    def resolver_of(self, *servers):
        return Resolver([each.server for each in servers], timeout=0.3, lifetime=0.5, per_second=10_000)

    def close(self):
        for each in (self.web, self.tls, self.zone):
            each.close()

    def point(self, name, *values, kind="A"):
        self.zone.set(name, kind, *values)

    def run(self, name=NAME, **asked):
        method = asked.pop("method", "http-01")
        caa = CAAPolicy(asked.pop("issuers", ("ca.example",)), "https://ca.example/1", method, name.startswith("*."))
        ports = Ports(self.web.port, self.tls.port)
        fetcher = Fetcher(self.resolver, allowed=self.allowed, ports=ports, hop_seconds=0.5, total_seconds=4)
        question = Preflight(caa, **({"target": (HERE,), "thumbprint": THUMBPRINT} | asked))
        outcome = preflight(name, question, fetcher)
        assert_is_readable(outcome)
        return outcome


def assert_is_readable(outcome):
    """One or two sentences, nothing of what was fetched, nothing that differs the next time."""
    message = outcome.message
    assert bool(message) == (outcome.verdict != "passed")
    assert "secret" not in message
    assert THUMBPRINT not in message
    assert not re.search(r"acme-challenge/\w", message)
    if message:
        assert message.endswith(".")
        assert len(re.findall(r"[.?!](?=\s|$)", message)) <= 2


def assert_blocked(outcome, reason, message):
    assert (outcome.verdict, outcome.reason) == ("blocked", reason)
    assert outcome.message == message
