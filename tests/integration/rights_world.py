"""A day on which the operator has to use every right that it is granted, on a cluster that knows everybody's kinds.

One ingress controller runs, Traefik. For the others the operator writes what it would write anyway: it chooses a
dialect by the class, and nobody has to read what it writes. Their hosts have certificates that were brought along, so
that no CA has to come by them.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from cluster.handle import Cluster
from cluster.kube import endpoint_slice
from cluster.operator_process import NAMESPACE
from e2e.bought import Seller, tls_secret
from engines import free_ports
from integration import every_kind, observer
from integration.observer import Object
from integration.rendering import MANIFESTS
from integration.web_world import Web, reply

RULES = MANIFESTS / "admission" / "hostnames" / "crd.yaml"
GATEWAY_API = "gateway.networking.k8s.io/v1"
#: For which no controller runs: class -> name of its App and of its Domain, and a kind that the operator writes for it.
CLASSES = {
    "contour": ("of-contour", "httpproxies.projectcontour.io"),
    "haproxy": ("of-haproxy", "ingresses"),
    "ingress-nginx": ("of-nginx", "ingresses"),
    "rights-named": ("of-gateway", "listenersets.gateway.networking.k8s.io"),
    "rights-found": ("of-edge", "listenersets.gateway.networking.k8s.io"),
}
#: The namespace and name of ingress-nginx's settings are its own manifests'.
NGINX = "ingress-nginx"
SUFFIXES = "one.rights.example.com", "two.rights.example.com"
PLATFORM_SECRETS = "platform-one", "platform-two"
_PATIENCE = 90
_BOUGHT, _SIX = "bought", "certward-by-ipv6"


class Day:
    """What happens on it, in the order of its methods.

    Args:
        cluster: whose operator it is about.
        folder: for the roots of the CA that sells the certificates.
    """

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self._cluster, self._folder, self._seller = cluster, folder, Seller(folder)
        self._namespace = self._gateways = ""
        self._names, self._shops = free_ports(2)
        self._stack = ExitStack()

    @contextmanager
    def begun(self) -> Iterator[None]:
        """Have a cluster on which the operator has never run, and at the end the default one again."""
        cluster = self._cluster
        cluster.up(operators=0)
        with every_kind.known(cluster):
            cluster.kubectl("apply", "--server-side", "-f", str(RULES))
            cluster.until_served("hostnamerules.certward.dev")
            # What it finds from before it does not make.
            cluster.kubectl("-n", NAMESPACE, "delete", "leases", "--all")
            cluster.kubectl("-n", NAMESPACE, "delete", "configmaps", "-l", "app.kubernetes.io/managed-by=certward")
            try:
                self._prepare()
                yield
            finally:
                self._stack.close()
                cluster.up()
                gone = [f"gatewayclass/{name}" for name in ("rights-named", "rights-found")]
                cluster.kubectl("delete", "--ignore-not-found", *gone, f"namespace/{NGINX}", "--wait=false")
                mine = [*(f"secret/{name}" for name in PLATFORM_SECRETS), f"endpointslice/{_SIX}"]
                cluster.kubectl("-n", NAMESPACE, "delete", "--ignore-not-found", *mine)
                cluster.kubectl("delete", "--ignore-not-found", "-f", str(RULES))

    def work(self) -> None:
        """A host of each class, and one that is of none; the platform's domain comes, changes and goes."""
        cluster = self._cluster
        cluster.up(patch=self._configuration(0))
        self._declare()
        observer.until_settled(cluster, self._namespace, ["of-traefik"], _PATIENCE)
        for name, kind in CLASSES.values():
            of_it = ("-l", f"certward.dev/domain={name}", "-o", "name")
            there = partial(cluster.kubectl, "-n", self._namespace, "get", kind, *of_it)
            cluster.wait_for(there, _PATIENCE, f"{kind} for {name}")
        self._until("of-nginx", "certificate", "its certificate is served")
        self._until("of-none", "message", "its class is missing")
        self._until_platform(SUFFIXES[0], "contour")
        cluster.up(patch=self._configuration(1))
        self._until_platform(SUFFIXES[1], "contour")
        # Its names move from Contour, where others need its certificate, to Traefik, where nobody does.
        cluster.up(patch=self._configuration(1, "traefik"))
        self._until_platform(SUFFIXES[1], "traefik")

    def end(self) -> None:
        """Apps lose their ranges, then all go, then their Domains; the platform has no domain any more."""
        cluster, namespace = self._cluster, self._namespace
        cluster.kubectl(
            "-n", namespace, "patch", "app", "of-gateway", "--type=merge", "-p", '{"spec": {"network": null}}'
        )
        self._until_gone("securitypolicies.gateway.envoyproxy.io")
        cluster.kubectl("-n", namespace, "delete", "apps", "--all")
        for kind in (
            "ingresses",
            "tlsoptions.traefik.io",
            "httpproxies.projectcontour.io",
            f"httproutes.{GATEWAY_API.partition('/')[0]}",
        ):
            self._until_gone(kind)
        cluster.kubectl("-n", namespace, "delete", "domains", "--all")
        for kind in ("middlewares.traefik.io", "services", "endpointslices"):
            self._until_gone(kind)
        cluster.up()
        cluster.wait_for(lambda: not observer.domains(cluster, NAMESPACE), _PATIENCE, "the platform's Domain is gone")

    def _prepare(self) -> None:
        cluster = self._cluster
        cluster.kubectl("create", "namespace", NGINX)
        self._namespace, self._gateways = cluster.namespace("rights"), cluster.namespace("gateways")
        settings = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "ingress-nginx-controller"},
            "data": {},
        }
        observer.apply(cluster, NGINX, settings)
        controller = {"controllerName": "gateway.envoyproxy.io/gatewayclass-controller"}
        listener = {"name": "http", "port": 80, "protocol": "HTTP"}
        for name in ("rights-named", "rights-found"):
            cluster.kubectl("apply", "-f", "-", input=json.dumps(_thing(GATEWAY_API, "GatewayClass", name, controller)))
            gateway = {"gatewayClassName": name, "listeners": [listener]}
            observer.apply(cluster, self._gateways, _thing(GATEWAY_API, "Gateway", name, gateway))
        cluster.backend(self._namespace, "shop")
        # A replica that is reached by IPv6, so that there is an EndpointSlice of either family.
        six = endpoint_slice(NAMESPACE, "certward", ["fd00::10"], [{"name": "http01", "port": 8089, "protocol": "TCP"}])
        six["metadata"]["name"], six["addressType"] = _SIX, "IPv6"
        observer.apply(cluster, NAMESPACE, six)
        bought = self._serve([observer.hostname(name, self._namespace) for name, _ in CLASSES.values()], self._shops)
        observer.apply(cluster, self._namespace, tls_secret(_BOUGHT, self._namespace, *bought))
        platform = self._serve([f"*.{suffix}" for suffix in SUFFIXES], self._names)
        for name in PLATFORM_SECRETS:
            observer.apply(cluster, NAMESPACE, tls_secret(name, NAMESPACE, *platform))

    def _serve(self, hostnames: list[str], port: int) -> tuple[bytes, bytes]:
        """Buy a certificate and have a server show it; returns chain and key."""
        chain, key, _ = self._seller.sell(hostnames)
        file = self._folder / f"{port}.pem"
        file.write_bytes(chain + key)
        web = Web(port, file)
        self._stack.callback(web.close)
        web.serve("127.0.0.1", reply())
        return chain, key

    def _configuration(self, number: int, default: str = "contour") -> Object:
        gateway = {"namespace": self._gateways, "name": "rights-named"}
        # Servers stand in for those that are configured, so that there is something to look at.
        names, shops = (
            {"probe": dict.fromkeys(("httpAddress", "httpsAddress"), f"127.0.0.1:{port}")}
            for port in (self._names, self._shops)
        )
        classes = {
            "contour": {"dialect": "contour"} | names,
            "haproxy": {"dialect": "haproxy-ingress"},
            "ingress-nginx": {"dialect": "ingress-nginx"} | shops,
            "rights-named": {"dialect": "envoy-gateway", "gateway": gateway} | shops,
        }
        platform = {"suffix": SUFFIXES[number], "certificateSecret": PLATFORM_SECRETS[number]}
        return {"ingress": {"defaultClass": default, "classes": classes}, "platformDomain": platform}

    def _declare(self) -> None:
        cluster, namespace = self._cluster, self._namespace
        policy = _thing(observer.API_VERSION, "TLSPolicy", "all", {"profile": "modern", "hsts": {"maxAge": 3600}})
        declared = [policy, self._app("of-traefik", "traefik", certificates={"automatic": True, "keyType": "RSA-2048"})]
        declared.append(self._app("of-none", "there-is-none", certificates={"automatic": True}))
        for class_name, (name, _) in CLASSES.items():
            network = {"network": {"trustedRanges": ["203.0.113.0/24"]}} if name == "of-gateway" else {}
            manual = {"manual": [{"secretName": _BOUGHT}]}
            declared.append(self._app(name, class_name, certificates=manual, **network))
        names = ("of-traefik", "of-none", *(name for name, _ in CLASSES.values()))
        observer.apply(cluster, namespace, *declared, *(observer.domain(name, namespace, of=name) for name in names))

    @staticmethod
    def _app(name: str, class_name: str, **spec: Any) -> Object:
        given = {"service": {"name": "shop", "port": 8080}, "ingressClassName": class_name, **spec}
        return _thing(observer.API_VERSION, "App", name, given)

    def _until(self, name: str, field: str, what: str) -> None:

        def told() -> object:
            return observer.status(observer.get(self._cluster, self._namespace, name)).get(field)

        self._cluster.wait_for(told, _PATIENCE, f"{name}: {what}")

    def _until_platform(self, suffix: str, class_name: str) -> None:
        """Wait until a class serves the platform's names, and the certificate is delegated where that is Contour."""
        kind = "tlscertificatedelegations.projectcontour.io"

        def is_so() -> bool:
            serving = {
                one["spec"]["hostname"]: observer.status(one).get("ingressClassName")
                for one in observer.domains(self._cluster, NAMESPACE).values()
            }
            is_delegated = bool(self._cluster.kubectl("-n", NAMESPACE, "get", kind, "-o", "name"))
            return serving == {f"*.{suffix}": class_name} and is_delegated == (class_name == "contour")

        self._cluster.wait_for(is_so, _PATIENCE, f"class {class_name} serves *.{suffix}")

    def _until_gone(self, kind: str) -> None:
        of_ours = ("-l", "app.kubernetes.io/managed-by=certward", "-o", "name")

        def is_gone() -> bool:
            return not self._cluster.kubectl("-n", self._namespace, "get", kind, *of_ours)

        self._cluster.wait_for(is_gone, _PATIENCE, f"no {kind} of the operator's is left")


def _thing(api: str, kind: str, name: str, spec: Object) -> Object:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}, "spec": spec}
