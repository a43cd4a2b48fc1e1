"""Every profile of every revision on real engines, side by side on one port, and what each of them makes of it.

The table at the end, which `pytest -s` shows, says what each engine accepted of each profile.
"""

import http.client
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pytest

from builders import app, domain
from certward.model import profiles
from certward.model.profiles import Profile
from certward.names import CHALLENGE_PATH
from certward.plan.enforcement import Accepted, Verdict, judge
from certward.plan.observed import Routes
from certward.probe.httpget import http_get
from certward.probe.misdirection import misdirected
from certward.probe.scan import ScanResult, scan
from certward.render.dialects import Host
from engines import Engine, Manifest, self_signed
from engines.registry import ENGINES

PROFILES = {f"{profile.revision}/{profile.name}": profile for profile in profiles.TABLE.values()}
NARROWER, CANNOT = "EnforcedNarrower", "NotEnforceable"
#: What a scan says of each profile: (engine, profile) -> reason of PolicyEnforced.
OUTCOMES: Mapping[str, Mapping[str, str]] = {
    # Versions and groups are what the ConfigMap says for all hosts: by default TLS 1.2 and 1.3 and OpenSSL's groups.
    "nginx": dict.fromkeys(PROFILES, CANNOT),
    # A modern host is kept from TLS 1.2 by its suites. OpenSSL 3.3 has no X25519MLKEM768.
    "nginx-for-2026": dict.fromkeys(PROFILES, CANNOT)
    | {"2026-11/modern": NARROWER, "2026-11/default": NARROWER, "2026-11/legacy": NARROWER},
    # OpenSSL has no 3DES; hosts with TLS 1.1 cannot be kept from TLS 1.0, a host with TLS 1.2 only can.
    "nginx-for-2018": dict.fromkeys(PROFILES, CANNOT)
    | {"2017-09/default": NARROWER, "2018-06/modern": "Enforced", "2018-06/legacy": NARROWER},
    # Groups are the same for all hosts, by default OpenSSL's. With an ECDSA key no other group than the key's is seen.
    "haproxy": dict.fromkeys(PROFILES, CANNOT) | {"2018-06/modern": "Enforced"},
    # OpenSSL has no 3DES, 3.0 no X25519MLKEM768.
    "haproxy-with-groups": dict.fromkeys(PROFILES, "Enforced")
    | dict.fromkeys(
        ("2017-09/default", "2018-06/legacy", "2026-11/modern", "2026-11/default", "2026-11/legacy"), NARROWER
    ),
}
#: Engines that answer for a host in a connection that was opened for another one.
OPEN_TO_OTHER_NAMES = {"nginx", "nginx-for-2026", "nginx-for-2018"}
CHALLENGE_PORT = 8089
CHALLENGE = b"team-a/certward-challenge:8089"
#: Engines that redirect for now (302) unless the administrator says otherwise.
TEMPORARY = {"haproxy"}
REDIRECTS = {http.client.MOVED_PERMANENTLY, http.client.PERMANENT_REDIRECT}


def host_of(profile: Profile) -> str:
    return f"{profile.name}.of-{profile.revision}.example"


def routes_for(profile: Profile, name: str, *, redirect: bool = True) -> Routes:
    return Routes(challenge=True, secret_name=f"{name}-tls", redirect=redirect, profile=profile)


@dataclass
class Bench:
    """An engine with a host for each profile, and what was found on it."""

    key: str
    engine: Engine
    objects: list[Manifest] = field(default_factory=list)
    secrets: dict[tuple[str, str], tuple[bytes, bytes]] = field(default_factory=dict)
    found: dict[str, tuple[ScanResult, Verdict]] = field(default_factory=dict)

    def add(self, name: str, hostname: str, profile: Profile, *, redirect: bool = True, **of_app: object) -> None:
        """Render a host and keep it for the next `configure`."""
        algorithm, _, _ = profiles.default_key_type(profile).partition("-")
        self.secrets["team-a", f"{name}-tls"] = self_signed(hostname, algorithm=algorithm)
        host = Host(
            domain=domain(name, hostname=hostname),
            app=app(**of_app),
            routes=routes_for(profile, name, redirect=redirect),
            class_name=self.key,
            challenge_port=CHALLENGE_PORT,
        )
        rendered = self.engine.dialect.render(host)
        self.objects += [*rendered.shared, *rendered.own]

    def judged(self, label: str) -> tuple[ScanResult, Verdict]:
        """Scan a profile's host once and judge it."""
        if label not in self.found:
            profile = PROFILES[label]
            result = scan(self.engine.https, host_of(profile))
            groups = frozenset(result.groups_tls12) | frozenset(result.groups_tls13)
            accepted = Accepted(result.versions, result.suites, groups)
            key_type = profiles.default_key_type(profile)
            self.found[label] = result, judge(accepted, profile, key_type, self.engine.dialect.capabilities)
        return self.found[label]

    def table(self) -> str:
        """What was accepted, a line for each profile, and what was refused of it."""
        lines = [f"\n{self.engine.name}"]
        for label, (result, verdict) in self.found.items():
            profile = PROFILES[label]
            groups = list(dict.fromkeys((*result.groups_tls13, *result.groups_tls12)))
            suites = {version: len(found) for version, found in result.suites.items()}
            refused = [
                *(version for version in profiles.versions(profile) if version not in result.versions),
                *(group for group in profile.groups if group not in groups),
                *(
                    suite
                    for version, wanted in profiles.expected(profile, profiles.default_key_type(profile)).items()
                    for suite in wanted
                    if version in result.versions and suite not in result.suites[version]
                ),
            ]
            accepted = ", ".join(f"{version} ({count} suites)" for version, count in suites.items()) or "nothing"
            lines.append(f"  {label:16} {verdict.reason:16} accepts {accepted}; {', '.join(groups)}")
            if refused:
                lines.append(f"  {'':33} refuses {', '.join(dict.fromkeys(refused))} of it")
        return "\n".join(lines)


@pytest.fixture(scope="module", params=ENGINES)
def bench(request, tmp_path_factory) -> Iterator[Bench]:
    engine = ENGINES[request.param](tmp_path_factory.mktemp("engine"))
    bench = Bench(request.param, engine)
    try:
        for profile in PROFILES.values():
            bench.add(f"{profile.name}-{profile.revision}", host_of(profile), profile)
        newest = PROFILES["2026-11/default"]
        bench.add("shut", "shut.example", newest, trusted_ranges=("203.0.113.0/24",))
        bench.add("ajar", "ajar.example", newest, trusted_ranges=("203.0.113.0/24", "127.0.0.0/8"))
        bench.add("plain", "plain.example", newest, redirect=False)
        engine.configure(bench.objects, bench.secrets)
        yield bench
        print(bench.table())
    finally:
        engine.close()


@pytest.mark.parametrize("label", PROFILES)
def test_a_profile(bench, label, record_property):
    result, verdict = bench.judged(label)
    record_property("engine", bench.engine.name)
    record_property("accepted", f"{dict(result.suites)} {result.groups_tls13} {result.groups_tls12}")
    record_property("verdict", verdict.message)
    assert result.complete, result.error
    assert verdict.reason == OUTCOMES[bench.key][label], verdict.message
    profile = PROFILES[label]
    expected = profiles.expected(profile, profiles.default_key_type(profile))
    outside = [
        *(version for version in result.versions if version not in expected),
        *(
            suite
            for version, suites in result.suites.items()
            for suite in suites
            if version != "TLSv1.3" and suite not in expected.get(version, ())
        ),
        *(group for group in (*result.groups_tls12, *result.groups_tls13) if group not in profile.groups),
    ]
    assert verdict.is_kept == (not outside and result.versions == profiles.versions(profile)), outside


@pytest.mark.parametrize("name", ["shut.example", "ajar.example", "plain.example"])
def test_the_challenge_path_is_open_to_all(bench, name):
    answer = http_get(bench.engine.http, name, f"{CHALLENGE_PATH}token")
    assert (answer.status, answer.body) == (http.client.OK, CHALLENGE)


def test_plain_http_is_redirected_for_good(bench):
    answer = http_get(bench.engine.http, host_of(PROFILES["2026-11/default"]), "/a/b?c=d")
    assert answer.status in ({http.client.FOUND} if bench.key in TEMPORARY else REDIRECTS)
    assert answer.headers["location"] == f"https://{host_of(PROFILES['2026-11/default'])}/a/b?c=d"


@pytest.mark.parametrize("is_tls", [True, False], ids=["HTTPS", "HTTP"])
def test_plain_http_reaches_the_app_without_a_redirect(bench, is_tls):
    address = bench.engine.https if is_tls else bench.engine.http
    answer = http_get(address, "plain.example", "/", tls=is_tls)
    assert (answer.status, answer.body) == (http.client.OK, b"team-a/shop:8080")


@pytest.mark.parametrize(
    ("name", "status"), [("shut.example", http.client.FORBIDDEN), ("ajar.example", http.client.OK)]
)
def test_only_trusted_ranges_reach_the_app(bench, name, status):
    assert http_get(bench.engine.https, name, "/", tls=True).status == status


def test_a_request_in_a_connection_for_another_host(bench):
    """It reaches the other host over the first one's handshake, where the engine does not guard against that."""
    found = misdirected(bench.engine.https, opened_for="ajar.example", asked_for="plain.example")
    assert found == (bench.key in OPEN_TO_OTHER_NAMES)


def test_an_unknown_host_gets_nothing_of_the_others(bench):
    answer = http_get(bench.engine.http, "unknown.example", "/")
    assert answer.status == http.client.NOT_FOUND
