"""What has to hold of everything that Contour is told."""

import itertools
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import DEFAULT, app, domain, path_route
from certward.errors import Blocked
from certward.model import profiles
from certward.model.policy import HSTS
from certward.names import CHALLENGE_PATH, CHALLENGE_SERVICE, LABEL_MANAGED_BY, MANAGED_BY
from certward.plan.observed import Routes
from certward.render.dialects import Host, ObjectRef, Rendered
from certward.render.dialects.contour import Contour

SERVED = Routes(challenge=True, secret_name="www-tls", redirect=True, profile=DEFAULT)  # noqa: S106 - a name
NOTHING = Routes(challenge=False, secret_name="", redirect=False, profile=None)
HEADER = HSTS(max_age=300, include_subdomains=False, preload=False)
LIMITED = app(trusted_ranges=("203.0.113.0/24", "2001:db8::/32"))
LONGEST_NAME = 253
INGRESS, PROXY = (ObjectRef(kind, "team-a", "certward-www-contour") for kind in ("Ingress", "HTTPProxy"))


def host(**changes):
    given_ = {
        "domain": domain(),
        "app": app(),
        "routes": SERVED,
        "class_name": "contour",
        "challenge_port": 8089,
    } | changes
    return Host(**given_)


def refs_of(manifests) -> list[ObjectRef]:
    return [ObjectRef(m["kind"], m["metadata"]["namespace"], m["metadata"]["name"]) for m in manifests]


def proxy_of(rendered: Rendered) -> dict:
    (proxy,) = (m for m in rendered.own if m["kind"] == "HTTPProxy")
    return proxy["spec"]


def render(**changes) -> dict:
    return proxy_of(Contour().render(host(**changes)))


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


@pytest.mark.parametrize("given_", EVERY_HOST)
def test_what_is_made_is_known_and_goes_with_its_domain(given_):
    rendered = Contour().render(given_)
    assert rendered.shared == ()
    made = refs_of(rendered.own)
    assert set(made).isdisjoint(rendered.unwanted)
    assert {*made, *rendered.unwanted} <= set(Contour().all_of(given_.domain)) == {INGRESS, PROXY}
    for manifest in rendered.own:
        assert manifest["metadata"]["labels"][LABEL_MANAGED_BY] == MANAGED_BY
        (owner,) = manifest["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"]) == ("Domain", given_.domain.meta.uid)


@pytest.mark.parametrize("given_", EVERY_HOST)
def test_the_challenge_depends_on_nothing_else(given_):
    ingresses = [m for m in Contour().render(given_).own if m["kind"] == "Ingress"]
    assert bool(ingresses) is given_.routes.challenge
    for ingress in ingresses:
        assert "annotations" not in ingress["metadata"]
        assert ingress["spec"] == {
            "ingressClassName": "contour",
            "rules": [
                {
                    "host": "www.example.com",
                    "http": {
                        "paths": [
                            {
                                "path": CHALLENGE_PATH,
                                "pathType": "Prefix",
                                "backend": {"service": {"name": CHALLENGE_SERVICE, "port": {"number": 8089}}},
                            }
                        ]
                    },
                }
            ],
        }


@pytest.mark.parametrize("given_", EVERY_HOST)
def test_nothing_is_set_for_the_whole_virtual_host(given_):
    """It would act on the challenge, too."""
    for manifest in Contour().render(given_).own:
        if manifest["kind"] == "HTTPProxy":
            assert set(manifest["spec"]["virtualhost"]) <= {"fqdn", "tls"}


@pytest.mark.parametrize("given_", EVERY_HOST)
def test_every_route_of_the_app_has_the_allow_list(given_):
    wanted = [{"source": "Remote", "cidr": cidr} for cidr in given_.app.trusted_ranges]
    for manifest in Contour().render(given_).own:
        if manifest["kind"] == "HTTPProxy":
            assert [route["ipAllowPolicy"] for route in manifest["spec"]["routes"]] == [wanted] * len(
                manifest["spec"]["routes"]
            )


def test_a_key_that_does_not_fit_leaves_https_as_it_is():
    rendered = Contour().render(host(routes=replace(SERVED, profile=None)))
    assert refs_of(rendered.own) == [INGRESS]
    assert rendered.unwanted == ()


def test_without_a_certificate_there_is_plain_http_only():
    rendered = Contour().render(host(routes=NOTHING))
    assert rendered.unwanted == (INGRESS,)
    assert proxy_of(rendered)["virtualhost"] == {"fqdn": "www.example.com"}
    assert [route["permitInsecure"] for route in proxy_of(rendered)["routes"]] == [True]


PROFILES = {f"{p.revision}/{p.name}": p for p in profiles.TABLE.values()}


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_only_versions_that_contour_has_and_none_beyond_the_profile(profile):
    tls = render(routes=replace(SERVED, profile=profile))["virtualhost"]["tls"]
    least, highest = tls["minimumProtocolVersion"], tls["maximumProtocolVersion"]
    assert {least, highest} <= {"1.2", "1.3"}
    assert least <= highest
    offered = {f"TLSv{version}" for version in ("1.2", "1.3") if least <= version <= highest}
    assert offered == set(profiles.versions(profile)) & {"TLSv1.2", "TLSv1.3"}


@pytest.mark.parametrize(
    ("paths", "wanted"),
    [
        pytest.param((), [{"prefix": "/"}], id="none"),
        pytest.param(("/api",), [{"exact": "/api"}, {"prefix": "/api/"}, {"prefix": "/"}], id="whole segments"),
        pytest.param(("/api/",), [{"exact": "/api"}, {"prefix": "/api/"}, {"prefix": "/"}], id="a slash at the end"),
        pytest.param(("/",), [{"prefix": "/"}], id="the root"),
    ],
)
def test_a_path_is_itself_and_all_beneath(paths, wanted):
    spec = render(app=app(paths=tuple(path_route(path, "other") for path in paths)))
    assert [route["conditions"] for route in spec["routes"]] == [[condition] for condition in wanted]


def test_the_header_goes_over_tls_only():
    def conditions(redirect: bool) -> dict[str, list[dict]]:
        routes = render(routes=replace(SERVED, redirect=redirect, hsts=HEADER))["routes"]
        header = {"name": "Strict-Transport-Security", "value": "max-age=300"}
        found: dict[str, list[dict]] = {"with": [], "without": []}
        for route in routes:
            sent = route["responseHeadersPolicy"]["set"]
            assert sent in ([], [header])
            found["with" if sent else "without"].append(route["conditions"])
        return found

    over_tls = {"header": {"name": "X-Forwarded-Proto", "exact": "https"}}
    assert conditions(redirect=True) == {"with": [[{"prefix": "/"}]], "without": []}
    assert conditions(redirect=False) == {"with": [[{"prefix": "/"}, over_tls]], "without": [[{"prefix": "/"}]]}


@pytest.mark.parametrize(
    ("hsts", "value"),
    [
        pytest.param(HSTS(0, include_subdomains=False, preload=False), "max-age=0", id="off"),
        pytest.param(
            HSTS(31536000, include_subdomains=True, preload=True),
            "max-age=31536000; includeSubDomains; preload",
            id="all",
        ),
    ],
)
def test_how_the_header_is_written(hsts, value):
    (route,) = render(routes=replace(SERVED, hsts=hsts))["routes"]
    assert route["responseHeadersPolicy"] == {"set": [{"name": "Strict-Transport-Security", "value": value}]}


def test_a_port_that_is_named_is_said_so():
    with pytest.raises(Blocked, match=r"Service files has no port that is named web; correct the port in App shop"):
        Contour().render(host(app=app(paths=(path_route("/files", "files", "web"),))))


def valid(status: str, *messages: str, of: int = 3) -> dict:
    errors = [{"type": "TLSError", "status": "True", "reason": "SecretNotValid", "message": each} for each in messages]
    return {
        "type": "Valid",
        "status": status,
        "observedGeneration": of,
        "message": "At least one error present, see Errors for details",
        **({"errors": errors} if errors else {}),
    }


def proxy(*conditions: dict, **status: str) -> dict:
    return {"kind": "HTTPProxy", "metadata": {"generation": 3}, "status": {**status, "conditions": list(conditions)}}


@pytest.mark.parametrize(
    ("objects", "wanted"),
    [
        pytest.param([], "", id="there is none"),
        pytest.param([{"metadata": {"generation": 3}}], "", id="not looked at yet"),
        pytest.param([proxy(valid("True"))], "", id="valid"),
        pytest.param([proxy(valid("False", "no Secret", of=2))], "", id="of a former generation"),
        pytest.param([proxy({"type": "other.example.com/Seen", "status": "False"})], "", id="of another controller"),
        pytest.param([proxy(valid("False", "no Secret."))], "Contour says: no Secret.", id="one error"),
        pytest.param([proxy(valid("False", "a", "b", "a"))], "Contour says: a; b.", id="several errors"),
        pytest.param(
            [proxy(valid("False"))],
            "Contour says: At least one error present, see Errors for details.",
            id="no errors are named",
        ),
    ],
)
def test_what_contour_complains_of(objects, wanted):
    assert Contour().complaint(objects) == wanted


def test_where_contour_complains():
    assert Contour().reports(domain()) == (PROXY,)


NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?", fullmatch=True).filter(
    lambda name: not re.search(r"[.-]\.|\.-", name)
)


@settings(deadline=None, max_examples=60)
@given(NAMES, NAMES)
def test_no_two_domains_have_an_object_in_common(one, other):
    found = [set(Contour().all_of(domain(name))) for name in (one, other)]
    assert found[0].isdisjoint(found[1]) is (one != other)
    assert all(len(ref.name) <= LONGEST_NAME for ref in found[0])
