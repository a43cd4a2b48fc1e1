"""Certificates by DNS-01, through the whole operator: wildcards, delegations, and hosts that HTTP-01 cannot reach."""

import http.client
import json
import socket
import ssl
from collections.abc import Iterator

import pytest
from cryptography import x509

from cluster.handle import Cluster
from integration import observer
from integration.dns01_world import ZONE, DnsWorld
from integration.name_servers import KEY_FILE, KEY_NAME, NSUPDATE_KEY, OTHER_SECRET, Primary, knotd
from integration.preflight_cluster import answered

#: Kept for documentation (RFC 5737): nobody is there, and nobody is asked.
ELSEWHERE = "203.0.113.7"
PATHS = {"/api": "wild-api", "/api/deep": "wild-deep"}


@pytest.fixture(scope="module", params=["own", "knot"] if knotd() else ["own"])
def either(request, cluster: Cluster, tmp_path_factory) -> Iterator[DnsWorld]:
    """The operator with each kind of name server that there is."""
    with DnsWorld(cluster, tmp_path_factory.mktemp(f"dns-{request.param}"), kind=request.param) as made:
        yield made


def challenge(hostname: str) -> str:
    return f"_acme-challenge.{hostname}"


def shows(world: DnsWorld, hostname: str) -> int:
    """The status over HTTPS, chain and name verified."""
    return observer.https_status(world.cluster, hostname, world.pebble.roots())


def names_in(world: DnsWorld, hostname: str) -> list[str]:
    leaf = observer.served_leaf(world.cluster, hostname)
    return leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)


def test_a_wildcard_is_issued_and_served(either: DnsWorld) -> None:
    shop = either.shop()
    base = f"{shop}.{ZONE}"
    either.add(shop, wild=f"*.{base}")
    found = either.settled(shop, ["wild"])
    assert shows(either, f"anything.{base}") == 200
    assert names_in(either, f"anything.{base}") == [f"*.{base}"]
    assert observer.condition(found["wild"], "PolicyEnforced")["status"] == "True"
    with pytest.raises(ssl.SSLError):
        shows(either, f"two.labels.{base}")
    either.until_clean(challenge(base))
    assert "Ingress/certward-wild-challenge" not in either.cluster.kubectl("-n", shop, "get", "ingress", "-o", "name")


def test_a_wildcard_and_its_parent_are_ordered_at_once(either: DnsWorld) -> None:
    shop = either.shop()
    base = f"{shop}.{ZONE}"
    either.front.set(base, "A", ELSEWHERE)  # so that the parent needs DNS-01 as well, at the same name
    either.add(shop, wild=f"*.{base}", parent=base)
    either.settled(shop, ["wild", "parent"], 90)
    assert names_in(either, base) == [base]
    assert names_in(either, f"x.{base}") == [f"*.{base}"]
    either.until_clean(challenge(base))
    if isinstance(either.primary, Primary):
        verbs = {verb for verb, name, _ in either.primary.updates if name == challenge(base)}
        assert verbs == {"add", "remove"}, "never the whole set of records"


def test_a_delegated_name(either: DnsWorld) -> None:
    shop = either.shop()
    base, target = f"{shop}.example.org", f"{shop}.example.org.{ZONE}"
    either.add(shop, wild=f"*.{base}")
    told = either.told(shop, "wild", "WildcardNeedsDNS01")
    assert told["state"] == "Failed"
    assert f"set a CNAME record at {challenge(base)} with the value {target}" in told["message"]
    assert "order" not in told
    either.front.set(challenge(base), "CNAME", f"{target}.")
    either.settled(shop, ["wild"], 90)  # looked at again by itself
    assert shows(either, f"a.{base}") == 200
    either.until_clean(target)


def test_a_host_that_http_01_cannot_reach(either: DnsWorld) -> None:
    shop = either.shop()
    host = f"www.{shop}.{ZONE}"
    either.front.set(host, "A", ELSEWHERE)
    log = either.pebble.says()
    either.add(shop, www=host)
    either.settled(shop, ["www"], 60)
    assert shows(either, host) == 200
    assert log.refuted() == []
    assert len(log.orders()) == 1
    either.until_clean(challenge(host))


def test_a_host_that_the_ca_could_not_validate_by_http_01(either: DnsWorld) -> None:
    shop = either.shop()
    host = f"www.{shop}.{ZONE}"
    log = either.pebble.says()
    # Until there is an order the name leads here, and then elsewhere: so the operator's look is right, the CA's wrong.
    here, elsewhere = answered(("A", "127.0.0.1")), answered(("A", "127.0.0.99"))

    def answer(query, is_tcp):
        return (elsewhere if log.orders() else here)(query, is_tcp)

    either.front.odd[host] = answer
    either.add(shop, www=host)
    either.settled(shop, ["www"], 90)
    assert len(log.refuted()) == 1
    assert len(log.orders()) == 2
    either.until_clean(challenge(host))


def test_a_host_that_http_01_reaches_needs_no_record(either: DnsWorld) -> None:
    shop = either.shop()
    host = f"www.{shop}.{ZONE}"
    either.add(shop, www=host)
    either.settled(shop, ["www"])
    if isinstance(either.primary, Primary):
        assert not [name for _, name, _ in either.primary.updates if name == challenge(host)]


def test_a_wildcard_and_a_host_below_it_have_each_their_own(either: DnsWorld) -> None:
    shop = either.shop()
    base = f"{shop}.{ZONE}"
    either.add(shop, wild=f"*.{base}", shop=f"shop.{base}", a=f"a.{base}")
    either.settled(shop, ["wild", "shop", "a"], 90)
    assert names_in(either, f"shop.{base}") == [f"shop.{base}"]
    assert names_in(either, f"a.{base}") == [f"a.{base}"]
    assert names_in(either, f"other.{base}") == [f"*.{base}"]


def backend_of(world: DnsWorld, hostname: str, path: str) -> str:
    """The backend that answers over HTTPS."""
    host, _, port = world.cluster.env["CLUSTER_HTTPS"].rpartition(":")
    context = ssl.create_default_context(cadata=world.pebble.roots())
    with (
        socket.create_connection((host, int(port)), 5) as raw,
        context.wrap_socket(raw, server_hostname=hostname) as connection,
    ):
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {hostname}\r\nConnection: close\r\n\r\n".encode())
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert answer.status == 200, (hostname, path, answer.status)
        return str(json.loads(answer.read())["backend"])


def test_paths_of_a_wildcard_take_nothing_from_a_host_below_it(either: DnsWorld) -> None:
    shop = either.shop()
    base = f"{shop}.{ZONE}"
    for name in ("wild", "wild-api", "wild-deep"):
        either.cluster.backend(shop, name)
    paths = [{"path": path, "service": {"name": name, "port": 8080}} for path, name in PATHS.items()]
    spec = {"service": {"name": "wild", "port": 8080}, "paths": paths, "certificates": {"automatic": True}}
    observer.apply(either.cluster, shop, observer.app("wild") | {"spec": spec})
    either.add(shop, wild=(f"*.{base}", "wild"), www=f"www.{base}")
    either.settled(shop, ["wild", "www"], 90)
    assert {backend_of(either, f"www.{base}", path) for path in ("/", "/api", "/api/deep/x")} == {"shop"}
    shown = {path: backend_of(either, f"other.{base}", path) for path in ("/", "/api", "/api/deep/x", "/else")}
    assert shown == {"/": "wild", "/api": "wild-api", "/api/deep/x": "wild-deep", "/else": "wild"}


def test_keys_that_are_wrong_and_mended(either: DnsWorld) -> None:
    shop = either.shop()
    base = f"{shop}.{ZONE}"
    log = either.pebble.says()
    try:
        either.write_key(f"hmac-sha256:{KEY_NAME}:{OTHER_SECRET}")
        either.add(shop, wild=f"*.{base}")
        told = either.told(shop, "wild", "ChallengeUnreachable")
        assert "BADSIG" in told["message"]
        assert told["state"] == "Failing"
        assert "the administrator has to look at challenge.dns01.rfc2136" in told["message"]
        either.write_key("nonsense")
        either.cluster.wait_for(
            lambda: "cannot be read" in either.told(shop, "wild", "ChallengeUnreachable")["message"], 60, "the mistake"
        )
        assert log.orders() == [], "no order is placed that could not be finished"
        either.write_key(KEY_FILE)  # in the other form, taken up without a restart
        either.settled(shop, ["wild"], 60)
    finally:
        either.write_key(NSUPDATE_KEY)
    log_of_operator = either.cluster.operator_log()
    assert OTHER_SECRET not in log_of_operator
    assert "nonsense" not in log_of_operator
