"""What Envoy Gateway is told, in full, file by file.

After a change that is meant, write the files anew with `UPDATE_GOLDEN=1 make check` (or the same variable before
pytest) and read the difference that git shows.
"""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from builders import DEFAULT, MODERN, RSA_ONLY, app, domain, path_route
from certward.model import profiles
from certward.model.policy import HSTS
from certward.plan.observed import Routes
from certward.render.dialects import GatewayRef, Host, Rendered
from certward.render.dialects.envoy_gateway import EnvoyGateway

FOLDER = Path(__file__).parent / "envoy-gateway"
NOTHING = Routes(challenge=False, secret_name="", redirect=False, profile=None)
CHALLENGE = replace(NOTHING, challenge=True)
SERVED = Routes(challenge=True, secret_name="www-tls", redirect=True, profile=DEFAULT)  # noqa: S106 - a name
PATHS = (path_route("/api", "shop-api", 9090), path_route("/assets", "files"))
HEADER = HSTS(max_age=63072000, include_subdomains=True, preload=False)

CASES = {
    "automatic-off-without-certificate": (app(is_automatic=False), NOTHING),
    "challenge-before-the-certificate": (app(), CHALLENGE),
    "certificate-not-proven-yet": (app(), replace(SERVED, redirect=False)),
    "certificate-with-redirect": (app(), SERVED),
    "redirect-off": (app(https_redirect=False), replace(SERVED, redirect=False)),
    "automatic-off-with-certificate": (app(is_automatic=False), replace(SERVED, challenge=False)),
    "key-does-not-fit-the-profile": (app(), replace(SERVED, profile=None)),
    "paths": (app(paths=PATHS), SERVED),
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
    return EnvoyGateway().render(
        Host(
            domain=domain(),
            app=of,
            routes=routes,
            class_name="envoy",
            challenge_port=8089,
            gateway=GatewayRef("edge-system", "edge", 8000, 8443),
        )
    )


@pytest.mark.parametrize(("of", "routes"), CASES.values(), ids=CASES)
def test_a_host(of, routes, request):
    rendered = rendered_for(of, routes)
    assert rendered == rendered_for(of, routes)
    unwanted = [{"unwanted": f"{ref.kind} {ref.namespace}/{ref.name}"} for ref in rendered.unwanted]
    compare(request.node.callspec.id, [*rendered.shared, *rendered.own, *unwanted])


def test_every_profile_of_every_revision():
    documents = []
    for profile in profiles.TABLE.values():
        (policy,) = (
            m for m in rendered_for(app(), replace(SERVED, profile=profile)).own if m["kind"] == "ClientTrafficPolicy"
        )
        documents.append({"revision": profile.revision, "profile": profile.name, "tls": policy["spec"]["tls"]})
    compare("tls-policies", documents)


def test_no_file_is_left_over():
    assert {path.stem for path in FOLDER.glob("*.yaml")} == {*CASES, "tls-policies"}
