"""cert-manager under the same load: one Certificate for each hostname, with a ClusterIssuer at the cluster's CA.

Real are its controllers, its ACME client, the API server, the CA and its validation. `challenge_answers` says what
stands in for the solver's pods, `cert_manager_process` what does not run. Against a real cluster, that is

- in cert-manager's favour: no pod has to start and no ingress to follow before a challenge can be answered, so that the
  first self-check passes, where it usually is repeated after 10 s; no admission webhook is called for its own objects;
  no leader election; the self-check needs no DNS, since the proxy is asked and not the name;
- against it: the answers to challenges are given on the same cores, by the driver. And where the CA is Pebble, which
  names no Location when it finalizes, cert-manager first asks the empty URL, logs an error, and reads the order anew:
  two writes more for each certificate, and no difference in time that could be measured.
"""

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

from kubernetes import client

from cluster import kube, processes
from cluster.errors import ClusterError
from cluster.handle import Cluster
from cluster.proofs import condition
from cluster.waiting import wait_for
from scale.drivers import cert_manager_process as controllers
from scale.drivers.challenge_answers import ChallengeAnswers
from scale.drivers.watching import Watching

_GROUP, _VERSION = "cert-manager.io", "v1"
_CHALLENGES = ("acme.cert-manager.io", "v1", "challenges")
_START_TIMEOUT = 60.0
# As many requests at once as two cores of API server answer without a queue.
_AT_ONCE = 8


class CertManager:
    """A driver of the load, on a cluster without an ingress; `close` ends it, `Cluster.close` takes its namespaces."""

    name = "cert-manager"

    def __init__(self, cluster: Cluster, settings: str = "defaults") -> None:
        """Take a cluster that was brought up with INGRESS=none, and a name of SETTINGS.

        Raises:
            ClusterError: another has its port.
        """
        self._cluster, self._settings = cluster, controllers.SETTINGS[settings]
        self._custom = client.CustomObjectsApi(cluster.api)
        self._namespaces: list[str] = []
        self._requested = 0
        self._lock = threading.Lock()
        self._ready: dict[str, float] = {}
        self._unready: dict[str, dict[str, Any]] = {}
        address, _, port = cluster.env["CLUSTER_HTTP"].partition(":")
        self._answers = ChallengeAnswers(cluster.api, address, int(port))
        self._watching = Watching(cluster.api, (_GROUP, _VERSION, "certificates"), self._see)

    def prepare(self, namespaces: int) -> None:
        """Start cert-manager and return when its issuer has an account and so many new namespaces are there.

        Raises:
            ClusterError: cert-manager has ended, with its log's end.
            NotInTime: it has no account within 60 s.
        """
        controllers.install(self._cluster)
        self._answers.begin()
        controllers.start(self._cluster, self._settings, self._cluster.env["CLUSTER_HTTP"])
        kube.apply(self._cluster.state, [controllers.issuer(self._cluster, self._settings)])
        self._namespaces = [self._cluster.namespace("load") for _ in range(namespaces)]
        core = client.CoreV1Api(self._cluster.api)
        for name in self._namespaces:  # a solver's pod needs it
            wait_for(
                lambda name=name: core.read_namespaced_service_account("default", name),
                _START_TIMEOUT,
                f"{name} has a ServiceAccount",
                ignore=(client.ApiException,),
            )
        wait_for(self._has_account, _START_TIMEOUT, "cert-manager has an account at the CA")
        self._watching.begin()

    def request(self, hostnames: Sequence[str]) -> None:
        """Create a Certificate for each hostname, round-robin over the namespaces; returns when all are created."""
        placed = [
            (self._namespaces[(self._requested + number) % len(self._namespaces)], hostname)
            for number, hostname in enumerate(hostnames)
        ]
        self._requested += len(placed)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda each: self._create(*each), placed))

    def ready(self) -> Mapping[str, float]:
        """Return hostname -> `time.monotonic()` at which a watch showed Ready=True."""
        with self._lock:
            return dict(self._ready)

    def trouble(self) -> str:
        """Return one line about the Certificates that are not ready, or nothing."""
        with self._lock:
            left = sorted(self._unready.items())
        if not left:
            return ""
        try:
            controllers.require_alive(self._cluster)
        except ClusterError as error:
            return str(error).partition("\n")[0]
        found = self._custom.list_cluster_custom_object(*_CHALLENGES)["items"]
        at = Counter(each.get("status", {}).get("state") or "not begun" for each in found)
        hostname, certificate = left[0]
        told = " ".join(condition(certificate, "Issuing").get("message", "no word of it yet").split())
        states = ", ".join(f"{count} {state}" for state, count in sorted(at.items())) or "none"
        return f"{len(left)} not Ready, {hostname}: {told} (challenges: {states})"

    def pids(self) -> Sequence[int]:
        """Return the controllers' process id."""
        running = processes.running(self._cluster.state)
        return [running[controllers.NAME].pid] if controllers.NAME in running else []

    def api_user(self) -> str:
        """Return the name of its ServiceAccount."""
        return controllers.API_USER

    @property
    def answered(self) -> int:
        """How many questions for a challenge's key have been answered, self-checks and validations."""
        return self._answers.answered

    def challenges(self) -> int:
        """Return how many Challenges there are, that is how many are not cleaned up yet."""
        return len(self._custom.list_cluster_custom_object(*_CHALLENGES)["items"])

    def close(self) -> None:
        """End cert-manager and the server, and take away what keeps namespaces from going."""
        self._watching.stop()
        controllers.remove(self._cluster)
        self._answers.stop()
        try:
            left = self._custom.list_cluster_custom_object(*_CHALLENGES)["items"]
        except client.ApiException as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            left = []  # it never came as far as the definitions
        for each in left:
            meta = each["metadata"]
            self._custom.patch_namespaced_custom_object(
                *_CHALLENGES[:2],
                meta["namespace"],
                _CHALLENGES[2],
                meta["name"],
                {"metadata": {"finalizers": None}},
                _content_type="application/merge-patch+json",
            )

    def _has_account(self) -> bool:
        controllers.require_alive(self._cluster)
        found = self._custom.get_cluster_custom_object(_GROUP, _VERSION, "clusterissuers", controllers.ISSUER)
        return bool(condition(found, "Ready").get("status") == "True")

    def _create(self, namespace: str, hostname: str) -> None:
        body = {
            "apiVersion": f"{_GROUP}/{_VERSION}",
            "kind": "Certificate",
            "metadata": {"name": hostname},
            "spec": {
                "secretName": hostname,
                "dnsNames": [hostname],
                "privateKey": {"algorithm": "ECDSA", "size": 256},
                "issuerRef": {"group": _GROUP, "kind": "ClusterIssuer", "name": controllers.ISSUER},
            },
        }
        self._custom.create_namespaced_custom_object(_GROUP, _VERSION, namespace, "certificates", body)

    def _see(self, certificate: dict[str, Any]) -> None:
        now = time.monotonic()
        name = certificate["metadata"]["name"]
        is_ready = condition(certificate, "Ready").get("status") == "True"
        with self._lock:
            if is_ready:
                self._ready.setdefault(name, now)
                self._unready.pop(name, None)
            else:
                self._unready[name] = certificate
