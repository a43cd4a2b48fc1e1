"""The cluster as tests and the demo hold it: addresses, kubectl, fresh namespaces, backends, operators."""

import json
import os
import signal
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from http import HTTPStatus
from typing import Any, TypeVar

from kubernetes import client, config

from cluster import environment, kube, operator_process, processes, up, waiting, web, wish
from cluster.backend import Backend
from cluster.errors import ClusterError
from cluster.paths import State, default_state
from cluster.wish import Wish

T = TypeVar("T")


class Cluster:
    """The local cluster of this checkout; `close()` takes away what was made through it, not the cluster."""

    def __init__(self, state: State | None = None) -> None:
        self._state = state or default_state()
        self._namespaces: list[str] = []
        self._backends: list[Backend] = []

    @property
    def state(self) -> State:
        """Where the cluster's files are."""
        return self._state

    @property
    def env(self) -> dict[str, str]:
        """What `.cluster/env` says now; raises ClusterError when the cluster is not up."""
        return environment.read(self._state)

    @cached_property
    def api(self) -> client.ApiClient:
        """A client of the API server as admin."""
        return config.new_client_from_config(str(self._state.admin_kubeconfig))

    @property
    def operator_api(self) -> client.ApiClient:
        """A client with the operator's own ServiceAccount, as it is now, and no more rights than that."""
        return config.new_client_from_config(str(self._state.operator_kubeconfig))

    def up(self, operators: int = 1, ingress: str = "", patch: Mapping[str, Any] | None = None) -> dict[str, str]:
        """Bring the cluster into this state, `patch` merged over the operator's default configuration.

        Without `ingress`, the data planes are those that INGRESS in the environment says, which is Traefik by default.
        """
        return up.up(self.wish(operators, ingress, patch), self._state)

    @staticmethod
    def wish(operators: int = 1, ingress: str = "", patch: Mapping[str, Any] | None = None) -> Wish:
        """Return the wish that `up` would state."""
        told = wish.from_environment({key: os.environ.get(key, "") for key in ("INGRESS", "CLUSTER_PEBBLE_SLEEP")})
        return replace(told, operators=operators, ingress=ingress or told.ingress, patch=dict(patch or {}))

    def down(self) -> None:
        """End the whole cluster and forget its data."""
        up.down(self._state)

    def kubectl(self, *arguments: str, input: str | None = None) -> str:  # noqa: A002 - as in subprocess
        """Run kubectl as admin and return what it prints; raises ClusterError with its complaint."""
        return kube.kubectl(self._state, *arguments, input=input)

    def namespace(self, prefix: str = "test") -> str:
        """Make a namespace of a name that was never there, and return it; `close()` deletes it."""
        name = f"{prefix}-{uuid.uuid4().hex[:10]}"
        client.CoreV1Api(self.api).create_namespace({"metadata": {"name": name}})
        self._namespaces.append(name)
        return name

    def backend(self, namespace: str, name: str, port: int = 8080, body: Mapping[str, Any] | None = None) -> Backend:
        """Make a Service with a server behind it, which answers with JSON: backend, path, host, headers.

        `body` is merged over the answer. The server stops with `close()`, or with the backend's own `stop()`.
        """
        core = client.CoreV1Api(self.api)
        ports = [{"name": "http", "port": port, "protocol": "TCP"}]
        service = core.create_namespaced_service(
            namespace, {"metadata": {"name": name}, "spec": {"ports": [{**ports[0], "targetPort": port}]}}
        )
        endpoint = self.env["CLUSTER_ENDPOINT_ADDRESS"]
        backend = Backend(service.spec.cluster_ip, port, {"backend": name, **(body or {})}, endpoint)
        self._backends.append(backend)
        ports[0]["port"] = backend.endpoint_port
        client.DiscoveryV1Api(self.api).create_namespaced_endpoint_slice(
            namespace, kube.endpoint_slice(namespace, name, [endpoint or kube.NOWHERE], ports)
        )
        return backend

    def wait_for(
        self,
        predicate: Callable[[], T],
        timeout: float = 30.0,
        what: str = "the condition",
        ignore: tuple[type[Exception], ...] = (),
    ) -> T:
        """Return the predicate's first true value; after `timeout` seconds fail with `what`."""
        return waiting.wait_for(predicate, timeout, what, ignore=ignore)

    def until_served(self, *definitions: str) -> None:
        """Wait until the API server serves the kinds of these CRDs; `kubectl wait` fails as long as it says nothing."""

        def are_established() -> bool:
            listed = json.loads(self.kubectl("get", "crd", "-o", "json"))["items"]
            told = {each["metadata"]["name"]: each.get("status", {}).get("conditions") or () for each in listed}
            return all(
                any(one["type"] == "Established" and one["status"] == "True" for one in told.get(name, ()))
                for name in definitions
            )

        self.wait_for(are_established, 60, f"{', '.join(definitions)} can be used")

    def operator_pids(self) -> list[int]:
        """Return the process ids of the operators that live now, in the order of their names."""
        running = processes.running(self._state)
        return [running[name].pid for name in sorted(running) if operator_process.is_operator(name)]

    def pid(self, part: str) -> int:
        """Return the process id of a part, such as `etcd`, `apiserver`, `traefik` or `certward-0`."""
        return self._process(part).pid

    def kill(self, part: str, sign: signal.Signals = signal.SIGKILL, *, timeout: float = 30.0) -> None:
        """Send a signal to a part; for SIGKILL and SIGTERM this returns when it is gone."""
        process = self._process(part)
        processes.send(self._state, process, sign)
        if sign in (signal.SIGKILL, signal.SIGTERM):
            waiting.wait_for(lambda: processes.has_ended(process), timeout, f"{part} ends", every=0.005)

    def tell_dns(self, command: str, hostname: str, **what: Any) -> None:
        """Set or clear records of a hostname at the cluster's DNS server, which knows the command (`add-a`, ...)."""
        status, body = web.post(f"{self.env['CLUSTER_DNS_API']}/{command}", {"host": f"{hostname}.", **what})
        if status != HTTPStatus.OK:
            raise ClusterError(f"the DNS server answers {status} to {command}: {body.decode(errors='replace')}")

    def operator_log(self, replica: str = "certward-0") -> str:
        """Return all that a replica has logged in the life of the cluster."""
        return processes.log_file(self._state, replica).read_text(errors="replace")

    def close(self) -> None:
        """Delete the namespaces and stop the backends that were made through this object."""
        for backend in self._backends:
            backend.stop()
        core = client.CoreV1Api(self.api)
        for name in self._namespaces:
            try:
                core.delete_namespace(name)
            except client.ApiException as error:
                if error.status != 404:
                    raise
        self._backends, self._namespaces = [], []

    def _process(self, part: str) -> processes.Process:
        process = processes.running(self._state).get(part)
        if process is None:
            raise ClusterError(f"{part} does not run")
        return process
