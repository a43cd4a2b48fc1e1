"""How the prover looks at an entry that keeps it waiting; tests/integration and tests/e2e show it on real ones."""

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from builders import domain, facts, observed
from certward.config import Config
from certward.kube.cache import Cache
from certward.plan.domain import proof_due
from certward.plan.observed import Proof
from certward.runtime import proving
from certward.runtime.memory import Memory
from certward.runtime.proving import Prover

#: Longer than the pause between two looks at something that is amiss.
SLOW = 0.4


@pytest.fixture
def slow_entry() -> Iterator[tuple[str, int]]:
    """Takes every connection, keeps it for a while and closes it without a word."""
    is_over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    taken, _ = listener.accept()
                except OSError:
                    return
                with taken:
                    is_over.wait(SLOW)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()
        is_over.set()
        listener.shutdown(socket.SHUT_RDWR)


def test_an_entry_that_is_slow_to_fail_is_not_looked_at_without_a_pause(slow_entry: tuple[str, int]) -> None:
    prover = Prover(
        Config(),
        Cache(),
        classes=SimpleNamespace(),
        addresses=SimpleNamespace(https=lambda _: slow_entry, is_proxied=lambda _: False),
        reports=SimpleNamespace(on=lambda _: ""),
    )
    long_amiss = datetime.now(UTC) - timedelta(seconds=10)
    leaf = facts()
    memory = Memory(proof=Proof(long_amiss, problem="x", since=long_amiss, expected=leaf.fingerprint_sha256))
    seen = observed()
    pause = prover.prove(seen, leaf, memory)
    assert pause is None, "the status says by now what is amiss"
    assert memory.proof.problem
    due = proof_due(observed(proof=memory.proof), leaf, datetime.now(UTC))
    assert due > timedelta(), "or a worker never got away from it"


def test_a_host_of_another_class_is_no_laxer_neighbour_and_requests_go_as_the_entry_takes_them(monkeypatch) -> None:
    cache, asked = Cache(), []
    for name, class_name in (("old", "contour"), ("lax", "haproxy")):
        status = {"served": {"minVersion": "TLSv1.0"}, "ingressClassName": class_name}
        cache.put(domain(name, hostname=f"{name}.example.com", status=status))
    monkeypatch.setattr(proving, "misdirected", lambda _address, **how: asked.append(how))
    prover = Prover(
        Config(),
        cache,
        classes=SimpleNamespace(),
        addresses=SimpleNamespace(is_proxied=lambda _: True),
        reports=SimpleNamespace(),
    )
    engine: Any = SimpleNamespace(engine="HAProxy")
    prover._misdirection(observed(ingress_class="haproxy"), ("127.0.0.1", 1), engine)
    assert asked == [{"opened_for": "lax.example.com", "asked_for": "www.example.com", "proxy_protocol": True}]
