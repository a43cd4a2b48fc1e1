"""Servers at all addresses: both families of IP on one port, and IPv4 alone where the kernel has no IPv6."""

import http.client
import socket
from collections.abc import Iterator, Sequence
from contextlib import closing
from ipaddress import ip_network

import pytest

from certward import sockets
from certward.__main__ import _options, parse_arguments
from certward.acme.http01 import Answerer
from certward.names import CHALLENGE_PATH
from certward.runtime.server import HealthServer
from thumbprints import by_hostname

PATH = f"{CHALLENGE_PATH}{'a' * 43}"


def has_ipv6() -> bool:
    """Whether this machine has ::1; told without the code under test."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


HAS_IPV6 = has_ipv6()
#: What a server at all addresses has to be heard at on this machine, and what it must not be heard at.
REACHED = {"127.0.0.1": True, "::1": HAS_IPV6}


def answerer(host: str, port: int = 0, peers: Sequence[str] = ()) -> Answerer:
    allowed = [ip_network(network) for network in peers]
    return Answerer(host, port, by_hostname({"www.example.com": "PRINT"}), allowed_peers=allowed)


def health(host: str) -> HealthServer:
    return HealthServer(host, 0, health=lambda: "", readiness=lambda: (True, {}))


def status(address: str, port: int, path: str) -> int:
    """Of the answer; 0 where nobody answers."""
    try:
        with closing(http.client.HTTPConnection(address, port, timeout=5)) as connection:
            connection.request("GET", path, headers={"Host": "www.example.com", "Connection": "close"})
            return connection.getresponse().status
    except OSError:
        return 0


@pytest.fixture(params=[True, False], ids=["a kernel with IPv6", "a kernel without IPv6"])
def reached(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bool]]:
    """Which addresses of loopback have to be answered at."""
    if request.param:
        yield REACHED
    else:
        monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
        yield {**REACHED, "::1": False}


def test_challenges_are_answered_at_all_addresses_where_none_is_named(reached: dict[str, bool]) -> None:
    with closing(answerer("")) as running:
        running.start()
        found = {address: status(address, running.port, PATH) == 200 for address in reached}
        assert found == reached
        assert running.answered == sum(reached.values())


def test_probes_and_scrapes_are_answered_at_all_addresses_where_none_is_named(reached: dict[str, bool]) -> None:
    with closing(health("")) as running:
        running.start()
        for path in ("/healthz", "/readyz", "/metrics"):
            assert {address: status(address, running.port, path) == 200 for address in reached} == reached


@pytest.mark.parametrize(
    ("host", "at"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1")] + ([("::1", "::1"), ("::", "::1")] if HAS_IPV6 else []),
)
def test_an_address_that_is_named_is_the_only_one(host: str, at: str) -> None:
    with closing(answerer(host)) as running:
        running.start()
        heard = [address for address in REACHED if status(address, running.port, PATH) == 200]
        assert heard == [at]


def test_two_processes_share_the_port_at_all_addresses_and_one_goes_on(reached: dict[str, bool]) -> None:
    with closing(answerer("")) as first:
        first.start()
        with closing(answerer("", first.port)) as second:
            second.start()
            assert second.port == first.port
        assert {address: status(address, first.port, PATH) == 200 for address in reached} == reached


def test_a_port_that_is_taken_is_told_also_where_no_address_is_named(reached: dict[str, bool]) -> None:
    del reached
    with socket.create_server(("0.0.0.0", 0)) as taken:
        running = HealthServer("", taken.getsockname()[1], health=str, readiness=lambda: (True, {}))
        with pytest.raises(OSError, match="in use"):
            running.start()


@pytest.mark.parametrize(
    ("networks", "heard"),
    [
        pytest.param(["127.0.0.0/8"], {"127.0.0.1"}, id="loopback of IPv4"),
        pytest.param(["::1/128"], {"::1"}, id="loopback of IPv6"),
        pytest.param(["::/0"], {"::1"}, id="all of IPv6"),
        pytest.param(["0.0.0.0/0", "::/0"], {"127.0.0.1", "::1"}, id="all of both"),
        pytest.param(["192.0.2.0/24"], set(), id="others"),
    ],
)
def test_peers_are_judged_by_the_address_of_their_own_family(networks: list[str], heard: set[str]) -> None:
    """On a socket of both families a client of IPv4 is ::ffff:127.0.0.1, which is in no network of IPv4."""
    with closing(answerer("", peers=networks)) as running:
        running.start()
        found = {address for address in REACHED if status(address, running.port, PATH) == 200}
        assert found == {address for address in heard if REACHED[address]}


def test_whoever_admits_is_told_ipv4_as_ipv4(monkeypatch: pytest.MonkeyPatch, reached: dict[str, bool]) -> None:
    told: list[str] = []
    monkeypatch.setattr(Answerer, "is_allowed", lambda _, peer: told.append(peer) or True)
    with closing(answerer("")) as running:
        running.start()
        for address in reached:
            status(address, running.port, PATH)
    assert told == [address for address, is_reached in reached.items() if is_reached]


@pytest.mark.parametrize(
    ("peer", "told"),
    [
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:C000:201", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1"),
        ("::1", "::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("64:ff9b::c000:201", "64:ff9b::c000:201"),
        ("", ""),
    ],
)
def test_only_ipv4_in_ipv6_is_written_otherwise(peer: str, told: str) -> None:
    assert sockets.unmapped(peer) == told


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ("", 8080)),
        (["--listen-health", ":9000"], ("", 9000)),
        (["--listen-health", "127.0.0.1:0"], ("127.0.0.1", 0)),
        (["--listen-health", "[::1]:8080"], ("::1", 8080)),
        (["--listen-health", "[::]:8080"], ("::", 8080)),
    ],
    ids=str,
)
def test_where_health_is_told_is_read_from_the_command_line(arguments: list[str], expected: tuple[str, int]) -> None:
    options = _options(parse_arguments(["--config", "config.yaml", *arguments]))
    assert (options.health_host, options.health_port) == expected


@pytest.mark.parametrize("text", ["8080", "", ":", "127.0.0.1:", "[]:8080", ":http"])
def test_what_is_no_address_and_port_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="ADDRESS:PORT or :PORT"):
        _options(parse_arguments(["--config", "config.yaml", "--listen-health", text]))
