"""What `explain` sees from where the user sits: DNS, CAA, the challenge path and handshakes, of real servers."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from certward.cli.errors import CliError, Exit
from certward.cli.explain import looks
from certward.cli.explain.facts import PathLook, ServedLook
from certward.cli.findings import Unseen
from certward.names import CHALLENGE_PATH
from certward.probe.caa import CAAPolicy
from certward.probe.fetch import Shown
from engines import self_signed
from integration.dns_world import silent
from integration.pebble_world import free_ports
from integration.preflight_world import ELSEWHERE, HERE, NAME, World
from integration.web_world import Web, redirect, reply, right

NOW = datetime.now(UTC)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with closing(World(tmp_path)) as made:
        yield made


def eyes(world: World, address: str = HERE) -> looks.Eyes:
    host, port = world.zone.server
    return looks.eyes(f"{host}:{port}", f"{address}:{world.web.port}", f"{address}:{world.tls.port}")


def policy(*issuers: str) -> CAAPolicy:
    return CAAPolicy(issuers, "", "http-01", is_wildcard=False)


def path(world: World, answer: Callable[..., Any]) -> PathLook:
    world.web.serve(HERE, answer)
    found = looks.look_at_path(eyes(world), NAME, Unseen("not asked"))
    assert isinstance(found, tuple)
    (look,) = found
    assert (look.address, look.port, look.is_given, look.where) == (
        HERE,
        world.web.port,
        True,
        f"{HERE}:{world.web.port}",
    )
    return look


def test_the_answer_of_any_account_is_right(world: World) -> None:
    assert path(world, right).look.shown is Shown.RIGHT


@pytest.mark.parametrize("thumbprint", ["", "short", "x" * 44, "!" * 43])
def test_what_no_account_answers_is_wrong(world: World, thumbprint: str) -> None:
    def answer(connection: Any, host: str, asked: str) -> bytes:
        token = asked.removeprefix(CHALLENGE_PATH)
        return bytes(reply(200, f"{token}.{thumbprint}".encode())(connection, host, asked))

    look = path(world, answer).look
    assert (look.shown, look.words, look.is_loop) == (Shown.WRONG, "answers with a page of its own", False)


def test_a_circle_is_told_from_other_redirects(world: World) -> None:
    circle = path(world, lambda _, host, asked: redirect(f"http://{host}{asked}")(_, host, asked)).look
    assert (circle.shown, circle.is_loop) == (Shown.WRONG, True)


def test_a_redirect_to_the_hostname_stays_at_the_named_address(world: World) -> None:
    world.point(NAME, ELSEWHERE)

    def answer(connection: Any, host: str, asked: str) -> bytes:
        if asked.endswith("?again"):
            return bytes(right(connection, host, asked.removesuffix("?again")))
        return bytes(redirect(f"http://{host}{asked}?again")(connection, host, asked))

    assert path(world, answer).look.shown is Shown.RIGHT
    assert world.web.connections == [HERE, HERE]


def test_where_it_points_and_what_to_set(world: World) -> None:
    world.zone.set(NAME, "CNAME", "edge.example.net.")
    world.point("edge.example.net", HERE)
    names = looks.look_up(eyes(world), NAME, ("edge.example.net",))
    assert names.pointing.is_at_target(names.pointing.addresses) is True
    assert names.setting == "Set a CNAME record with the value edge.example.net."


def test_without_a_resolver_nothing_is_said_of_the_dns(world: World) -> None:
    world.zone.odd[NAME] = silent
    seeing = looks.Eyes(world.resolver)
    assert looks.look_up(seeing, NAME, ()).pointing.addresses == ()
    assert isinstance(looks.look_at_caa(seeing, NAME, policy("ca.example"), ""), Unseen)


def test_the_caa_records_of_the_name_above(world: World) -> None:
    world.point(NAME, HERE)
    world.zone.set("example.com", "CAA", '0 issue "ca.example"')
    look = looks.look_at_caa(eyes(world), NAME, policy("ca.example"), "")
    assert not isinstance(look, Unseen)
    assert (look.at, look.verdict and look.verdict.is_allowed) == ("example.com", True)
    blind = looks.look_at_caa(eyes(world), NAME, policy(), "you may not know")
    assert not isinstance(blind, Unseen)
    assert (blind.verdict, blind.unknown, len(blind.records)) == (None, "you may not know", 1)


def served(port: int) -> ServedLook:
    seeing = looks.eyes(None, None, f"{HERE}:{port}")
    found = looks.look_at_served(seeing, NAME, Unseen("not asked"), NOW)
    assert isinstance(found, tuple)
    return found[0]


def test_the_certificate_that_is_served(tmp_path: Path) -> None:
    file = tmp_path / "server.pem"
    file.write_bytes(b"".join(self_signed("old", NAME, left=timedelta(days=-1))))
    (port,) = free_ports(1)
    with closing(Web(port, file)) as web:
        web.serve(HERE, reply(200))
        look = served(port)
    assert look.leaf is not None
    assert (look.leaf.hostnames, look.failure, look.is_given) == ((NAME,), "", True)
    assert look.leaf.not_after < NOW
    assert not look.is_trusted
    refused = served(port)
    assert (refused.failure, refused.leaf) == ("refused", None)


@pytest.mark.parametrize("text", ["", "a b", "host:99999", "host:x", "[::1", "host/path"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(CliError) as caught:
        looks.eyes(None, text or ":80", None)
    assert caught.value.code is Exit.USAGE
    assert "--http" in caught.value.message


def test_addresses_as_they_are_written() -> None:
    seeing = looks.eyes(None, "[::1]:8080", "192.0.2.7")
    assert seeing.http is not None
    assert seeing.https is not None
    assert (str(seeing.http.address), seeing.http.port) == ("::1", 8080)
    assert (str(seeing.https.address), seeing.https.port) == ("192.0.2.7", 443)
