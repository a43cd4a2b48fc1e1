"""`explain` on domains that are really broken, one for each link of the chain: it stops there and says what to do."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import dns.rcode
import pytest
import yaml

from cluster.handle import Cluster
from cluster.ports import Ports
from e2e.local import Local
from e2e.planes import named
from e2e.world import Domain, World, condition
from engines import self_signed
from integration.dns_world import failing
from integration.pebble_world import free_ports
from integration.plugin import Plugin, Ran, kubeconfig_of_viewer, until_may, write_kubeconfig
from integration.preflight_cluster import CLOSED, LISTENER, PAGE, Outside, answered, redirect_to_itself
from integration.web_world import Web, reply

#: Nobody listens there; where a full queue lets no connection come about.
ELSEWHERE, ELSEWHERE_6, DEAF = "127.0.0.45", "::1", "127.0.0.46"
FORBIDDEN = "forbidden.example.com"
#: An issuer of which no more than one certificate may be had.
TIGHT = "tight"
LINKS = [
    *("Domain", "App", "DNS", "CAA", "Port 80", "Challenge"),
    *("Order", "Secret", "Route", "Handshake", "TLS policy"),
]


class Scene:
    """A namespace with Apps, a world around it that can be spoilt, and the plugin's view of it."""

    def __init__(self, cluster: Cluster, outside: Outside) -> None:
        self.cluster, self.outside = cluster, outside
        self.world = World(Local(cluster), named("traefik"))
        self.namespace = self.world.shop()
        self.world.app(self.namespace, automatic=True)
        self._names = iter(f"d{number}" for number in range(100))
        host, port = outside.zone.server
        self.resolver = f"{host}:{port}"
        self.own_dns = f"127.0.0.1:{Ports(cluster.state.root / 'ports.json').get('dns')}"
        self.plugin = Plugin(cluster, "")
        self._servers: list[Web] = []

    def close(self) -> None:
        for server in self._servers:
            server.close()
        self.world.close()

    def domain(self, *, hostname: str = "", app: str = "shop", spoil: Callable[[str], Any] | None = None) -> Domain:
        hostname = hostname or self.world.hostname()
        if spoil:
            spoil(hostname)
        return self.world.domain(self.namespace, next(self._names), app=app, hostname=hostname)

    def issued(self) -> Domain:
        domain = self.domain()
        self.world.wait_issued(domain, timeout=60)
        return domain

    def explain(
        self,
        asked: str,
        *arguments: str,
        plugin: Plugin | None = None,
        http: str = "",
        https: str = "",
        resolver: str = "",
        by_dns: bool = False,
    ) -> Ran:
        return (plugin or self.plugin).run(
            *("explain", asked, "--resolver", resolver or self.resolver),
            *() if by_dns else ("--http", http or self.cluster.env["CLUSTER_HTTP"]),
            *() if by_dns else ("--https", https or self.cluster.env["CLUSTER_HTTPS"]),
            *arguments,
        )

    def stops(
        self, asked: str, link: str, words: str, *arguments: str, again: Any = None, **how: Any
    ) -> dict[str, Any]:
        """Wait until explain stops at a link and says so; `again` is done before each look."""
        seen: list[Any] = []

        def told() -> dict[str, Any] | None:
            if again:
                again()
            typed = self.explain(asked, "-o", "json", *arguments, **how)
            seen.append(typed.data)
            found = next((each for each in typed.data["links"] if each["link"] == typed.data["stopsAt"]), {})
            is_told = found.get("link") == link and words in f"{found['message']} {found['advice']}"
            assert typed.code == int(typed.data["isBroken"])
            return typed.data if is_told else None

        try:
            data = self.cluster.wait_for(told, 45, f"{asked} stops at {link} with '{words}'")
        except Exception as late:
            raise AssertionError(yaml.safe_dump(seen[-1:])) from late
        assert [each["link"] for each in data["links"]] == LINKS
        at = LINKS.index(link)
        verdicts = [each["verdict"] for each in data["links"]]
        assert verdicts[at] == "broken"
        assert set(verdicts[:at]) <= {"ok", "warning", "not looked at"}
        assert set(verdicts[at + 1 :]) <= {"not reached"}
        stop = data["links"][at]
        assert words in f"{stop['message']} {stop['advice']}"
        return dict(stop)

    def serve(self, folder: Path, certificate: tuple[bytes, bytes]) -> str:
        """A TLS server of somebody else's; returns its address."""
        file = folder / "server.pem"
        file.write_bytes(b"".join(certificate))
        (port,) = free_ports(1)
        server = Web(port, file)
        server.serve("127.0.0.1", reply(200, b"somebody else"))
        self._servers.append(server)
        return f"127.0.0.1:{port}"

    def at(self, address: str) -> str:
        """The entry for plain HTTP at another address."""
        return f"{address}:{self.outside.ingress[1]}"


@pytest.fixture(scope="module")
def scene(cluster: Cluster) -> Iterator[Scene]:
    outside = Outside(cluster)
    try:
        pebble = yaml.safe_load(Path(cluster.env["CLUSTER_OPERATOR_CONFIG"]).read_text())["issuers"][0]
        tight = {**pebble, "name": TIGHT, "limits": {"ordersPer3h": 1}}
        rules = [{"pattern": f"*.{FORBIDDEN}", "namespaces": ["nobody"]}]
        cluster.up(patch=outside.patch(issuers=[pebble, tight], hostnames=rules))
        made = Scene(cluster, outside)
        yield made
        made.close()
        cluster.up()
    finally:
        outside.close()


def test_nothing_is_wrong(scene: Scene) -> None:
    domain = scene.issued()

    for asked in (domain.hostname, f"{domain.namespace}/{domain.name}"):
        typed = scene.explain(asked)
        assert typed.code == 0, typed.out
        assert typed.out.startswith(f"=== {domain.hostname} works.\n")
        assert max(map(len, typed.out.splitlines())) > 120  # whole lines, for other programs
    data = scene.explain(domain.hostname, "-o", "json").data
    assert {each["verdict"] for each in data["links"]} == {"ok"}
    assert (data["stopsAt"], data["isBroken"], data["domain"]) == (None, False, f"{domain.namespace}/{domain.name}")
    assert (
        yaml.safe_load(scene.explain(domain.name, "-n", domain.namespace, "-o", "yaml").out)["links"][0]
        == data["links"][0]
    )
    assert "PRIVATE KEY" not in json.dumps(data)


def test_no_domain_has_it(scene: Scene) -> None:
    host = scene.world.hostname()
    scene.stops(host, "Domain", f"Add it: kubectl certward domains add {host} -a APP")


def test_it_belongs_to_another_namespace(scene: Scene) -> None:
    one = scene.domain()
    other = scene.world.shop()
    scene.world.app(other, automatic=True)
    two = scene.world.domain(other, "late", hostname=one.hostname)

    def age(domain: Domain) -> tuple[str, str, str]:
        created = scene.world.get("domain", domain.namespace, domain.name)["metadata"]["creationTimestamp"]
        return created, domain.namespace, domain.name

    # Made within one second, they are told apart by their names.
    older, younger = sorted((one, two), key=age)

    words = f"belongs to the older Domain {older.namespace}/{older.name}"
    told = scene.stops(f"{younger.namespace}/{younger.name}", "Domain", words)

    assert "delete" in told["advice"]


def test_the_namespace_may_not_have_it(scene: Scene) -> None:
    domain = scene.domain(hostname=f"www.{FORBIDDEN}")
    told = scene.stops(domain.hostname, "Domain", "ask the administrator for a rule")
    assert told["seenBy"] == "operator"


def test_there_is_no_app(scene: Scene) -> None:
    domain = scene.domain(app="nobody")
    scene.stops(domain.hostname, "App", "There is no App nobody in namespace")


def test_automatic_certificates_are_off(scene: Scene) -> None:
    scene.world.app(scene.namespace, "quiet")
    domain = scene.domain(app="quiet")
    scene.stops(domain.hostname, "App", f"kubectl certward certs auto enable -n {scene.namespace} -a quiet")


def test_it_is_not_in_the_dns(scene: Scene) -> None:
    zone = scene.outside.zone
    domain = scene.domain(spoil=lambda host: zone.odd.update({host: failing(dns.rcode.NXDOMAIN)}))
    scene.stops(
        domain.hostname, "DNS", "has no address in the DNS. Set an A record with the value 127.0.0.1", by_dns=True
    )


def test_it_points_elsewhere(scene: Scene) -> None:
    domain = scene.domain(spoil=lambda host: scene.outside.point(host, ELSEWHERE))
    scene.stops(domain.hostname, "DNS", f"points to {ELSEWHERE}, but it has to point to 127.0.0.1", by_dns=True)
    # Before the record is changed one can see how it will be at the platform's own address.
    told = scene.explain(domain.hostname, "-o", "json").data["links"]
    assert [each["verdict"] for each in told] == ["ok", "ok", "broken", *["ok"] * 3, *["not reached"] * 5]


def test_it_has_a_stray_aaaa(scene: Scene) -> None:
    domain = scene.domain(spoil=lambda host: scene.outside.point(host, ELSEWHERE_6))
    scene.stops(domain.hostname, "DNS", "delete the AAAA record", by_dns=True)


def test_caa_forbids(scene: Scene) -> None:
    policies = [{"tag": "issue", "value": "other.example"}]
    domain = scene.domain(spoil=lambda host: scene.outside.tell("add-caa", host, policies=policies))
    scene.stops(domain.hostname, "CAA", f'Add the record {domain.hostname} CAA 0 issue "pebble.letsencrypt.org"')


def test_port_80_is_closed(scene: Scene) -> None:
    domain = scene.domain(spoil=lambda host: scene.outside.point(host, CLOSED))
    scene.stops(domain.hostname, "Port 80", "Have port 80 opened", http=scene.at(CLOSED))


def site(scene: Scene, page: Callable[..., Any], host: str) -> None:
    scene.outside.pages[host] = page
    scene.outside.point(host, LISTENER)


def test_port_80_redirects_in_a_circle(scene: Scene) -> None:
    domain = scene.domain(spoil=partial(site, scene, redirect_to_itself))
    scene.stops(domain.hostname, "Port 80", "redirects without end", http=scene.at(LISTENER))


def test_somebody_else_answers_the_challenge(scene: Scene) -> None:
    domain = scene.domain(spoil=partial(site, scene, reply(200, PAGE)))
    scene.stops(domain.hostname, "Challenge", "without login or redirect", http=scene.at(LISTENER))


def test_the_ca_cannot_be_asked(scene: Scene) -> None:
    scene.world.app(scene.namespace, "elsewhere", automatic=True, certificates={"issuer": "nobody"})
    domain = scene.domain(app="elsewhere")
    told = scene.stops(domain.hostname, "Order", "name a configured one")
    assert told["seenBy"] == "operator"


def test_it_waits_for_the_cas_budget(scene: Scene) -> None:
    scene.world.app(scene.namespace, "many", automatic=True, certificates={"issuer": TIGHT})
    first, domain = scene.domain(app="many"), scene.domain(app="many")
    scene.cluster.wait_for(
        lambda: all(scene.world.status(each).get("state") for each in (first, domain)), 30, "both are taken up"
    )
    told = scene.stops(domain.hostname, "Order", "it goes on by itself")
    assert told["seenBy"] == "operator"


def test_what_is_mended_but_not_tried_again(scene: Scene) -> None:
    # The operator goes on seeing it, through the resolver that it asks; here another one is asked.
    zone = scene.outside.zone
    domain = scene.domain(spoil=lambda host: zone.odd.update({host: answered(("A", ELSEWHERE))}))
    scene.world.wait_state(domain, "Failing", "DNSWrongTarget", 30)
    scene.stops(
        domain.hostname,
        "Order",
        f"kubectl certward certs auto refresh -n {domain.namespace} -a shop",
        resolver=scene.own_dns,
    )


def test_the_secret_is_gone(scene: Scene) -> None:
    domain = scene.issued()
    delete = partial(
        scene.world.kubectl, "-n", domain.namespace, "delete", "secret", domain.secret, "--ignore-not-found"
    )
    scene.stops(domain.hostname, "Secret", "is not there", again=delete)


def test_the_secret_is_somebody_elses(scene: Scene) -> None:
    scene.world.kubectl("-n", scene.namespace, "create", "secret", "generic", "mine-tls", "--from-literal=a=b")
    domain = scene.world.domain(scene.namespace, "mine")
    scene.world.wait_state(domain, "Failed", "SecretInvalid", 30)
    scene.stops(domain.hostname, "Secret", "Rename or delete it")


def test_the_secret_holds_garbage(scene: Scene) -> None:
    domain = scene.issued()
    patch = json.dumps({"data": {"tls.crt": b64encode(b"garbage").decode()}})
    spoil = partial(scene.world.kubectl, "-n", domain.namespace, "patch", "secret", domain.secret, "-p", patch)
    scene.stops(domain.hostname, "Secret", "There is no certificate in PEM form", again=spoil)


def secure_route(domain: Domain) -> str:
    return f"certward-{domain.name}-https"


def test_the_route_is_gone(scene: Scene) -> None:
    domain = scene.issued()
    route = secure_route(domain)
    delete = partial(scene.world.kubectl, "-n", domain.namespace, "delete", "ingress", route, "--ignore-not-found")
    scene.stops(domain.hostname, "Route", f"Ingress {route} is not there", again=delete)


def test_what_the_route_refers_to_is_gone(scene: Scene) -> None:
    domain = scene.issued()
    of_app = ("-n", domain.namespace, "get", "middlewares.traefik.io", "-l", "certward.dev/app=shop", "-o", "name")
    (chain,) = (name for name in scene.world.kubectl(*of_app).split() if "/certward-https-" in name)
    delete = partial(scene.world.kubectl, "-n", domain.namespace, "delete", chain, "--ignore-not-found")
    scene.stops(domain.hostname, "Route", f"Middleware {chain.partition('/')[2]} is not there", again=delete)


def test_the_route_was_changed(scene: Scene) -> None:
    domain = scene.issued()
    route = secure_route(domain)
    where = "/spec/rules/0/http/paths/0/backend/service/name"
    patch = json.dumps([{"op": "replace", "path": where, "value": "other"}])
    spoil = partial(scene.world.kubectl, "-n", domain.namespace, "patch", "ingress", route, "--type=json", "-p", patch)
    scene.stops(domain.hostname, "Route", f"Somebody has changed Ingress {route}", again=spoil)


def intruder(scene: Scene, domain: Domain, *, has_certificate: bool) -> str:
    """A route of another namespace for the same host; returns the namespace."""
    namespace = scene.world.namespace()
    scene.world.backend(namespace, "intruder")
    route = named("traefik").foreign["Ingress"].make(namespace, domain.hostname, {})
    if has_certificate:
        # Among the certificates that cover a name Traefik takes that whose names come last in the alphabet.
        certificate, key = self_signed("theirs", domain.hostname, f"zzz.{domain.hostname}")
        data = {"tls.crt": b64encode(certificate).decode(), "tls.key": b64encode(key).decode()}
        scene.world.apply(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "theirs", "namespace": namespace},
                "type": "kubernetes.io/tls",
                "data": data,
            }
        )
        route["spec"]["tls"] = [{"hosts": [domain.hostname], "secretName": "theirs"}]
    scene.world.apply(route)
    return namespace


def test_somebody_elses_route_changes_what_is_served(scene: Scene) -> None:
    domain = scene.issued()
    namespace = intruder(scene, domain, has_certificate=True)
    told = scene.stops(domain.hostname, "Route", f"Ingress {namespace}/intruder routes the same host")
    assert "Remove the host" in told["advice"]


def test_another_certificate_is_served(scene: Scene, tmp_path: Path) -> None:
    domain = scene.issued()
    https = scene.serve(tmp_path, self_signed("elsewhere.example"))
    told = scene.stops(domain.hostname, "Handshake", "serves another certificate", https=https)
    assert "elsewhere.example" in told["message"]


def test_an_expired_certificate_is_served(scene: Scene, tmp_path: Path) -> None:
    domain = scene.issued()
    https = scene.serve(tmp_path, self_signed("old", domain.hostname, left=timedelta(days=-1)))
    scene.stops(domain.hostname, "Handshake", "has expired", https=https)


def test_the_policy_is_not_kept(scene: Scene) -> None:
    modern = scene.world.shop()
    scene.world.app(modern, automatic=True)
    scene.world.apply(
        {
            "apiVersion": "certward.dev/v1alpha1",
            "kind": "TLSPolicy",
            "metadata": {"name": "modern", "namespace": modern},
            "spec": {"profile": "modern"},
        }
    )
    domain = scene.world.domain(modern, hostname=scene.world.hostname())
    scene.world.wait_issued(domain, timeout=60)
    namespace = intruder(scene, domain, has_certificate=False)
    scene.world.until(
        lambda: condition(scene.world.status(domain), "PolicyEnforced") == "False", "PolicyEnforced is False", 60
    )

    typed = scene.explain(domain.hostname, "-o", "json")

    assert typed.code == 0
    assert typed.data["stopsAt"] is None
    told = {each["link"]: each for each in typed.data["links"]}
    assert told["TLS policy"]["verdict"] == "warning"
    assert f"Ingress {namespace}/intruder" in told["TLS policy"]["message"]
    assert told["Route"]["verdict"] == "warning"
    assert told["Handshake"]["verdict"] == "ok"


def test_somebody_with_few_rights_is_told_what_could_not_be_seen(scene: Scene, tmp_path: Path) -> None:
    domain = scene.issued()
    viewer = Plugin(scene.cluster, "", kubeconfig_of_viewer(scene.cluster, tmp_path, scene.namespace))
    until_may(scene.cluster, viewer, ["domains"])

    typed = scene.explain(domain.hostname, "-o", "json", plugin=viewer)

    assert typed.code == 0, typed.out
    told = {each["link"]: each for each in typed.data["links"]}
    assert {name for name, each in told.items() if each["verdict"] not in ("ok", "not looked at")} == set()
    assert told["Secret"]["verdict"] == "not looked at"
    assert "has no right to get secrets" in told["Secret"]["message"]
    assert told["Handshake"]["verdict"] == "ok"
    assert "for want of rights" in told["Route"]["message"]
    # Nobody knows whether somebody else has the hostname.
    unclaimed = scene.explain(scene.world.hostname(), plugin=viewer)
    assert unclaimed.code == 1
    assert f"in namespace {scene.namespace}, and you may not look into others" in unclaimed.out


def test_from_where_the_cluster_cannot_be_reached_the_operator_is_quoted(scene: Scene) -> None:
    domain = scene.issued()
    (port,) = free_ports(1)
    deaf = Web(port)
    deaf.serve_nobody(DEAF)
    try:
        typed = scene.explain(domain.hostname, "-o", "json", http=f"{DEAF}:{port}", https=f"{DEAF}:{port}")
    finally:
        deaf.close()

    assert typed.code == 0, typed.out
    told = {each["link"]: each for each in typed.data["links"]}
    for link in ("Port 80", "Challenge", "Handshake"):
        assert (told[link]["verdict"], told[link]["seenBy"]) == ("ok", "operator")
        assert "It could not be seen from here" in told[link]["message"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["explain"], 2, "Missing argument"),
        (["explain", "nosuchname", "-n", "default"], 3, "There is no Domain nosuchname in namespace default"),
        (["explain", "default/nosuchname"], 3, "There is no Domain nosuchname in namespace default"),
        (["explain", "a.example", "--http", "x y:z"], 2, "write HOST or HOST:PORT"),
        (["explain", "a.example", "--resolver", "127.0.0.1:99999"], 2, "write HOST or HOST:PORT"),
    ],
)
def test_what_cannot_be_meant(scene: Scene, arguments: list[str], code: int, words: str) -> None:
    told = scene.plugin(*arguments, code=code).err
    assert words in " ".join(told.split())


def test_somebody_without_rights(scene: Scene, tmp_path: Path) -> None:
    file = kubeconfig_of_viewer(scene.cluster, tmp_path, scene.world.namespace())
    typed = Plugin(scene.cluster, scene.namespace, file)("explain", "a.example", code=4)
    assert typed.out == ""
    assert "has no right to list domains.certward.dev" in typed.err


@pytest.mark.parametrize("command", [["explain", "a.example"], ["doctor"]], ids=" ".join)
def test_no_cluster(cluster: Cluster, tmp_path: Path, command: list[str]) -> None:
    (port,) = free_ports(1)
    file = write_kubeconfig(tmp_path / "config", server=f"https://127.0.0.1:{port}", bearer="x")
    typed = Plugin(cluster, "", file)(*command, code=5)
    assert typed.out == ""
    assert "the connection is refused" in typed.err
