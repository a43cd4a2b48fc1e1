"""From cert-manager to Certward on the real cluster: the same Secrets, no order at the CA, no failed request."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from certward.config import parse
from cluster.handle import Cluster
from cluster.operator_process import NAMESPACE
from e2e.streams import Stream
from e2e.world import Status, condition, serial
from integration.cert_manager_world import CertManagerWorld

IMPORTED = "certward.dev/imported-from=cert-manager"


@pytest.fixture
def moving(cluster: Cluster, tmp_path) -> Iterator[CertManagerWorld]:
    made = CertManagerWorld(cluster, tmp_path)
    try:
        yield made
    finally:
        made.close()


def go_on(moving: CertManagerWorld, running: list[Stream], more: int = 10) -> None:
    """Wait until so many more requests of each stream are through."""
    before = [len(one.requests) for one in running]
    is_more = lambda: all(len(one.requests) > n + more for one, n in zip(running, before, strict=True))  # noqa: E731
    moving.world.until(is_more, "the streams go on", 30)


def failed(running: list[Stream]) -> list[str]:
    """All requests that did not get the application's answer."""
    return [text for one in running for text in one.failures]


def domains(moving: CertManagerWorld, space: str) -> dict[str, Status]:
    """The status of the Domains of a namespace, by hostname."""
    names = [name.split("/")[1] for name in moving.world.names("domains", moving.namespace(space))]
    bodies = [moving.world.get("domain", moving.namespace(space), name) for name in names]
    return {body["spec"]["hostname"]: body.get("status") or {} for body in bodies}


def wait_ready(moving: CertManagerWorld, space: str, source: str) -> dict[str, Status]:
    """Wait until all Domains of a namespace are Ready with certificates from there."""

    def told() -> dict[str, Status] | None:
        found = domains(moving, space)
        right = [
            condition(one, "Ready") == "True" and one.get("certificate", {}).get("source") == source
            for one in found.values()
        ]
        return found if found and all(right) else None

    return moving.world.until(told, f"the Domains of {space} are Ready, {source}", 60) or {}


def test_a_shop_moves_without_an_order_and_without_a_failed_request(moving: CertManagerWorld) -> None:
    """The whole way, in the order that the report gives."""
    world, shop = moving.world, moving.namespace("shop")
    moving.install("01", "02")
    hosts = [moving.host("shop"), moving.host("www.shop")]
    world.until(
        lambda: all(moving.outside.https_get(host).backend == "shop" for host in hosts), "the shop is served", 30
    )
    before, orders = moving.fingerprints(hosts), world.orders()
    with ExitStack() as stack:
        running = [stack.enter_context(Stream(world, host, also_trusts=moving.seller.roots)) for host in hosts]
        go_on(moving, running)
        told = moving.run("-n", shop, "--apply")
        ready = wait_ready(moving, "shop", "Manual")
        go_on(moving, running)
        assert set(ready) == set(hosts)
        for host, status in ready.items():
            assert serial(status) == before[host]
            assert status["certificate"]["secretName"] == "shop-example-com-tls"
        # A second run finds nothing to do.
        again = moving.run("-n", shop, "--apply")
        assert (again["objects"], again["changes"], again["issuers"]) == ([], [], [])
        assert len(again["there"]) == 2
        # The way back, and on again: the user's own Ingress serves all the time.
        world.kubectl("delete", "domains,apps", f"--namespace={shop}", "-l", IMPORTED, "--wait=true")
        go_on(moving, running)
        assert moving.fingerprints(hosts) == before
        moving.run("-n", shop, "--apply")
        wait_ready(moving, "shop", "Manual")
        assert failed(running) == []
        # The user's own Ingress goes, and the Certificate that was made for it.
        world.delete("ingress", shop, "shop")
        world.until(lambda: not world.get("certificate", shop, "shop-example-com-tls"), "the Certificate is gone", 30)
        go_on(moving, running, 40)
        # The host goes over from Traefik's default TLS options to those of its own, and Traefik 3.7 sends requests on
        # connections that were opened under the other ones to a new connection.
        misdirected = failed(running)
        assert all("status 421" in text for text in misdirected)
        assert moving.fingerprints(hosts) == before
        assert world.orders() == orders
        assert world.get("secret", shop, "shop-example-com-tls")["type"] == "kubernetes.io/tls"
        # Then automatic certificates, by an issuer that the local operator has.
        patch = '{"spec":{"certificates":{"automatic":true,"issuer":"pebble"}}}'
        world.kubectl("patch", "app", "shop", f"--namespace={shop}", "--type=merge", f"--patch={patch}")
        for host, status in wait_ready(moving, "shop", "Automatic").items():
            assert serial(status) != before[host]
        go_on(moving, running)
        assert failed(running) == misdirected
    assert told["objects"][0]["metadata"]["name"] == "shop"
    assert moving.outside.https_get(hosts[0], "/api/basket").backend == "shop-api"


#: What becomes of each object of the manifests, by its kind and name without the tag.
OUTCOMES = {
    "ClusterIssuer letsencrypt-prod": "partly",  # DNS-01 by Cloudflare
    "ClusterIssuer letsencrypt-staging": "not",  # nobody uses it
    "ClusterIssuer selfsigned": "not",
    "ClusterIssuer vault": "not",
    "ClusterIssuer zerossl": "partly",  # DNS-01 by Route 53
    "Issuer bank/letsencrypt": "translated",
    "Issuer internal/internal-ca": "not",
    "Issuer internal/venafi-tpp": "not",
    "Issuer webhook/webhook-selfsigned": "not",
    "Certificate apps/apps-wildcard": "partly",  # one of its names has no route
    "Certificate bank/bank": "partly",  # keystores, client auth and more
    "Certificate internal/internal-ca": "not",
    "Certificate internal/postgres": "not",
    "Certificate monitoring/dashboard": "translated",
    "Certificate shop/shop-example-com-tls": "translated",
    "Certificate team-a/corp-wildcard": "not",  # covers a host of team-b
    "Certificate team-b/corp-wildcard": "not",
    "Certificate webhook/webhook-serving-cert": "not",
    "Ingress apps/catch-all": "partly",  # a wildcard needs DNS-01
    "Ingress apps/wiki": "translated",
    "Ingress bank/bank": "translated",
    "Ingress blog/blog": "partly",  # which issuer is not known
    "Ingress internal/grafana": "partly",  # a private CA
    "Ingress legacy/intranet": "not",  # basic auth by annotations
    "Ingress legacy/legacy": "not",  # rewrites
    "Ingress portal/portal": "translated",
    "Ingress portal/portal-search": "translated",
    "Ingress shop/shop": "translated",
    "Ingress sites/sites": "translated",
    "IngressRoute monitoring/dashboard": "translated",
    "Ingress team-a/crm": "not",
    "Ingress team-b/erp": "not",
    "Gateway gateway/edge": "partly",
    "HTTPRoute gateway/docs": "translated",
    "HTTPRoute gateway/status": "not",  # looks at a header
}
GATEWAY = {key for key in OUTCOMES if "gateway/" in key}


def test_real_world_manifests_from_the_cluster_and_from_files(moving: CertManagerWorld, tmp_path: Path) -> None:
    world = moving.world
    documents = moving.install()
    orders = world.orders()
    told = moving.run("-A")
    assert moving.outcomes(told) == {key: outcome for key, outcome in OUTCOMES.items() if key not in GATEWAY}
    for space in {one["metadata"]["namespace"] for one in documents if one["metadata"].get("namespace")}:
        assert world.names("apps,domains", space) == set()
    # The same from files, without a cluster; and as files that a cluster takes.
    file = tmp_path / "all.yaml"
    file.write_text(yaml.safe_dump_all(documents))
    nowhere = str(tmp_path / "no-such-kubeconfig")
    out = tmp_path / "out"
    done = moving.plugin(
        "import", "cert-manager", "-f", str(file), "-o", "json", f"--output-dir={out}", kubeconfig=nowhere
    )
    assert moving.outcomes(json.loads(done.stdout)) == OUTCOMES
    assert {one.name for one in out.iterdir()} == {"apps.yaml", "domains.yaml", "certward-config.yaml", "report.md"}
    for name in ("apps.yaml", "domains.yaml"):
        world.kubectl("apply", "--dry-run=server", "-f", str(out / name))
    assert parse((out / "certward-config.yaml").read_text(), out).issuers[0].name == f"letsencrypt-prod-{moving.tag}"
    page = (out / "report.md").read_text()
    assert all(f"| {one['kind']} " in page for one in documents)
    told = moving.plugin("import", "cert-manager", "-f", "-", "-o", "yaml", kubeconfig=nowhere, stdin=file.read_text())
    assert told.stdout.count("kind: App") == (out / "apps.yaml").read_text().count("kind: App")
    # Applied, every host that is taken over is served as before, and asks no CA.
    moving.run("-A", "--apply")
    for space in ("shop", "portal", "bank", "sites", "internal", "blog"):
        for host, status in wait_ready(moving, space, "Manual").items():
            assert moving.outside.served_leaf(host).serial_number == serial(status)
    secrets = world.names("secrets", moving.namespace("bank"))
    assert secrets == {"secret/bank-tls"}
    assert world.orders() == orders


def test_accounts_at_the_ca_go_on(moving: CertManagerWorld) -> None:
    """The key of cert-manager's account becomes the operator's, and the CA knows it as the same account."""
    world, shop, issuer = moving.world, moving.namespace("shop"), f"letsencrypt-prod-{moving.tag}"
    moving.install("01", "02", "10")
    url = moving.account(shop, "letsencrypt-prod-account-key")
    moving.account(shop, "zerossl-account")
    moving.opaque(shop, "zerossl-eab", "secret", b"c2VjcmV0")
    how = ("import", "cert-manager", "-A", "--adopt-accounts", f"--cluster-resource-namespace={shop}")
    told = moving.plugin(*how)
    assert f"The account of {issuer} would be adopted from Secret {shop}/letsencrypt-prod-account-key" in told.stderr
    done = moving.plugin(*how, "--apply")
    assert "PRIVATE KEY" not in done.stdout + done.stderr
    adopted = world.get("secret", NAMESPACE, f"certward-account-{issuer}")
    kept = world.get("secret", shop, "letsencrypt-prod-account-key")
    assert adopted["data"]["tls.key"] == kept["data"]["tls.key"]
    again = moving.plugin(*how, "--apply")
    assert f"The account of {issuer} is not adopted: {issuer} has an account of its own" in again.stderr
    assert "nothing was written" in again.stderr
    # The local operator reads a file: the entry goes there as it stands in the ConfigMap, with the CA's own root.
    config = yaml.safe_load(moving.config())
    entry = next(one for one in config["issuers"] if one["name"] == issuer)
    local = yaml.safe_load(Path(moving.cluster.env["CLUSTER_OPERATOR_CONFIG"]).read_text())["issuers"]
    entry["caBundle"] = moving.cluster.env["CLUSTER_ACME_CA"]
    moving.cluster.up(patch={"issuers": [*local, entry]})
    try:
        wait_ready(moving, "shop", "Manual")
        world.delete("ingress", shop, "shop")
        moving.plugin("certs", "auto", "enable", "-a", "shop", "-n", shop, "--wait", "--timeout", "90")
        wait_ready(moving, "shop", "Automatic")
        adopted = world.get("secret", NAMESPACE, f"certward-account-{issuer}")
        assert adopted["metadata"]["annotations"]["certward.dev/account-url"] == url
    finally:
        moving.cluster.up()


def test_a_namespace_that_is_being_deleted_is_left_to_go(moving: CertManagerWorld) -> None:
    world, shop = moving.world, moving.namespace("shop")
    moving.install("02")
    held = ("patch", "ingress", "shop", f"--namespace={shop}", "--type=merge", "--patch")
    world.kubectl(*held, '{"metadata":{"finalizers":["example.com/held"]}}')
    world.kubectl("delete", "namespace", shop, "--wait=false")
    try:
        told = moving.plugin("import", "cert-manager", "-n", shop, "--apply")
        assert f"Namespace {shop} is being deleted, so that App shop cannot come into it." in told.stderr
    finally:
        world.kubectl(*held, '{"metadata":{"finalizers":null}}')


def test_somebody_with_few_rights_is_told_what_was_not_read(moving: CertManagerWorld) -> None:
    shop = moving.namespace("shop")
    moving.install("02")
    read = {"verbs": ["get", "list"]}
    mine = {**read, "apiGroups": ["cert-manager.io", "networking.k8s.io", "certward.dev"], "resources": ["*"]}
    kubeconfig = moving.user(shop, mine)
    told = moving.plugin("import", "cert-manager", "-n", shop, kubeconfig=kubeconfig)
    assert "ClusterIssuers were not read" in told.stdout + told.stderr
    assert f"Secrets of namespace {shop} were not looked at" in told.stdout + told.stderr
    assert f"Domain {shop}/www-shop-{moving.tag}-example-com" in told.stdout
    refused = moving.plugin("import", "cert-manager", "-n", shop, "--apply", kubeconfig=kubeconfig, code=4)
    assert "has no right to create apps.certward.dev" in refused.stderr
    refused = moving.plugin("import", "cert-manager", "-A", kubeconfig=kubeconfig, code=4)
    assert "in all namespaces" in refused.stderr
    assert moving.world.names("apps,domains", shop) == set()


def test_a_configuration_that_somebody_applies_is_left_alone(moving: CertManagerWorld) -> None:
    shop, before = moving.namespace("shop"), moving.config()
    moving.install("01", "02")
    applied = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "certward-config", "namespace": NAMESPACE},
        "data": {"config.yaml": before},
    }
    how = ("--server-side", "--force-conflicts", "--field-manager=platform-team")
    moving.cluster.kubectl("apply", *how, "-f", "-", input=json.dumps(applied))
    told = moving.plugin("import", "cert-manager", "-n", shop, "--apply", code=1)
    assert "is kept by server-side apply (field manager platform-team)" in told.stderr
    assert f"- name: letsencrypt-prod-{moving.tag}" in told.stderr
    assert moving.config() == before
    assert moving.world.names("apps", shop)
