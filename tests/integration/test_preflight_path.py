"""The preflight against real web servers: what the challenge path answers."""

from contextlib import closing, suppress

import pytest

from integration.preflight_world import ELSEWHERE, HERE, NAME, PAGE, World, assert_blocked
from integration.web_world import redirect, reply, right


@pytest.fixture
def world(tmp_path):
    with closing(World(tmp_path)) as world:
        yield world


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (reply(404, PAGE), "answers with status 404"),
        (reply(401, WWW_Authenticate="Basic"), "answers with status 401"),
        (reply(503, Server="nginx"), "answers with status 503"),
        (reply(204), "answers with status 204"),
        (reply(303, Location="/x"), "answers with status 303"),
        (reply(200, PAGE), "answers with a page of its own"),
        (reply(200, b""), "answers with a page of its own"),
        (reply(200, b"x" * 10_000_000), "answers with a page of its own"),
        (redirect(""), "redirects to a URL that cannot be read"),
        (reply(301), "redirects to a URL that cannot be read"),
        (lambda _, host, path: redirect(f"http://{host}{path}")(_, host, path), "redirects without end"),
        (lambda _, host, path: redirect(f"{path}x")(_, host, path), "redirects without end"),
        (redirect("http://127.0.0.3/x"), "redirects to something other than a hostname, which CAs do not follow"),
        (redirect("http://gone.test/x"), "redirects to gone.test, which has no public address"),
        (redirect("https://here.test/x"), "redirects to https://here.test, which does not answer as it should"),
    ],
    ids=[
        *("404", "login", "503", "204", "303", "page", "empty", "huge", "nowhere", "no location"),
        *("loop", "endless", "address", "no such host", "no TLS"),
    ],
)
def test_a_wrong_answer(world, answer, words):
    world.point(NAME, HERE)
    world.point("here.test", HERE)
    world.web.serve(HERE, answer)
    outcome = world.run()
    assert_blocked(
        outcome,
        "ChallengeBlocked",
        f"127.0.0.1, to which www.example.com points, {words} when asked for the CA's challenge. Let requests for "
        "http://www.example.com/.well-known/acme-challenge/ through to this platform, without login or redirect.",
    )
    assert not outcome.facts.is_answering
    assert len(world.web.connections) <= 11
    assert world.run(target=()).reason == "ChallengeBlocked"


def test_ten_redirects_are_followed(world):
    def step(connection, host, path):
        done = len(path) - len(path.rstrip("~"))
        token = path.rstrip("~")
        return right(connection, host, token) if done == 10 else redirect(f"{path}~")(connection, host, path)

    world.point(NAME, HERE)
    world.web.serve(HERE, step)
    assert world.run().verdict == "passed"
    assert len(world.web.hits) == 11


def test_a_redirect_to_https_is_followed_whatever_its_certificate(world):
    world.point(NAME, HERE)
    world.web.serve(HERE, lambda _, host, path: redirect(f"https://{host}{path}")(_, host, path))
    world.tls.serve(HERE, right)
    assert world.run().verdict == "passed"
    assert [hit[0:2] for hit in world.tls.hits] == [(HERE, NAME)]


def drip(connection, _host, _path):
    """A body that comes one byte at a time and never ends."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    with suppress(OSError):
        while True:
            connection.sendall(b"x")
            connection.settimeout(0.05)
            with suppress(TimeoutError):
                if not connection.recv(1):
                    return


def mute(connection, _host, _path):
    """No answer until the other side gives up."""
    with suppress(OSError):
        connection.recv(1)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "refuses connections at port 80"),
        (lambda *_: b"", "closes connections at port 80 without an answer"),
        (lambda *_: b"SSH-2.0-OpenSSH_9.9\r\n", "does not answer with HTTP at port 80"),
        (lambda *_: b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", "does not answer with HTTP at port 80"),
        (mute, "accepts connections at port 80, but does not answer in time"),
        (drip, "accepts connections at port 80, but does not answer in time"),
    ],
    ids=["closed", "empty reply", "no HTTP", "many headers", "mute", "slow body"],
)
def test_nothing_of_use_at_port_80(world, answer, words):
    world.point(NAME, HERE)
    if answer:
        world.web.serve(HERE, answer)
    assert_blocked(
        world.run(),
        "ChallengeUnreachable",
        f"127.0.0.1, to which www.example.com points, {words}. Have port 80 opened there for everybody, since the CA "
        "asks for http://www.example.com/.well-known/acme-challenge/.",
    )


@pytest.mark.parametrize("target", [(HERE, "255.255.255.255"), ()], ids=["it is the target", "no target"])
@pytest.mark.parametrize("address", [HERE, "255.255.255.255"], ids=["timeout", "no route"])
def test_no_connection_is_a_warning(world, address, target):
    world.point(NAME, address)
    world.web.serve_nobody(HERE)
    outcome = world.run(target=target)
    assert (outcome.verdict, outcome.reason) == ("warning", "")
    assert outcome.message == (
        f"{address}, to which www.example.com points, cannot be reached from the cluster, so the challenge path was "
        "not checked from outside; the CA will tell."
    )
    assert outcome.facts.verified == bool(target)


@pytest.mark.parametrize(
    "answer",
    [
        reply(403, PAGE, Server="cloudflare"),
        reply(522, PAGE, Server="cloudflare"),
        reply(404, CF_RAY="1"),
        redirect("https://www.example.com/", Server="cloudflare"),
        lambda _, host, path: redirect(f"http://{host}{path}", Server="cloudflare")(_, host, path),
    ],
    ids=["403", "522", "404", "HTTPS that fails", "loop"],
)
@pytest.mark.parametrize("target", [HERE, ELSEWHERE])
def test_a_network_that_does_not_pass_the_request_on(world, answer, target):
    world.point(NAME, ELSEWHERE)
    world.web.serve(ELSEWHERE, answer)
    outcome = world.run(target=(target,))
    assert (outcome.verdict, outcome.reason) == ("blocked", "CDNInterferes")
    assert outcome.message.startswith("Cloudflare stands before www.example.com and ")


def test_the_words_about_a_network(world):
    world.point(NAME, ELSEWHERE)
    world.web.serve(ELSEWHERE, reply(403, Server="AkamaiGHost"))
    assert_blocked(
        world.run(),
        "CDNInterferes",
        "Akamai stands before www.example.com and answers with status 403 when asked for the CA's challenge. Let it "
        "pass requests for http://www.example.com/.well-known/acme-challenge/ on to 127.0.0.1 unchanged, or switch "
        "its proxy off for this name.",
    )


def test_a_network_that_somebody_else_uses_is_not_blamed(world):
    world.point(NAME, ELSEWHERE)
    world.point("parking.test", HERE)
    world.web.serve(ELSEWHERE, redirect("http://parking.test/"))
    world.web.serve(HERE, reply(403, Server="cloudflare"))
    assert world.run().reason == "DNSWrongTarget"
