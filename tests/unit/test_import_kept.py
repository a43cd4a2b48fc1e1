"""The import where the operator's configuration is kept elsewhere: nothing is patched, what to add is printed."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from certward.cli import gitops
from certward.cli.api import FIELD_MANAGER
from certward.cli.context import Flags, Session
from certward.cli.importing import assemble, report, sources, writing
from certward.cli.importing.findings import Options, Sources
from certward.cli.importing.kept import CONFIG_KEY, CONFIG_MAP
from certward.cli.output import Output
from dashboard.api_server import ApiServer, api_server

Object = dict[str, Any]
NAMESPACE = "certward-system"
CONFIG = "issuers:\n- name: there\n  directory: https://ca.example/there\n"
NEW = {
    "apiVersion": "cert-manager.io/v1",
    "kind": "ClusterIssuer",
    "metadata": {"name": "le"},
    "spec": {
        "acme": {"server": "https://ca.example/new", "email": "ops@shop.test", "privateKeySecretRef": {"name": "le"}}
    },
}
ROUTE = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "web", "namespace": "shop", "annotations": {"cert-manager.io/cluster-issuer": "le"}},
    "spec": {
        "ingressClassName": "traefik",
        "tls": [{"hosts": ["a.example.com"], "secretName": "web-tls"}],
        "rules": [
            {
                "host": "a.example.com",
                "http": {
                    "paths": [
                        {
                            "path": "/",
                            "pathType": "Prefix",
                            "backend": {"service": {"name": "web", "port": {"number": 80}}},
                        }
                    ]
                },
            }
        ],
    },
}
OWNS_TEXT = {"f:data": {f"f:{CONFIG_KEY}": {}}}


def managed(manager: str, operation: str, fields: Object = OWNS_TEXT) -> Object:
    return {"managedFields": [{"manager": manager, "operation": operation, "fieldsV1": fields}]}


def of_release(**more: Any) -> Object:
    return {"annotations": {"meta.helm.sh/release-name": "edge", "meta.helm.sh/release-namespace": NAMESPACE}, **more}


#: metadata of the ConfigMap -> who keeps it, and words of where the issuers belong.
KEPT: dict[str, tuple[Object, str, str]] = {
    "Helm": (of_release(**managed("helm", "Update")), "Helm (release edge)", "config.issuers in the values"),
    "Helm by server-side apply": (
        of_release(**managed("helm", "Apply")),
        "Helm (release edge)",
        "config.issuers in the values",
    ),
    "Flux by a HelmRelease": (
        of_release(labels={"helm.toolkit.fluxcd.io/name": "certward"}),
        "Flux (Helm release edge)",
        "config.issuers in the values of the release, in git",
    ),
    "Flux by a Kustomization": ({"labels": {"kustomize.toolkit.fluxcd.io/name": "edge"}}, "Flux", "in git"),
    "Argo CD": ({"annotations": {"argocd.argoproj.io/tracking-id": "edge:/ConfigMap:x/y"}}, "Argo CD", "in git"),
    "Argo CD by its field manager": (managed("argocd-controller", "Apply"), "Argo CD", "in git"),
    "kubectl apply --server-side": (
        managed("kubectl", "Apply"),
        "server-side apply (field manager kubectl)",
        "in the overlay or manifest that is applied",
    ),
    "kubectl apply": (
        {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}},
        "kubectl apply",
        "in the overlay or manifest that is applied",
    ),
}
#: metadata of one that may be changed where it is.
FREE: dict[str, Object] = {
    "nobody is known": {},
    "made by kubectl create": managed("kubectl-create", "Update"),
    "edited by hand": managed("kubectl-edit", "Update"),
    "the plugin itself": managed(FIELD_MANAGER, "Apply"),
    "another key is applied": managed("kubectl", "Apply", {"f:data": {"f:other.yaml": {}}}),
    "its labels are applied": managed("kubectl", "Apply", {"f:metadata": {"f:labels": {}}}),
    "a label that charts carry": {"labels": {"app.kubernetes.io/instance": "edge"}},
}


def config_map(meta: Object) -> Object:
    named = {"name": CONFIG_MAP, "namespace": NAMESPACE, **meta}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": named, "data": {CONFIG_KEY: CONFIG}}


class Run:
    """A session of a user whose cluster has such a ConfigMap, and what has been told."""

    def __init__(self, server: ApiServer, folder: Path) -> None:
        self.server = server
        self.err = io.StringIO()
        self.session = Session(Flags(kubeconfig=str(server.kubeconfig(folder))))
        self.session.out = Output(stdout=io.StringIO(), stderr=self.err)

    def translated(self) -> assemble.Import:
        given = Sources(objects={"ClusterIssuer": [NEW], "Ingress": [ROUTE]})
        config = sources.operator_configuration(self.session.api, NAMESPACE)
        return assemble.translate(Sources(objects=given.objects, keeper=config.keeper), Options())

    def text(self) -> str:
        return str(self.server.get("ConfigMap", NAMESPACE, CONFIG_MAP)["data"][CONFIG_KEY])


@pytest.fixture
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Run]:
    with cluster_with(request.param, tmp_path) as made:
        yield made


@contextmanager
def cluster_with(meta: Object, folder: Path) -> Iterator[Run]:
    with api_server(config_map(meta)) as server:
        yield Run(server, folder)


@pytest.mark.parametrize(("meta", "keeper", "place"), KEPT.values(), ids=KEPT)
def test_a_configuration_that_is_kept_elsewhere_is_left_alone_and_what_to_add_is_printed(
    meta: Object, keeper: str, place: str, tmp_path: Path
) -> None:
    with cluster_with(meta, tmp_path) as run:
        assert writing.apply(run.session, run.translated(), NAMESPACE) is False
        said = run.err.getvalue()
        assert run.text() == CONFIG
        assert ("patch", "configmaps", NAMESPACE) not in run.server.asked
        assert f"ConfigMap {NAMESPACE}/{CONFIG_MAP} is kept by {keeper}, which would undo a change" in said
        assert place in said
        fragment = yaml.safe_load(said[said.index("issuers:\n") : said.index("Creating ")])
        assert [one["name"] for one in fragment["issuers"]] == ["le"]
        # What else was asked for is done.
        assert {key[0] for key in run.server.objects} == {"configmaps", "apps", "domains"}


@pytest.mark.parametrize("run", FREE.values(), ids=FREE, indirect=True)
def test_a_configuration_that_nobody_else_keeps_gets_the_issuers(run: Run) -> None:
    assert writing.apply(run.session, run.translated(), NAMESPACE) is True
    assert [one["name"] for one in yaml.safe_load(run.text())["issuers"]] == ["there", "le"]
    assert f"Adding issuers to ConfigMap {NAMESPACE}/{CONFIG_MAP}... done" in run.err.getvalue()


@pytest.mark.parametrize(("meta", "keeper", "place"), KEPT.values(), ids=KEPT)
def test_the_way_on_says_where_issuers_belong(meta: Object, keeper: str, place: str, tmp_path: Path) -> None:
    with cluster_with(meta, tmp_path) as run:
        result = run.translated()
    for is_applied in (False, True):
        steps = report.steps(result, NAMESPACE, is_applied=is_applied, apply_command="import --apply")
        (step,) = (one for one in steps if one.title.startswith("Add le to "))
        assert place in step.title
        assert keeper in step.title
        restarts = any("rollout restart" in command for command in step.commands)
        assert restarts is not step.title.endswith("the chart restarts the operator.")
        assert not any("Have the operator read" in one.title for one in steps)
    assert not any(line.startswith("issuer ") for line in report.written(result))


@pytest.mark.parametrize("run", [{}], indirect=True)
def test_the_way_on_is_as_ever_where_nobody_keeps_it(run: Run) -> None:
    result = run.translated()
    titles = [one.title for one in report.steps(result, NAMESPACE, is_applied=True, apply_command="")]
    assert titles[0] == "Have the operator read its configuration anew."
    assert report.written(result)[0].startswith("issuer le ")


@pytest.mark.parametrize("run", [{}], indirect=True)
def test_a_release_that_comes_between_looking_and_writing_is_seen(run: Run) -> None:
    result = run.translated()
    run.server.put(config_map(of_release()))
    assert writing.apply(run.session, result, NAMESPACE) is False
    assert run.text() == CONFIG


def test_what_is_odd_in_metadata_is_nobody() -> None:
    for meta in ({}, {"annotations": None}, {"managedFields": None}, {"managedFields": [{"operation": "Apply"}]}):
        assert gitops.keeper_of({"metadata": meta}, CONFIG_KEY) is None
    assert gitops.keeper_of(json.loads("{}"), CONFIG_KEY) is None
