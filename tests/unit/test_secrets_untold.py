"""What a process that knows every kind of secret tells: at /metrics, at /readyz, in its log at the finest level."""

import base64
import http.client
import logging
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from prometheus_client import REGISTRY

from builders import NOW, domain, observed, proof, secret
from certward import logs
from certward.acme.http01 import Answerer
from certward.config.models import Config
from certward.errors import IssuerUnusable
from certward.kube.cache import Cache
from certward.model import keys
from certward.names import CHALLENGE_PATH
from certward.plan.domain import decide
from certward.runtime import metrics, scrape
from certward.runtime.holding import Holding
from certward.runtime.issuers import Issuers
from certward.runtime.lease import Leadership
from certward.runtime.ledger import Ledger
from certward.runtime.queue import WorkQueue
from certward.runtime.server import HealthServer
from shelf import NAMESPACE, Shelf

ACCOUNT_KEY = keys.generate_key("ECDSA-P256")
HMAC_KEY = base64.urlsafe_b64encode(b"of the external account").decode()
TOKEN = "t0ken-" * 6
BEARER = "b3arer-" * 6
CONFIG = Config.model_validate(
    {
        "issuers": [
            {
                "name": "le",
                "directory": "https://ca.example/dir",
                "externalAccountBinding": {"keyID": "kid", "hmacKeySecretRef": {"name": "external", "key": "hmac"}},
            }
        ]
    }
)
#: Every label that there is, also of Python's own metrics. Of another one it would have to be asked whether it can hold
#: a secret.
LABELS = {
    *("domain", "grade", "hostname", "issuer", "kind", "le", "namespace", "outcome", "profile", "reason", "renewal"),
    *("result", "revision", "stage", "state", "status", "type", "verb", "version"),
    *("generation", "implementation", "major", "minor", "patchlevel"),
}


def secrets() -> dict[str, str]:
    """Everything that may not be told, by what it is."""
    private = serialization.load_pem_private_key(ACCOUNT_KEY, None).private_numbers().private_value
    body = "".join(ACCOUNT_KEY.decode().splitlines()[1:-1])
    return {
        "the account's key": body[:40],
        "its end": body[-40:],
        "the same in a Secret": base64.b64encode(ACCOUNT_KEY).decode()[:60],
        "the same as JWK": base64.urlsafe_b64encode(private.to_bytes(32)).decode().rstrip("="),
        "the external account's key": HMAC_KEY,
        "a token": TOKEN,
        "what came in a header": BEARER,
    }


class Knowing(Shelf):
    """An API server that has the Secrets."""

    def __init__(self, account_key: bytes = ACCOUNT_KEY) -> None:
        super().__init__()
        self.requests = {("GET", "Secret", 200): 3}
        self.held = {"certward-account-le": {"tls.key": account_key}, "external": {"hmac": HMAC_KEY.encode()}}

    def get(self, kind: str, namespace: str, name: str) -> Any:
        if kind != "Secret":
            return super().get(kind, namespace, name)
        meta = {"name": name, "uid": "1", "resourceVersion": "1"}
        data = {key: base64.b64encode(value).decode() for key, value in self.held[name].items()}
        return {"kind": "Secret", "metadata": meta, "data": data}


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """The log as it is set up in the operator, at the finest level; -> what it says."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    logs.set_up("debug", "text")
    yield lambda: capsys.readouterr().err
    root.handlers[:] = handlers
    root.setLevel(level)


@contextmanager
def working() -> Iterator[tuple[Answerer, HealthServer, Issuers]]:
    """The parts of an operator that tell something, with what they know of the secrets."""
    client, cache, holding = Knowing(), Cache(), Holding(SimpleNamespace(holds=lambda _: True), 1)
    cache.put(domain(status=decide(observed(secret=secret(), proof=proof()), NOW).status))
    holding.begin(0)
    issuers = Issuers(CONFIG, client, namespace=NAMESPACE)
    answerer = Answerer("127.0.0.1", 0, lambda _: issuers.thumbprint_awaited("le"))
    metrics.expect(["le"])
    collector = scrape.StateCollector(
        scrape.Sources(
            answerer=answerer,
            cache=cache,
            client=client,
            issuers=issuers,
            lease=Leadership(client, namespace=NAMESPACE, replica="a", on_lost=lambda: None),
            ledger=Ledger(CONFIG, client, NAMESPACE),
            queue=WorkQueue(),
            synced_age=lambda: 1.0,
            unseen=lambda: 0,
            holding=holding,
        )
    )
    health = HealthServer("127.0.0.1", 0, health=lambda: "", readiness=lambda: (True, {"replica": "a"}))
    REGISTRY.register(collector)
    try:
        with closing(answerer), closing(health):
            answerer.start()
            health.start()
            yield answerer, health, issuers
    finally:
        REGISTRY.unregister(collector)


def ask(port: int, path: str) -> str:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        headers = {"Host": "www.example.com", "Authorization": f"Bearer {BEARER}", "Cookie": f"a={BEARER}"}
        connection.request("GET", path, headers=headers)
        return connection.getresponse().read().decode()


def test_neither_the_metrics_nor_the_log_tell_a_secret(log: Callable[[], str]) -> None:
    with working() as (answerer, health, issuers):
        thumbprint = issuers.thumbprint("le")
        assert ask(answerer.port, f"{CHALLENGE_PATH}{TOKEN}") == f"{TOKEN}.{thumbprint}"
        ask(answerer.port, f"/{BEARER}")
        told = "".join(ask(health.port, path) for path in ("/metrics", "/readyz", "/healthz", f"/{BEARER}"))
    written = log()
    assert "certward_challenge_requests_total" in told
    for what, one in secrets().items():
        assert one not in told, f"the metrics tell {what}"
        assert one not in written, f"the log tells {what}"
    # Nothing that the log would cut out either.
    assert logs.scrub(told) == told
    assert "PRIVATE" not in told
    assert thumbprint
    assert thumbprint not in told + written


def test_labels_are_known_and_short() -> None:
    with working() as (_, health, _):
        told = ask(health.port, "/metrics")
    found = re.findall(r'[{,](\w+)="((?:[^"\\]|\\.)*)"', told)
    assert {name for name, _ in found} <= LABELS
    assert max(len(value) for _, value in found) < 64


@pytest.mark.parametrize(
    "spoilt",
    [ACCOUNT_KEY[:-40], ACCOUNT_KEY.replace(b"-----BEGIN", b"BEGIN"), ACCOUNT_KEY[28:]],
    ids=["cut", "no PEM", "bare"],
)
def test_an_account_key_that_cannot_be_read_is_not_told(log: Callable[[], str], spoilt: bytes) -> None:
    """Whoever says that it is no key would be tempted to quote it."""
    issuers = Issuers(CONFIG, Knowing(spoilt), namespace=NAMESPACE)
    with pytest.raises(IssuerUnusable) as raised:
        issuers.ready("le")
    logging.getLogger("certward").error("it failed: %r", raised.value, exc_info=raised.value)
    told = f"{raised.value!r} {raised.value.message} {issuers!r} {vars(raised.value)} {log()}"
    for what, one in secrets().items():
        assert one not in told, what
    assert spoilt.splitlines()[1][:30].decode() not in told


def test_nothing_that_holds_a_key_shows_it() -> None:
    issuers = Issuers(CONFIG, Knowing(), namespace=NAMESPACE)
    account = issuers.store.read("le")
    assert account is not None
    assert account.key_pem == ACCOUNT_KEY
    issuers.thumbprint("le")
    shown = f"{account!r} {account} {issuers!r} {vars(issuers)!r}"
    for what, one in secrets().items():
        assert one not in shown, what
