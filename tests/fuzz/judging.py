"""What is wrong with an answer or with a log; nothing, where all is well."""

import re
from collections.abc import Iterator

from fuzz.marks import CREDENTIAL, MARK
from fuzz.surfaces import TESTS, Surface
from fuzz.wire import Answer, Exchange, split

_INSIDE = tuple(
    text.encode() for text in ("Traceback", 'File "', "site-packages", "operator/certward", ".py", str(TESTS.parent))
)
#: A request that a key authorization may be given for, as RFC 8555 and RFC 9112 have it.
_ASKS = re.compile(
    rb"(?:GET|HEAD) +(?:[a-z]+://[^/ ]*)?/\.well-known/acme-challenge/([A-Za-z0-9_-]{22,128})(?:[?#][^ \r\n]*)?"
    rb" +[A-Z]+/1\.[01]"
)
_AUTHORIZATION = re.compile(rb"^([^\r\n]*)\.THUMBPRINT-", re.MULTILINE)
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")


def answers_of(done: Exchange) -> list[Answer]:
    """The answers that came."""
    return split(done.received, is_head=done.case.method == b"HEAD")


def of_exchange(done: Exchange, surface: Surface) -> Iterator[str]:
    """What is wrong with what came back."""
    if done.trouble:
        yield done.trouble
    try:
        answers = answers_of(done)
    except ValueError as error:
        yield f"the answer is no HTTP: {error}"
        return
    for answer in answers:
        if answer.status >= 500:
            yield f"an answer of {answer.status}"
        if len(answer.head) + len(answer.body) > surface.largest:
            yield f"an answer is too large: {len(answer.head) + len(answer.body)} bytes"
        if b"\nx-injected" in answer.head.lower():
            yield "a header that the client has written"
    yield from _of_content(done, surface)


def _of_content(done: Exchange, surface: Surface) -> Iterator[str]:
    received = done.received
    served = b".js HTTP" in done.case.sent
    for inside in _INSIDE:
        if inside in received and not served:
            yield f"an answer tells of the inside: {inside.decode()}"
    if MARK in received:
        yield "an answer repeats markup that was sent"
    if CREDENTIAL.encode() in received:
        yield "an answer repeats a credential that was sent"
    for secret in surface.secrets:
        if secret.encode() in received:
            yield "an answer tells a secret"
    if surface.name == "answerer":
        yield from _of_authorizations(done)
    elif not _is_signed_in(done, surface) and any(one.encode() in received for one in surface.guarded):
        yield "a stranger is told what is for the user"


def _is_signed_in(done: Exchange, surface: Surface) -> bool:
    return any(secret.encode() in done.case.sent for secret in surface.secrets)


def _of_authorizations(done: Exchange) -> Iterator[str]:
    asked = [found[1] for found in _ASKS.finditer(done.case.sent)]
    for token in _AUTHORIZATION.findall(done.received):
        if token not in asked:
            yield f"a key authorization that nobody has rightly asked for: {token[:60]!r}"
        else:
            asked.remove(token)


def of_log(text: str, surface: Surface, requests: int) -> Iterator[str]:
    """What is wrong with what was logged."""
    lines = text.splitlines()
    if len(lines) > requests:
        yield f"{len(lines)} lines are logged for {requests} requests"
    if "Traceback" in text:
        yield f"a traceback is logged: ...{text[text.index('Traceback') :][:3000]}"
    if found := _CONTROL.search(text):
        yield f"a control character is logged: {found[0]!r}"
    for secret in (CREDENTIAL, *surface.secrets, *surface.guarded):
        if secret in text:
            yield "a secret is logged"
    if re.search(r"(?i)authorization:|cookie:|'cookie'|'authorization'", text):
        yield "headers with credentials are logged"
    if any("fz-line" in line.split("ERROR")[-1] and line.startswith("2026-11-23") for line in lines):
        yield "what was sent passes for a line of the log"
