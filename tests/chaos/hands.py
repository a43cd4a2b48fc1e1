"""Faults by hand: objects that somebody else deletes, edits, or writes at the same time as the operators."""

import base64
import random
import sys
import threading
import time
from collections.abc import Callable

from chaos.observing import Observer
from chaos.record import MOST, Fault, Window
from chaos.world import AWAY, Host, World
from cluster import waiting

#: What somebody writes who does not know what it is for.
_NONSENSE = base64.b64encode(b"-----BEGIN CERTIFICATE-----\nbm90aGluZw==\n-----END CERTIFICATE-----\n").decode()
_HTTPS = "certward.dev/domain"
_WRITES = 10
_AT_ONCE = 4
#: Returns once what was spoilt is right again.
Wait = Callable[[], None]


class Hands:
    """Injects the faults of this module. For one thread."""

    def __init__(self, world: World, seen: Observer, chance: random.Random) -> None:
        self._world, self._seen, self._chance = world, seen, chance
        self._pause = threading.Event()
        self._slots = threading.Semaphore(_AT_ONCE)
        self._waiting: list[threading.Thread] = []
        self.trouble: list[str] = []

    @property
    def kinds(self) -> dict[str, Callable[[], Wait]]:
        """What it can do, by the name of the fault."""
        return {
            "others write the same objects": self.conflict,
            "Secret deleted": self.delete_secret,
            "Secret edited": self.edit_secret,
            "Ingress deleted": self.delete_ingress,
            "Ingress edited": self.edit_ingress,
        }

    def inject(self, kind: str) -> None:
        """Inject one. It is put right beside others: at most so many are open at a time, each at another host."""
        self._slots.acquire()
        try:
            wait = self.kinds[kind]()
        except BaseException:
            self._slots.release()
            raise
        thread = threading.Thread(target=self._settle, args=(kind, wait), daemon=True)
        thread.start()
        self._waiting.append(thread)

    def close(self) -> None:
        """Wait until all are put right, as long as that may take at most."""
        for one in self._waiting:
            one.join()

    def _settle(self, kind: str, wait: Wait) -> None:
        is_over = False
        try:
            wait()
            is_over = True
        finally:
            self._slots.release()
            if not is_over:
                self.trouble.append(f"{kind}: whether it was put right is not known: {sys.exc_info()[1]!r}")

    def conflict(self) -> Wait:
        """A host is renewed, and meanwhile its Domain, Secret and Ingresses are written over and over."""
        world, host = self._world, self._host("steady", "policy", "rsa")
        fault = world.record.begin("others write the same objects", host.hostname)
        world.refresh(host, "asked for while others write")
        ingresses = self._ingresses(host)
        for _ in range(_WRITES):
            touched = {"metadata": {"annotations": {"chaos.example.com/touched": f"{self._chance.random()}"}}}
            world.patch_domain(host, touched)
            self._patch_secret(host, touched)
            for name in ingresses:
                world.surely(
                    lambda name=name, body=touched: world.net.patch_namespaced_ingress(name, host.namespace, body)
                )
            self._pause.wait(self._chance.uniform(0, 0.2))
        fault.healed = since = time.time()
        return self._until(fault, host, lambda: self._seen.is_well(host, since), [])

    def delete_secret(self) -> Wait:
        """The certificate's Secret is deleted; another certificate has to be ordered, since the key is gone."""
        host = self._host()
        fault = self._world.record.begin("Secret deleted", host.hostname)
        self._world.record.cause(host.hostname, "its Secret was deleted")
        return self._spoil_secret(host, fault, lambda: self._world.core.delete_namespaced_secret(*self._secret(host)))

    def edit_secret(self) -> Wait:
        """The certificate in the Secret is written over with nonsense."""
        host = self._host()
        fault = self._world.record.begin("Secret edited", host.hostname)
        self._world.record.cause(host.hostname, "its Secret was edited")
        body = {"data": {"tls.crt": _NONSENSE}}
        return self._spoil_secret(
            host, fault, lambda: self._world.core.patch_namespaced_secret(*self._secret(host), body)
        )

    def delete_ingress(self) -> Wait:
        """One of the host's Ingresses is deleted: no order is needed to put it back."""
        return self._spoil_ingress("Ingress deleted", self._world.net.delete_namespaced_ingress)

    def edit_ingress(self) -> Wait:
        """One of the host's Ingresses leads to another host."""

        def edit(name: str, namespace: str) -> None:
            one = self._world.net.read_namespaced_ingress(name, namespace)
            one.spec.rules[0].host = f"edited.{namespace}.example.com"
            one.spec.tls = None
            self._world.net.replace_namespaced_ingress(name, namespace, one)

        return self._spoil_ingress("Ingress edited", edit)

    def _is_gone(self, host: Host) -> bool:
        return self._world.hosts.get(host.hostname) is not host

    def _host(self, *groups: str) -> Host:
        return self._world.take(self._chance, *groups)

    @staticmethod
    def _secret(host: Host) -> tuple[str, str]:
        namespace, _, name = host.secret.partition("/")
        return name, namespace

    def _patch_secret(self, host: Host, body: dict) -> None:
        self._world.surely(lambda: self._world.core.patch_namespaced_secret(*self._secret(host), body))

    def _ingresses(self, host: Host) -> list[str]:
        labels = f"{_HTTPS}={host.name}"
        found = self._world.surely(
            lambda: self._world.net.list_namespaced_ingress(host.namespace, label_selector=labels).items
        )
        return [one.metadata.name for one in found or ()]

    def _spoil_secret(self, host: Host, fault: Fault, act: Callable[[], object]) -> Wait:
        windows = [self._world.record.window(fault.kind, subject) for subject in (host.secret, host.hostname)]
        before = self._seen.secrets.serial(host.secret)
        self._world.surely(act)
        fault.healed = since = time.time()

        def is_well() -> bool:
            return self._seen.secrets.serial(host.secret) not in (0, before) and self._seen.is_well(host, since)

        return self._until(fault, host, is_well, windows)

    def _spoil_ingress(self, kind: str, act: Callable[[str, str], object]) -> Wait:
        world, host = self._world, self._host()
        fault = world.record.begin(kind, host.hostname)
        names = self._ingresses(host)
        if not names:
            return lambda: world.give(host)  # another fault has just taken them
        name = self._chance.choice(names)
        window = world.record.window(kind, host.hostname)
        before = world.surely(lambda: world.net.read_namespaced_ingress(name, host.namespace))
        world.surely(lambda: act(name, host.namespace))
        fault.target += f" ({name})"
        fault.healed = time.time()
        back_at = float("inf")

        def is_well() -> bool:
            """Whether clients are content since it is back; before, the ingress may not know that it is gone."""
            nonlocal back_at
            one = world.net.read_namespaced_ingress(name, host.namespace)
            if before is not None and one.spec.to_dict() != before.spec.to_dict():
                back_at = float("inf")
                return False
            back_at = min(back_at, time.time())
            return self._seen.is_well(host, back_at)

        return self._until(fault, host, is_well, [window])

    def _until(self, fault: Fault, host: Host, is_well: Callable[[], bool], windows: list[Window]) -> Wait:
        def wait() -> None:
            try:
                what = f"{fault.kind} at {host.hostname} is put right"
                waiting.wait_for(lambda: self._is_gone(host) or is_well(), MOST, what, every=0.2, ignore=AWAY)
            except waiting.NotInTime:
                return  # what is missing breaks an invariant by itself
            finally:
                self._world.give(host)
            if self._is_gone(host):
                return  # its owner has deleted it meanwhile
            fault.recovered = time.time()
            for window in windows:
                window.ended = fault.recovered

        return wait
