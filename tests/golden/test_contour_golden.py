"""What Contour is told, in full, file by file; see test_traefik_golden.py for how to write the files anew."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from builders import DEFAULT, MODERN, RSA_ONLY, app, domain, path_route
from certward.model.policy import HSTS
from certward.plan.observed import Routes
from certward.render.dialects import Host, Rendered
from certward.render.dialects.contour import Contour

FOLDER = Path(__file__).parent / "contour"
NOTHING = Routes(challenge=False, secret_name="", redirect=False, profile=None)
SERVED = Routes(challenge=True, secret_name="www-tls", redirect=True, profile=DEFAULT)  # noqa: S106 - a name
PATHS = (path_route("/api", "shop-api", 9090), path_route("/assets/", "files", 8000))
HEADER = HSTS(max_age=63072000, include_subdomains=True, preload=False)
LIMITED = app(trusted_ranges=("203.0.113.0/24", "2001:db8::/32"))

CASES = {
    "automatic-off-without-certificate": (app(is_automatic=False), NOTHING),
    "challenge-before-the-certificate": (app(), replace(NOTHING, challenge=True)),
    "certificate-not-proven-yet": (app(), replace(SERVED, redirect=False)),
    "certificate-with-redirect": (app(), SERVED),
    "automatic-off-with-certificate": (app(is_automatic=False), replace(SERVED, challenge=False)),
    "key-does-not-fit-the-profile": (app(), replace(SERVED, profile=None)),
    "paths": (app(paths=PATHS), SERVED),
    "trusted-ranges": (LIMITED, SERVED),
    "hsts-and-trusted-ranges": (LIMITED, replace(SERVED, hsts=HEADER)),
    "hsts-without-redirect": (app(https_redirect=False), replace(SERVED, redirect=False, hsts=HEADER)),
    "profile-modern-of-2026-11": (app(), replace(SERVED, profile=MODERN)),
    "profile-default-of-2018-06": (app(), replace(SERVED, profile=RSA_ONLY)),
}


def rendered_for(of, routes) -> Rendered:
    return Contour().render(
        Host(domain=domain(), app=of, routes=routes, class_name="contour", challenge_port=8089),
    )


@pytest.mark.parametrize(("of", "routes"), CASES.values(), ids=CASES)
def test_a_host_on_contour(of, routes, request):
    rendered = rendered_for(of, routes)
    assert rendered == rendered_for(of, routes)
    unwanted = [{"unwanted": f"{ref.kind} {ref.namespace}/{ref.name}"} for ref in rendered.unwanted]
    path = FOLDER / f"{request.node.callspec.id}.yaml"
    text = yaml.safe_dump_all([*rendered.shared, *rendered.own, *unwanted], sort_keys=False, width=110)
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text, f"{path} differs; UPDATE_GOLDEN=1 writes it anew"


def test_no_file_of_contour_is_left_over():
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(CASES)
