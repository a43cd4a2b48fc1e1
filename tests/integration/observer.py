"""What the API server, the CA and the ingress saw of the operator, and what its objects and itself say."""

import http.client
import json
import os
import re
import socket
import ssl
import time
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from kubernetes import client

from cluster import web
from cluster.handle import Cluster
from cluster.operator_process import NAMESPACE, SERVICE_ACCOUNT
from cluster.ports import Ports

Object = dict[str, Any]

API_VERSION = "certward.dev/v1alpha1"
OPERATOR = f"system:serviceaccount:{NAMESPACE}:{SERVICE_ACCOUNT}"
#: How the operator's own clients call themselves.
AGENTS = ("certward/", "kopf/")
READS = frozenset({"get", "list", "watch"})

_ORDER_ADDED = re.compile(r'Added order "([^"]+)" to the db')
_ISSUED = re.compile(r"Issued certificate serial ([0-9a-f]+) for order (\S+)")
_REFUTED = re.compile(r"authz (\S+) set INVALID")


def setting(name: str, default: int) -> int:
    """A size that the suite keeps small and that may be set in the environment for a long run by hand."""
    return int(os.environ.get(name) or default)


# What happened: files that only grow.


class Growing:
    """A log file, read from where it ended when this object was made."""

    def __init__(self, file: Path, *, from_the_beginning: bool = False) -> None:
        self._file = file
        self._start = 0 if from_the_beginning else file.stat().st_size

    def lines(self) -> list[str]:
        """Every whole line that was added since."""
        with self._file.open("rb") as log:
            log.seek(self._start)
            added = log.read()
        return added[: added.rfind(b"\n") + 1].decode(errors="replace").splitlines()


class AuditLog:
    """What the operator asked of the API server from now on."""

    def __init__(self, cluster: Cluster, *, from_the_beginning: bool = False) -> None:
        self._log = Growing(Path(cluster.env["CLUSTER_AUDIT_LOG"]), from_the_beginning=from_the_beginning)

    def requests(self) -> list[Object]:
        """The operator's requests as audit events, in the order of their ends."""
        entries = (json.loads(line) for line in self._log.lines() if OPERATOR in line)
        return [entry for entry in entries if entry["user"]["username"] == OPERATOR]

    def of_the_operator(self) -> list[Object]:
        """Those that its own clients have made: tests speak for its account with others."""
        return [entry for entry in self.requests() if entry.get("userAgent", "").startswith(AGENTS)]

    def writes(self) -> list[str]:
        """The operator's writes, those of its Lease aside, each as "verb resource/subresource namespace/name"."""
        return [
            in_words(entry)
            for entry in self.requests()
            if entry["verb"] not in READS and entry.get("objectRef", {}).get("resource") != "leases"
        ]


def in_words(entry: Object) -> str:
    """A request as "verb resource/subresource namespace/name"."""
    ref = entry.get("objectRef", {})
    resource = "/".join(filter(None, (ref.get("resource"), ref.get("subresource"))))
    return f"{entry['verb']} {resource} {ref.get('namespace', '')}/{ref.get('name', '')}"


class CALog:
    """What Pebble says of its orders from now on: the cluster's own, or the one that writes this log."""

    def __init__(self, cluster: Cluster, log: Path | None = None) -> None:
        self._cluster = cluster
        self._log = Growing(log or Path(cluster.env["CLUSTER_LOGS"]) / "pebble.log")

    def orders(self) -> list[str]:
        """The ids of the orders that were placed; an order's URL ends with its id."""
        return self._found(_ORDER_ADDED)

    def issued(self) -> dict[str, str]:
        """The serial number of each certificate that was issued, by the id of its order."""
        return {order: serial for serial, order in self._found(_ISSUED)}

    def refuted(self) -> list[str]:
        """The authorizations whose validation failed."""
        return self._found(_REFUTED)

    def certificates(self) -> list[x509.Certificate]:
        """The certificates that were issued."""
        env = self._cluster.env
        found = []
        for serial in self.issued().values():
            url = f"{env['CLUSTER_ACME_MANAGEMENT']}/cert-status-by-serial/{serial}"
            status, body = web.get(url, ca=Path(env["CLUSTER_ACME_CA"]))
            assert status == 200, (url, status)
            found.append(x509.load_pem_x509_certificate(json.loads(body)["Certificate"].encode()))
        return found

    def _found(self, pattern: re.Pattern[str]) -> list[Any]:
        return [match for line in self._log.lines() for match in pattern.findall(line)]


# What there is: Apps and Domains.


def app(name: str = "shop", **certificates: str) -> Object:
    """An App with automatic certificates; `certificates` are further fields of that section."""
    spec = {"service": {"name": "shop", "port": 8080}, "certificates": {"automatic": True, **certificates}}
    return {"apiVersion": API_VERSION, "kind": "App", "metadata": {"name": name}, "spec": spec}


def domain(name: str, namespace: str, *, of: str = "shop") -> Object:
    """A Domain whose hostname nobody else has."""
    spec = {"hostname": hostname(name, namespace), "appRef": {"name": of}}
    return {"apiVersion": API_VERSION, "kind": "Domain", "metadata": {"name": name}, "spec": spec}


def hostname(name: str, namespace: str) -> str:
    """The hostname that `domain` gives."""
    return f"{name}.{namespace}.example.com"


def apply(cluster: Cluster, namespace: str, *objects: Object) -> None:
    """Apply objects as an administrator does."""
    bundle = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    cluster.kubectl("-n", namespace, "apply", "--server-side", "-f", "-", input=json.dumps(bundle))


def alone(cluster: Cluster) -> None:
    """Take away what tests before this one have left, so that nothing else is at work."""
    api, kind = client.CustomObjectsApi(cluster.api), ("certward.dev", "v1alpha1")

    def left() -> set[str]:
        return {item["metadata"]["namespace"] for item in api.list_cluster_custom_object(*kind, "domains")["items"]}

    for namespace in left():  # at once, which kubectl does one by one
        api.delete_collection_namespaced_custom_object(*kind, namespace, "domains")
    cluster.wait_for(lambda: not left(), 60, "no Domain is left")


def new_shop(cluster: Cluster, prefix: str) -> str:
    """A namespace with a backend and an App `shop`; returns its name."""
    namespace = cluster.namespace(prefix)
    cluster.backend(namespace, "shop")
    apply(cluster, namespace, app())
    return namespace


def get(cluster: Cluster, namespace: str, name: str, plural: str = "domains") -> Object:
    """One of our objects."""
    api = client.CustomObjectsApi(cluster.api)
    found: Object = api.get_namespaced_custom_object("certward.dev", "v1alpha1", namespace, plural, name)
    return found


def domains(cluster: Cluster, namespace: str) -> dict[str, Object]:
    """The Domains of a namespace by name."""
    api = client.CustomObjectsApi(cluster.api)
    listed = api.list_namespaced_custom_object("certward.dev", "v1alpha1", namespace, "domains")
    return {item["metadata"]["name"]: item for item in listed["items"]}


def status(one: Object) -> Object:
    """The status of an object, empty when it has none yet."""
    found: Object = one.get("status") or {}
    return found


def condition(one: Object, kind: str) -> Object:
    """A condition of an object, empty when it has none of that type."""
    return next((item for item in status(one).get("conditions") or () if item["type"] == kind), {})


def is_settled(one: Object) -> bool:
    """Whether a Domain is issued, served and Ready, with nothing left to do."""
    told = status(one)
    return (
        (told.get("state"), told.get("reason")) == ("CertIssued", "")
        and condition(one, "Ready").get("status") == "True"
        and condition(one, "Reconciling").get("status") == "False"
        and "order" not in told
    )


def until_settled(cluster: Cluster, namespace: str, names: Iterable[str], timeout: float = 60) -> dict[str, Object]:
    """Wait until these Domains are issued and Ready; returns all of the namespace.

    A failure names those that are not, with what their status says.
    """
    wanted = set(names)

    def unsettled() -> dict[str, str]:
        found = domains(cluster, namespace)
        missing = dict.fromkeys(wanted - set(found), "is not there")
        return missing | {name: _brief(found[name]) for name in wanted & set(found) if not is_settled(found[name])}

    try:
        cluster.wait_for(lambda: not unsettled(), timeout, "all issued", ignore=(client.ApiException,))
    except AssertionError as late:
        raise AssertionError(f"{late}; these are not: {unsettled()}") from late
    return domains(cluster, namespace)


def _brief(one: Object) -> str:
    told = status(one)
    words = [told.get("state", "no status"), told.get("reason", ""), told.get("message", "")]
    return " / ".join([*words, f"attempts {told.get('attempts')}", f"Ready {condition(one, 'Ready').get('message')}"])


# What is served.


def secret(cluster: Cluster, namespace: str, name: str) -> Mapping[str, bytes]:
    """The decoded values of a Secret."""
    data = client.CoreV1Api(cluster.api).read_namespaced_secret(name, namespace).data or {}
    return {key: b64decode(value) for key, value in data.items()}


def secret_names(cluster: Cluster, namespace: str) -> set[str]:
    """The names of all Secrets of a namespace."""
    listed = client.CoreV1Api(cluster.api).list_namespaced_secret(namespace)
    return {item.metadata.name for item in listed.items}


def spki(public_key: Any) -> bytes:
    """The encoded public key, equal for a certificate and its private key's public half."""
    encoded: bytes = public_key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded


def fingerprint(certificate: x509.Certificate) -> str:
    """As in status."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def served_leaf(cluster: Cluster, name: str) -> x509.Certificate:
    """The certificate that the ingress serves for a hostname now."""
    host, _, port = cluster.env["CLUSTER_HTTPS"].rpartition(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # which CA it is from is compared by the caller
    with (
        socket.create_connection((host, int(port)), timeout=5) as raw,
        context.wrap_socket(raw, server_hostname=name) as connection,
    ):
        return x509.load_der_x509_certificate(connection.getpeercert(binary_form=True) or b"")


def https_status(cluster: Cluster, name: str, roots_pem: str) -> int:
    """The status of GET / over HTTPS, the certificate verified for the hostname; raises OSError when it is not."""
    host, _, port = cluster.env["CLUSTER_HTTPS"].rpartition(":")
    context = ssl.create_default_context(cadata=roots_pem)
    with (
        socket.create_connection((host, int(port)), timeout=5) as raw,
        context.wrap_socket(raw, server_hostname=name) as connection,
    ):
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status


def roots(cluster: Cluster) -> str:
    """Pebble's roots and intermediates as they are now; a restarted Pebble has new ones."""
    return Path(cluster.env["CLUSTER_CA"]).read_text()


# What an operator says of itself.


def health_port(cluster: Cluster, replica: str = "certward-0") -> int:
    """Where a replica answers /healthz, /readyz and /metrics."""
    return Ports(cluster.state.root / "ports.json").get(f"{replica}-health")


def healthz(cluster: Cluster, replica: str = "certward-0") -> int:
    """The status of /healthz."""
    return web.get(f"http://127.0.0.1:{health_port(cluster, replica)}/healthz")[0]


def readyz(cluster: Cluster, replica: str = "certward-0") -> Object:
    """What a replica says at /readyz; empty when it does not answer."""
    try:
        body = web.get(f"http://127.0.0.1:{health_port(cluster, replica)}/readyz")[1]
        told: Object = json.loads(body)
    except (OSError, ValueError, http.client.HTTPException):
        return {}
    return told


def leaders(cluster: Cluster, replicas: Iterable[str]) -> list[str]:
    """Those replicas that say that they lead."""
    return [replica for replica in replicas if readyz(cluster, replica).get("leader")]


def metric(cluster: Cluster, name: str, labels: str = "", replica: str = "certward-0") -> float:
    """The value of a metric, 0 when it is not there; `labels` as Prometheus prints them."""
    text = web.get(f"http://127.0.0.1:{health_port(cluster, replica)}/metrics")[1].decode()
    prefix = f"{name}{{{labels}}} " if labels else f"{name} "
    return next((float(line.removeprefix(prefix)) for line in text.splitlines() if line.startswith(prefix)), 0.0)


def throughout(seconds: float, check: Callable[[], None], every: float = 0.5) -> None:
    """Check again and again for so long; the first check that raises ends it."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        check()
        time.sleep(every)
    check()
