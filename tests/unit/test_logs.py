"""The log: a line for people or an object for machines, and never a key or token in it."""

import base64
import json
import logging
import re
import subprocess
import sys
import threading

import pytest

from certward import logs
from certward.model import keys
from certward.model.resources import Key

KEY = Key("Domain", "team-a", "www")
log = logging.getLogger("certward.test")

#: Made up here, so that no scanner for secrets stumbles over this file.
PEM = keys.generate_key("ECDSA-P256").decode()
RSA_PEM = keys.generate_key("RSA-2048").decode()
JWT = ".".join(base64.urlsafe_b64encode(part * 3).decode().strip("=") for part in (b'{"alg":"ES256"}', b"{}xx", b"s"))


@pytest.fixture
def said(capsys, monkeypatch):
    """Sets the log up in a style; -> a function that returns what has been written since."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # they are put back with the rest
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    root.handlers.clear()  # pytest's own, which are not to be closed

    def start(style, level="info"):
        logs.set_up(level, style)
        return lambda: capsys.readouterr().err

    yield start
    root.handlers[:] = handlers
    root.setLevel(level)


def test_people_get_a_line(said):
    text = said("text")
    logs.say(log, logging.INFO, KEY, "Failing (DNSNotFound)", hostname="www.example.com", reason="DNSNotFound")
    logs.say(log, logging.WARNING, Key("App", "team-a", "shop"), "pinned")
    first, second = text().splitlines()
    assert first.endswith(" INFO    Domain team-a/www (www.example.com): Failing (DNSNotFound)")
    assert second.endswith("Z WARNING App team-a/shop: pinned")


def test_machines_get_fields(said):
    text = said("json")
    logs.say(
        log, logging.INFO, KEY, "Failing (DNSNotFound)", hostname="www.example.com", reason="DNSNotFound", state=""
    )
    entry = json.loads(text())
    assert entry.pop("time").endswith("+00:00")
    assert entry == {
        "level": "info",
        "logger": "certward.test",
        "message": "Domain team-a/www (www.example.com): Failing (DNSNotFound)",
        "kind": "Domain",
        "namespace": "team-a",
        "name": "www",
        "hostname": "www.example.com",
        "reason": "DNSNotFound",
    }


def test_an_object_a_line_whatever_is_in_it(said):
    text = said("json")
    log.error("three\nfour", exc_info=ValueError("one\ntwo"))
    (line,) = text().splitlines()
    assert json.loads(line)["traceback"].endswith("ValueError: one\ntwo")


def test_details_are_shown_when_asked_for(said):
    text = said("text", "debug")
    logs.say(log, logging.DEBUG, KEY, "a step")
    assert "a step" in text()


@pytest.mark.parametrize("style", ["text", "json"])
@pytest.mark.parametrize(
    ("line", "secret"),
    [
        (PEM, PEM.splitlines()[1]),
        (json.dumps({"tls.key": PEM}), PEM.splitlines()[1]),
        (PEM[:120], PEM.splitlines()[1][:40]),
        (f"Authorization: Bearer {JWT}", JWT[-10:]),
        ("Authorization: Bearer abc123.def456-ghi", "def456"),
        ("Authorization: Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA"),
        (f"the token is {JWT}.", JWT[-10:]),
        ('{"kty": "EC", "d": "' + "x1Y2z3" * 7 + '"}', "x1Y2z3"),
        ('{"kty":"oct","k":"' + "x1Y2z3" * 7 + '"}', "x1Y2z3"),
        ("https://user:pass-word@proxy.example:3128/", "pass-word"),
        ("https://x.example/?token=s3cr3t-s3cr3t&x=1", "s3cr3t"),
        ("hmacKey: s3cr3t-s3cr3t", "s3cr3t"),
        ("input_value={'name': 'le', 'hmacKey': 's3cr3t-s3cr3t'}", "s3cr3t"),
        ('"hmac_key" : "s3cr3t-s3cr3t"', "s3cr3t"),
        (f"data: {{tls.key: {base64.b64encode(PEM.encode()).decode()}}}", "UFJJVkFURS"),
        (base64.b64encode(RSA_PEM.encode()).decode(), base64.b64encode(RSA_PEM.encode()).decode()[200:230]),
        (repr(PEM.encode()), PEM.splitlines()[1]),
        (RSA_PEM, RSA_PEM.splitlines()[5]),
        ('{"kty": "RSA", "dp" : "' + "x1Y2z3" * 7 + '"}', "x1Y2z3"),
        ("{'kty': 'RSA', 'qi': '" + "x1Y2z3" * 7 + "'}", "x1Y2z3"),
        ("Cookie: certward=s3cr3t-s3cr3t; a=b", "s3cr3t"),
        ("{'Set-Cookie': 'certward=s3cr3t-s3cr3t; Path=/'}", "s3cr3t"),
        ('key "certward" { algorithm hmac-sha256; secret "' + "x1Y2z3/+" * 5 + '=="; };', "x1Y2z3"),
    ],
    ids=[
        *("PEM", "PEM in JSON", "cut PEM", "JWT", "bearer", "basic", "bare JWT", "JWK", "HMAC", "URL", "query", "YAML"),
        *(
            "an input",
            "HMAC in JSON",
            "a Secret",
            "RSA in a Secret",
            "bytes",
            "RSA",
            "dp",
            "qi",
            "cookie",
            "header",
            "TSIG",
        ),
    ],
)
def test_secrets_are_cut_out(said, style, line, secret):
    text = said(style)
    log.info("the CA says: %s", line)
    log.error("it failed", exc_info=RuntimeError(line))
    logs.say(log, logging.INFO, KEY, "it failed", reason=line)
    written = text()
    assert written.count("[cut out]") >= 2
    assert secret not in written


@pytest.mark.parametrize("style", ["text", "json"])
def test_what_an_exception_carries_is_cut_out_however_deep(said, style):
    """In its text, in its arguments, in what it was caused by, and in its notes."""
    text = said(style)
    cause, error = ValueError({"tls.key": PEM.encode()}), RuntimeError(f"the CA says: {JWT}")
    error.__cause__ = cause
    error.add_note(f"with\n{RSA_PEM}")
    log.error("it failed: %s: %r", error, cause, exc_info=error)
    written = text()
    assert written.count("[cut out]") >= 4
    for secret in (*PEM.splitlines()[1:3], *RSA_PEM.splitlines()[1:-1], JWT[-10:]):
        assert secret not in written


@pytest.mark.parametrize("where", ["main", "thread"])
@pytest.mark.parametrize("style", ["text", "json"])
def test_what_nobody_has_caught_is_cut_out_as_well(style, where):
    run = {"main": "fail()", "thread": "t = threading.Thread(target=fail, name='worker-1'); t.start(); t.join()"}[where]
    program = f"""
import threading
from certward import logs
logs.set_up("info", {style!r})
def fail():
    raise RuntimeError({PEM!r})
{run}
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == (1 if where == "main" else 0)
    assert "RuntimeError: [cut out]" in ended.stderr
    # The lines of the program are not shown, since it comes from no file.
    assert PEM.splitlines()[1] not in ended.stderr
    assert "worker-1" in ended.stderr or where == "main"
    assert ended.stderr.count("\n2") + ended.stderr.startswith(("2", "{")) == 1


@pytest.mark.parametrize("style", ["text", "json"])
def test_control_characters_are_shown_and_do_nothing(said, style):
    text = said(style)
    log.warning("%s", "red \x1b[31m back \x08 up \x85 and \u2028 down\r\nnext")
    log.error("it failed", exc_info=RuntimeError("\x1b[2J\n2026-11-23T12:00:00.000Z ERROR   all is lost"))
    written = text()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]", written)
    assert "\\u001b[31m" in written
    assert sum(line.startswith(("2026", "{")) for line in written.splitlines()) == 2
    assert len(re.findall(r"(?m)^\S", written)) == 2


@pytest.mark.parametrize(
    "line",
    [
        "Domain team-a/www (www.example.com): certificate 3f2a stored",
        "https://ca.example:14000/order/AbC-123_x",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "the token of the challenge: tokens are public",
        base64.b64encode(b"-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUDNLCk\n").decode(),
        'Secret "certward-account-letsencrypt" is not there; Secret "www-tls" is',
        "d: 5, k: 7, 'd': 'short'",
        "fingerprint 0b7e2c8e3f0d4f6f9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c5b4a3928",
    ],
)
def test_what_is_no_secret_stays(line):
    assert logs.scrub(line) == line


def test_what_users_have_written_cannot_pass_for_another_line(said):
    text = said("text")
    logs.say(log, logging.INFO, KEY, "revoked: superseded\n2026-11-23T12:00:00.000Z ERROR   all is lost")
    assert len(text().splitlines()) == 1
