"""What a watch tells is worked on once: not the echo of what was written here, and an App not at each of a burst."""

from types import SimpleNamespace

import pytest

from certward.kube.cache import Cache
from certward.model.resources import Key
from certward.names import API_VERSION
from certward.runtime import intake as module
from certward.runtime.holding import Holding
from certward.runtime.intake import Intake, read
from certward.runtime.queue import WorkQueue

WWW, SHOP = Key("Domain", "team-a", "www"), Key("App", "team-a", "shop")
TEAM_A = Key("Namespace", "", "team-a")
FIRST, LATER = 0.4, 2.0


def body(version="1", **changes):
    meta = {
        "name": "www",
        "namespace": "team-a",
        "uid": "uid-www",
        "generation": 1,
        "resourceVersion": version,
        "creationTimestamp": "2026-11-22T12:00:00Z",
    }
    spec = {"hostname": "www.example.com", "appRef": {"name": "shop"}}
    return {"apiVersion": API_VERSION, "kind": "Domain", "metadata": meta, "spec": spec, "status": {}} | changes


class Around:
    """What watches tell to, and what it tells."""

    def __init__(self, monkeypatch):
        self.now = 1000.0
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now))
        self.cache = Cache()
        self.queue = WorkQueue(clock=lambda: self.now)
        nothing = SimpleNamespace()
        holding = Holding(SimpleNamespace(holds=lambda _: True, held=frozenset), 1)
        self.intake = Intake(
            nothing, self.cache, self.queue, foreign=nothing, memories=nothing, holding=holding, namespace="sys"
        )

    def has_shop(self):
        """The App is there."""
        meta = body()["metadata"] | {"name": "shop", "uid": "uid-shop"}
        self.intake.changed(body(kind="App", metadata=meta, spec={"service": {"name": "shop", "port": 80}}))
        self.queue.drop(lambda _: True)

    def due(self):
        """All keys that are due, given back at once."""
        found = set()
        while (key := self.queue.take(0.0)) is not None:
            found.add(key)
            self.queue.done(key)
        return found

    def waits_for(self, key):
        """Seconds until a key is due, in tenths."""
        began = self.now
        for tenths in range(100):
            self.now = began + tenths / 10 + 0.001
            if key in self.due():
                return tenths / 10
        raise AssertionError(f"{key} is not waited for")


@pytest.fixture
def around(monkeypatch):
    return Around(monkeypatch)


def test_what_a_watch_tells_is_worked_on(around):
    around.intake.changed(body())
    assert around.due() == {WWW}
    around.intake.changed(body("2", spec=body()["spec"] | {"appRef": {"name": "other"}}))
    assert around.due() == {WWW}
    known = around.cache.domain("team-a", "www")
    assert known
    assert known.app == "other"


def test_the_echo_of_what_was_written_here_is_no_news(around, caplog):
    around.intake.changed(body())
    around.due()
    written = body("2", status={"state": "InProgress"})
    around.cache.put(read(written))  # as is done with the API server's answer
    around.intake.changed(written)
    assert around.due() == set()
    around.intake.changed(body("2", spec={}))
    assert not caplog.records, "it is not even read"


def test_what_somebody_else_wrote_meanwhile_is_news(around):
    around.cache.put(read(body("2", status={"state": "InProgress"})))
    around.intake.changed(body("3", status={"state": "Failed"}))
    assert around.due() == {WWW}
    known = around.cache.domain("team-a", "www")
    assert known
    assert known.status == {"state": "Failed"}


def test_an_object_made_anew_is_news_whatever_was_known_of_its_namesake(around):
    around.intake.changed(body("2"))
    around.intake.deleted("Domain", "team-a", "www", "uid-www")
    around.due()
    around.intake.changed(body("3", metadata=body("3")["metadata"] | {"uid": "made-anew"}))
    assert WWW in around.due()


def test_a_burst_of_changes_to_an_app_is_summed_up_once_and_a_long_one_every_so_often(around):
    around.has_shop()
    around.intake.enqueue([SHOP])
    assert around.waits_for(SHOP) == FIRST
    around.intake.sums_up(SHOP)
    summed_up = around.now
    for _ in range(3):
        around.now += 0.2
        around.intake.enqueue([SHOP])
    around.waits_for(SHOP)
    assert around.now - summed_up == pytest.approx(LATER, abs=0.11)


def test_an_app_that_was_left_alone_for_a_while_is_summed_up_soon(around):
    around.has_shop()
    around.intake.sums_up(SHOP)
    around.now += LATER
    around.intake.enqueue([SHOP])
    assert around.waits_for(SHOP) == FIRST


def test_one_apps_burst_holds_up_nobody_else(around):
    other = Key("App", "team-b", "shop")
    around.has_shop()
    around.intake.sums_up(SHOP)
    around.intake.enqueue([WWW, TEAM_A, other, SHOP])
    assert around.due() == {WWW}
    around.now += FIRST + 0.001
    assert around.due() == {TEAM_A, other}


def test_an_app_that_is_made_anew_is_summed_up_soon(around):
    around.has_shop()
    around.intake.sums_up(SHOP)
    around.intake.deleted("App", "team-a", "shop", "uid-shop")
    around.intake.enqueue([SHOP])
    assert around.waits_for(SHOP) == FIRST


def test_of_an_app_that_is_gone_nothing_is_kept(around):
    around.has_shop()
    around.intake.sums_up(SHOP)
    around.intake.deleted("App", "team-a", "shop", "uid-shop")
    around.intake.sums_up(SHOP)  # the pass that finds it gone
    assert around.intake._summed_up == {}
