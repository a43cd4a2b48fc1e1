"""What only ingress-nginx's rules bring about, on the real nginx: its ConfigMap, the age of Ingresses, its paths."""

import http.client
import itertools
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace

import pytest

from builders import DEFAULT, app, domain, path_route
from certward.model import profiles
from certward.model.policy import HSTS
from certward.names import CHALLENGE_PATH
from certward.plan.enforcement import Accepted, judge
from certward.plan.observed import Routes
from certward.probe.httpget import http_get
from certward.probe.scan import scan
from certward.render.dialects import Host
from certward.render.dialects.ingress_nginx import IngressNginx
from certward.render.dialects.ingress_nginx_settings import cluster_settings, compare, needed
from engines import Refused, self_signed
from engines.nginx import Nginx
from engines.nginx_servers import DEFAULTS, PREFIX, servers_of

SECRET = ("team-a", "www-tls")
SERVED = Routes(challenge=True, secret_name=SECRET[1], redirect=True, profile=DEFAULT)
NAME = "www.example.com"
HEADER = HSTS(max_age=63072000, include_subdomains=False, preload=False)
PROFILES = {f"{profile.revision}/{profile.name}": profile for profile in profiles.TABLE.values()}


def objects_for(routes=SERVED, *, hostname=NAME, **of_app):
    host = Host(domain(hostname=hostname), app(**of_app), routes, "nginx", 8089)
    return list(IngressNginx().render(host).own)


def secrets_for(hostname=NAME, algorithm="ECDSA"):
    return {SECRET: self_signed(hostname, algorithm=algorithm)}


@pytest.fixture
def start(tmp_path_factory) -> Iterator:
    """Start an nginx with a ConfigMap; all are ended with the test."""
    started = []

    def one(configmap=None):
        started.append(Nginx(tmp_path_factory.mktemp("nginx"), configmap))
        return started[-1]

    yield one
    for each in started:
        each.close()


@pytest.mark.parametrize("hsts", [HEADER, None], ids=["HSTS", "no HSTS"])
@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_with_what_the_administrator_is_told_to_set_a_profile_holds(start, profile, hsts):
    configmap = needed(cluster_settings({}), profile, hsts)
    assert len(compare(cluster_settings({}), profile, hsts)) == 2
    assert len(compare(cluster_settings(configmap), profile, hsts)) == 1
    engine = start(configmap)
    key_type = profiles.default_key_type(profile)
    engine.configure(objects_for(replace(SERVED, profile=profile)), secrets_for(algorithm=key_type.partition("-")[0]))
    found = scan(engine.https, NAME)
    groups = frozenset(found.groups_tls12) | frozenset(found.groups_tls13)
    accepted = Accepted(found.versions, found.suites, groups)
    assert judge(accepted, profile, key_type, engine.dialect.capabilities).is_kept
    if "TLSv1.2" in found.versions:  # what the test's own client speaks
        answer = http_get(engine.https, NAME, "/", tls=True)
        assert answer.headers.get("strict-transport-security") == ("max-age=63072000" if hsts else None)


def test_unless_told_otherwise_the_controller_sends_hsts_for_subdomains_too(start):
    engine = start()
    engine.configure(objects_for(), secrets_for())
    answer = http_get(engine.https, NAME, "/", tls=True)
    assert answer.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
    assert "sends HSTS for 31536000 seconds, with includeSubDomains" in compare(cluster_settings({}), DEFAULT, None)[0]


def test_the_challenge_is_open_whatever_the_configmap_says(start):
    engine = start(
        {
            "force-ssl-redirect": "true",
            "no-tls-redirect-locations": "/elsewhere",
            "whitelist-source-range": "203.0.113.0/24",
        }
    )
    engine.configure(objects_for(replace(SERVED, redirect=False)), secrets_for())
    answer = http_get(engine.http, NAME, f"{CHALLENGE_PATH}token")
    assert (answer.status, answer.body) == (http.client.OK, b"team-a/certward-challenge:8089")
    # The administrator's ranges hold for an App that has none of its own; his redirect does not.
    assert http_get(engine.http, NAME, "/").status == http.client.FORBIDDEN
    engine.configure(objects_for(replace(SERVED, redirect=False), trusted_ranges=("127.0.0.0/8",)), secrets_for())
    assert http_get(engine.http, NAME, "/").status == http.client.OK


def test_the_order_in_which_a_hosts_ingresses_were_made_does_not_matter():
    secrets = secrets_for()
    servers = [servers_of(order, secrets, DEFAULTS) for order in itertools.permutations(objects_for())]
    assert len(servers) == 6
    assert all(each == servers[0] for each in servers)
    (server,) = servers[0]
    assert (server.secret, server.prefer_server) == (SECRET, "off")
    assert server.ciphers.startswith("ECDHE-ECDSA-AES128-GCM-SHA256:")


@pytest.mark.parametrize(("is_older", "suites"), [(True, ["AES128-SHA"]), (False, None)], ids=["older", "younger"])
def test_an_older_ingress_of_somebody_else_settles_the_suites(is_older, suites):
    objects = objects_for()
    foreign = deepcopy(next(each for each in objects if "tls" in each["spec"]))
    foreign["metadata"] |= {"name": "foreign", "annotations": {f"{PREFIX}/ssl-ciphers": "AES128-SHA"}}
    order = [foreign, *objects] if is_older else [*objects, foreign]
    (server,) = servers_of(order, secrets_for(), DEFAULTS)
    (alone,) = servers_of(objects, secrets_for(), DEFAULTS)
    assert server.ciphers.split(":") == (suites or alone.ciphers.split(":"))


def test_nginx_refuses_a_list_without_a_suite_of_its_own_and_goes_on_as_before(start):
    engine = start()
    objects, secrets = objects_for(replace(SERVED, profile=PROFILES["2026-11/modern"])), secrets_for()
    engine.configure(objects, secrets)
    assert scan(engine.https, NAME).versions == ("TLSv1.3",)
    broken = deepcopy(objects)
    (tls,) = (each for each in broken if "tls" in each["spec"])
    tls["metadata"]["annotations"][f"{PREFIX}/ssl-ciphers"] = "TLS_AES_128_GCM_SHA256"
    with pytest.raises(Refused, match="no cipher match"):
        engine.configure(broken, secrets)
    assert scan(engine.https, NAME).versions == ("TLSv1.3",)


def test_a_dot_in_a_path_of_type_prefix_is_refused():
    (challenge,) = (each for each in objects_for() if "challenge" in each["metadata"]["name"])
    (path,) = challenge["spec"]["rules"][0]["http"]["paths"]
    path["pathType"] = "Prefix"
    with pytest.raises(Refused, match="cannot be used with pathType Prefix"):
        servers_of([challenge], {}, DEFAULTS)


@pytest.mark.parametrize(
    ("asked", "service"),
    [
        pytest.param("/api", "api", id="the path itself"),
        pytest.param("/api/v1", "api", id="beneath it"),
        pytest.param("/apis", "shop", id="another segment"),
        pytest.param("/v1.2/x", "dotted", id="with a dot"),
        pytest.param("/v1.2x", "shop", id="another segment with a dot"),
        pytest.param("/v1x2/x", "shop", id="the dot is no pattern"),
        pytest.param("/a~!&,:=@/x", "odd", id="all that can stand in nginx.conf"),
        pytest.param("/semi;colon", "shop", id="what would break it is left to the main Service"),
        pytest.param("/", "shop", id="the rest"),
    ],
)
def test_paths(start, asked, service):
    routes = {"/api": "api", "/v1.2": "dotted", "/a~!&,:=@": "odd", "/semi;colon": "never", "/paren(": "never"}
    paths = tuple(path_route(path, name) for path, name in routes.items())
    engine = start()
    engine.configure(objects_for(replace(SERVED, redirect=False), paths=paths), secrets_for())
    answer = http_get(engine.http, NAME, asked)
    assert (answer.status, answer.body) == (http.client.OK, f"team-a/{service}:8080".encode())


def test_a_wildcard_host_is_served(start):
    engine = start()
    hostname = "*.example.com"
    engine.configure(objects_for(hostname=hostname), secrets_for(hostname))
    assert http_get(engine.https, "a.example.com", "/", tls=True).body == b"team-a/shop:8080"
    assert http_get(engine.https, "a.b.example.com", "/", tls=True).status == http.client.NOT_FOUND
