"""A cluster as cert-manager leaves it: its definitions, real-looking manifests, the Secrets that it has filled.

cert-manager itself does not run; nothing here depends on what it would do next. Names and hosts of the manifests get a
tag of their own, so that they are nobody else's.
"""

import base64
import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from certward.acme.client import Issuer, IssuerSettings
from cluster.binaries import module_file
from cluster.handle import Cluster
from cluster.operator_process import NAMESPACE
from e2e.bought import Seller, tls_secret
from e2e.local import Local
from e2e.outside import Outside
from e2e.world import World

FOLDER = Path(__file__).parent / "cert_manager"
_MODULE = "github.com/cert-manager/cert-manager"
Object = dict[str, Any]


class CertManagerWorld:
    """The manifests of FOLDER in the cluster, and what users do about them."""

    def __init__(self, cluster: Cluster, folder: Path, tag: str = "") -> None:
        self.tag = tag or f"t{uuid.uuid4().hex[:6]}"
        self.cluster = cluster
        self.world = World(Local(cluster))
        self.seller = Seller(folder, "Let's Pretend")
        self._folder = folder
        trusted = folder / "trusted.pem"
        trusted.write_bytes(self.seller.roots.read_bytes() + self.world.platform.ca.read_bytes())
        self.outside = Outside(self.world.platform.http, self.world.platform.https, trusted)
        self._namespaces: list[str] = []
        self._config = self.config()
        self._let_go_of_configuration()
        definitions = module_file("cert-manager", _MODULE, "deploy/crds/*cert-manager.io_*.yaml").read_text()
        cluster.kubectl("apply", "--server-side", "-f", "-", input=definitions)
        cluster.until_served(*(f"{kind}.cert-manager.io" for kind in ("certificates", "issuers", "clusterissuers")))

    def tagged(self, text: str) -> str:
        """A manifest with the tag in hosts, namespaces and names of the whole cluster, and the cluster's own CA."""
        text = re.sub(r"(?m)(namespace: )([a-z-]+)", rf"\1\2-{self.tag}", text)
        text = re.sub(
            r"(?m)(name: |cluster-issuer: )(letsencrypt-prod|letsencrypt-staging|selfsigned|vault|zerossl)\b(?!-)",
            rf"\1\2-{self.tag}",
            text,
        )
        text = text.replace(
            "https://acme-v02.api.letsencrypt.org/directory", self.cluster.env["CLUSTER_ACME_DIRECTORY"]
        )
        # An account of its own: the operator has one at this CA already, with the usual address.
        text = text.replace("email: ops@", f"email: {self.tag}@")
        return re.sub(r"(?<![@a-z])((?:[a-z*]+\.)+)example\.com", rf"\1{self.tag}.example.com", text)

    def documents(self, *names: str) -> list[Object]:
        """The tagged objects of some files, by their numbers, or of all."""
        files = sorted(file for file in FOLDER.glob("*.yaml") if not names or file.name[:2] in names)
        return [one for file in files for one in yaml.safe_load_all(self.tagged(file.read_text())) if one]

    def namespace(self, name: str) -> str:
        """The namespace that stands for one of the manifests."""
        return f"{name}-{self.tag}"

    def host(self, name: str) -> str:
        """The hostname that stands for one of the manifests, written without example.com."""
        return f"{name}.{self.tag}.example.com"

    def install(self, *names: str) -> list[Object]:
        """Apply manifests, with their namespaces, Services that answer, and Secrets as cert-manager fills them."""
        documents = self.documents(*names)
        for space in sorted({ns for one in documents if (ns := one["metadata"].get("namespace"))}):
            if space not in self._namespaces:
                self.world.namespace(space)
                self._namespaces.append(space)
        routes = [one for one in documents if one["kind"] in ("Ingress", "IngressRoute", "ClusterIssuer", "Issuer")]
        self.world.apply(*routes)
        for one in documents:
            if one["kind"] != "Certificate":
                continue
            for owner in one["metadata"].get("ownerReferences") or ():
                space = one["metadata"]["namespace"]
                owner["uid"] = self.world.get("ingress", space, owner["name"])["metadata"]["uid"]
            self.world.apply(one)
        for space, name, port in sorted({backend for one in routes for backend in backends_of(one)}):
            self.cluster.backend(space, name, port)
        for (space, name), hosts in secrets_of(documents).items():
            self.fill(space, name, hosts)
        return documents

    def fill(self, namespace: str, name: str, hosts: list[str], **meta: Any) -> None:
        """Put a certificate into a Secret, as cert-manager would label it."""
        chain, key, _ = self.seller.sell(hosts, bits=2048)
        secret = tls_secret(name, namespace, chain, key)
        secret["metadata"] |= {
            "labels": {"controller.cert-manager.io/fao": "true"},
            "annotations": {"cert-manager.io/certificate-name": name, "cert-manager.io/alt-names": ",".join(hosts)},
            **meta,
        }
        self.world.apply(secret)

    def fingerprints(self, hosts: list[str]) -> dict[str, int]:
        """The serial numbers of what hosts are served with now."""
        return {host: self.outside.served_leaf(host).serial_number for host in hosts}

    def plugin(
        self, *arguments: str, code: int = 0, kubeconfig: str = "", stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run `certward` as a user does, and see that it exits with this code."""
        program = Path(sys.executable).parent / "certward"
        done = subprocess.run(
            [str(program), *arguments],
            env=os.environ | {"KUBECONFIG": kubeconfig or str(self.cluster.state.admin_kubeconfig)},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == code, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def run(self, *arguments: str) -> Object:
        """Run the import with -o json and return what it says."""
        told: Object = json.loads(self.plugin("import", "cert-manager", "-o", "json", *arguments).stdout)
        return told

    def outcomes(self, told: Object) -> dict[str, str]:
        """Outcomes of this world's objects by kind, namespace and name, without the tag."""
        found = {}
        for one in told["report"]:
            if self.tag in one["namespace"] + one["name"]:
                key = (
                    f"{one['kind']} {one['namespace']}/{one['name']}"
                    if one["namespace"]
                    else f"{one['kind']} {one['name']}"
                )
                found[key.replace(f"-{self.tag}", "")] = one["outcome"]
        return found

    def config(self) -> str:
        """The operator's configuration in its ConfigMap. The local operator reads a file instead."""
        return str(self.world.get("configmap", NAMESPACE, "certward-config")["data"]["config.yaml"])

    def _let_go_of_configuration(self) -> None:
        """Have the ConfigMap as one that nobody applies again: else the import leaves it to whoever does.

        It is the cluster itself, by server-side apply. A single empty entry takes all managers off.
        """
        patch = json.dumps([{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}])
        self.world.kubectl(
            "patch", "configmap", "certward-config", f"--namespace={NAMESPACE}", "--type=json", f"--patch={patch}"
        )

    def account(self, namespace: str, name: str) -> str:
        """Register an account at the CA and keep its key as cert-manager does; returns the account's URL."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        env = self.cluster.env
        settings = IssuerSettings(
            name="x",
            directory=env["CLUSTER_ACME_DIRECTORY"],
            email=f"{self.tag}@example.com",
            ca_bundle_pem=Path(env["CLUSTER_ACME_CA"]).read_bytes(),
        )
        url = Issuer(settings, pem, "", user_agent="cert-manager-test").ensure_account()
        self.opaque(namespace, name, "tls.key", pem)
        return url

    def opaque(self, namespace: str, name: str, key: str, value: bytes) -> None:
        """Apply a Secret with one entry."""
        meta = {"name": name, "namespace": namespace}
        data = {key: base64.b64encode(value).decode()}
        self.world.apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": "Opaque", "data": data})

    def user(self, namespace: str, *rules: Object) -> str:
        """The kubeconfig of somebody who has these rights in a namespace and no others."""
        role = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "mover", "namespace": namespace}}
        subject = {"kind": "ServiceAccount", "name": "mover", "namespace": namespace}
        ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "mover"}
        self.world.apply(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "mover", "namespace": namespace}},
            {**role, "kind": "Role", "rules": list(rules)},
            {**role, "kind": "RoleBinding", "subjects": [subject], "roleRef": ref},
        )
        token = self.world.kubectl("create", "token", "mover", f"--namespace={namespace}").strip()
        config = yaml.safe_load(self.cluster.state.admin_kubeconfig.read_text())
        config["users"][0]["user"] = {"token": token}
        file = self._folder / "mover.kubeconfig"
        file.write_text(yaml.safe_dump(config))
        return str(file)

    def close(self) -> None:
        """Take away what was made, the definitions aside: they are the cluster's by now."""
        told = json.loads(self.world.kubectl("get", "clusterissuers", "-o", "json"))
        mine = [one["metadata"]["name"] for one in told["items"] if self.tag in one["metadata"]["name"]]
        if mine:
            self.world.kubectl("delete", "clusterissuers", *mine)
        secrets = self.world.names("secrets", NAMESPACE)
        mine = [one for one in secrets if self.tag in one or one == "secret/zerossl-eab"]
        if mine:
            self.world.kubectl("delete", f"--namespace={NAMESPACE}", *mine)
        if self.config() != self._config:
            patch = json.dumps({"data": {"config.yaml": self._config}})
            self.world.kubectl(
                "patch", "configmap", "certward-config", f"--namespace={NAMESPACE}", "--type=merge", f"--patch={patch}"
            )
        self.world.close()
        if self._namespaces:
            # An import of all namespaces would find what is still in them.
            self.world.kubectl("wait", "--for=delete", "--timeout=60s", *(f"ns/{name}" for name in self._namespaces))


def backends_of(route: Object) -> Iterator[tuple[str, str, int]]:
    """Namespace, name and port of the Services behind a route."""
    space = route["metadata"].get("namespace", "")
    for rule in route.get("spec", {}).get("rules") or ():
        for path in rule["http"]["paths"]:
            service = path["backend"]["service"]
            yield space, service["name"], service["port"].get("number") or 8080


def secrets_of(documents: list[Object]) -> dict[tuple[str, str], list[str]]:
    """The Secrets that cert-manager would have filled for hosts, and the names of each."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in documents:
        space, spec = one["metadata"].get("namespace", ""), one.get("spec", {})
        if one["kind"] == "Certificate" and spec.get("dnsNames"):
            found[space, spec["secretName"]] = spec["dnsNames"]
    for one in documents:
        if one["kind"] == "Ingress":
            for entry in one["spec"].get("tls") or ():
                found.setdefault((one["metadata"]["namespace"], entry["secretName"]), entry["hosts"])
    return found
