"""What has to hold of everything that Envoy Gateway is told."""

import itertools
import re
from dataclasses import replace

import pytest

from builders import DEFAULT, MODERN, app, domain, path_route
from certward.errors import Blocked
from certward.model import profiles
from certward.model.policy import HSTS
from certward.model.suites import SUITES
from certward.names import CHALLENGE_PATH, CHALLENGE_SERVICE, LABEL_MANAGED_BY, MANAGED_BY
from certward.plan.observed import Routes
from certward.render.dialects import GatewayRef, Host, ObjectRef, Rendered
from certward.render.dialects.envoy_gateway import EnvoyGateway

GATEWAY = GatewayRef("edge-system", "edge", 8000, 8443)
SERVED = Routes(challenge=True, secret_name="www-tls", redirect=True, profile=DEFAULT)  # noqa: S106 - a name
NOTHING = Routes(challenge=False, secret_name="", redirect=False, profile=None)
HEADER = HSTS(max_age=1, include_subdomains=False, preload=False)
LIMITED = app(trusted_ranges=("203.0.113.0/24", "2001:db8::/32"))
CONTROLLER = EnvoyGateway.controllers[0]
#: What 1.9's types list (api/v1alpha1/tls_types.go), by OpenSSL's names; anything else makes a policy invalid.
ACCEPTED = frozenset(
    [
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
        "ECDHE-ECDSA-AES128-SHA",
        "ECDHE-RSA-AES128-SHA",
        "AES128-GCM-SHA256",
        "AES128-SHA",
        "ECDHE-ECDSA-AES256-SHA",
        "ECDHE-RSA-AES256-SHA",
        "AES256-GCM-SHA384",
        "AES256-SHA",
    ]
)


def host(**changes):
    given_ = {
        "domain": domain(),
        "app": app(),
        "routes": SERVED,
        "class_name": "envoy",
        "challenge_port": 8089,
        "gateway": GATEWAY,
    } | changes
    return Host(**given_)


def key_of(manifest: dict) -> tuple[str, str, str]:
    return manifest["kind"], manifest["metadata"]["namespace"], manifest["metadata"]["name"]


def one(rendered: Rendered, kind: str, role: str) -> dict:
    """The object of that kind and role."""
    (found,) = (m for m in rendered.own if m["kind"] == kind and m["metadata"]["name"].endswith(f"-{role}"))
    return found


def rules_of(rendered: Rendered, role: str) -> list[dict]:
    return one(rendered, "HTTPRoute", role)["spec"]["rules"]


def paths_of(rule: dict) -> list[str]:
    return [match["path"]["value"] for match in rule["matches"]]


# With and without challenge, redirect, header, allow list; without HTTPS, with it, with a key that does not fit.
EVERY_HOST = [
    host(app=of, routes=Routes(challenge, secret_name, redirect, profile, hsts=hsts))
    for challenge, (secret_name, profile), redirect, hsts, of in itertools.product(
        (True, False),
        (("", None), ("www-tls", DEFAULT), ("www-tls", None)),
        (True, False),
        (HEADER, None),
        (app(), LIMITED),
    )
]


def test_every_object_is_certwards_and_goes_with_the_domain():
    for given_ in EVERY_HOST:
        rendered = EnvoyGateway().render(given_)
        assert rendered.shared == ()
        for manifest in rendered.own:
            assert manifest["kind"] in EnvoyGateway.kinds
            assert manifest["metadata"]["labels"][LABEL_MANAGED_BY] == MANAGED_BY
            (owner,) = manifest["metadata"]["ownerReferences"]
            assert (owner["kind"], owner["uid"]) == ("Domain", given_.domain.meta.uid)


def test_what_is_not_made_is_unwanted_and_everything_is_known():
    for given_ in EVERY_HOST:
        rendered = EnvoyGateway().render(given_)
        made = {ObjectRef(*key_of(m)) for m in rendered.own}
        assert len(made) == len(rendered.own)
        assert not made & set(rendered.unwanted)
        known = set(EnvoyGateway().all_of(domain()))
        left = known - made - set(rendered.unwanted)
        if given_.routes.secret_name and given_.routes.profile is None:
            # The key does not fit the profile: HTTPS stays as it was, neither made nor taken away.
            assert {ref.kind for ref in left} == {"ListenerSet", "HTTPRoute", "ClientTrafficPolicy"}
        else:
            assert left == set()


def test_a_listener_comes_after_and_goes_before_what_belongs_to_it():
    rendered = EnvoyGateway().render(host(app=LIMITED))
    kinds = [manifest["kind"] for manifest in rendered.own]
    assert kinds == [
        "SecurityPolicy",
        "SecurityPolicy",
        "ClientTrafficPolicy",
        "HTTPRoute",
        "ListenerSet",
        "HTTPRoute",
    ]
    gone = [ref.kind for ref in EnvoyGateway().render(host(routes=NOTHING)).unwanted]
    assert gone[-3:] == ["ListenerSet", "HTTPRoute", "ClientTrafficPolicy"]
    assert [ref.kind for ref in EnvoyGateway().all_of(domain())] == [
        *gone[-3:],
        "HTTPRoute",
        "SecurityPolicy",
        "SecurityPolicy",
    ]


def test_a_certificate_takes_five_writes_in_all():
    """The plain route, what HTTPS is made of, and the plain route once more with its redirect."""
    steps = (replace(NOTHING, challenge=True), replace(SERVED, redirect=False), SERVED)
    there: dict[tuple[str, str, str], dict] = {}
    writes = 0
    for routes in steps:
        for manifest in EnvoyGateway().render(host(routes=routes)).own:
            writes += there.get(key_of(manifest)) != manifest
            there[key_of(manifest)] = manifest
    assert writes == 5


def test_routes_attach_to_the_gateway_by_port_and_to_the_hosts_own_listener():
    rendered = EnvoyGateway().render(host())
    (plain,) = one(rendered, "HTTPRoute", "http")["spec"]["parentRefs"]
    assert (plain["kind"], plain["namespace"], plain["name"], plain["port"]) == ("Gateway", "edge-system", "edge", 8000)
    listeners = one(rendered, "ListenerSet", "https")
    assert listeners["spec"]["parentRef"] == {"namespace": "edge-system", "name": "edge"}
    (listener,) = listeners["spec"]["listeners"]
    assert (listener["hostname"], listener["port"], listener["protocol"]) == ("www.example.com", 8443, "HTTPS")
    assert listener["tls"]["certificateRefs"] == [{"name": "www-tls"}]
    assert listener["allowedRoutes"] == {"namespaces": {"from": "Same"}}
    (secure,) = one(rendered, "HTTPRoute", "https")["spec"]["parentRefs"]
    (target,) = one(rendered, "ClientTrafficPolicy", "https")["spec"]["targetRefs"]
    for reference in (secure, target):
        assert (reference["kind"], reference["name"]) == ("ListenerSet", listeners["metadata"]["name"])
        assert reference["sectionName"] == listener["name"]


def test_routes_of_a_host_say_its_hostname():
    """A route without would lose all other paths of the host to one that has it."""
    for given_ in EVERY_HOST:
        routes = [m for m in EnvoyGateway().render(given_).own if m["kind"] == "HTTPRoute"]
        assert {tuple(route["spec"]["hostnames"]) for route in routes} == {("www.example.com",)}


@pytest.mark.parametrize("is_limited", [True, False])
@pytest.mark.parametrize("redirect", [True, False])
def test_the_challenge_is_outside_of_redirect_and_allow_list(redirect, is_limited):
    rendered = EnvoyGateway().render(
        host(app=LIMITED if is_limited else app(), routes=replace(SERVED, redirect=redirect))
    )
    challenge, other = rules_of(rendered, "http")
    assert paths_of(challenge) == [CHALLENGE_PATH]
    assert challenge["backendRefs"] == [{"name": CHALLENGE_SERVICE, "port": 8089}]
    assert challenge["filters"] == []
    assert paths_of(other) == ["/"]
    assert ("backendRefs" in other) is not redirect
    policies = [m["spec"] for m in rendered.own if m["kind"] == "SecurityPolicy"]
    assert len(policies) == (2 if is_limited else 0)
    if is_limited:
        closed, opened = policies
        assert [target.get("sectionName") for target in closed["targetRefs"]] == [None, None]
        assert {target["name"] for target in closed["targetRefs"]} == {
            m["metadata"]["name"] for m in rendered.own if m["kind"] == "HTTPRoute"
        }
        assert closed["authorization"]["defaultAction"] == "Deny"
        (rule,) = closed["authorization"]["rules"]
        assert rule["principal"] == {"clientCIDRs": ["203.0.113.0/24", "2001:db8::/32"]}
        (target,) = opened["targetRefs"]
        assert (target["name"], target["sectionName"]) == (
            one(rendered, "HTTPRoute", "http")["metadata"]["name"],
            challenge["name"],
        )
        assert opened["authorization"] == {"defaultAction": "Allow"}


def test_nothing_is_opened_where_there_is_no_challenge():
    rendered = EnvoyGateway().render(host(app=LIMITED, routes=replace(SERVED, challenge=False)))
    assert len([m for m in rendered.own if m["kind"] == "SecurityPolicy"]) == 1
    assert [CHALLENGE_PATH] not in [paths_of(rule) for rule in rules_of(rendered, "http")]


@pytest.mark.parametrize(
    ("hsts", "value"),
    [
        pytest.param(HEADER, "max-age=1", id="age"),
        pytest.param(HSTS(2, include_subdomains=True, preload=False), "max-age=2; includeSubDomains", id="subdomains"),
        pytest.param(HSTS(3, include_subdomains=True, preload=True), "max-age=3; includeSubDomains; preload", id="all"),
    ],
)
def test_the_header_is_sent_by_every_rule_over_https_and_by_none_over_http(hsts, value):
    of = app(paths=(path_route("/api", "api"),))
    rendered = EnvoyGateway().render(host(app=of, routes=replace(SERVED, redirect=False, hsts=hsts)))
    for rule in rules_of(rendered, "https"):
        (told,) = rule["filters"]
        assert told["responseHeaderModifier"] == {"set": [{"name": "Strict-Transport-Security", "value": value}]}
    assert len(rules_of(rendered, "https")) == 2
    assert all(rule["filters"] == [] for rule in rules_of(rendered, "http"))


def test_paths_of_one_service_are_one_rule():
    of = app(paths=(path_route("/api", "api"), path_route("/v1", "api"), path_route("/web", "shop")))
    rules = rules_of(EnvoyGateway().render(host(app=of)), "https")
    assert [(paths_of(rule), rule["backendRefs"]) for rule in rules] == [
        (["/api", "/v1"], [{"name": "api", "port": 8080}]),
        (["/web", "/"], [{"name": "shop", "port": 8080}]),
    ]


def test_an_app_that_routes_its_root_elsewhere_has_one_route_for_it():
    rules = rules_of(EnvoyGateway().render(host(app=app(paths=(path_route("/", "front"),)))), "https")
    assert [(paths_of(rule), rule["backendRefs"][0]["name"]) for rule in rules] == [(["/"], "front")]


@pytest.mark.parametrize(
    ("changes", "reason", "word"),
    [
        pytest.param({"gateway": None}, "GatewayUnknown", "administrator", id="no Gateway"),
        pytest.param(
            {"app": app(paths=(path_route("/", "front", "http"),))}, "ServicePortNotFound", "correct", id="a name"
        ),
        pytest.param(
            {"app": app(paths=tuple(path_route(f"/{n}", f"s{n}") for n in range(16)))},
            "TooManyServices",
            "fewer",
            id="too many",
        ),
    ],
)
def test_what_cannot_be_said_is_refused_in_words(changes, reason, word):
    with pytest.raises(Blocked, match=word) as caught:
        EnvoyGateway().render(host(**changes))
    assert caught.value.reason == reason
    assert caught.value.message.endswith(".")


PROFILES = {f"{p.revision}/{p.name}/{p.min_version}": p for p in profiles.TABLE.values()}
PROFILES |= {
    f"{cut.revision}/{cut.name}/{floor} or later": cut
    for profile in profiles.TABLE.values()
    for floor in ("TLSv1.1", "TLSv1.2", "TLSv1.3")
    if (cut := profiles.cut_to_floor(profile, floor))
}


def tls_of(profile) -> dict:
    rendered = EnvoyGateway().render(host(routes=replace(SERVED, profile=profile)))
    return one(rendered, "ClientTrafficPolicy", "https")["spec"]["tls"]


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_a_policy_says_what_its_profile_says_as_far_as_it_is_accepted(profile):
    tls = tls_of(profile)
    assert (tls["minVersion"], tls["maxVersion"]) == (profile.min_version[-3:], profile.max_version[-3:])
    assert tls["ecdhCurves"] == list(profile.groups)
    known = [suite for suite in profile.suites if SUITES[suite].openssl in ACCEPTED]
    if profile.min_version == "TLSv1.3":
        assert "ciphers" not in tls, "the API server refuses suites that have no effect"
    else:
        assert tls["ciphers"] == known
        assert known, "without any, Envoy would offer its own"


def test_a_profile_without_a_known_suite_is_served_at_tls_1_3_alone():
    odd = replace(DEFAULT, suites=("TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",))
    assert tls_of(odd) == {"minVersion": "1.3", "maxVersion": "1.3", "ecdhCurves": list(DEFAULT.groups)}
    assert tls_of(replace(MODERN, groups=("X25519", "brainpoolP256r1")))["ecdhCurves"] == ["X25519"]


def test_the_suites_are_those_that_are_accepted():
    assert {SUITES[suite].openssl for suite in EnvoyGateway.capabilities.suites} == ACCEPTED


def test_nothing_of_two_domains_has_one_name():
    names = ("www", "www-envoy", "www-envoy-http", "www-http", "www-https", "www-envoy-https")
    every = [ref for name in names for ref in EnvoyGateway().all_of(domain(name))]
    assert len(set(every)) == len(every)
    assert all(re.fullmatch(r"certward-[a-z-]+-envoy-[a-z]+", ref.name) for ref in every)


def condition(kind: str, status: str, message: str = "because", generation: int = 2) -> dict:
    return {"type": kind, "status": status, "message": message, "observedGeneration": generation}


def seen(kind: str, status: dict) -> dict:
    return {"kind": kind, "metadata": {"name": "x", "namespace": "n", "generation": 2}, "status": status}


def by(controller: str, *conditions: dict) -> dict:
    return {"controllerName": controller, "conditions": list(conditions)}


NOT_ACCEPTED = condition("Accepted", "False")


@pytest.mark.parametrize(
    ("manifest", "is_wrong"),
    [
        pytest.param(seen("ListenerSet", {}), False, id="nothing said yet"),
        pytest.param(seen("ListenerSet", {"conditions": [condition("Accepted", "True")]}), False, id="accepted"),
        pytest.param(seen("ListenerSet", {"conditions": [NOT_ACCEPTED]}), True, id="listeners not accepted"),
        pytest.param(
            seen("ListenerSet", {"conditions": [condition("Programmed", "False")]}), False, id="no address, not ours"
        ),
        pytest.param(
            seen("ListenerSet", {"listeners": [{"conditions": [condition("ResolvedRefs", "False")]}]}),
            True,
            id="Secret not found",
        ),
        pytest.param(
            seen("ListenerSet", {"listeners": [{"conditions": [condition("Conflicted", "True")]}]}),
            True,
            id="hostname taken",
        ),
        pytest.param(seen("HTTPRoute", {"parents": [by(CONTROLLER, NOT_ACCEPTED)]}), True, id="route not accepted"),
        pytest.param(seen("HTTPRoute", {"parents": [by("another/one", NOT_ACCEPTED)]}), False, id="another's word"),
        pytest.param(
            seen("ClientTrafficPolicy", {"ancestors": [by(CONTROLLER, NOT_ACCEPTED)]}), True, id="policy not accepted"
        ),
        pytest.param(
            seen("SecurityPolicy", {"ancestors": [by(CONTROLLER, condition("Accepted", "False", generation=1))]}),
            False,
            id="about what was before",
        ),
    ],
)
def test_what_the_controller_complains_of(manifest, is_wrong):
    told = EnvoyGateway().complaint([seen("HTTPRoute", {}), manifest])
    wanted = f"Envoy Gateway does not take {manifest['kind']} x: because."
    assert told == (wanted if is_wrong else "")


def test_the_controller_is_asked_about_all_that_may_have_been_made():
    assert EnvoyGateway().reports(domain()) == EnvoyGateway().all_of(domain())
    assert EnvoyGateway().leftovers_in("team-a") == ()
