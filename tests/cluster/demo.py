"""`make demo`: from nothing to HTTPS with a certificate of the CA's, shown step by step and proved.

It brings the cluster up, applies examples/demo, watches the Domains' states, and then looks at what is served
as a client does. Its exit status is 0 only if every proof held. Cluster and App stay, to be looked at further.
"""

import contextlib
import http.client
import queue
import shlex
import signal
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # run by its path: the package is the folder, so its parent has to be searched
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from kubernetes import client, watch
from urllib3.exceptions import HTTPError

from cluster import kube, processes, progress, served, wish
from cluster import up as cluster_up
from cluster.backend import Backend
from cluster.errors import ClusterError
from cluster.handle import Cluster
from cluster.paths import CHECKOUT
from cluster.ports import Ports
from cluster.proofs import Proofs, condition
from cluster.showing import Screen, summary
from cluster.waiting import NotInTime, wait_for

NAMESPACE, APP, PORT = "demo", "shop", 8080
HOSTS = {"shop": "shop.example.com", "www": "www.shop.example.com"}
EXAMPLES = "examples/demo"
BACKEND = "demo-backend"
_OWN_KINDS = "apps.certward.dev,domains.certward.dev,tlspolicies.certward.dev"
_ISSUE_TIMEOUT = 60.0
_DOMAINS = ("certward.dev", "v1alpha1", NAMESPACE, "domains")


class Demo:
    """One run on a cluster that is up."""

    def __init__(self, cluster: Cluster, screen: Screen) -> None:
        self._cluster, self._screen = cluster, screen
        self._env = cluster.env
        self._custom = client.CustomObjectsApi(cluster.api)
        self._proofs = Proofs(cluster, NAMESPACE, APP)

    def run(self) -> None:
        """Do and show everything."""
        self._prepare()
        self._issue()
        self._serve()
        self._policy()
        self._protocols()

    def _prepare(self) -> None:
        screen, cluster = self._screen, self._cluster
        screen.heading("A namespace, and an application in it")
        self._kubectl("apply", "-f", f"{EXAMPLES}/1-namespace.yaml")
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": APP, "namespace": NAMESPACE},
            "spec": {"ports": [{"name": "http", "port": PORT, "protocol": "TCP", "targetPort": PORT}]},
        }
        endpoint = self._env["CLUSTER_ENDPOINT_ADDRESS"]
        port = Ports(cluster.state.root / "ports.json").get("demo") if endpoint else PORT
        named = [{"name": "http", "port": port, "protocol": "TCP"}]
        kube.apply(cluster.state, [service, kube.endpoint_slice(NAMESPACE, APP, [endpoint or kube.NOWHERE], named)])
        address = client.CoreV1Api(cluster.api).read_namespaced_service(APP, NAMESPACE).spec.cluster_ip
        argv = (sys.executable, str(Path(__file__).resolve()), "serve", address, str(PORT), endpoint, str(port))
        command = processes.Command(BACKEND, argv)
        running = processes.running(cluster.state).get(BACKEND)
        if running and running.fingerprint != command.fingerprint():
            processes.end(cluster.state, [running], grace=3)
            running = None
        process = running or processes.start(cluster.state, command)
        wait_for(lambda: _answers(address), 10, f"the application answers at {address}:{PORT}")
        screen.line(
            f"Service {APP} at {address}:{PORT}; this cluster has no pods, so a process answers ({process.pid})"
        )
        # What an earlier run left: this one shows an issuance, not its memory.
        left = self._cluster.kubectl("get", _OWN_KINDS, "-n", NAMESPACE, "-o", "name", "--ignore-not-found")
        if left.strip():
            files = [f"{EXAMPLES}/{name}" for name in ("4-tlspolicy.yaml", "3-domains.yaml", "2-app.yaml")]
            flags = [flag for file in files for flag in ("-f", file)]
            screen.line("from an earlier run:")
            self._kubectl("delete", "--ignore-not-found", "--timeout=60s", *flags)
            self._wait_until_secrets_are_gone()

    def _wait_until_secrets_are_gone(self) -> None:
        core = client.CoreV1Api(self._cluster.api)

        def left() -> list[str]:
            secrets = core.list_namespaced_secret(NAMESPACE, label_selector="certward.dev/domain").items
            return [secret.metadata.name for secret in secrets]

        wait_for(lambda: not left(), 60, "the deletion of the certificates with their Domains")
        self._screen.line("its certificates went with the Domains")

    def _issue(self) -> None:
        screen = self._screen
        screen.heading("One App with automatic certificates, two Domains, a TLSPolicy")
        listed = self._custom.list_namespaced_custom_object(*_DOMAINS)
        events: queue.Queue[tuple[float, dict[str, Any]]] = queue.Queue()
        stop = threading.Event()
        version = listed["metadata"]["resourceVersion"]
        threading.Thread(target=self._watch, args=(version, events, stop), daemon=True).start()
        started = time.monotonic()
        self._kubectl("apply", "-f", f"{EXAMPLES}/")
        screen.line("what the Domains' status says, in seconds since that command was started:")
        ready = self._follow(events, started)
        stop.set()
        for name, hostname in HOSTS.items():
            after = f"after {ready[name]:.2f} s" if name in ready else f"not within {_ISSUE_TIMEOUT:g} s"
            screen.prove(f"{hostname}: Ready {after}", partial(self._proofs.ready, name))
        self._kubectl("get", "domains", "-n", NAMESPACE)

    def _watch(self, version: str, events: "queue.Queue[tuple[float, dict[str, Any]]]", stop: threading.Event) -> None:
        while not stop.is_set():
            with contextlib.suppress(client.ApiException, HTTPError):
                stream = watch.Watch().stream(
                    self._custom.list_namespaced_custom_object,
                    *_DOMAINS,
                    resource_version=version,
                    timeout_seconds=int(_ISSUE_TIMEOUT),
                )
                for event in stream:
                    events.put((time.monotonic(), event["object"]))
                    version = event["object"]["metadata"]["resourceVersion"]
            stop.wait(0.2)

    def _follow(self, events: "queue.Queue[tuple[float, dict[str, Any]]]", started: float) -> dict[str, float]:
        """Print each change of a state until all are Ready; return when each became so."""
        ready: dict[str, float] = {}
        shown: dict[str, tuple[str, ...]] = {}
        limit = started + _ISSUE_TIMEOUT
        while set(ready) != set(HOSTS) and time.monotonic() < limit:
            try:
                at, domain = events.get(timeout=max(limit - time.monotonic(), 0.01))
            except queue.Empty:
                break
            name, status = domain["metadata"]["name"], domain.get("status") or {}
            is_ready = condition(domain, "Ready").get("status") == "True"
            words = (status.get("state", "created"), status.get("reason", ""), "Ready" if is_ready else "")
            if shown.get(name) == words:
                continue
            shown[name] = words
            if is_ready:
                ready.setdefault(name, at - started)
            told = ", ".join(word for word in words if word)
            message = f": {status['message']}" if status.get("message") else ""
            self._screen.line(f"{at - started:7.3f} s  {domain['spec']['hostname']:22} {told}{message}")
        return ready

    def _serve(self) -> None:
        self._screen.heading(f"HTTPS through the ingress at {self._env['CLUSTER_HTTPS']}, as a client sees it")
        for name, hostname in HOSTS.items():
            prove, proofs = self._screen.prove, self._proofs
            prove(f"{hostname}: chain verified up to the CA's root", partial(proofs.chain, hostname))
            prove(f"{hostname}: the application answers over HTTPS", partial(proofs.application, hostname))
            prove(f"{hostname}: served is what Secret {name}-tls holds", partial(proofs.secret, name, hostname))
            prove(f"{hostname}: plain HTTP is redirected", partial(proofs.redirect, hostname))

    def _policy(self) -> None:
        """Show what became of the policy: a proof only where the operator says anything of it at all."""
        screen = self._screen
        screen.heading("The TLSPolicy")
        acts = self._proofs.policy_has_status("modern")
        self._kubectl("get", "tlspolicies", "-n", NAMESPACE)
        if acts:
            screen.prove("TLSPolicy modern: accepted and enforced", partial(self._proofs.policy, "modern"))
        else:
            screen.line(
                "It is stored, and it has no status: this version of the operator does not act on TLSPolicies yet.\n"
                f"What is probed next is the default profile that App {APP} is pinned to."
            )

    def _protocols(self) -> None:
        screen = self._screen
        screen.heading("The protocols: each version offered alone, by a full handshake")
        tls = self._proofs.get("apps", APP).get("status", {}).get("tls", {})
        screen.line(
            f"the App's status.tls: profile {tls.get('profile')} of revision {tls.get('revision')}, "
            f"from {tls.get('minVersion')} to {tls.get('maxVersion')}, grade {tls.get('grade') or '(none)'}"
        )
        screen.line(f"the client: {served.client_program()}")
        for hostname in HOSTS.values():
            what = f"{hostname}: accepts the versions of its profile and no other"
            screen.prove(what, partial(self._proofs.versions, hostname))

    def _kubectl(self, *arguments: str) -> None:
        """Run a command of kubectl and show it and what it prints."""
        self._screen.command(shlex.join(["kubectl", *arguments]))
        absolute = [str(CHECKOUT / each) if each.startswith(EXAMPLES) else each for each in arguments]
        self._screen.line(self._cluster.kubectl("--request-timeout=60s", *absolute))


def _answers(address: str) -> bool:
    try:
        return served.fetch(f"{address}:{PORT}", "localhost", timeout=2).status == 200
    except (OSError, http.client.HTTPException):
        return False


def serve(address: str, port: int, endpoint: str, endpoint_port: int) -> int:
    """Be the application until SIGTERM comes."""
    backend = Backend(address, port, {"backend": APP, "says": "hello from the application"}, endpoint, endpoint_port)
    signal.pause()
    backend.stop()
    return 0


def run() -> int:
    """The demo; returns its exit status."""
    screen = Screen()
    screen.heading("The local cluster: Kubernetes, an ACME CA, DNS, the ingress, the operator")
    wanted = wish.from_environment()
    if not wanted.operators or wanted.ingress == "none":
        raise ClusterError("the demo needs an operator and an ingress: unset OPERATORS and INGRESS")
    cluster_up.up(wanted)
    progress.say("the cluster is up")
    cluster = Cluster()
    started = time.monotonic()
    screen.attempt("the demo ran to its end", Demo(cluster, screen).run)
    return 0 if summary(cluster, screen, time.monotonic() - started, NAMESPACE, HOSTS["shop"]) else 1


def main(arguments: list[str]) -> int:
    """Run the demo, or with `serve ADDRESS PORT ENDPOINT ENDPOINT_PORT` its application."""
    if arguments[:1] == ["serve"]:
        return serve(arguments[1], int(arguments[2]), arguments[3], int(arguments[4]))
    try:
        return run()
    except (ClusterError, NotInTime) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; `make demo` starts over, `make cluster-down` clears everything", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
