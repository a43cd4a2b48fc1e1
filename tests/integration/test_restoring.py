"""docs/backup.md, done as it says, into a cluster from which everything of Certward was taken away."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import client

from cluster.binaries import binary
from cluster.handle import Cluster
from cluster.operator_process import NAMESPACE
from cluster.paths import CHECKOUT
from e2e.local import Local
from e2e.streams import Stream
from e2e.world import World
from integration import observer

#: Its account goes while a replica still runs, as the page on uninstalling has it.
TAKES_RIGHTS_AWAY = True
OURS = "app.kubernetes.io/managed-by=certward"
KINDS = "apps.certward.dev,domains.certward.dev,tlspolicies.certward.dev"


@pytest.fixture(autouse=True)
def _default_afterwards(cluster: Cluster) -> Iterator[None]:
    yield
    cluster.up()


def commands(page: str, heading: str) -> str:
    """The shell commands below a heading of a page."""
    section = re.split(r"^## ", (CHECKOUT / "docs" / page).read_text(), flags=re.MULTILINE)
    (text,) = (part for part in section if part.startswith(f"{heading}\n"))
    return "\n".join(re.findall(r"^```sh\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL))


def run(cluster: Cluster, folder: Path, script: str) -> None:
    """Run commands as an administrator would, in a checkout of which only crds and manifests matter."""
    for name in ("crds", "manifests"):
        if not (folder / name).exists():
            (folder / name).symlink_to(CHECKOUT / name)
    environment = os.environ | {
        "KUBECONFIG": str(cluster.state.admin_kubeconfig),
        "PATH": f"{binary('kubectl').parent}:{os.environ['PATH']}",
        "KUBECACHEDIR": str(folder / "kubectl-cache"),
    }
    script = f"set -eu -o pipefail\n{script}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def registrations(cluster: Cluster) -> int:
    """How often the CA was asked for an account."""
    return (Path(cluster.env["CLUSTER_LOGS"]) / "pebble.log").read_text(errors="replace").count("/sign-me-up ->")


def account(cluster: Cluster) -> client.V1Secret:
    return client.CoreV1Api(cluster.api).read_namespaced_secret("certward-account-pebble", NAMESPACE)


def uids(cluster: Cluster, namespace: str) -> dict[str, str]:
    listed = client.CoreV1Api(cluster.api).list_namespaced_secret(namespace, label_selector=OURS)
    return {item.metadata.name: item.metadata.uid for item in listed.items}


def wipe(cluster: Cluster) -> None:
    """Take away all that is Certward's, and what belongs to it with it."""
    cluster.kubectl("delete", "crd", "apps.certward.dev", "domains.certward.dev", "tlspolicies.certward.dev")
    cluster.kubectl("delete", "namespace", NAMESPACE)
    cluster.kubectl("delete", "clusterrole,clusterrolebinding", "-l", "app.kubernetes.io/part-of=certward")
    kinds = "services,endpointslices,middlewares.traefik.io"  # what no Domain owns, since many of them share it
    cluster.kubectl("delete", kinds, "-A", "-l", OURS)
    left = f"secrets,ingresses,{kinds}"
    cluster.wait_for(
        lambda: not cluster.kubectl("get", left, "-A", "-l", OURS, "-o", "name").strip(), 60, "nothing of ours is left"
    )


@pytest.mark.parametrize("secrets_first", [True, False], ids=["as the page says", "Domains before Secrets"])
def test_a_restore_into_an_empty_cluster_reissues_nothing(
    cluster: Cluster, tmp_path: Path, secrets_first: bool
) -> None:
    observer.alone(cluster)
    # A namespace that is just going is in the backup, and not there when that is restored.
    phases = ("get", "namespaces", "-o", "jsonpath={.items[*].status.phase}")
    cluster.wait_for(lambda: "Terminating" not in cluster.kubectl(*phases), 120, "no namespace is going")
    namespace = observer.new_shop(cluster, "restored")
    names = ["www", "api", "asked"]
    observer.apply(cluster, namespace, *(observer.domain(name, namespace) for name in names))
    observer.until_settled(cluster, namespace, names)
    for annotation in ("certward.dev/refresh=now", "certward.dev/revoke=superseded"):
        cluster.kubectl("-n", namespace, "annotate", "domain", "asked", annotation)
        name, _, value = annotation.removeprefix("certward.dev/").partition("=")

        def is_handled(name: str = name, value: str = value) -> bool:
            one = observer.get(cluster, namespace, "asked")
            is_done = (observer.status(one).get("handled") or {}).get(name) == value
            return is_done and observer.is_settled(one) and not observer.status(one)["message"]

        cluster.wait_for(is_handled, 30, f"{annotation} is handled")
    before = observer.until_settled(cluster, namespace, names)
    fingerprints = {name: observer.status(before[name])["certificate"]["fingerprintSHA256"] for name in names}
    pinned = observer.get(cluster, namespace, "shop", "apps")["metadata"]["annotations"]
    url = account(cluster).metadata.annotations["certward.dev/account-url"]
    cluster.up(operators=0)

    run(cluster, tmp_path, commands("backup.md", "Back up"))
    wipe(cluster)
    assert uids(cluster, namespace) == {}
    ca, asked = observer.CALog(cluster), registrations(cluster)
    script = commands("backup.md", "Restore")
    if not secrets_first:
        lines = script.splitlines()
        script = "\n".join([*lines[:-2], lines[-1], lines[-2]])
    run(cluster, tmp_path, script)
    restored = uids(cluster, namespace)
    cluster.up()

    after = observer.until_settled(cluster, namespace, names)
    assert {name: observer.status(after[name])["certificate"]["fingerprintSHA256"] for name in names} == fingerprints
    assert observer.status(after["asked"])["handled"] == {"refresh": "now", "revoke": "superseded"}
    assert after["www"]["metadata"]["uid"] != before["www"]["metadata"]["uid"]
    assert observer.get(cluster, namespace, "shop", "apps")["metadata"]["annotations"] == pinned
    for name in names:
        leaf = observer.served_leaf(cluster, observer.hostname(name, namespace))
        assert observer.fingerprint(leaf) == fingerprints[name]
    assert account(cluster).metadata.annotations["certward.dev/account-url"] == url
    observer.throughout(3, lambda: None)
    assert uids(cluster, namespace) == restored, "they are the restored ones, and nothing takes them away"
    assert (ca.orders(), registrations(cluster)) == ([], asked)

    # They go with their Domains again, and the account is of use.
    cluster.kubectl("-n", namespace, "delete", "domain", "api")
    cluster.wait_for(lambda: "api-tls" not in uids(cluster, namespace), 30, "the Secret goes with its Domain")
    observer.apply(cluster, namespace, observer.domain("new", namespace))
    observer.until_settled(cluster, namespace, ["new"])
    assert registrations(cluster) == asked
    cluster.kubectl("-n", namespace, "delete", "domains", "--all")


def test_the_operator_is_removed_and_comes_back_under_a_stream_of_requests(cluster: Cluster, tmp_path: Path) -> None:
    observer.alone(cluster)
    namespace = observer.new_shop(cluster, "reinstalled")
    observer.apply(cluster, namespace, observer.domain("www", namespace))
    before = observer.status(observer.until_settled(cluster, namespace, ["www"])["www"])
    ca, asked, secrets = observer.CALog(cluster), registrations(cluster), uids(cluster, namespace)
    removal = commands("install.md", "Uninstall").partition("\nkubectl delete domains")[0]
    assert not [kind for kind in KINDS.split(",") if kind in removal]

    with Stream(World(Local(cluster)), observer.hostname("www", namespace)) as stream:
        cluster.wait_for(lambda: len(stream.requests) > 20, 20, "the stream has begun")
        run(cluster, tmp_path, removal)
        cluster.kill("certward-0", signal.SIGTERM)  # there are no pods here that would go with their Deployment
        assert cluster.kubectl("-n", NAMESPACE, "get", "service,rolebinding", "-o", "name").strip() == ""
        gone = len(stream.requests)
        cluster.wait_for(lambda: len(stream.requests) > gone + 60, 20, "the host is served without an operator")
        cluster.up()
        back = len(stream.requests)
        cluster.wait_for(lambda: len(stream.requests) > back + 40, 20, "the stream goes on")
    assert stream.failures == []

    after = observer.status(observer.until_settled(cluster, namespace, ["www"])["www"])
    assert after["certificate"] == before["certificate"]
    assert uids(cluster, namespace) == secrets
    assert (ca.orders(), registrations(cluster)) == ([], asked)
    assert json.loads(cluster.kubectl("get", KINDS, "-n", namespace, "-o", "json"))["items"]
    cluster.kubectl("-n", namespace, "delete", "domains", "--all")
