"""What is sent: every known trick once, then as many more as are asked for, the same ones for the same seed."""

import random
from collections.abc import Callable, Iterator

from fuzz import tricks
from fuzz.marks import AUTHORIZATION, LINE, MARK, METHODS, NAMES, form_head
from fuzz.surfaces import Surface, request
from fuzz.wire import Case


class Chance(random.Random):
    """Choices that are the same for the same seed."""

    def some(self, alphabet: bytes, most: int) -> bytes:
        return bytes(self.choice(alphabet) for _ in range(self.randint(0, most)))


_BYTES = bytes(range(256))
_TEXT = b"abcXYZ019-_.~!$&'()*+,;=:@/?%<>\"[]{}|\\^` "
_TOKEN = b"ABCXYZabcxyz0189-_"


def cases(surface: Surface, seed: str, number: int, families: tuple[str, ...] = ()) -> Iterator[Case]:
    """So many of them, but every trick of these families at least; of all by default."""
    tried = {family: sent for family, sent in tricks.known(surface).items() if not families or family in families}
    known = [Case(family, sent) for family, sents in tried.items() for sent in sents]
    yield from known
    chance = Chance(f"{surface.name} {seed}")
    for _ in range(number - len(known)):
        family = chance.choice(_FAMILIES)
        sent = family(chance, surface)
        yield Case(
            f"chance: {family.__name__.strip('_').replace('_', ' ')}",
            sent,
            pieces=chance.choice((1, 1, 1, 2, 7)),
            leaves=chance.random() < 0.05,
        )


def _changed_bytes(chance: Chance, surface: Surface) -> bytes:
    """A good request with some bytes replaced, left out or repeated."""
    sent = bytearray(_sound(chance, surface))
    for _ in range(chance.randint(1, 6)):
        at, how = chance.randrange(len(sent)), chance.randrange(3)
        if how == 0:
            sent[at] = chance.randrange(256)
        elif how == 1 and len(sent) > 20:
            del sent[at : at + chance.randint(1, 8)]
        else:
            sent[at:at] = sent[at : at + chance.randint(1, 40)] * chance.randint(1, 4)
    return bytes(sent)


def _another_target(chance: Chance, surface: Surface) -> bytes:
    tail = chance.some(chance.choice((_BYTES, _TEXT, _TOKEN)), chance.choice((10, 60, 140, 3000)))
    target = chance.choice((b"", b"/", surface.base.encode(), surface.base.encode() + MARK)) + tail
    return _line(chance, surface, target) + surface.headers + b"\r\n"


def _another_method(chance: Chance, surface: Surface) -> bytes:
    method = chance.choice((*METHODS, chance.some(_TEXT, 20).decode()))
    return request(chance.choice(surface.paths), surface.host, surface.headers, method=method)


def _another_host(chance: Chance, surface: Surface) -> bytes:
    host = chance.choice((b"", surface.host.encode(), MARK)) + chance.some(_TEXT, 30)
    path = chance.choice(surface.paths).encode()
    return b"GET " + path + b" HTTP/1.1\r\nHost: " + host + b"\r\n" + surface.headers + b"\r\n"


def _other_headers(chance: Chance, surface: Surface) -> bytes:
    fields = b""
    for _ in range(chance.choice((1, 3, 10, 70, 200))):
        name = chance.choice((*NAMES, chance.some(_TEXT, 30)))
        fields += name + b": " + chance.some(chance.choice((_BYTES, _TEXT)), chance.choice((5, 50, 500))) + b"\r\n"
    return _line(chance, surface, chance.choice(surface.paths).encode()) + fields + surface.headers + b"\r\n"


def _a_body(chance: Chance, surface: Surface) -> bytes:
    body = chance.some(chance.choice((_BYTES, _TEXT)), chance.choice((0, 20, 2000)))
    length = chance.choice((len(body), len(body) + 1, max(0, len(body) - 3), 10**9, -1))
    framing = chance.choice((f"Content-Length: {length}\r\n".encode(), b"Transfer-Encoding: chunked\r\n", b""))
    if framing.startswith(b"Transfer") and chance.random() < 0.7:
        body = b"%x\r\n%s\r\n" % (chance.choice((len(body), length % 2**70)), body) + chance.choice((b"0\r\n\r\n", b""))
    method = chance.choice((b"POST", b"PUT", b"GET", b"DELETE"))
    path = chance.choice(surface.paths).encode()
    head = method + b" " + path + b" HTTP/1.1\r\nHost: " + surface.host.encode() + b"\r\n" + form_head(surface)
    return head + surface.headers + framing + b"\r\n" + body


def _several_at_once(chance: Chance, surface: Surface) -> bytes:
    several = (chance.choice((_sound, _changed_bytes, _a_body))(chance, surface) for _ in range(chance.randint(2, 60)))
    return b"".join(sent for sent in several if not sent.startswith(b"HEAD"))


def _nothing_but_noise(chance: Chance, _: Surface) -> bytes:
    return chance.some(_BYTES, chance.choice((10, 1000, 20_000))) + chance.choice((b"", b"\r\n\r\n"))


def _cut_short(chance: Chance, surface: Surface) -> bytes:
    sent = _sound(chance, surface)
    return sent[: chance.randrange(len(sent))]


def _sound(chance: Chance, surface: Surface) -> bytes:
    own = surface.headers if chance.random() < 0.7 else b""
    fields = own + (AUTHORIZATION if chance.random() < 0.3 else b"") + (LINE if chance.random() < 0.1 else b"")
    return request(chance.choice(surface.paths), surface.host, fields, method=chance.choice(surface.methods))


def _line(chance: Chance, surface: Surface, target: bytes) -> bytes:
    version = chance.choice((b"HTTP/1.1",) * 5 + (b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.9", b"http/1.1", b""))
    return b"GET " + target + b" " + version + b"\r\nHost: " + surface.host.encode() + b"\r\n"


_FAMILIES: tuple[Callable[[Chance, Surface], bytes], ...] = (
    _changed_bytes,
    _changed_bytes,
    _another_target,
    _another_target,
    _another_method,
    _another_host,
    _other_headers,
    _a_body,
    _several_at_once,
    _nothing_but_noise,
    _cut_short,
)
