"""What the plugin says, and with which exit code, to users who may not, who mistype, or who have no cluster."""

from pathlib import Path

import pytest

from certward.cli.api import Api
from certward.cli.errors import CliError, Exit
from certward.kube.kinds import KINDS
from cluster.handle import Cluster
from integration import observer
from integration.plugin import Plugin, kubeconfig_of_viewer, until_may, write_kubeconfig


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> str:
    namespace = cluster.namespace("rights")
    observer.apply(cluster, namespace, observer.app(), observer.app("blog"), observer.domain("www", namespace))
    return namespace


@pytest.fixture(scope="module")
def admin(cluster: Cluster, namespace: str) -> Plugin:
    return Plugin(cluster, namespace)


@pytest.fixture(scope="module")
def viewer(cluster: Cluster, namespace: str, tmp_path_factory: pytest.TempPathFactory) -> Plugin:
    kubeconfig = kubeconfig_of_viewer(cluster, tmp_path_factory.mktemp("viewer"), namespace)
    viewer = Plugin(cluster, "", kubeconfig)  # the namespace is the context's
    until_may(cluster, viewer, ["domains"])
    return viewer


@pytest.mark.parametrize("words", ["domains", "certs", "certs auto", "tls", "tls impact", "tls clients -a shop"])
def test_who_may_only_look_sees_everything(viewer: Plugin, admin: Plugin, words: str) -> None:
    assert viewer.json(*words.split()) == admin.json(*words.split())
    assert "cannot be read" not in viewer(*words.split()).err


@pytest.mark.parametrize(
    ("words", "right"),
    [
        ("domains add b.example.com -a shop", "create domains.certward.dev"),
        ("domains remove www --yes", "delete domains.certward.dev"),
        ("certs auto disable -a shop --yes", "patch apps.certward.dev"),
        ("certs auto refresh www", "patch domains.certward.dev"),
        ("certs migrate -a shop --yes", "patch apps.certward.dev"),
        ("tls set modern -a shop --yes", "create tlspolicies.certward.dev"),
    ],
)
def test_a_right_that_is_missing_is_named(viewer: Plugin, namespace: str, words: str, right: str) -> None:
    told = viewer(*words.split(), code=Exit.NO_RIGHTS)

    assert f"no right to {right} in namespace {namespace}" in told.err
    assert "The role " in told.err


def test_what_is_in_a_secret_is_for_whoever_may_read_it(viewer: Plugin, admin: Plugin, cluster: Cluster) -> None:
    patch = '{"spec": {"certificates": {"manual": [{"secretName": "bought"}]}}}'
    cluster.kubectl("-n", admin.namespace, "patch", "apps.certward.dev", "blog", "--type=merge", f"--patch={patch}")

    assert [row["problem"] for row in admin.json("certs", "-a", "blog")] == ["There is no such Secret."]
    assert [row["problem"] for row in viewer.json("certs", "-a", "blog")] == ["You have no right to read the Secret."]


def test_looking_everywhere_is_a_right_of_its_own(viewer: Plugin) -> None:
    told = viewer("certs", "-A", code=Exit.NO_RIGHTS)

    assert "has no right to list apps.certward.dev in all namespaces. Leave out -A" in told.err


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ("certs -a shpo", Exit.NOT_FOUND, "There is no App shpo in namespace {ns}. There are: blog, shop."),
        ("certs -A -a shpo", Exit.NOT_FOUND, "There is no App shpo in any namespace."),
        ("certs auto enable", Exit.USAGE, "Which App? Name one by -a. There are: blog, shop."),
        ("certs auto enable -A", Exit.USAGE, "leave out -A"),
        ("certs remove x -A", Exit.USAGE, "leave out -A"),
        ("domains remove www -A", Exit.USAGE, "leave out -A"),
        ("domains remove nowhere.example.com", Exit.NOT_FOUND, "There is no domain nowhere.example.com"),
        ("certs --context other", Exit.NO_CLUSTER, "has no context other; it has "),
        ("certs --kubeconfig /nowhere/config", Exit.NO_CLUSTER, "There is no kubeconfig at /nowhere/config"),
        ("domains add x_y.example.com -a shop", Exit.USAGE, "The label 'x_y' must be"),
        ("domains add www.example.com -a shop --name UPPER", Exit.USAGE, "refuses Domain UPPER"),
    ],
)
def test_mistakes_are_told_in_a_sentence(admin: Plugin, words: str, code: Exit, told: str) -> None:
    ran = admin(*words.split(), code=code)

    assert ran.err.startswith("Error: ")
    assert told.format(ns=admin.namespace) in ran.err
    assert not ran.out


def test_an_empty_namespace_is_no_error(cluster: Cluster) -> None:
    empty = Plugin(cluster, cluster.namespace("empty"))

    for words in (["domains"], ["certs"], ["certs", "auto"], ["tls"], ["tls", "impact"]):
        assert empty.json(*words) == []
        told = empty(*words)
        assert not told.out
        assert told.err
    assert "There is no App in namespace" in empty("certs", "auto", "enable", code=Exit.NOT_FOUND).err


def test_everything_everywhere(admin: Plugin) -> None:
    assert (admin.namespace, "shop") in {(one["namespace"], one["app"]) for one in admin.json("tls", "-A")}
    assert "Namespace" in admin("domains", "-A").rows[0]


@pytest.mark.parametrize(
    ("server", "why"),
    [("https://127.0.0.1:1", "the connection is refused"), ("https://nowhere.invalid:6443", "cannot be resolved")],
)
def test_no_cluster(cluster: Cluster, tmp_path: Path, server: str, why: str) -> None:
    away = Plugin(cluster, "", write_kubeconfig(tmp_path / "away", server=server, bearer="x"))
    told = away("certs", code=Exit.NO_CLUSTER)

    assert f"The cluster of context it does not answer at {server}: " in told.err
    assert why in told.err


def test_another_cluster_than_the_kubeconfig_expects(cluster: Cluster, tmp_path: Path) -> None:
    server = cluster.api.configuration.host
    other = Plugin(cluster, "", write_kubeconfig(tmp_path / "other", server=server, bearer="x"))

    assert "its certificate is not the one" in other("certs", code=Exit.NO_CLUSTER).err


def test_credentials_that_are_not_taken(cluster: Cluster, tmp_path: Path) -> None:
    configuration = cluster.api.configuration
    ca = Path(configuration.ssl_ca_cert).read_bytes()
    file = write_kubeconfig(tmp_path / "stale", server=configuration.host, bearer="stale", ca=ca)

    assert "does not accept your credentials" in Plugin(cluster, "", file)("certs", code=Exit.NO_RIGHTS).err


@pytest.mark.parametrize("content", ["", "hello", "{]", "apiVersion: v1\nkind: Config\n"])
def test_a_broken_kubeconfig(cluster: Cluster, tmp_path: Path, content: str) -> None:
    file = tmp_path / "broken"
    file.write_text(content)

    assert Plugin(cluster, "", file)("certs", code=Exit.NO_CLUSTER).err.startswith("Error: ")


def test_a_cluster_without_the_definitions(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    # This cluster has Certward's; a group that it has not is answered for in the same way.
    monkeypatch.setitem(KINDS, "Absent", ("/apis/absent.certward.dev/v1alpha1", "absents"))
    api = Api(str(cluster.state.admin_kubeconfig), None)
    with pytest.raises(CliError) as caught:
        api.list("Absent", "default")

    assert caught.value.code is Exit.NO_CLUSTER
    assert "Certward is not installed there, or its definitions (CRDs) are missing" in caught.value.message
