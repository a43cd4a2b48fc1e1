"""What is typed on each page of docs/sessions."""

from dataclasses import dataclass
from pathlib import Path

from cluster.handle import Cluster
from e2e.bought import Seller
from e2e.world import World
from integration.cert_manager_world import CertManagerWorld
from integration.plugin import Plugin, kubeconfig_of_viewer, until_may, write_kubeconfig
from recording import Page

_LOOK = "--resolver $CLUSTER_DNS --http $CLUSTER_HTTP --https $CLUSTER_HTTPS"
ELSEWHERE = "203.0.113.7"


@dataclass(frozen=True)
class Scene:
    """Where a page is recorded: a namespace, the cluster around it, the folder in which commands are typed."""

    cluster: Cluster
    world: World
    folder: Path
    namespace: str

    def host(self, name: str) -> str:
        """A hostname of the page's own."""
        return f"{name}.{self.namespace}.example.com"

    def lead(self, hostname: str, address: str = "") -> None:
        """Have the DNS lead a hostname to another address, or (empty) to the ingress again."""
        if address:
            self.cluster.tell_dns("add-a", hostname, addresses=[address])
        else:
            self.cluster.tell_dns("clear-a", hostname)

    def bought(self, *hostnames: str) -> None:
        """Put a bought certificate into the folder: shop.crt and shop.key."""
        chain, key, _ = Seller(self.folder, "Bought").sell(hostnames, days=25)
        (self.folder / "shop.crt").write_bytes(chain)
        (self.folder / "shop.key").write_bytes(key)


def automatic(page: Page, scene: Scene) -> None:
    """Hostnames, automatic certificates, and how they stand."""
    scene.world.shop(scene.namespace)
    scene.world.app(scene.namespace)
    www, api = scene.host("www"), scene.host("api")
    page.say(f"The namespace `{scene.namespace}` has an App, `shop`, and no hostname yet.")
    page.run("kubectl certward domains")
    page.run(f"kubectl certward domains add {www} {api}")
    page.run("kubectl certward certs auto")
    page.run("kubectl certward certs auto enable --dry-run")
    page.run("kubectl certward certs auto enable --wait")
    page.say("From now on:")
    page.run("kubectl certward domains")
    page.run("kubectl certward certs")
    page.run("kubectl certward certs auto")
    page.run(f"kubectl certward explain {www} {_LOOK}")
    page.say("A new certificate at once:")
    page.run(f"kubectl certward certs auto refresh {www} --wait")
    page.say("For programs, and through a pipe:")
    page.run("kubectl certward domains -o json | jq '.[0] | del(.certificate, .served)'")
    page.run("kubectl certward certs -o json | jq '.[0]'")
    page.run("kubectl certward certs auto -o json | jq 'map(.domains |= map({hostname, state, ready}))'")
    page.run("kubectl certward certs auto enable -o json 2>/dev/null | jq -c '.domains[] | [.hostname, .state]'")
    page.run("kubectl certward domains -o yaml | head -n 6")
    page.run("kubectl certward certs auto | cat")
    page.say("Turned off again:")
    page.run("kubectl certward certs auto disable", answers=["y"])


def failing(page: Page, scene: Scene) -> None:
    """DNS that leads elsewhere, explained and mended; and other hostnames that are not as they should be."""
    scene.world.shop(scene.namespace)
    scene.world.app(scene.namespace, automatic=True)
    www, api = scene.host("www"), scene.host("api")
    scene.lead(api, ELSEWHERE)
    try:
        page.say(f"`{api}` still leads to another provider, {ELSEWHERE}.")
        page.run(f"kubectl certward domains add {www} {api} --wait --timeout 4", code=1)
        page.run("kubectl certward domains")
        page.run("kubectl certward certs auto")
        page.run(f"kubectl certward explain {api} {_LOOK}", code=1)
        page.run(
            f"kubectl certward explain {api} {_LOOK} -o json | "
            "jq '{hostname, isBroken, stopsAt, link: (.stopsAt as $at | .links[] | select(.link == $at))}'",
            code=1,
        )
    finally:
        scene.lead(api)
    page.say("The record is mended, and Certward told to try again now:")
    page.run("kubectl certward certs auto refresh --wait")
    page.run(f"kubectl certward explain {api} {_LOOK}")
    page.say("A hostname that somebody else has, and one that nobody has:")
    other = f"{scene.namespace}-other"
    scene.cluster.kubectl("delete", "namespace", other, "--ignore-not-found")
    scene.world.shop(other)
    scene.world.app(other, automatic=True)
    page.run(f"kubectl certward domains add {www} -n {other} --wait --timeout 6", code=1)
    page.run(f"kubectl certward explain {www} -n {other} {_LOOK}", code=1)
    page.run(f"kubectl certward explain nobody.example.com {_LOOK}", code=1)
    page.say("A wildcard, where the platform has no DNS-01:")
    page.run(f"kubectl certward domains add '*.of.{scene.namespace}.example.com' --wait", code=1)
    page.say("And the installation:")
    page.run("kubectl certward doctor")
    page.run("kubectl certward doctor -o json | jq -c '.checks[] | select(.verdict != \"ok\") | [.check, .verdict]'")


def migration(page: Page, scene: Scene) -> None:
    """A certificate that was bought, brought along and left behind."""
    scene.world.shop(scene.namespace)
    scene.world.app(scene.namespace)
    www, api = scene.host("www"), scene.host("api")
    scene.bought(www, api)
    scene.world.domain(scene.namespace, "www", hostname=www)
    scene.world.domain(scene.namespace, "api", hostname=api)
    page.say(f"`shop.crt` and `shop.key` are a bought certificate for {www} and {api}, which expires soon.")
    page.run("kubectl certward certs add shop.crt shop.key --name bought --dry-run")
    page.run("kubectl certward certs add shop.crt shop.key --name bought")
    scene.world.kubectl("wait", "domains", "--all", f"--namespace={scene.namespace}", "--for=condition=Ready")
    page.run("kubectl certward certs")
    page.run("kubectl certward certs auto")
    page.run("kubectl certward certs remove bought", code=1)
    page.run("kubectl certward certs add shop.key shop.crt", code=2)
    page.say("The move:")
    page.run("kubectl certward certs migrate", answers=["y", "y"])
    page.run("kubectl certward certs")
    page.say("Once more there is nothing to do, for people and for programs:")
    page.run("kubectl certward certs migrate")
    page.run("kubectl certward certs migrate -o json 2>/dev/null | jq 'del(.domains[].certificate, .domains[].served)'")
    page.run("kubectl certward certs -o json | jq 'map({name, type, trusted})'")


def policy(page: Page, scene: Scene) -> None:
    """An App that is pinned to an old revision, moved and given another profile."""
    scene.world.shop(scene.namespace)
    pinned = {"certward.dev/tls-default-revision": "2018-06"}
    scene.world.app(scene.namespace, automatic=True, annotations=pinned)
    domain = scene.world.domain(scene.namespace, "www", hostname=scene.host("www"))
    scene.world.wait_issued(domain)
    scene.world.until(
        lambda: scene.world.get("app", scene.namespace, "shop")["status"].get("tls", {}).get("grade"), "it has a grade"
    )
    page.say(
        "An App from the time when 2018-06 was the platform's default; it is pinned to that until it asks to move."
    )
    page.run("kubectl certward tls")
    page.run("kubectl certward tls impact")
    page.run("kubectl certward tls impact -o json | jq '.[0]'")
    page.run("kubectl certward tls upgrade --dry-run")
    page.run("kubectl certward tls upgrade --dry-run -o json | jq -c '{needed, pinned, annotation}'")
    page.run("kubectl certward tls upgrade --wait", answers=["y"])
    page.run("kubectl certward tls")
    page.run("kubectl certward tls -o json | jq '.[0] | {profile, revision, grade, enforced, served}'")
    page.say("Only TLS 1.3 from now on? The answer is no at first.")
    page.run("kubectl certward tls set modern", code=1, answers=["n"])
    page.run("kubectl certward tls set modern --dry-run")
    page.run("kubectl certward tls set modern --yes --wait")
    page.run("kubectl certward tls")
    page.run("kubectl certward tls clients | head -n 12")
    page.run("kubectl certward tls clients -o json | jq -c '.clients[] | select(.connects) | .client' | head -n 3")
    page.run("kubectl certward tls unset")


def errors(page: Page, scene: Scene) -> None:
    """What is told to whoever mistypes, may not, or has no cluster."""
    scene.world.shop(scene.namespace)
    scene.world.app(scene.namespace)
    scene.world.app(scene.namespace, "blog")
    scene.world.domain(scene.namespace, "www", hostname=scene.host("www"))
    page.say(f"Two Apps are in the namespace `{scene.namespace}`. A wrong one, none, and other mistakes:")
    page.run("kubectl certward certs -a shpo", code=3)
    page.run("kubectl certward certs auto enable", code=2)
    page.run("kubectl certward domains remove nowhere.example.com", code=3)
    page.run("kubectl certward domains add not_a_hostname.example.com -a shop", code=2)
    page.run("kubectl certward tls set fancy -a shop", code=2)
    page.run("kubectl certward certs -o wide", code=2)
    page.run("kubectl certward certs -a shpo -o json | wc -c", code=3)
    page.run(f"kubectl certward domains remove {scene.host('www')} </dev/null", code=2)
    page.run(f"kubectl certward domains remove {scene.host('www')}", code=1, answers=["n"])
    page.say("A user who has the role `view` in this namespace, and nothing else, may look:")
    made = kubeconfig_of_viewer(scene.cluster, scene.folder, scene.namespace)
    viewer = made.rename(scene.folder / "viewer.kubeconfig")
    until_may(scene.cluster, Plugin(scene.cluster, "", viewer), ["domains"])
    page.run("kubectl certward domains --kubeconfig viewer.kubeconfig")
    page.run("kubectl certward certs auto enable -a shop --kubeconfig viewer.kubeconfig", code=4)
    page.run("kubectl certward domains add new.example.com -a shop --kubeconfig viewer.kubeconfig", code=4)
    page.run("kubectl certward tls set modern -a shop --yes --kubeconfig viewer.kubeconfig", code=4)
    page.run("kubectl certward certs -A --kubeconfig viewer.kubeconfig", code=4)
    page.run("kubectl certward domains -n kube-system --kubeconfig viewer.kubeconfig", code=4)
    page.say("No cluster:")
    for name, server in (("away", "https://127.0.0.1:1"), ("nowhere", "https://nowhere.invalid:6443")):
        write_kubeconfig(scene.folder / f"{name}.kubeconfig", server=server, bearer="x", context="production")
    page.run("kubectl certward certs --kubeconfig away.kubeconfig", code=5)
    page.run("kubectl certward certs --kubeconfig nowhere.kubeconfig -o json", code=5)
    page.run("kubectl certward certs --kubeconfig missing.kubeconfig", code=5)
    page.run("kubectl certward certs --context other", code=5)
    page.run("kubectl certward doctor --kubeconfig away.kubeconfig", code=5)


def cert_manager(page: Page, scene: Scene) -> None:
    """cert-manager's objects read, and written as Certward's."""
    moving = CertManagerWorld(scene.cluster, scene.folder, tag="harbour")
    try:
        moving.install("01", "02")
        page.say(
            "cert-manager has obtained one certificate for the two hosts of an annotated Ingress. Without `--apply` "
            "the import only tells."
        )
        page.run("kubectl get ingresses,certificates")
        page.run("kubectl certward import cert-manager")
        page.run("kubectl certward import cert-manager -o json | jq -c '.report[] | [.kind, .name, .outcome]'")
        page.run("kubectl certward import cert-manager -o json | jq '.objects[] | {kind, name: .metadata.name, spec}'")
        page.say("Written, and served with the same Secret as before:")
        page.run("kubectl certward import cert-manager --apply")
        page.run("kubectl wait domains --all --for=condition=Ready --timeout=1m")
        page.run("kubectl certward certs")
        page.run("kubectl certward certs auto")
        page.say("A second run finds nothing to do:")
        page.run("kubectl certward import cert-manager --apply -o json | jq -c '[.objects, .changes, .issuers]'")
        page.say("The Ingress is not needed any more:")
        page.run("kubectl delete ingress shop")
        page.run("kubectl certward domains")
    finally:
        moving.close()
