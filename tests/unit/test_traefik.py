"""What has to hold of everything that Traefik is told."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import DEFAULT, app, domain, path_route
from certward.model import hostnames, profiles
from certward.model.policy import HSTS
from certward.model.resources import PathRoute, ServiceRef
from certward.names import CHALLENGE_PATH, LABEL_MANAGED_BY, MANAGED_BY
from certward.plan.observed import Routes
from certward.render.dialects import Host, ObjectRef
from certward.render.dialects.traefik import Traefik, _tls_option

SERVED = Routes(challenge=True, secret_name="www-tls", redirect=True, profile=DEFAULT)  # noqa: S106 - a name
HEADER = HSTS(max_age=1, include_subdomains=False, preload=False)
ROUTER = "traefik.ingress.kubernetes.io/router"
CRDS = Path(__file__).parents[2] / "crds"


def host(**changes):
    given_ = {
        "domain": domain(),
        "app": app(),
        "routes": SERVED,
        "class_name": "traefik",
        "operator_namespace": "certward-system",
        "challenge_port": 8089,
    } | changes
    return Host(**given_)


def spec_of(crd: str) -> dict:
    document = yaml.safe_load((CRDS / f"{crd}.yaml").read_text(encoding="utf-8"))
    return document["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]


def pattern_of(schema: dict) -> str:
    """The pattern of a string that a CEL rule or the schema itself demands."""
    for rule in schema.get("x-kubernetes-validations", ()):
        if found := re.fullmatch(r"""self\.matches\(r?(['"])(.*)\1\)""", rule["rule"].strip()):
            return found[2]
    return schema["pattern"]


APP = spec_of("apps")
PATH_SCHEMA = APP["paths"]["items"]["properties"]["path"]
SERVICE_SCHEMA = APP["service"]["properties"]["name"]
PORT_SCHEMA = APP["paths"]["items"]["properties"]["service"]["properties"]["port"]
HOSTNAME_SCHEMA = spec_of("domains")["hostname"]


def texts(schema: dict, start: str, longest: int) -> st.SearchStrategy[str]:
    """Strings that the schema admits, of whatever single characters it admits after `start`."""
    pattern = re.compile(pattern_of(schema))
    admitted = [char for char in map(chr, range(256)) if pattern.fullmatch(f"{start}{char}a")]
    parts = st.lists(st.sampled_from(admitted), max_size=min(longest - len(start), 20)).map("".join)
    return parts.map(start.__add__).filter(pattern.fullmatch)


# Names of Kubernetes objects are DNS subdomains, those of namespaces are labels.
LABELS = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,6}[a-z0-9])?", fullmatch=True)
NAMES = st.lists(LABELS, min_size=1, max_size=3).map(".".join)
PATHS = texts(PATH_SCHEMA, "/", 256).filter(lambda path: path != "/" and "//" not in path)
SERVICES = texts(SERVICE_SCHEMA, "s", 63)
PORTS = st.integers(1, 65535) | texts(PORT_SCHEMA, "p", 15)
HOSTNAMES = st.one_of(texts(HOSTNAME_SCHEMA, "a.b", 253), texts(HOSTNAME_SCHEMA, "*.a.b", 253)).filter(
    hostnames.is_valid
)
REFERENCE = re.compile(r"[a-z0-9.-]+@kubernetescrd")


@settings(deadline=None, max_examples=60)
@given(
    HOSTNAMES,
    LABELS,
    NAMES,
    NAMES,
    st.lists(st.builds(PathRoute, PATHS, st.builds(ServiceRef, SERVICES, PORTS)), max_size=3),
    st.booleans(),
)
def test_nothing_that_the_crds_admit_says_more_than_it_should(hostname, namespace, name, of, paths, is_limited):
    limited = ("203.0.113.0/24",) if is_limited else ()
    given_ = host(
        domain=domain(name, namespace, hostname=hostname, app=of),
        app=app(of, namespace, paths=tuple(paths), trusted_ranges=limited),
        routes=replace(SERVED, hsts=HEADER),
    )
    rendered = Traefik().render(given_)
    ingresses = {m["metadata"]["name"].rsplit("-", 1)[1]: m for m in rendered.own}
    expected_middlewares = {"challenge": 0, "http": len(limited) + 1, "https": len(limited) + 1}
    for role, manifest in ingresses.items():
        annotations = manifest["metadata"]["annotations"]
        assert set(annotations) <= {f"{ROUTER}.{k}" for k in ("entrypoints", "middlewares", "tls", "tls.options")}
        middlewares = [part for part in annotations.get(f"{ROUTER}.middlewares", "").split(",") if part]
        assert len(middlewares) == expected_middlewares[role]
        assert all(REFERENCE.fullmatch(part) for part in middlewares)
        (rule,) = manifest["spec"]["rules"]
        assert rule["host"] == hostname
        wanted = [*(route.path for route in paths), "/"] if role != "challenge" else [CHALLENGE_PATH]
        assert [path["path"] for path in rule["http"]["paths"]] == wanted
        for path in rule["http"]["paths"]:
            # Traefik writes a path into a rule, between backquotes.
            assert not re.search(r"[`\s\"\\]", path["path"])
    assert REFERENCE.fullmatch(ingresses["https"]["metadata"]["annotations"][f"{ROUTER}.tls.options"])
    assert all(m["metadata"]["labels"][LABEL_MANAGED_BY] == MANAGED_BY for m in (*rendered.own, *rendered.shared))


def test_the_challenge_is_outside_of_redirect_allow_list_and_https():
    rendered = Traefik().render(host(app=app(trusted_ranges=("203.0.113.0/24",))))
    challenge, *others = rendered.own if "challenge" in rendered.own[0]["metadata"]["name"] else rendered.own[::-1]
    assert challenge["metadata"]["annotations"] == {f"{ROUTER}.entrypoints": "web"}
    assert "tls" not in challenge["spec"]
    assert all(f"{ROUTER}.middlewares" in other["metadata"]["annotations"] for other in others)


def test_shared_objects_are_those_that_annotations_name():
    rendered = Traefik().render(host(app=app(trusted_ranges=("203.0.113.0/24",)), routes=replace(SERVED, hsts=HEADER)))
    there = {f"{m['metadata']['namespace']}-{m['metadata']['name']}@kubernetescrd" for m in rendered.shared}
    named = {
        part
        for manifest in rendered.own
        for key, value in manifest["metadata"]["annotations"].items()
        if key.endswith(("middlewares", "options"))
        for part in value.split(",")
    }
    assert named == there


@pytest.mark.parametrize("challenge", [True, False])
@pytest.mark.parametrize("secret_name", ["www-tls", ""])
def test_what_is_not_made_is_unwanted_and_everything_is_known(challenge, secret_name):
    routes = Routes(challenge, secret_name, redirect=bool(secret_name), profile=DEFAULT if secret_name else None)
    rendered = Traefik().render(host(routes=routes))
    made = {ObjectRef(m["kind"], m["metadata"]["namespace"], m["metadata"]["name"]) for m in rendered.own}
    assert not made & set(rendered.unwanted)
    assert made | set(rendered.unwanted) == set(Traefik().all_of(domain()))


def test_an_app_that_routes_its_root_elsewhere_has_one_route_for_it():
    of = app(paths=(path_route("/", "front"),))
    (rule,) = Traefik().render(host(app=of)).own[-1]["spec"]["rules"]
    assert [path["backend"]["service"]["name"] for path in rule["http"]["paths"]] == ["front"]


def test_what_an_app_no_longer_asks_for_is_obsolete():
    limited = app(trusted_ranges=("203.0.113.0/24",))
    names = {ref.name for ref in Traefik().obsolete_of(app(), has_hsts=False)}
    rendered = Traefik().render(host(app=limited, routes=replace(SERVED, hsts=HEADER)))
    own_middlewares = {m["metadata"]["name"] for m in rendered.shared if m["metadata"]["namespace"] == "team-a"}
    assert names == own_middlewares
    assert Traefik().obsolete_of(limited, has_hsts=True) == ()


def test_every_profile_has_settings_of_its_own_name():
    every = [*profiles.TABLE.values()]
    every += [cut for p in every for v in ("TLSv1.1", "TLSv1.2", "TLSv1.3") if (cut := profiles.cut_to_floor(p, v))]
    different = {(p.revision, p.name, p.min_version): _tls_option("x", p) for p in every}
    assert len({manifest["metadata"]["name"] for manifest in different.values()}) == len(different)
    for profile in every:
        suites = _tls_option("x", profile)["spec"].get("cipherSuites", [])
        assert suites == list(profile.suites), "a suite that Traefik lacks"


# How Traefik's CRD provider names what it finds (pkg/provider/kubernetes/crd/name_builder.go, without safeNaming):
# namespace and name joined by a hyphen and, for Middlewares, everything but letters and digits made hyphens.


def id_in_traefik(manifest: dict) -> str:
    meta = manifest["metadata"]
    return "-".join(part for part in re.split(r"[^a-z0-9]+", f"{meta['namespace']}-{meta['name']}") if part)


def middlewares_of(namespace: str, name: str) -> tuple[list[dict], str]:
    """The Middlewares of one App, and the annotation that names them."""
    of = app(name, namespace, trusted_ranges=("203.0.113.0/24",))
    rendered = Traefik().render(host(app=of, domain=domain("www", namespace, app=name)))
    shared = [m for m in rendered.shared if m["kind"] == "Middleware" and m["metadata"]["namespace"] == namespace]
    return shared, rendered.own[1]["metadata"]["annotations"][f"{ROUTER}.middlewares"]


def test_an_app_whose_name_has_a_dot_is_found_by_traefik():
    (ranges,), named = middlewares_of("team-a", "shop.v2")
    assert named == f"{id_in_traefik(ranges)}@kubernetescrd"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(("a", "certward-shop"), ("a-certward", "shop"), id="two namespaces"),
        pytest.param(("a", "shop.v2"), ("a", "shop-v2"), id="a dot and a hyphen"),
    ],
)
def test_allow_lists_of_two_apps_are_two_to_traefik(one, other):
    (first,), _ = middlewares_of(*one)
    (second,), _ = middlewares_of(*other)
    assert id_in_traefik(first) != id_in_traefik(second)
