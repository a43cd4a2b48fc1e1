"""`kubectl certward dashboard` as it starts: what it prints, and how it opens a browser."""

import http.client
import io
import json
import threading
import urllib.parse
import webbrowser
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from certward.cli import dashboard as command
from certward.cli.context import Flags, Session
from certward.cli.output import Format, Output
from cluster.waiting import wait_for
from dashboard import worlds
from dashboard.api_server import ApiServer, api_server
from integration.plugin import write_kubeconfig

URL = "http://127.0.0.1:1/room/enter?key=secret"


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with api_server(worlds.app("shop", "team-a", worlds.now())) as running:
        yield running


@dataclass
class Browser:
    """One that does not end before the test does, or for two seconds."""

    given: list[str] = field(default_factory=list)
    has_ended: bool = False
    _end: threading.Event = field(default_factory=threading.Event)

    def open(self, url: str) -> None:
        self.given.append(url)
        self._end.wait(2)
        self.has_ended = True


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Browser:
    made = Browser()
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(webbrowser, "open", made.open)
    return made


def test_the_browser_is_given_a_file_that_only_the_user_can_read_and_is_not_waited_for(browser: Browser) -> None:
    with command.opened(URL, wanted=True):
        (url,) = wait_for(lambda: browser.given, 10, "it is opened")
        assert not browser.has_ended
        file = Path(urllib.parse.urlsplit(url).path)
        assert "secret" not in url
        assert URL in file.read_text()
        assert file.stat().st_mode & 0o077 == 0
        assert file.parent.stat().st_mode & 0o077 == 0
    assert not file.exists()


@pytest.mark.parametrize(("wanted", "display"), [(False, ":0"), (True, "")])
def test_no_browser_is_opened_where_none_is_wanted_or_can_be_seen(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, wanted: bool, display: str
) -> None:
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with command.opened(URL, wanted=wanted):
        pass
    assert browser.given == []


def urls(told: io.StringIO) -> list[str]:
    return [line.strip() for line in told.getvalue().splitlines() if line.strip().startswith("http://")]


def status_of(url: str) -> int:
    there = urllib.parse.urlsplit(url)
    with closing(http.client.HTTPConnection(there.netloc, timeout=10)) as connection:
        connection.request("GET", f"{there.path}?{there.query}")
        return connection.getresponse().status


@pytest.mark.parametrize("form", [Format.TABLE, Format.JSON])
def test_it_prints_a_url_and_another_one_when_that_was_used(
    server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: Format
) -> None:
    out, err = io.StringIO(), io.StringIO()
    session = Session(Flags(kubeconfig=str(server.kubeconfig(tmp_path)), output=form))
    session.out = Output(form, out, err)
    started: list[object] = []
    from certward.dashboard import connections

    made = connections.server
    monkeypatch.setattr(connections, "server", lambda application: started.append(made(application)) or started[0])
    running = threading.Thread(target=command.dashboard, args=(session,), kwargs={"no_open": True}, daemon=True)
    running.start()
    wait_for(lambda: started and started[0].started, 20, "it serves")
    if form is Format.JSON:
        told = json.loads(out.getvalue())
        assert told["context"] == "it"
        first = told["url"]
    else:
        (first,) = urls(out)
    assert status_of(first) == 200
    (second,) = wait_for(lambda: urls(err), 10, "it tells of that")
    assert (status_of(first), status_of(second)) == (403, 200)
    assert "If that was not yours, press Ctrl-C." in err.getvalue()
    started[0].should_exit = True
    running.join(20)
    assert not running.is_alive()


def test_a_context_that_is_chosen_elsewhere_meanwhile_leads_nobody_elsewhere(server: ApiServer, tmp_path: Path) -> None:
    """As `kubectl config use-context` does in another window: what is looked at and changed stays where it was."""
    file = server.kubeconfig(tmp_path)
    session = Session(Flags(kubeconfig=str(file)))
    assert session.api.place.context == "it"
    write_kubeconfig(file, server="http://127.0.0.1:1", bearer="y", context="other", namespace="other")
    assert session.api.get("App", "team-a", "shop")
    assert session.api.place.context == "it"
