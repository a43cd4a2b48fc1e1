"""An issuer's key that is not there, or cannot be had, while anybody may ask for answers by it."""

import http.client
import logging
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from certward.acme.http01 import Answerer
from certward.config import parse
from certward.errors import Conflict, Transient
from certward.names import CHALLENGE_PATH
from certward.runtime import issuers as module
from certward.runtime.issuers import NO_KEY_SECONDS, Issuers
from scripted_ca import ScriptedCA

NAMESPACE = "certward-system"
CONFIG = parse(
    """
issuers:
- {name: first, directory: "https://first.ca.example/dir"}
- {name: second, directory: "https://second.ca.example/dir"}
""",
    Path(),
)
AWAY = Transient("APIServerUnavailable", "it does not answer")


class Server:
    """An API server with Secrets; `asked` has the names that were asked for, `trouble` is what it says instead."""

    def __init__(self):
        self.there = {}
        self.asked = []
        self.trouble = None

    def get(self, _kind, _namespace, name):
        self.asked.append(name)
        if self.trouble:
            raise self.trouble
        return self.there.get(name)

    def create(self, manifest):
        if manifest["metadata"]["name"] in self.there:
            raise Conflict("Conflict", "it is there already")
        return self.apply(manifest)

    def apply(self, manifest):
        meta = {"uid": "1", "resourceVersion": str(len(self.asked))} | manifest["metadata"]
        self.there[meta["name"]] = manifest | {"metadata": meta}
        return self.there[meta["name"]]


class Halting(Server):
    """One that is asked for the first account, and says nothing until it is let go."""

    def __init__(self):
        super().__init__()
        self.is_asked, self.may_answer = threading.Event(), threading.Event()

    def get(self, kind, namespace, name):
        if name == "certward-account-first":
            self.is_asked.set()
            assert self.may_answer.wait(60)
        return super().get(kind, namespace, name)


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def issuers(server):
    return Issuers(CONFIG, server, namespace=NAMESPACE)


@pytest.fixture
def now(monkeypatch):
    """The time, which goes on when `value` is set, and by what somebody sleeps."""
    clock = SimpleNamespace(value=1000.0)

    def sleep(seconds):
        clock.value += seconds

    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.value, sleep=sleep))
    return clock


def put_key(server, name):
    """As another replica does."""
    Issuers(CONFIG, server, namespace=NAMESPACE)._load(name)
    server.asked.clear()


def ask(port, hostname):
    """The status and, after the token, the answer."""
    token = secrets.token_urlsafe(24)
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", f"{CHALLENGE_PATH}{token}", headers={"Host": hostname})
        response = connection.getresponse()
        return response.status, response.read().decode().removeprefix(f"{token}.").strip()


def test_a_key_that_is_not_there_is_looked_for_once_in_a_while_whoever_asks(server, issuers, now):
    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(issuers.thumbprint, ["first"] * 64)) == {None}
    assert server.asked == ["certward-account-first"]
    now.value += NO_KEY_SECONDS
    assert issuers.thumbprint("first") is None
    assert issuers.thumbprint("first") is None
    assert server.asked == ["certward-account-first"] * 2

    put_key(server, "first")
    assert issuers.thumbprint("first") is None, "believed so long, and whoever has made it knows"
    now.value += NO_KEY_SECONDS
    assert len(issuers.thumbprint("first")) == 43
    now.value += 10 * NO_KEY_SECONDS
    assert len(issuers.thumbprint("first")) == 43
    assert server.asked == ["certward-account-first"]


def test_an_issuer_that_nobody_has_configured_costs_nothing(server, issuers):
    assert issuers.thumbprint("third") is None
    assert server.asked == []


@pytest.mark.usefixtures("now")
def test_a_key_that_is_made_here_is_answered_by_at_once(server, issuers):
    assert issuers.thumbprint("first") is None
    assert issuers._load("first").thumbprint == issuers.thumbprint("first")
    assert server.asked == ["certward-account-first"] * 2


@pytest.mark.usefixtures("now")
def test_a_key_that_another_one_takes_the_place_of_is_looked_for_at_once(server, issuers):
    put_key(server, "first")
    before = issuers.thumbprint("first")
    server.there.clear()
    put_key(server, "first")
    assert issuers.thumbprint("first") == before
    assert issuers.look_again() == {"first"}
    assert issuers.thumbprint("first") not in (None, before)


def test_trouble_is_told_once_and_asked_about_no_more_often(server, issuers, now, caplog):
    caplog.set_level(logging.WARNING)

    def told():
        lines = [record.getMessage() for record in caplog.records]
        caplog.clear()
        return lines

    server.trouble = AWAY
    for _ in range(3):
        assert [issuers.thumbprint("first") for _ in range(5)] == [None] * 5
        now.value += NO_KEY_SECONDS
    assert server.asked == ["certward-account-first"] * 3
    assert told() == ["account key of issuer first: it does not answer"]
    server.trouble = Transient("APIServerUnavailable", "it is busy")
    assert issuers.thumbprint("first") is None
    assert told() == ["account key of issuer first: it is busy"]

    server.trouble = None
    put_key(server, "first")
    now.value += NO_KEY_SECONDS
    assert issuers.thumbprint("first")
    server.there.clear()
    issuers.look_again()
    server.trouble = Transient("APIServerUnavailable", "it is busy")
    assert issuers.thumbprint("first") is None
    assert told() == ["account key of issuer first: it is busy"], "it was well in between"


def test_no_challenge_waits_for_the_key_of_another_issuer():
    server = Halting()
    put_key(server, "second")
    issuers = Issuers(CONFIG, server, namespace=NAMESPACE)
    second = issuers.thumbprint("second")
    answerer = Answerer("127.0.0.1", 0, lambda hostname: issuers.thumbprint_awaited(hostname.partition(".")[0]))
    with closing(answerer), ThreadPoolExecutor(1) as stranger:
        answerer.start()
        waiting = stranger.submit(ask, answerer.port, "first.example.com")
        try:
            assert server.is_asked.wait(60)
            assert ask(answerer.port, "second.example.com") == (200, second)
            assert issuers.thumbprint("second") == second
        finally:
            server.may_answer.set()
        assert waiting.result() == (404, "Not Found")


def test_no_ca_is_asked_by_a_new_key_while_a_replica_may_say_that_there_is_none(server):
    with closing(ScriptedCA()) as ca:
        first = CONFIG.issuers[0].model_copy(update={"directory": f"{ca.url}/directory"})
        config = CONFIG.model_copy(update={"issuers": (first,)})
        working, standing_by = (Issuers(config, server, namespace=NAMESPACE) for _ in range(2))
        assert standing_by.thumbprint("first") is None
        with closing(working.ready("first")) as issuer:
            assert standing_by.thumbprint("first") == issuer.thumbprint


def test_a_key_is_waited_for_once(server, now):
    with closing(ScriptedCA()) as ca:
        first = CONFIG.issuers[0].model_copy(update={"directory": f"{ca.url}/directory"})
        config = CONFIG.model_copy(update={"issuers": (first,)})
        ca.says("/newAccount", (503, {}), (201, {}, {"Location": f"{ca.url}/account/1"}))
        issuers = Issuers(config, server, namespace=NAMESPACE)
        with pytest.raises(Transient):
            issuers.ready("first")
        for _ in range(2):
            issuers.ready("first").close()
        assert now.value == 1000.0 + NO_KEY_SECONDS
        Issuers(config, server, namespace=NAMESPACE).ready("first").close()
        assert now.value == 1000.0 + NO_KEY_SECONDS, "an account that is registered has a key that all have seen"
