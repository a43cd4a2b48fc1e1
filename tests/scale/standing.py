"""Many Domains that are served, without an ACME order for each and without a real ingress.

Apps, Domains and certificate Secrets (of a CA of the bench's own) are written while no operator runs; then the operator
converges: it reads the Secrets, writes the routes, makes its handshakes and writes the statuses. An SNI server serves
what the Secrets hold. A Domain that comes later is issued by ACME as ever: its challenge goes the same way in.
"""

import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from kubernetes import client

from certward.model.resources import Domain
from certward.render.manifests import certificate_secret
from cluster import processes, progress, served
from cluster.errors import ClusterError
from cluster.ports import Ports
from cluster.proofs import condition
from scale import following, sni_server, stages
from scale.drivers.certward import Certward
from scale.handshakes import Prover
from scale.local_ca import LocalCA
from scale.mirror import Mirror
from scale.stand import Stand

HOW = (
    "Apps, Domains and Secrets (certificates of a CA of the bench, ECDSA P-256) were written with the operator down; "
    "the operator then wrote routes and statuses. An SNI server of the bench stood in for the ingress and looked "
    "at no routes but those of challenges. Policy: modern of 2018-06. Probes as by default: every 10 min, 2 a second."
)
#: The product's own defaults, in the place of those of the local cluster, which looks more often.
PATCH = {"probe": {"interval": "10m", "perSecond": 2}}
_QUIET_SECONDS = 3.0
_AT_ONCE = 8


class Standing:
    """A population in a cluster; from `world`."""

    def __init__(self, stand: Stand, driver: Certward, folder: Path, patch: Mapping[str, Any]) -> None:
        self.stand, self.driver, self._patch = stand, driver, patch
        self._core = client.CoreV1Api(stand.cluster.api)
        self._authority = LocalCA()
        self._mirror = Mirror(stand.cluster.api, folder)

    def close(self) -> None:
        """Follow no longer."""
        self._mirror.close()

    def set_policy(self, namespace: str) -> None:
        """Have Apps there be served as the SNI server serves."""
        spec = {"profile": "modern", "revision": "2018-06"}
        self.driver.create(namespace, "tlspolicies", "TLSPolicy", "bench", spec)

    def place_for_late(self) -> str:
        """Make a namespace for Domains that come later, apart from those that must not be written to."""
        others, self.driver.namespaces = self.driver.namespaces, []
        self.driver.prepare(1)
        (late,) = self.driver.namespaces
        self.driver.namespaces = others
        self.set_policy(late)
        return late

    @contextmanager
    def prover(self) -> Iterator[Prover]:
        """Handshakes with the SNI server that trust Pebble and the bench's own CA."""
        trust = served.trusting(Path(self.stand.cluster.env["CLUSTER_CA"]))
        trust.load_verify_locations(cadata=ssl.PEM_cert_to_DER_cert(self._authority.pem.decode()))
        prover = Prover(self.stand.cluster.env["CLUSTER_HTTPS"], trust)
        try:
            yield prover
        finally:
            prover.close()

    def populate(self, hostnames: Sequence[str]) -> None:
        """Write a Domain and a Secret for each, while no operator runs."""
        if self.driver.pids():
            raise ClusterError("an operator runs, which would order what is about to be written")
        self._mirror.turn_off()
        with progress.ticking(f"writing {len(hostnames)} Domains and their Secrets"):
            self.driver.request(hostnames)
            known = {"seen": lambda: sum(map(self.driver.has_seen, hostnames))}
            following.everything(known, len(hostnames), "Domains", self.stand.patience(len(hostnames)), every=0.2)
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                for _ in pool.map(self._write_secret, hostnames):
                    pass

    def converge(self, hostnames: Sequence[str]) -> float:
        """Let the operator run until nothing is left for it to do; returns how many seconds that took."""
        started = time.monotonic()
        self.stand.cluster.up(operators=1, ingress="none", patch=self._patch)
        todo = set(hostnames)

        def settled() -> int:
            todo.difference_update([hostname for hostname in todo if _is_settled(self.driver.body(hostname))])
            return len(hostnames) - len(todo)

        def trouble() -> str:
            one = next(iter(todo), "")
            return f"{one} says: {self.driver.body(one).get('status')}" if one else ""

        limit = self.stand.patience(len(hostnames))
        what = f"{len(hostnames)} converge"
        following.everything(
            {"settled": settled}, len(hostnames), what, limit, trouble=trouble, every=max(0.5, len(hostnames) / 2000)
        )
        self.calm(limit)
        self._mirror.turn_on()
        return time.monotonic() - started

    def calm(self, limit: float) -> None:
        """Wait until the operator has nothing due and has written nothing for some seconds."""
        last: tuple[float, float] = (-1.0, time.monotonic())

        def is_calm() -> bool:
            nonlocal last
            told = stages.metrics(self.stand.cluster)
            due = told.get(("certward_queue_keys", (("state", "due"),)), 0.0)
            unseen = told.get(("certward_unseen_objects", ()), 1.0)
            writes = sum(
                value
                for (name, labels), value in told.items()
                if name == "certward_api_requests_total" and dict(labels)["verb"] != "GET"
                if dict(labels)["kind"] != "Lease"
            )
            if due or unseen or writes != last[0]:
                last = (writes, time.monotonic())
            return time.monotonic() - last[1] > _QUIET_SECONDS

        following.until(is_calm, "the operator has nothing left to do", limit, every=1.0)

    def _write_secret(self, hostname: str) -> None:
        domain = Domain.from_body(self.driver.body(hostname))
        chain, key = self._authority.issue(hostname)
        self._mirror.put(hostname, chain + key)
        manifest = certificate_secret(domain, chain_pem=chain, key_pem=key, issuer="pebble")
        secret = cast("client.V1Secret", manifest)  # the client takes what is JSON already as well
        self._core.create_namespaced_secret(domain.meta.namespace, secret, _request_timeout=30)


def _is_settled(body: dict[str, Any]) -> bool:
    wanted = ("Ready", "Served", "PolicyEnforced")
    return all(condition(body, kind).get("status") == "True" for kind in wanted)


@contextmanager
def world(stand: Stand, namespaces: int, patch: Mapping[str, Any] = PATCH) -> Iterator[Standing]:
    """A cluster with no operator, an SNI server in place of its ingress, and namespaces with an App and a policy.

    The operator is going to run with `patch` over its configuration in the local cluster.
    """
    stand.cluster.up()  # with the ingress, whose definitions stay
    with stand.certward(1):
        pass  # the operator has its account now
    stand.cluster.up(operators=0, ingress="none", patch=patch)
    with (
        tempfile.TemporaryDirectory(prefix="certward-bench-") as folder,
        _serving(stand, Path(folder)),
        stand.certward(namespaces) as driver,
    ):
        standing = Standing(stand, driver, Path(folder), patch)
        try:
            for namespace in driver.namespaces:
                standing.set_policy(namespace)
            yield standing
        finally:
            standing.close()
            # Without its operator, so that what is deleted is not repaired meanwhile.
            stand.cluster.up(operators=0, ingress="none", patch=patch)


@contextmanager
def _serving(stand: Stand, folder: Path) -> Iterator[None]:
    env = stand.cluster.env
    answerer = f"127.0.0.1:{Ports(stand.cluster.state.root / 'ports.json').get('http01')}"
    argv = [sys.executable, sni_server.__file__, str(folder)]
    argv += ["--https", env["CLUSTER_HTTPS"], "--http", env["CLUSTER_HTTP"], "--answerer", answerer]
    conf = sni_server.openssl_conf(folder / "openssl.cnf")
    log = processes.log_file(stand.cluster.state, "sni-server")
    with (
        log.open("ab") as errors,
        subprocess.Popen(
            argv, env={"OPENSSL_CONF": str(conf)}, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as server,
    ):
        try:
            if server.stdout is None or server.stdout.readline().strip() != "listening":
                raise ClusterError(f"the SNI server does not start; see {log}")
            yield
        finally:
            server.terminate()
