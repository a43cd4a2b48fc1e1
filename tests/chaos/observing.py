"""The observer: everything that watches and counts beside the driver, and its verdict on each invariant.

It asks the API server as an administrator, past the way that the operators take, and judges by the CA's certificates,
the CA's journal, handshakes and the objects themselves, with no code of the operator's.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from chaos import orders
from chaos.clients import Clients, Refused
from chaos.keys import Keys
from chaos.leaks import Leaks
from chaos.record import GRACE
from chaos.replicas import NAMES
from chaos.secrets_seen import SecretsSeen, authorities_in
from chaos.world import Host, World
from integration import observer

#: The invariants, as they are called in reports.
CERTIFICATES, HTTPS, KEYS, ORDERS, CONVERGED = "certificates", "https", "keys", "orders", "converged"
INVARIANTS = {
    CERTIFICATES: "no certificate is lost",
    HTTPS: "no host is without HTTPS",
    KEYS: "no key is used twice, or seen where it does not belong",
    ORDERS: "no order without a reason",
    CONVERGED: "everything is as declared within its time, and nothing is left over",
}
_RATE = 20.0


@dataclass(frozen=True)
class Broken:
    """An invariant that did not hold."""

    invariant: str
    words: str


class Observer:
    """`with Observer(world) as seen`, from before the first Domain on."""

    def __init__(self, world: World) -> None:
        self.world = world
        pem = world.pebble.roots()
        self.keys = Keys()
        self.secrets = SecretsSeen(world.cluster, world.secrets, authorities_in(pem), self.keys)
        self.clients = Clients(world.cluster, pem.partition("-----END CERTIFICATE-----")[0] + _END, _RATE)
        replicas = world.replicas
        self.leaks = Leaks(
            world.cluster,
            self.keys,
            [replicas.log(name) for name in NAMES],
            [replicas.metrics_url(name) for name in NAMES],
        )
        self._unconverged: list[str] = []
        self.converged_after: float | None = None

    def __enter__(self) -> Self:
        self.secrets.start()
        self.clients.__enter__()
        self.leaks.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clients.__exit__()
        self.secrets.stop()
        self.leaks.stop()

    def meet(self, host: Host) -> None:
        """A Domain has come."""
        self.secrets.expect(host.secret)
        self.clients.meet(host.hostname)

    def leave(self, host: Host) -> None:
        """A Domain goes, with all that it has."""
        self.clients.leave(host.hostname)
        self.secrets.retire(host.secret)

    def is_well(self, host: Host, since: float) -> bool:
        """Whether a host has its certificate, and a client has been shown that very one after a moment.

        One before it says nothing: the ingress may not have noticed yet that something was taken away.
        """
        shown = self.clients.shown(host.hostname)
        is_shown = shown.begun > since and shown.serial == self.secrets.serial(host.secret)
        return is_shown and self.secrets.is_good(host.secret)

    def until_converged(self, patience: float) -> bool:
        """Wait until everything is as declared; what is not after `patience` seconds breaks the invariant."""
        begun = time.monotonic()
        try:
            self.world.cluster.wait_for(lambda: not self.missing(), patience, "everything converged")
        except AssertionError:
            self._unconverged = self.missing()
            return False
        self.converged_after, self._unconverged = time.monotonic() - begun, []
        return True

    def missing(self) -> list[str]:
        """What is not as declared now, or left over."""
        world = self.world
        return world.surely(lambda: [*_unready(world), *self._left_over()]) or []

    def _left_over(self) -> list[str]:
        """What nobody needs any more, and hosts that clients do not reach."""
        world, found = self.world, []
        secrets = {host.secret for host in world.of()}
        for namespace in world.namespaces.values():
            there = {f"{namespace}/{one.metadata.name}" for one in world.core.list_namespaced_secret(namespace).items}
            found += [f"Secret {name} is left over" for name in sorted(there - secrets)]
            names = {host.name for host in world.of() if host.namespace == namespace}
            for one in world.net.list_namespaced_ingress(namespace).items:
                owner = (one.metadata.labels or {}).get("certward.dev/domain", "")
                if owner not in names:
                    found.append(f"Ingress {namespace}/{one.metadata.name} of {owner or 'nobody'} is left over")
        if not found:
            problems = {host.hostname: self.clients.problem(host.hostname) for host in world.of()}
            found = [f"{hostname} is not served: {problem}" for hostname, problem in problems.items() if problem]
        return found

    def judge_orders(self) -> orders.Judged:
        """Whether each order had its reason."""
        return orders.judge(self.world.ca.journal.orders(), self.world.record)

    def broken(self) -> list[Broken]:
        """All that did not hold."""
        judges: dict[str, Callable[[], list[str]]] = {
            CERTIFICATES: self._lost,
            HTTPS: self._refused,
            KEYS: lambda: [*dict.fromkeys(self.secrets.wrong), *self._reused(), *sorted(self.leaks.found)],
            ORDERS: lambda: [*self.judge_orders().broken, *self._beside_the_journal()],
            CONVERGED: lambda: self._unconverged,
        }
        return [Broken(invariant, words) for invariant, judge in judges.items() for words in judge()]

    def refusals(self) -> list[tuple[Refused, str]]:
        """The handshakes that failed, each with the fault that excuses it."""
        record = self.world.record
        return [(one, record.excuse([one.hostname], one.begun, one.ended)) for one in list(self.clients.refused)]

    def _refused(self) -> list[str]:
        """A line for each host and error, with the time from the first to the last handshake."""
        found: dict[tuple[str, str], list[Refused]] = {}
        for one, why in self.refusals():
            if not why:
                found.setdefault((one.hostname, one.error), []).append(one)
        return [
            f"{hostname}: {len(some)} handshakes in {some[-1].ended - some[0].begun:.1f} s, "
            f"from {time.strftime('%T', time.gmtime(some[0].begun))} on: {error}"
            for (hostname, error), some in found.items()
        ]

    def _lost(self) -> list[str]:
        found, record = [], self.world.record
        for gap in list(self.secrets.gaps):
            ended = gap.ended or time.time()
            with record.lock:
                windows = [one for one in record.windows if one.subject == gap.subject]
            if not any(one.begun <= gap.begun and ended <= one.limit + GRACE for one in windows):
                found.append(f"{gap.subject} for {ended - gap.begun:.1f} s: {gap.words}")
        return found

    def _reused(self) -> list[str]:
        return self.world.ca.journal.keys_of_several_orders()

    def _beside_the_journal(self) -> list[str]:
        placed, known = self.world.ca_orders(), len(self.world.ca.journal.orders())
        return [f"the CA knows of {placed} orders, and its journal of {known}"] if placed != known else []


_END = "-----END CERTIFICATE-----\n"


def _unready(world: World) -> list[str]:
    found = []
    there = {(one["metadata"]["namespace"], one["metadata"]["name"]): one for one in world.domains()}
    for host in world.of():
        one = there.get((host.namespace, host.name))
        if one is None:
            found.append(f"Domain {host.hostname} is not there")
            continue
        enforced = observer.condition(one, "PolicyEnforced")
        if not observer.is_settled(one) or enforced.get("status") != "True":
            told = observer.status(one)
            ready = observer.condition(one, "Ready")
            found.append(
                f"Domain {host.hostname}: {told.get('state')} {told.get('reason')} {told.get('message')} "
                f"{told.get('attempts') or ''}; Ready {ready.get('status')} {ready.get('message')}; PolicyEnforced "
                f"{enforced.get('status')} {enforced.get('reason')}"
            )
    return found
