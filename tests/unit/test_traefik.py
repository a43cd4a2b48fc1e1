"""What has to hold of everything that Traefik is told."""

import itertools
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
from certward.render.dialects import Host, ObjectRef, Rendered
from certward.render.dialects.traefik import Traefik

SERVED = Routes(challenge=True, secret_name="www-tls", redirect=True, profile=DEFAULT)  # noqa: S106 - a name
HEADER = HSTS(max_age=1, include_subdomains=False, preload=False)
NOTHING = Routes(challenge=False, secret_name="", redirect=False, profile=None)
#: Every object that a host can have, at once.
LIMITED = app(trusted_ranges=("203.0.113.0/24",))
CHAINS = {"http", "redirect", "https"}
FULL = replace(SERVED, hsts=HEADER)
ROUTER = "traefik.ingress.kubernetes.io/router"
LONGEST_NAME = 253
#: Two hosts that are one where dots are made hyphens.
FLATTENED = ("shop.v2.example.com", "shop-v2.example.com")
CRDS = Path(__file__).parents[2] / "crds"


def host(**changes):
    given_ = {
        "domain": domain(),
        "app": app(),
        "routes": SERVED,
        "class_name": "traefik",
        "challenge_port": 8089,
    } | changes
    return Host(**given_)


def key_of(manifest: dict) -> tuple[str, str, str]:
    return manifest["kind"], manifest["metadata"]["namespace"], manifest["metadata"]["name"]


def ingresses_of(rendered: Rendered) -> list[dict]:
    """The Ingresses."""
    return [manifest for manifest in rendered.own if manifest["kind"] == "Ingress"]


def routes_of(rendered: Rendered) -> dict[str, dict]:
    """The Ingresses by what they are for."""
    return {m["metadata"]["name"].rsplit("-", 1)[1]: m for m in rendered.own if m["kind"] == "Ingress"}


# How Traefik 3.7 names what it finds: its CRD provider joins namespace and name by a hyphen, and for Middlewares, not
# for TLSOptions, makes everything but letters and digits one hyphen (crd/name_builder.go, without safeNaming); the
# router of an Ingress is named so for namespace, name, host and path (ingress/kubernetes.go).


def flat(text: str) -> str:
    return "-".join(part for part in re.split(r"[^a-z0-9]+", text) if part)


def id_in_traefik(manifest: dict) -> str:
    name = f"{manifest['metadata']['namespace']}-{manifest['metadata']['name']}"
    return f"{name if manifest['kind'] == 'TLSOption' else flat(name)}@kubernetescrd"


def routers_in_traefik(manifest: dict) -> set[str]:
    meta = manifest["metadata"]
    return {
        flat(f"{meta['namespace']}-{meta['name']}-{rule['host']}{path['path']}")
        for rule in manifest["spec"]["rules"]
        for path in rule["http"]["paths"]
    }


def chains_of(rendered: Rendered) -> dict[str, dict]:
    """The chains by what they are for."""
    return {m["metadata"]["name"].split("-")[1]: m for m in rendered.shared if "chain" in m["spec"]}


def all_in_traefik(rendered: Rendered) -> set[tuple[str, str]]:
    """Whatever Traefik keeps by name, but for the redirects, which are all the same."""
    every = [m for m in (*rendered.shared, *rendered.own) if "redirectScheme" not in m["spec"]]
    objects = {(m["kind"], id_in_traefik(m)) for m in every if m["kind"] != "Ingress"}
    return objects | {("Ingress", name) for m in every if m["kind"] == "Ingress" for name in routers_in_traefik(m)}


def referred_to(manifest: dict) -> list[tuple[str, str]]:
    """Kind and name in Traefik of what an Ingress or a chain refers to."""
    if manifest["kind"] == "Ingress":
        annotations = manifest["metadata"]["annotations"]
        named = {"Middleware": f"{ROUTER}.middlewares", "TLSOption": f"{ROUTER}.tls.options"}
        return [
            (kind, part) for kind, key in named.items() if key in annotations for part in annotations[key].split(",")
        ]
    chained = manifest["spec"].get("chain", {"middlewares": []})["middlewares"]
    assert all(set(each) == {"name"} for each in chained), "a chain does not leave its namespace"
    namespace = manifest["metadata"]["namespace"]
    return [("Middleware", f"{flat(namespace + '-' + each['name'])}@kubernetescrd") for each in chained]


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
    # A wildcard has further ones, for paths that begin with each other.
    every_role = [re.search(r"-(challenge|https?)(-[1-3])?$", m["metadata"]["name"]) for m in ingresses_of(rendered)]
    assert {role[1] for role in every_role if role} == {"challenge", "http", "https"}
    assert hostname.startswith("*.") or all(role and not role[2] for role in every_role)
    shown: dict[str, list[str]] = {"challenge": [], "http": [], "https": []}
    own_keys = {
        "challenge": {"entrypoints"},
        "http": {"entrypoints", "middlewares"},
        "https": {"entrypoints", "middlewares", "tls", "tls.options"},
    }
    for match, manifest in zip(every_role, ingresses_of(rendered), strict=True):
        role = match[1] if match else ""
        annotations = dict(manifest["metadata"]["annotations"])
        priority = annotations.pop(f"{ROUTER}.priority", "")
        assert bool(priority) == (hostname.startswith("*.") and role != "challenge")
        # Below that of any rule with a host and a path, which is its length.
        assert int(priority or 1) < len("Host(`a.bc`) && PathPrefix(`/`)")
        assert set(annotations) == {f"{ROUTER}.{key}" for key in own_keys[role]}
        assert annotations[f"{ROUTER}.entrypoints"] == ("websecure" if role == "https" else "web")
        assert annotations.get(f"{ROUTER}.tls", "true") == "true"
        named = [annotations[key] for key in (f"{ROUTER}.middlewares", f"{ROUTER}.tls.options") if key in annotations]
        assert all(REFERENCE.fullmatch(reference) for reference in named)
        (rule,) = manifest["spec"]["rules"]
        assert rule["host"] == hostname
        shown[role] += [path["path"] for path in rule["http"]["paths"]]
        for path in rule["http"]["paths"]:
            # Traefik writes a path into a rule, between backquotes.
            assert not re.search(r"[`\s\"\\]", path["path"])
    wanted = sorted([*(route.path for route in paths), "/"])
    assert {role: sorted(found) for role, found in shown.items()} == {
        "challenge": [CHALLENGE_PATH],
        "http": wanted,
        "https": wanted,
    }
    every = (*rendered.shared, *rendered.own)
    assert all(m["metadata"]["labels"][LABEL_MANAGED_BY] == MANAGED_BY for m in every)
    assert {m["metadata"]["namespace"] for m in every} == {namespace}
    assert all(len(m["metadata"]["name"]) <= LONGEST_NAME for m in every)
    there = {(m["kind"], id_in_traefik(m)) for m in every}
    assert {reference for manifest in every for reference in referred_to(manifest)} <= there
    lengths = {role: len(chain["spec"]["chain"]["middlewares"]) for role, chain in chains_of(rendered).items()}
    assert lengths == {"http": len(limited), "redirect": len(limited) + 1, "https": len(limited) + 1}


def test_the_challenge_is_outside_of_redirect_allow_list_and_https():
    ingresses = routes_of(Traefik().render(host(app=LIMITED, routes=FULL)))
    challenge = ingresses.pop("challenge")
    assert challenge["metadata"]["annotations"] == {f"{ROUTER}.entrypoints": "web"}
    assert "tls" not in challenge["spec"]
    (rule,) = challenge["spec"]["rules"]
    assert [path["path"] for path in rule["http"]["paths"]] == [CHALLENGE_PATH]
    assert set(ingresses) == {"http", "https"}
    assert all(f"{ROUTER}.middlewares" in other["metadata"]["annotations"] for other in ingresses.values())


@pytest.mark.parametrize(
    ("routes", "plain", "secure"),
    [
        pytest.param(NOTHING, "http", ["ranges"], id="before the certificate"),
        pytest.param(replace(NOTHING, hsts=HEADER), "http", ["ranges", "hsts"], id="header before the certificate"),
        pytest.param(replace(SERVED, redirect=False), "http", ["ranges"], id="no redirect"),
        pytest.param(SERVED, "redirect", ["ranges"], id="redirect"),
        pytest.param(replace(FULL, redirect=False), "http", ["ranges", "hsts"], id="header"),
        pytest.param(FULL, "redirect", ["ranges", "hsts"], id="redirect and header"),
    ],
)
@pytest.mark.parametrize("is_limited", [True, False])
def test_what_stands_before_the_app_in_which_order(routes, plain, secure, is_limited):
    rendered = Traefik().render(host(app=LIMITED if is_limited else app(), routes=routes))
    parts = {"ipAllowList": "ranges", "redirectScheme": "redirect", "headers": "hsts", "chain": ""}
    role_of = {m["metadata"]["name"]: parts[next(iter(m["spec"]))] for m in rendered.shared}
    chains = {
        role: [role_of[each["name"]] for each in chain["spec"]["chain"]["middlewares"]]
        for role, chain in chains_of(rendered).items()
    }
    wanted = {"http": ["ranges"], "redirect": ["ranges", "redirect"], "https": secure}
    assert chains == {route: [r for r in roles if is_limited or r != "ranges"] for route, roles in wanted.items()}
    expected = {"http": plain, "https": "https"}
    for route, manifest in routes_of(rendered).items():
        if route in expected:
            (reference,) = (name for kind, name in referred_to(manifest) if kind == "Middleware")
            assert reference == id_in_traefik(chains_of(rendered)[expected[route]])


# With and without challenge, redirect, header, allow list; without HTTPS, with it, with a key that does not fit; with
# plain HTTP, and with that put off.
EVERY_HOST = [
    host(app=of, routes=Routes(challenge, secret_name, redirect, profile, hsts=hsts, plain=plain))
    for challenge, (secret_name, profile), redirect, hsts, of, plain in itertools.product(
        (True, False),
        (("", None), ("www-tls", DEFAULT), ("www-tls", None)),
        (True, False),
        (HEADER, None),
        (app(), LIMITED),
        (True, False),
    )
]


def test_what_is_referred_to_is_there_before():
    for given_ in EVERY_HOST:
        rendered = Traefik().render(given_)
        seen: set[tuple[str, str]] = set()
        named: set[tuple[str, str]] = set()
        for manifest in (*rendered.shared, *rendered.own):
            references = referred_to(manifest)
            assert set(references) <= seen, f"{key_of(manifest)} comes before what it refers to"
            assert len(references) == len(set(references))
            named |= set(references)
            if manifest["kind"] != "Ingress":
                assert (manifest["kind"], id_in_traefik(manifest)) not in seen
                seen.add((manifest["kind"], id_in_traefik(manifest)))
        # Nothing is made in vain, but for chains that wait for a route, of this host or of another one of the App.
        waiting = {("Middleware", id_in_traefik(chain)) for chain in chains_of(rendered).values()}
        assert seen - named <= waiting


def test_what_routes_refer_to_does_not_change_but_for_the_redirect():
    """A connection must survive a change of profile, and a route must not wait for what it has not named before."""
    found: dict[str, set[tuple[tuple[str, str], ...]]] = {}
    chains: list[dict[str, str]] = []
    others = [replace(SERVED, profile=profile) for profile in profiles.TABLE.values()]
    for given_ in (*EVERY_HOST, *(host(routes=routes) for routes in others)):
        rendered = Traefik().render(given_)
        chains.append({role: id_in_traefik(chain) for role, chain in chains_of(rendered).items()})
        for role, manifest in routes_of(rendered).items():
            found.setdefault(role, set()).add(tuple(referred_to(manifest)))
    # All of them are there, under the same names, whatever the host's state: also the one that is turned to later.
    assert set(chains[0]) == CHAINS
    assert all(each == chains[0] for each in chains)
    assert {role: len(references) for role, references in found.items()} == {"challenge": 1, "http": 2, "https": 1}
    assert found["http"] == {(("Middleware", chains[0][role]),) for role in ("http", "redirect")}


def test_a_change_of_the_redirect_changes_nothing_but_the_chain_that_plain_http_refers_to():
    before, after = (Traefik().render(host(routes=replace(FULL, redirect=redirect))) for redirect in (False, True))
    assert before.shared == after.shared
    differing = [(one, other) for one, other in zip(before.own, after.own, strict=True) if one != other]
    ((one, other),) = differing
    assert one["metadata"].pop("annotations") != other["metadata"].pop("annotations")
    assert one == other
    assert one["metadata"]["name"].endswith("-http")


def test_hosts_of_an_app_want_the_same_of_what_they_share():
    """Or each would take from the other what it needs, in writes without an end."""
    found: dict[tuple[bool, bool], list[object]] = {}
    for given_ in EVERY_HOST:
        for of_domain in (domain(), domain("api", hostname="api.example.com"), domain("all", hostname="*.example.com")):
            kind = bool(given_.app.trusted_ranges), bool(given_.routes.hsts)
            found.setdefault(kind, []).append(Traefik().render(replace(given_, domain=of_domain)).shared)
    assert len(found) == 4
    for shared in found.values():
        assert all(each == shared[0] for each in shared)


def test_what_hosts_share_does_not_go_with_one_of_them():
    for given_ in EVERY_HOST:
        rendered = Traefik().render(given_)
        shared = {ObjectRef(*key_of(m)) for m in rendered.shared}
        assert not shared & {*rendered.unwanted, *Traefik().all_of(given_.domain)}


@pytest.mark.parametrize("hostname", ["www.example.com", "*.example.com"])
def test_plain_http_that_is_put_off_is_neither_made_nor_taken_away(hostname):
    paths = (path_route("/api", "api"), path_route("/api/v2", "api"))
    of_domain = domain(hostname=hostname)
    given_ = host(app=app(paths=paths), domain=of_domain, routes=replace(NOTHING, challenge=True, plain=False))
    rendered = Traefik().render(given_)
    names = {ref.name for ref in (*rendered.unwanted, *(ObjectRef(*key_of(m)) for m in rendered.own))}
    assert not [name for name in names if re.search(r"-http(-[1-3])?$", name)]
    later = Traefik().render(replace(given_, routes=SERVED))
    assert later.shared == rendered.shared, "its chain is there before it"
    assert [name for _, _, name in map(key_of, ingresses_of(later)) if re.search(r"-http(-[1-3])?$", name)]


def test_what_is_shared_goes_with_its_app_or_is_a_leftover_of_the_namespace():
    for given_ in EVERY_HOST:
        shared = Traefik().render(given_).shared
        kept = {key_of(m) for m in shared if "ownerReferences" not in m["metadata"]}
        assert kept == set(Traefik().leftovers_in("team-a"))
        owners = [(o["kind"], o["uid"]) for m in shared for o in m["metadata"].get("ownerReferences", ())]
        assert owners == [("App", given_.app.meta.uid)] * (len(shared) - len(kept))


def test_what_a_host_has_of_its_own_goes_with_its_domain():
    for given_ in EVERY_HOST:
        for manifest in Traefik().render(given_).own:
            (owner,) = manifest["metadata"]["ownerReferences"]
            assert (owner["kind"], owner["uid"]) == ("Domain", given_.domain.meta.uid)


def test_what_is_not_made_is_unwanted_and_everything_is_known():
    for given_ in EVERY_HOST:
        rendered = Traefik().render(given_)
        made = {ObjectRef(*key_of(m)) for m in rendered.own}
        assert len(made) == len(rendered.own)
        assert not made & set(rendered.unwanted)
        known = set(Traefik().all_of(domain()))
        if not given_.routes.plain:
            # A first certificate is on its way: plain HTTP stays as it is.
            (plain,) = (ref for ref in known if ref.name.endswith("-http"))
            assert plain not in made | set(rendered.unwanted)
            known -= {plain}
        if given_.routes.secret_name and given_.routes.profile is None:
            # The key does not fit the profile: HTTPS stays as it was, neither made nor taken away.
            assert {(ref.kind, ref.name.split("-")[-1]) for ref in known - made - set(rendered.unwanted)} == {
                ("Ingress", "https"),
                ("TLSOption", "76cd915a125b"),
            }
        else:
            assert made | set(rendered.unwanted) == known


def test_without_https_its_route_goes_before_its_tls_option():
    kinds = [ref.kind for ref in Traefik().render(host(routes=replace(NOTHING, challenge=True))).unwanted]
    assert kinds == ["Ingress", "TLSOption"]


def test_routes_are_taken_away_before_what_they_refer_to():
    kinds = [ref.kind for ref in Traefik().all_of(domain())]
    assert kinds == ["Ingress"] * 3 + ["TLSOption"]


def test_an_app_that_routes_its_root_elsewhere_has_one_route_for_it():
    rendered = Traefik().render(host(app=app(paths=(path_route("/", "front"),))))
    for role in ("http", "https"):
        (rule,) = routes_of(rendered)[role]["spec"]["rules"]
        assert [path["backend"]["service"]["name"] for path in rule["http"]["paths"]] == ["front"]


PROFILES = {f"{p.revision}/{p.name}/{p.min_version}": p for p in profiles.TABLE.values()}
PROFILES |= {
    f"{cut.revision}/{cut.name}/{floor} or later": cut
    for profile in profiles.TABLE.values()
    for floor in ("TLSv1.1", "TLSv1.2", "TLSv1.3")
    if (cut := profiles.cut_to_floor(profile, floor))
}
VERSIONS = {f"TLSv1.{minor}": f"VersionTLS1{minor}" for minor in range(4)}
GROUPS = {"P-256": "CurveP256", "P-384": "CurveP384", "X25519": "X25519", "X25519MLKEM768": "X25519MLKEM768"}


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_a_tls_option_says_all_that_its_profile_says(profile):
    (option,) = (
        m for m in Traefik().render(host(routes=replace(SERVED, profile=profile))).own if m["kind"] == "TLSOption"
    )
    assert option["spec"] == {
        "minVersion": VERSIONS[profile.min_version],
        "maxVersion": VERSIONS[profile.max_version],
        "cipherSuites": list(profile.suites),
        "curvePreferences": [GROUPS[group] for group in profile.groups],
    }


@pytest.mark.parametrize(
    ("namespace", "name"),
    [
        pytest.param("team-a", "shop.v2", id="a dot in the name"),
        pytest.param("team--a", "shop", id="two hyphens in the namespace"),
        pytest.param("xn--a--b", "a--b.c", id="many hyphens"),
    ],
)
def test_traefik_finds_what_it_is_referred_to(namespace, name):
    of = app(name, namespace, trusted_ranges=("203.0.113.0/24",))
    of_domain = domain(name, namespace, app=name)
    both = [
        Traefik().render(host(app=of, domain=of_domain, routes=replace(FULL, redirect=redirect)))
        for redirect in (False, True)
    ]
    every = [manifest for rendered in both for manifest in (*rendered.shared, *rendered.own)]
    references = {reference for manifest in every for reference in referred_to(manifest)}
    assert references == {(m["kind"], id_in_traefik(m)) for m in every if m["kind"] != "Ingress"}


@pytest.mark.parametrize(
    ("one", "other", "hostnames_"),
    [
        pytest.param(("a", "certward-shop"), ("a-certward", "shop"), FLATTENED, id="two namespaces"),
        pytest.param(("a", "shop.v2"), ("a", "shop-v2"), FLATTENED, id="a dot and a hyphen"),
        pytest.param(("a", "shop.v-2"), ("a", "shop-v.2"), FLATTENED, id="a dot and a hyphen, the other way round"),
        pytest.param(("a", "shop--v2"), ("a", "shop-v2"), FLATTENED, id="two hyphens and one"),
        pytest.param(("a--b", "shop"), ("a-b", "shop"), FLATTENED, id="two hyphens and one in the namespace"),
        pytest.param(("a", "shop"), ("b", "shop"), FLATTENED, id="the same name in two namespaces"),
        pytest.param(("a", "shop"), ("a", "shop-http"), ("http.http.com", "http.com"), id="the name of a route"),
    ],
)
def test_nothing_of_two_apps_and_domains_is_one_to_traefik(one, other, hostnames_):
    found = []
    for (namespace, name), hostname in zip((one, other), hostnames_, strict=True):
        of = app(name, namespace, trusted_ranges=("203.0.113.0/24",))
        of_domain = domain(name, namespace, app=name, hostname=hostname)
        found.append(all_in_traefik(Traefik().render(host(app=of, domain=of_domain, routes=FULL))))
    assert len(found[0]) == len(found[1]) == 9, "3 routers, 3 chains, 2 more Middlewares, 1 TLSOption"
    assert not found[0] & found[1]
