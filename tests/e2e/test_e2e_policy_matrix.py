"""Every profile of every revision, side by side on one port: what clients are accepted with."""

import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from xml.etree import ElementTree as ET

import pytest

from certward.model.suites import SUITES
from certward.probe.scan import ScanResult, confirms, scan
from e2e import policies
from e2e.outside import key_type
from e2e.world import Domain, World

pytestmark = pytest.mark.cluster

T10, T11, T12, T13 = "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"

# The table as it was published, written out a second time on purpose: a revision never changes.
_RSA_KEY_ONLY = {
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
}
_ALWAYS_SHA = {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"}
_LEGACY_SHA = _ALWAYS_SHA | {
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
}
_MODERN_RSA = {
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
}
_MODERN_ECDSA = {
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
}
_LEGACY_2018 = _LEGACY_SHA | {
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    *_RSA_KEY_ONLY,
}
_INTERMEDIATE = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
}
_LEGACY_2026 = _INTERMEDIATE | {"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"}
_AES_CHACHA = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
_GROUPS_2018 = {"X25519", "P-256"}
_GROUPS_2026 = {"X25519MLKEM768", "X25519", "P-256", "P-384"}


@dataclass(frozen=True)
class Row:
    """A profile as clients are to meet it: suites that can be negotiated with the key of its certificate."""

    revision: str
    profile: str
    suites: dict[str, set[str]]
    key: str
    grades: set[str]
    by_annotation: bool = False

    @property
    def name(self) -> str:
        """The name of its App, its Domain and its policy."""
        return f"of-{self.revision}-{self.profile}"

    @property
    def groups(self) -> set[str]:
        """Groups for the key exchange."""
        return _GROUPS_2026 if self.revision == "2026-11" else _GROUPS_2018


_EC, _RSA = "ECDSA-P256", "RSA-2048"
_OLD = {"B", "C"}
_DEFAULT_2018 = {T11: _ALWAYS_SHA, T12: _MODERN_RSA | _ALWAYS_SHA | _RSA_KEY_ONLY}
_STRICT_2018 = {T11: _ALWAYS_SHA, T12: _MODERN_RSA | _ALWAYS_SHA}
_LEGACY = {T10: _LEGACY_SHA, T11: _LEGACY_SHA, T12: _LEGACY_2018}
TABLE = (
    Row("2017-09", "default", _LEGACY, _RSA, _OLD, by_annotation=True),
    Row("2017-09", "strict", _STRICT_2018, _RSA, _OLD),
    Row("2018-06", "modern", {T12: _MODERN_ECDSA}, _EC, {"A-"}),
    Row("2018-06", "default", _DEFAULT_2018, _RSA, _OLD),
    Row("2018-06", "legacy", _LEGACY, _RSA, _OLD),
    Row("2018-06", "strict", _STRICT_2018, _RSA, _OLD),
    Row("2026-11", "modern", {T13: _AES_CHACHA}, _EC, {"A+", "A"}),
    Row("2026-11", "default", {T12: _INTERMEDIATE, T13: _AES_CHACHA}, _EC, {"A+", "A"}),
    Row("2026-11", "legacy", {T12: _LEGACY_2026, T13: _AES_CHACHA}, _EC, {"A+", "A"}),
)
RETIRED = "of-2026-11-strict"
ROWS = pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name[3:])


@pytest.fixture(scope="module")
def hosts(world: World) -> dict[str, Domain]:
    """An App, its Domain and its policy for each row, in one namespace, all proven; and one that is refused."""
    namespace = world.shop()
    for row in TABLE:
        if row.by_annotation:
            world.app(namespace, row.name, automatic=True, annotations={policies.PIN: row.revision})
        else:
            world.apply(policies.manifest(namespace, row.name, row.profile, row.revision, apps=[row.name]))
            world.app(namespace, row.name, automatic=True)
    world.apply(policies.manifest(namespace, RETIRED, "strict", "2026-11", apps=[RETIRED]))
    world.app(namespace, RETIRED, automatic=True)
    found = {name: world.domain(namespace, name, app=name) for name in [*(row.name for row in TABLE), RETIRED]}
    world.wait_issued(*found.values(), timeout=60)
    for name, domain in found.items():
        versions = next((set(row.suites) for row in TABLE if row.name == name), {T12, T13})
        world.until(
            lambda name=name, domain=domain, versions=versions: policies.is_told(world, domain, versions, name),
            f"{name} is judged",
            60,
        )
    return found


@pytest.fixture(scope="module")
def scans(world: World, hosts: dict[str, Domain]) -> dict[str, ScanResult]:
    """What each host accepts; all are scanned at the same time."""
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda domain: scan(world.platform.https, domain.hostname), hosts.values())
    return dict(zip(hosts, found, strict=True))


def _is_within(shown: ScanResult, expected: ScanResult) -> bool:
    """Whether a host accepts each version that another one does, and in none of them anything more."""
    return (
        shown.versions == expected.versions
        and all(set(shown.suites[version]) <= set(expected.suites[version]) for version in shown.versions)
        and set(shown.groups_tls12) <= set(expected.groups_tls12)
        and set(shown.groups_tls13) <= set(expected.groups_tls13)
    )


@ROWS
def test_a_host_is_confirmed_by_the_scan_of_one_with_the_same_settings_and_of_no_narrower_one(
    world: World, hosts: dict[str, Domain], scans: dict[str, ScanResult], row: Row
) -> None:
    hostname = hosts[row.name].hostname
    confirmed = {other: confirms(world.platform.https, hostname, found) for other, found in scans.items()}
    assert confirmed == {other: _is_within(scans[row.name], found) for other, found in scans.items()}
    assert confirmed[row.name]


@ROWS
def test_openssl_is_accepted_with_the_profiles_versions_and_no_other(
    world: World, hosts: dict[str, Domain], row: Row, table: list[str]
) -> None:
    host = hosts[row.name].hostname
    assert key_type(world.served_leaf(host)) == row.key
    accepted = world.protocols(host)
    told = "  ".join(f"{v} {'accepted' if v in accepted else 'refused '}" for v in (T10, T11, T12, T13))
    table.append(f"{world.plane.name:14} {row.name[3:]:16} {told}")
    assert accepted == world.plane.offers(set(row.suites))


@ROWS
def test_suites_and_groups_are_the_profiles_and_no_other(
    world: World, scans: dict[str, ScanResult], row: Row, table: list[str]
) -> None:
    """As far as the ingress can be told of them for one host; its own ones are known where it cannot."""
    found = scans[row.name]
    assert found.complete, found.error
    assert {version: set(suites) for version, suites in found.suites.items()} == world.plane.accepts(
        row.suites, row.key
    )
    assert set(found.groups_tls12 + found.groups_tls13) == world.plane.groups(row.groups, set(row.suites))
    for version, suites in found.suites.items():
        table.append(f"{world.plane.name:14} {row.name[3:]:16} {version} {', '.join(suites)}")


def test_scanners_that_are_not_ours_agree(world: World, hosts: dict[str, Domain]) -> None:
    tools = {name: ask for name, ask in _OTHERS.items() if shutil.which(name)}
    print(f"\ncompared with: {', '.join(tools) or 'nothing, neither sslscan nor nmap is installed'}")
    with ThreadPoolExecutor(4) as pool:
        asked = [
            (tool, row, pool.submit(ask, world, hosts[row.name].hostname))
            for tool, ask in tools.items()
            for row in TABLE
        ]
    for tool, row, answer in asked:
        suites, grade = answer.result()
        print(f"{row.name[3:]:16} {tool:8} {sum(map(len, suites.values())):2} suites {grade}")
        assert suites == world.plane.accepts(row.suites, row.key), f"{tool} on {row.name}"
        if row.revision == "2026-11":
            assert grade in {"", "A"}, f"{tool} on {row.name}"


def expected_verdict(world: World, row: Row) -> tuple[str, str]:
    """Status and reason of PolicyEnforced, and only from what Certward says that the ingress can do."""
    plane = world.plane
    shown, groups = plane.accepts(row.suites, row.key), plane.groups(row.groups, set(row.suites))
    older = {version: suites for version, suites in shown.items() if version != T13}
    if not plane.is_able(set(row.suites)) or groups - row.groups:
        return "False", "NotEnforceable"
    if any(suites - row.suites[version] for version, suites in older.items()):
        return "False", "NotEnforceable"
    is_all = shown == row.suites and groups == row.groups - (set() if T13 in shown else {"X25519MLKEM768"})
    is_ordered = plane.can.orders_suites or row.revision == "2026-11"
    return "True", "Enforced" if is_all and is_ordered else "EnforcedNarrower"


@ROWS
def test_the_status_says_what_is_served(world: World, hosts: dict[str, Domain], row: Row, table: list[str]) -> None:
    domain, plane = hosts[row.name], world.plane
    expected = expected_verdict(world, row)
    for kind in ("domain", "app"):
        told = policies.told(world, kind, domain.namespace, row.name, "PolicyEnforced")
        assert told[:2] == expected, told
    message = policies.told(world, "domain", domain.namespace, row.name, "PolicyEnforced").message
    table.append(f"{plane.name:14} {row.name[3:]:16} {expected[1]}: {message}")
    shown = plane.accepts(row.suites, row.key)
    if expected[1] == "EnforcedNarrower":
        is_ordered = plane.can.orders_suites or row.revision == "2026-11"
        assert ("chooses among the suites in an order of its own" in message) == (not is_ordered)
        missing = {suite for version in shown for suite in row.suites[version] - shown[version]}
        missing |= (
            row.groups - plane.groups(row.groups, set(row.suites)) - (set() if T13 in shown else {"X25519MLKEM768"})
        )
        assert ("does not offer" in message) == bool(missing)
        assert not {suite for suite in missing if suite not in message}
    elif expected[1] == "NotEnforceable":
        assert plane.can.cluster_wide in message
        lacking = set(row.suites) - plane.can.versions
        assert f"refuses {', '.join(sorted(lacking))}, which profile" in message
    tls = policies.tls(world, domain.namespace, row.name)
    versions, served_versions = sorted(row.suites), sorted(shown)
    grade, capped_by = tls.pop("grade"), tls.pop("gradeCappedBy")
    table.append(f"{plane.name:14} {row.name[3:]:16} grade {grade} {capped_by}")
    if versions == served_versions:
        assert grade in row.grades
        assert bool(capped_by) == (row.revision != "2026-11")
    else:
        assert grade  # of what is served, which is not the profile
    assert tls == {
        "profile": row.profile,
        "revision": row.revision,
        "policy": "" if row.by_annotation else row.name,
        "minVersion": versions[0],
        "maxVersion": versions[-1],
    }
    served = world.status(domain)["served"]
    assert (served["minVersion"], served["maxVersion"]) == (served_versions[0], served_versions[-1])
    if not row.by_annotation:
        policy = world.get("tlspolicy", domain.namespace, row.name)["status"]
        assert policy["apps"] == {"targeted": 1, "inForce": 1, "enforced": int(expected[0] == "True")}
        accepted = policies.of_policy(world, domain.namespace, row.name, "Accepted")
        assert accepted.status == "True"
        assert ("deprecated" in accepted.message) == (row.profile == "strict")


def test_a_retired_profile_is_refused_and_the_app_keeps_its_default(
    world: World, hosts: dict[str, Domain], scans: dict[str, ScanResult]
) -> None:
    domain = hosts[RETIRED]
    for what in ("Accepted", "Enforced"):
        told = policies.of_policy(world, domain.namespace, RETIRED, what)
        assert told[:2] == ("False", "ProfileRetired")
        assert "2018-06" in told.message
    tls = policies.tls(world, domain.namespace, RETIRED)
    assert (tls["profile"], tls["revision"], tls["policy"]) == ("default", "2026-11", "")
    assert world.protocols(domain.hostname) == {T12, T13}
    assert set(scans[RETIRED].suites[T12]) == _INTERMEDIATE


#: The suites that a tool finds accepted, by version, IANA names; and its grade of the weakest, where it gives one.
Seen = tuple[dict[str, set[str]], str]


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def _sslscan(world: World, hostname: str) -> Seen:
    host, port = world.platform.https
    # It knows most suites by OpenSSL's name and some by IANA's.
    names = {name: suite.iana for suite in SUITES.values() for name in (suite.openssl, suite.iana)}
    told = _run("sslscan", "--no-colour", "--no-heartbleed", "--xml=-", f"--sni-name={hostname}", f"{host}:{port}")
    found: dict[str, set[str]] = {}
    for cipher in ET.fromstring(told).iter("cipher"):  # noqa: S314 - a local tool's output
        found.setdefault(cipher.attrib["sslversion"], set()).add(names[cipher.attrib["cipher"]])
    return found, ""


def _nmap(world: World, hostname: str) -> Seen:
    host, port = world.platform.https
    told = _run(
        *("nmap", "-Pn", "-n", "-p", str(port), "--script", "+ssl-enum-ciphers"),
        *("--script-args", f"tls.servername={hostname}", "-oX", "-", host),
    )
    script = ET.fromstring(told).find(".//script[@id='ssl-enum-ciphers']")  # noqa: S314 - a local tool's output
    assert script is not None, told
    found: dict[str, set[str]] = {}
    for version in script.findall("table"):
        for suite in version.findall("table[@key='ciphers']/table/elem[@key='name']"):
            # Suites of TLS 1.3 have a name of nmap's own.
            name = str(suite.text).replace("TLS_AKE_WITH_", "TLS_")
            found.setdefault(version.attrib["key"], set()).add(name)
    return found, script.findtext("elem[@key='least strength']", "")


_OTHERS: dict[str, Callable[[World, str], Seen]] = {"sslscan": _sslscan, "nmap": _nmap}
