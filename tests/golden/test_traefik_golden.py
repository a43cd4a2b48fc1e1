"""What Traefik is told, in full, file by file.

After a change that is meant, write the files anew with `UPDATE_GOLDEN=1 make check` (or the same variable before
pytest) and read the difference that git shows.
"""

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from builders import DEFAULT, MODERN, RSA_ONLY, app, domain, path_route
from certward.errors import Blocked
from certward.model import profiles
from certward.model.policy import HSTS
from certward.plan.observed import Routes
from certward.render.dialects import Host, Rendered
from certward.render.dialects.traefik import Traefik

FOLDER = Path(__file__).parent / "traefik"
NOTHING = Routes(challenge=False, secret_name="", redirect=False, profile=None)
CHALLENGE = replace(NOTHING, challenge=True)
SERVED = Routes(challenge=True, secret_name="www-tls", redirect=True, profile=DEFAULT)  # noqa: S106 - a name
PATHS = (path_route("/api", "shop-api", 9090), path_route("/assets", "files", "http"))
HEADER = HSTS(max_age=63072000, include_subdomains=True, preload=False)

CASES = {
    "automatic-off-without-certificate": (app(is_automatic=False), NOTHING),
    "challenge-before-the-certificate": (app(), CHALLENGE),
    "first-certificate-on-its-way": (app(), replace(CHALLENGE, plain=False)),
    "first-certificate-on-its-way-with-ranges-and-hsts": (
        app(trusted_ranges=("203.0.113.0/24",)),
        replace(CHALLENGE, plain=False, hsts=HEADER),
    ),
    "certificate-not-proven-yet": (app(), replace(SERVED, redirect=False)),
    "certificate-with-redirect": (app(), SERVED),
    "redirect-off": (app(https_redirect=False), replace(SERVED, redirect=False)),
    "automatic-off-with-certificate": (app(is_automatic=False), replace(SERVED, challenge=False)),
    "key-does-not-fit-the-profile": (app(), replace(SERVED, profile=None)),
    "paths-and-named-ports": (app(paths=PATHS), SERVED),
    "trusted-ranges": (app(trusted_ranges=("203.0.113.0/24", "2001:db8::/32")), SERVED),
    "trusted-ranges-without-redirect": (
        app(trusted_ranges=("203.0.113.0/24",), https_redirect=False),
        replace(SERVED, redirect=False),
    ),
    "hsts-and-trusted-ranges": (app(trusted_ranges=("203.0.113.0/24",)), replace(SERVED, hsts=HEADER)),
    "profile-modern-of-2026-11": (app(), replace(SERVED, profile=MODERN)),
    "profile-default-of-2018-06": (app(), replace(SERVED, profile=RSA_ONLY)),
    "profile-default-of-2017-09": (app(), replace(SERVED, profile=profiles.profile("2017-09", "default"))),
    "profile-cut-to-the-floor": (app(), replace(SERVED, profile=profiles.cut_to_floor(RSA_ONLY, "TLSv1.2"))),
}


def compare(name: str, documents: list[object]) -> None:
    path = FOLDER / f"{name}.yaml"
    text = yaml.safe_dump_all(documents, sort_keys=False, width=110)
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text, f"{path} differs; UPDATE_GOLDEN=1 writes it anew"


def rendered_for(of, routes) -> Rendered:
    return Traefik().render(
        Host(
            domain=domain(),
            app=of,
            routes=routes,
            class_name="traefik",
            challenge_port=8089,
        )
    )


@pytest.mark.parametrize(("of", "routes"), CASES.values(), ids=CASES)
def test_a_host(of, routes, request):
    rendered = rendered_for(of, routes)
    assert rendered == rendered_for(of, routes)
    unwanted = [{"unwanted": f"{ref.kind} {ref.namespace}/{ref.name}"} for ref in rendered.unwanted]
    compare(request.node.callspec.id, [*rendered.shared, *rendered.own, *unwanted])


WILD = replace(SERVED, challenge=False)
NESTED = app(paths=(*PATHS, path_route("/api/v2", "shop-api-v2"), path_route("/apis", "files")))
WILDCARDS = {
    "wildcard": (app(), WILD),
    "wildcard-with-paths": (NESTED, WILD),
    "wildcard-with-its-first-certificate-on-its-way": (NESTED, replace(NOTHING, plain=False)),
}


def rendered_wildcard(of, routes):
    host = Host(
        domain=domain("wild", hostname="*.example.com"),
        app=of,
        routes=routes,
        class_name="traefik",
        challenge_port=8089,
    )
    return Traefik().render(host)


@pytest.mark.parametrize(("of", "routes"), WILDCARDS.values(), ids=WILDCARDS)
def test_a_wildcard(of, routes, request):
    rendered = rendered_wildcard(of, routes)
    unwanted = [{"unwanted": f"{ref.kind} {ref.namespace}/{ref.name}"} for ref in rendered.unwanted]
    compare(request.node.callspec.id, [*rendered.shared, *rendered.own, *unwanted])
    names = {(each["kind"], each["metadata"]["name"]) for each in rendered.own}
    everything = {(ref.kind, ref.name) for ref in Traefik().all_of(domain("wild", hostname="*.example.com"))}
    assert names <= everything
    left_alone = set() if routes.plain else {each for each in everything if re.search(r"-http(-[1-3])?$", each[1])}
    assert names | {(ref.kind, ref.name) for ref in rendered.unwanted} == everything - left_alone


def test_paths_of_a_wildcard_that_nest_too_deeply_are_refused():
    deep = tuple(path_route("/a" * depth, "shop") for depth in range(1, 5))
    with pytest.raises(Blocked, match="at most 4 paths of a wildcard hostname"):
        rendered_wildcard(app(paths=deep), WILD)


def test_every_profile_of_every_revision():
    documents = []
    for profile in profiles.TABLE.values():
        (option,) = (m for m in rendered_for(app(), replace(SERVED, profile=profile)).own if m["kind"] == "TLSOption")
        documents.append({"revision": profile.revision, "profile": profile.name, "spec": option["spec"]})
    compare("tls-options", documents)


def test_no_file_is_left_over():
    assert {path.stem for path in FOLDER.glob("*.yaml")} == {*CASES, *WILDCARDS, "tls-options"}
