"""What ingress-nginx and controllers without a dialect of their own are told, in full, file by file.

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
from certward.render.dialects import Host
from certward.render.dialects.generic import Generic
from certward.render.dialects.ingress_nginx import IngressNginx

FOLDER = Path(__file__).parent
DIALECTS = {dialect.name: dialect for dialect in (IngressNginx(), Generic())}
NOTHING = Routes(challenge=False, secret_name="", redirect=False, profile=None)
SERVED = Routes(challenge=True, secret_name="www-tls", redirect=True, profile=DEFAULT)  # noqa: S106 - a name
PATHS = (path_route("/api", "shop-api", 9090), path_route("/v1.2", "files", "http"), path_route("/a;b", "never"))
HEADER = HSTS(max_age=63072000, include_subdomains=True, preload=False)

CASES = {
    "automatic-off-without-certificate": (app(is_automatic=False), NOTHING),
    "challenge-before-the-certificate": (app(), replace(NOTHING, challenge=True)),
    "certificate-not-proven-yet": (app(), replace(SERVED, redirect=False)),
    "certificate-with-redirect": (app(), SERVED),
    "automatic-off-with-certificate": (app(is_automatic=False), replace(SERVED, challenge=False)),
    "key-does-not-fit-the-profile": (app(), replace(SERVED, profile=None)),
    "paths-and-named-ports": (app(paths=PATHS), SERVED),
    "hsts-and-trusted-ranges": (
        app(trusted_ranges=("203.0.113.0/24", "2001:db8::/32")),
        replace(SERVED, hsts=HEADER),
    ),
    "profile-modern-of-2026-11": (app(), replace(SERVED, profile=MODERN)),
    "profile-default-of-2018-06": (app(), replace(SERVED, profile=RSA_ONLY)),
    "profile-cut-to-the-floor": (app(), replace(SERVED, profile=profiles.cut_to_floor(RSA_ONLY, "TLSv1.2"))),
}


def compare(dialect: str, name: str, documents: list[object]) -> None:
    path = FOLDER / dialect / f"{name}.yaml"
    text = yaml.safe_dump_all(documents, sort_keys=False, width=110)
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text, f"{path} differs; UPDATE_GOLDEN=1 writes it anew"


def rendered_for(dialect, of, routes):
    return dialect.render(Host(domain=domain(), app=of, routes=routes, class_name="main", challenge_port=8089))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_a_host(dialect, name):
    of, routes = CASES[name]
    rendered = rendered_for(dialect, of, routes)
    assert rendered == rendered_for(dialect, of, routes)
    unwanted = [{"unwanted": f"{ref.kind} {ref.namespace}/{ref.name}"} for ref in rendered.unwanted]
    compare(dialect.name, name, [*rendered.shared, *rendered.own, *unwanted])


def test_every_profile_of_every_revision():
    documents = []
    for profile in profiles.TABLE.values():
        own = rendered_for(IngressNginx(), app(), replace(SERVED, profile=profile)).own
        (tls,) = (manifest for manifest in own if "tls" in manifest["spec"])
        given = tls["metadata"]["annotations"]
        documents.append({"revision": profile.revision, "profile": profile.name, "annotations": given})
    compare("ingress-nginx", "profiles", documents)


@pytest.mark.parametrize(("dialect", "more"), [("ingress-nginx", {"profiles"}), ("generic", set())])
def test_no_file_is_left_over(dialect, more):
    assert {path.stem for path in (FOLDER / dialect).glob("*.yaml")} == {*CASES, *more}
