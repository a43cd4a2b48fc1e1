"""What has to hold of everything that ingress-nginx, and a controller without a dialect of its own, is told."""

import itertools
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import DEFAULT, MODERN, RSA_ONLY, app, domain, path_route
from certward.model import profiles
from certward.model.policy import HSTS
from certward.model.suites import SUITES
from certward.names import CHALLENGE_PATH, CHALLENGE_SERVICE, LABEL_MANAGED_BY, MANAGED_BY
from certward.plan.observed import Routes
from certward.render.dialects import Dialect, Host, ObjectRef
from certward.render.dialects.generic import Generic
from certward.render.dialects.ingress_nginx import IngressNginx, suites_of
from certward.render.dialects.traefik import Traefik

PREFIX = "nginx.ingress.kubernetes.io"
SERVED = Routes(challenge=True, secret_name="www-tls", redirect=True, profile=DEFAULT)  # noqa: S106 - a name
NOTHING = Routes(challenge=False, secret_name="", redirect=False, profile=None)
HEADER = HSTS(max_age=1, include_subdomains=False, preload=False)
LIMITED = app(trusted_ranges=("203.0.113.0/24", "2001:db8::/32"))
DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in (IngressNginx(), Generic())}
#: The annotation's own check (internal/ingress/annotations/sslcipher/main.go).
VALID_CIPHERS = re.compile(r"(?:(?:[A-Za-z0-9!:+\-_])*(?:@STRENGTH)*(?:@SECLEVEL=[0-5])*(?:@STRENGTH)*)*")


def host(**changes):
    given_ = {
        "domain": domain(),
        "app": app(),
        "routes": SERVED,
        "class_name": "main",
        "challenge_port": 8089,
    } | changes
    return Host(**given_)


def key_of(manifest: dict) -> ObjectRef:
    return ObjectRef(manifest["kind"], manifest["metadata"]["namespace"], manifest["metadata"]["name"])


def by_role(given_: Host) -> dict[str, dict]:
    """The Ingresses of ingress-nginx by what they are for."""
    prefix, suffix = f"certward-{given_.domain.meta.name}-", "-ingress-nginx"
    own = IngressNginx().render(given_).own
    return {m["metadata"]["name"].removeprefix(prefix).removesuffix(suffix): m for m in own}


def said(manifest: dict) -> dict[str, str]:
    """What an Ingress's annotations say."""
    annotations = manifest["metadata"].get("annotations", {})
    assert all(key.startswith(f"{PREFIX}/") for key in annotations)
    return {key.removeprefix(f"{PREFIX}/"): value for key, value in annotations.items()}


def paths_of(manifest: dict) -> list[dict]:
    (rule,) = manifest["spec"]["rules"]
    assert rule["host"] == "www.example.com"
    return rule.get("http", {}).get("paths", [])


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


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_what_is_not_made_is_unwanted_and_everything_is_known(dialect):
    for given_ in EVERY_HOST:
        rendered = dialect.render(given_)
        made = {key_of(manifest) for manifest in rendered.own}
        assert rendered.shared == ()
        assert len(made) == len(rendered.own)
        assert not made & set(rendered.unwanted)
        left = set(dialect.all_of(given_.domain)) - made - set(rendered.unwanted)
        # What is served while the key does not fit the profile is neither made nor taken away, if it has TLS settings.
        is_kept = bool(given_.routes.secret_name) and given_.routes.profile is None and dialect.name == "ingress-nginx"
        assert left == ({ObjectRef("Ingress", "team-a", "certward-www-tls-ingress-nginx")} if is_kept else set())
        for manifest in rendered.own:
            (owner,) = manifest["metadata"]["ownerReferences"]
            assert (owner["kind"], owner["uid"]) == ("Domain", given_.domain.meta.uid)
            assert manifest["metadata"]["labels"][LABEL_MANAGED_BY] == MANAGED_BY
            assert manifest["spec"]["ingressClassName"] == "main"
    assert (dialect.leftovers_in("team-a"), dialect.reports(domain()), dialect.complaint([])) == ((), (), "")


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_no_two_ingresses_of_a_host_have_a_path_in_common(dialect):
    """The admission webhook of ingress-nginx refuses that, and other controllers mix them up."""
    for given_ in EVERY_HOST:
        paths = [path["path"] for manifest in dialect.render(given_).own for path in paths_of(manifest)]
        assert len(paths) == len(set(paths))
        assert (CHALLENGE_PATH in paths) == given_.routes.challenge


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_names_are_no_other_domains_and_no_other_dialects(dialect):
    everyone = (*DIALECTS.values(), Traefik())
    names = ("www", "www-app", "www-challenge", "www-tls", "certward-www", "w" * 63)
    refs = [(each.name, name, ref) for each in everyone for name in names for ref in each.all_of(domain(name))]
    assert len({ref for _, _, ref in refs}) == len(refs)
    assert all(len(ref.name) <= 253 for ref in dialect.all_of(domain("w" * 63)))


def test_the_challenge_is_outside_of_redirect_and_allow_list():
    for given_ in EVERY_HOST:
        if not given_.routes.challenge:
            continue
        challenge = by_role(given_)["challenge"]
        assert said(challenge) == {
            "ssl-redirect": "false",
            "force-ssl-redirect": "false",
            "whitelist-source-range": "0.0.0.0/0,::/0",
        }
        assert "tls" not in challenge["spec"]
        (path,) = paths_of(challenge)
        assert path["backend"]["service"] == {"name": CHALLENGE_SERVICE, "port": {"number": 8089}}


@pytest.mark.parametrize("redirect", [True, False])
@pytest.mark.parametrize("is_limited", [True, False])
def test_what_is_said_of_the_app(redirect, is_limited):
    given_ = host(app=LIMITED if is_limited else app(), routes=replace(SERVED, redirect=redirect))
    switch = "true" if redirect else "false"
    ranges = {"whitelist-source-range": "203.0.113.0/24,2001:db8::/32"} if is_limited else {}
    manifest = by_role(given_)["app"]
    assert said(manifest) == {"ssl-redirect": switch, "force-ssl-redirect": switch} | ranges
    assert "tls" not in manifest["spec"]


def test_routes_change_while_the_key_does_not_fit_the_profile():
    roles = by_role(host(app=LIMITED, routes=replace(SERVED, profile=None)))
    assert set(roles) == {"challenge", "app"}
    assert "whitelist-source-range" in said(roles["app"])


PROFILES = {f"{p.revision}/{p.name}/{p.min_version}": p for p in profiles.TABLE.values()}
PROFILES |= {
    f"{cut.revision}/{cut.name}/{floor} or later": cut
    for profile in profiles.TABLE.values()
    for floor in ("TLSv1.1", "TLSv1.2", "TLSv1.3")
    if (cut := profiles.cut_to_floor(profile, floor))
}


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_the_suites_are_the_profiles_in_its_order(profile):
    manifest = by_role(host(routes=replace(SERVED, profile=profile)))["tls"]
    assert paths_of(manifest) == []
    assert manifest["spec"]["tls"] == [{"hosts": ["www.example.com"], "secretName": "www-tls"}]
    ciphers = said(manifest)["ssl-ciphers"]
    assert VALID_CIPHERS.fullmatch(ciphers)
    named = [name for name in ciphers.split(":") if name != "@SECLEVEL=0"]
    known = [SUITES[suite].openssl for suite in profile.suites if SUITES[suite].enc != "3DES-CBC"]
    assert named == (known or ["PSK-AES128-GCM-SHA256", "DHE-PSK-AES128-GCM-SHA256"])
    assert ciphers.endswith(":@SECLEVEL=0") == (profile.min_version < "TLSv1.2")
    assert set(suites_of(profile)) <= IngressNginx.capabilities.suites
    assert said(manifest)["ssl-prefer-server-ciphers"] == ("false" if profile.revision == "2026-11" else "true")


@pytest.mark.parametrize("profile", [MODERN, RSA_ONLY], ids=["modern", "2018-06"])
def test_a_change_of_profile_changes_one_object(profile):
    before = by_role(host())
    after = by_role(host(routes=replace(SERVED, profile=profile)))
    assert {role for role in before if before[role] != after[role]} == {"tls"}


CHARACTERS = (*"ab9_-./~!$&'()*+,;=:@", "%20")


@settings(deadline=None, max_examples=100)
@given(st.lists(st.sampled_from(CHARACTERS), min_size=1, max_size=12).map(lambda parts: f"/{''.join(parts)}"))
def test_no_path_can_break_the_configuration_of_all_hosts(prefix):
    given_ = host(app=app(paths=(path_route(prefix, "other"),)))
    *others, root = paths_of(by_role(given_)["app"])
    assert (root["path"], root["pathType"]) == ("/", "Prefix")
    for path in others:
        # What strict-validate-path-type takes is a Prefix; anything else has nothing that is special to nginx.
        is_strict = bool(re.fullmatch(r"/[A-Za-z0-9/_-]*", path["path"]))
        assert path["pathType"] == ("Prefix" if is_strict else "ImplementationSpecific")
        assert not re.search(r"[;{}$()*+?\[\]\\|^'\"\s%]", path["path"])
    assert bool(others) == (not re.search(r"[;$()*+'%]", prefix))


def test_generic_says_what_any_controller_understands_and_no_more():
    for given_ in EVERY_HOST:
        for manifest in Generic().render(given_).own:
            assert "annotations" not in manifest["metadata"]
            assert all(path["pathType"] == "Prefix" for path in paths_of(manifest))
            is_app = "-app-" in manifest["metadata"]["name"]
            assert ("tls" in manifest["spec"]) == (is_app and bool(given_.routes.secret_name))
    able = Generic.capabilities
    assert not (able.versions | able.suites | able.groups)
    assert [able.redirects, able.sends_hsts, able.restricts_ranges, able.orders_suites] == [False] * 4
