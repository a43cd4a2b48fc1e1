"""The bytes of offers and answers: fixtures from the RFCs, and parsers that survive anything."""

import contextlib
import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certward.model.suites import GROUPS, SUITES, VERSIONS
from certward.probe.client_hello import VERSION_CODES, client_hello
from certward.probe.server_flight import (
    ALERTS,
    Alert,
    Cursor,
    Malformed,
    Message,
    ServerFlight,
    ServerHello,
    parse_named_curve,
    parse_server_hello,
)

# The ServerHello and the HelloRetryRequest of the example handshakes in RFC 8448 (sections 3 and 5).
RFC8448_SERVER_HELLO = bytes.fromhex(
    "160303005a020000560303a6af06a4121860dc5e6e60249cd34c95930c8ac5cb1434dac155772ed3e2692800130100002e00"
    "3300240 01d0020c9828876112095fe66762bdbf7c672e156d6cc253b833df1dd69b1b04e751f0f002b00020304".replace(" ", "")
)
RFC8448_HELLO_RETRY_REQUEST = bytes.fromhex(
    "16030300b0020000ac0303cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c00130100008400"
    "33000200 17002c0074007271dcd04bb88bc3189119398a00000000eefafc76c146b823b096f8aacad365dd0030953f4edf62"
    "5636e5f21bb2e23fcc654b1b5b40318d10d137abcbb87574e36e8a1f025f7dfa5d6e50781b5eda4aa15b0c8be778257d16aa"
    "3030e9e7841dd9e4c0342267e8ca0caf571fb2b7cff0f934b0002b00020304".replace(" ", "")
)


def record(kind, payload, version=0x0303):
    return struct.pack("!BHH", kind, version, len(payload)) + payload


def message(kind, body):
    return bytes([kind]) + len(body).to_bytes(3) + body


def server_hello_body(version, suite, extensions=b"", *, session_id=b""):
    tail = len(extensions).to_bytes(2) + extensions if extensions else b""
    head = struct.pack("!H", version) + bytes(32) + bytes([len(session_id)]) + session_id
    return head + struct.pack("!HB", suite, 0) + tail


def numbers(data):
    return list(struct.unpack(f"!{len(data) // 2}H", data))


def read_client_hello(data):
    """Take a ClientHello apart as a server would."""
    assert data[0] == 22
    found = list(ServerFlight().feed(data))
    assert len(found) == 1
    body = Cursor(found[0].body)
    fields = {
        "kind": found[0].kind,
        "record_version": int.from_bytes(data[1:3]),
        "legacy_version": body.number(2),
        "random": body.take(32),
        "session_id": body.vector(1),
        "suites": numbers(body.vector(2)),
        "compression": body.vector(1),
    }
    extensions, cursor = {}, Cursor(body.vector(2))
    while not cursor.is_done:
        kind = cursor.number(2)
        assert kind not in extensions
        extensions[kind] = cursor.vector(2)
    assert body.is_done
    return fields, extensions


def offer(server_name="a.example", *, versions=("TLSv1.2",), suites=(0xC02F,), groups=(0x1D,)):
    return client_hello(
        server_name,
        versions=versions,
        suites=suites,
        groups=groups,
        random=bytes(range(32)),
        session_id=b"s" * 32,
    )


@given(
    st.lists(st.sampled_from(VERSIONS), min_size=1, unique=True),
    st.lists(st.sampled_from(sorted(SUITES)), unique=True),
    st.lists(st.sampled_from(sorted(GROUPS)), unique=True),
)
def test_client_hello_says_what_it_was_told(versions, suites, groups):
    suite_codes, group_codes = [SUITES[name].code for name in suites], [GROUPS[name] for name in groups]
    fields, extensions = read_client_hello(offer(versions=versions, suites=suite_codes, groups=group_codes))
    codes = sorted((VERSION_CODES[name] for name in versions), reverse=True)
    assert (fields["kind"], fields["record_version"], fields["compression"]) == (1, 0x0301, b"\x00")
    assert fields["legacy_version"] == min(codes[0], 0x0303)
    assert fields["suites"] == suite_codes + ([0x00FF] if codes != [0x0304] else [])
    assert (10 in extensions) == (11 in extensions) == bool(groups)
    if groups:
        assert extensions[10] == struct.pack(f"!H{len(groups)}H", 2 * len(groups), *group_codes)
    assert (13 in extensions) == (codes[0] >= 0x0303 or 0x0303 in codes)
    assert (43 in extensions) == (51 in extensions) == (0x0304 in codes)
    if 0x0304 in codes:
        assert extensions[43] == struct.pack(f"!B{len(codes)}H", 2 * len(codes), *codes)
        assert extensions[51] == b"\x00\x00"


@pytest.mark.parametrize(
    ("name", "sni"),
    [
        pytest.param("a.example", b"\x00\x0c\x00\x00\x09a.example", id="name"),
        pytest.param("", None, id="empty"),
        pytest.param("192.0.2.1", None, id="IPv4"),
        pytest.param("2001:db8::1", None, id="IPv6"),
    ],
)
def test_client_hello_sends_names_only_as_server_name(name, sni):
    _, extensions = read_client_hello(offer(name))
    assert extensions.get(0) == sni


def test_client_hello_offers_a_version():
    with pytest.raises(ValueError, match="at least one version"):
        offer(versions=())


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(RFC8448_SERVER_HELLO, ServerHello(version=0x0304, suite=0x1301, group=0x1D), id="TLS 1.3"),
        pytest.param(RFC8448_HELLO_RETRY_REQUEST, ServerHello(version=0x0304, suite=0x1301, group=0x17), id="retry"),
        pytest.param(
            record(22, message(2, server_hello_body(0x0301, 0x000A, session_id=b"x" * 32))),
            ServerHello(version=0x0301, suite=0x000A, group=0),
            id="TLS 1.0 without extensions",
        ),
        pytest.param(
            record(22, message(2, server_hello_body(0x0303, 0xC02F, bytes.fromhex("ff01000100")))),
            ServerHello(version=0x0303, suite=0xC02F, group=0),
            id="TLS 1.2",
        ),
    ],
)
def test_server_hello_is_read(data, expected):
    (found,) = ServerFlight().feed(data)
    assert found.kind == 2
    assert parse_server_hello(found.body) == expected


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(server_hello_body(0x0303, 0xC02F)[:-1], id="short"),
        pytest.param(server_hello_body(0x0303, 0xC02F) + b"\x00\x09\x00", id="extensions too long"),
        pytest.param(server_hello_body(0x0303, 0xC02F, b"\x00\x2b\x00\x01\x03"), id="short version"),
        pytest.param(server_hello_body(0x0303, 0xC02F, b"\x00\x01\x00\x00") + b"\x00", id="bytes after the end"),
    ],
)
def test_broken_server_hello_is_malformed(body):
    with pytest.raises(Malformed):
        parse_server_hello(body)


@pytest.mark.parametrize(
    ("body", "curve"),
    [(b"\x03\x00\x17\x41", 0x17), (b"\x03\x00\x1d", 0x1D), (b"\x01\x00\x17", 0)],
    ids=["P-256", "X25519", "explicit"],
)
def test_named_curve_is_read(body, curve):
    assert parse_named_curve(body) == curve


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n", id="HTTP"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n", id="SSH"),
        pytest.param(record(23, b"secret"), id="encrypted record"),
        pytest.param(b"\x16\x02", id="version 2"),
        pytest.param(b"\x16\x03\x03\xff\xff", id="record too long"),
        pytest.param(record(22, b"\x02\x01\x00\x01"), id="message too long"),
        pytest.param(record(21, b"\x02"), id="short alert"),
    ],
)
def test_what_is_no_flight_is_malformed_at_once(data):
    with pytest.raises(Malformed):
        list(ServerFlight().feed(data))


def test_every_alert_has_a_name():
    assert Alert(fatal=True, code=112).name == "unrecognized_name"
    assert Alert(fatal=True, code=200).name == "alert 200"
    assert len(set(ALERTS.values())) == len(ALERTS)


messages = st.builds(Message, kind=st.integers(0, 255), body=st.binary(max_size=40))


sizes = st.lists(st.integers(1, 50), min_size=1, max_size=5)


def cut(data, lengths):
    lengths = itertools.cycle(lengths)
    while data:
        size = next(lengths)
        yield data[:size]
        data = data[size:]


@given(st.lists(messages, max_size=4), sizes, sizes)
def test_flight_survives_any_fragmentation(sent, record_sizes, read_sizes):
    """Messages cut into records, and records cut into reads, come out whole and in order."""
    stream = b"".join(message(each.kind, each.body) for each in sent)
    between = record(22, b"") + record(20, b"\x01")
    wire = between.join(record(22, piece) for piece in cut(stream, record_sizes)) + record(21, b"\x02\x28")
    flight = ServerFlight()
    found = [each for piece in cut(wire, read_sizes) for each in flight.feed(piece)]
    assert found == [*sent, Alert(fatal=True, code=40)]


def read_everything(chunks):
    flight = ServerFlight()
    for chunk in chunks:
        for found in flight.feed(chunk):
            if isinstance(found, Message):
                parse_server_hello(found.body)
                parse_named_curve(found.body)


@given(st.lists(st.binary(max_size=100), max_size=5))
def test_random_bytes_raise_nothing_else(chunks):
    with contextlib.suppress(Malformed):
        read_everything(chunks)


@given(st.sampled_from([RFC8448_SERVER_HELLO, RFC8448_HELLO_RETRY_REQUEST]), st.data())
def test_damaged_hellos_raise_nothing_else(hello, data):
    damaged = bytearray(hello)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Malformed):
        read_everything([bytes(damaged[: data.draw(st.integers(0, len(damaged)))])])
