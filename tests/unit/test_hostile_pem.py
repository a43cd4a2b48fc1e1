"""Keys and certificates that a tenant has made to keep the operator busy, or to make it stumble."""

import base64
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa, x25519

from certward.model import keys, pki
from certward.model.keys import CertificateProblem

GOOD = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_numbers()
N, E = GOOD.public_numbers.n, GOOD.public_numbers.e
HUGE = (1 << 399_999) | 1


def tlv(tag, content):
    length = len(content)
    size = length.to_bytes((length.bit_length() + 7) // 8 or 1)
    return bytes([tag]) + (size if length < 0x80 else bytes([0x80 | len(size)]) + size) + content


def number(value):
    return tlv(2, value.to_bytes(value.bit_length() // 8 + 1))


def sequence(*parts):
    return tlv(0x30, b"".join(parts))


def oid(text):
    return tlv(6, bytes.fromhex(text))


def pem(label, der):
    return f"-----BEGIN {label}-----\n{base64.encodebytes(der).decode()}-----END {label}-----\n".encode()


def rsa_key(*, n=N, e=E, d=GOOD.d, p=GOOD.p, q=GOOD.q, dmp1=GOOD.dmp1, dmq1=GOOD.dmq1, iqmp=GOOD.iqmp):
    return pem("RSA PRIVATE KEY", sequence(*map(number, (0, n, e, d, p, q, dmp1, dmq1, iqmp))))


def pkcs8(algorithm, parameters, private):
    return pem(
        "PRIVATE KEY",
        sequence(number(0), sequence(oid(algorithm), sequence(*map(number, parameters))), tlv(4, private)),
    )


def certificate(*, names=b"", version=2):
    """A certificate whose signature is none, with these bytes as its SAN extension."""
    algorithm = sequence(oid("2a864886f70d01010b"), b"\x05\x00")
    name = sequence(tlv(0x31, sequence(oid("550403"), tlv(12, b"x"))))
    valid = sequence(tlv(23, b"250101000000Z"), tlv(23, b"350101000000Z"))
    public = sequence(
        sequence(oid("2a864886f70d010101"), b"\x05\x00"), tlv(3, b"\x00" + sequence(number(N), number(E)))
    )
    extensions = tlv(0xA3, sequence(sequence(oid("551d11"), tlv(4, sequence(names))))) if names else b""
    signed = sequence(tlv(0xA0, number(version)), number(1), algorithm, name, valid, name, public, extensions)
    return pem("CERTIFICATE", sequence(signed, algorithm, tlv(3, b"\x00" + b"\x01" * 256)))


def test_the_keys_made_here_are_read_where_nothing_is_wrong_with_them():
    assert keys.key_type_of(rsa_key()) == "RSA-2048"
    assert pki.facts_of(pki.load_chain(certificate(names=tlv(0x82, b"A.example")))[0]).hostnames == ("a.example",)


@pytest.mark.parametrize("bits", [8193, 400_000])
def test_an_rsa_key_that_is_too_large_is_refused_before_anything_is_done_with_it(bits):
    n = 1 << (bits - 1) | 1
    with pytest.raises(CertificateProblem, match=f"The RSA key has {bits} bits; 8192 is the most"):
        keys.load_private_key(rsa_key(n=n))


DAMAGED = {
    **{f"{name} is huge": {name: HUGE} for name in ("e", "d", "p", "q", "dmp1", "dmq1", "iqmp")},
    **{f"{name} is {n}": {name: n} for name in ("p", "q", "d", "dmp1", "dmq1", "iqmp") for n in (0, 1, 2)},
    "p is 1": {"p": 1, "q": N},
    "q is 1": {"p": N, "q": 1},
    "p and q are exchanged": {"p": GOOD.q, "q": GOOD.p},
    "another n": {"n": N + 2},
    "another e": {"e": 3},
    "another d": {"d": GOOD.d + 2},
}


@pytest.mark.parametrize("part", DAMAGED.values(), ids=DAMAGED)
def test_an_rsa_key_whose_numbers_do_not_belong_together_is_damaged(part):
    with pytest.raises(CertificateProblem, match=r"The private key (is damaged|cannot be read)"):
        keys.load_private_key(rsa_key(**part))


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(pkcs8("2a8648ce380401", (HUGE, HUGE >> 9, 2), number(HUGE >> 20)), id="DSA"),
        pytest.param(pkcs8("2a864886f70d010301", (HUGE, 2), number(HUGE >> 20)), id="DH"),
        pytest.param(pkcs8("2a8648ce3e0201", (HUGE, 2, HUGE >> 9), number(HUGE >> 20)), id="X9.42 DH"),
        pytest.param(pem("DSA PRIVATE KEY", sequence(*map(number, (0, HUGE, HUGE, 2, 3, 4)))), id="old DSA"),
        pytest.param(
            x25519.X25519PrivateKey.generate().private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
            id="X25519",
        ),
    ],
)
def test_a_key_that_no_tls_server_has_is_not_worked_on(key):
    with pytest.raises(CertificateProblem, match="neither RSA nor ECDSA nor Ed25519"):
        keys.load_private_key(key)


@pytest.mark.parametrize(
    "text",
    [
        b"-----BEGIN PRIVATE KEY-----",
        b"-----BEGIN PRIVATE KEY-----\nA\n-----END PRIVATE KEY-----",
        b"-----BEGIN PRIVATE KEY-----\n-----END RSA PRIVATE KEY-----",
        b"-----BEGIN RSA PRIVATE KEY-----\nA===\n-----END RSA PRIVATE KEY-----",
        b"-----BEGIN PRIVATE KEY-----" * 10_000,
        b"-----BEGIN " + b"PRIVATE KEY" * 10_000,
        bytes(range(256)),
    ],
)
def test_what_is_no_pem_is_said_not_to_be_readable(text):
    with pytest.raises(CertificateProblem, match=r"cannot be read|neither RSA"):
        keys.load_private_key(text)


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(certificate(version=1), id="version 2"),
        pytest.param(certificate(version=7), id="version 8"),
        pytest.param(certificate(names=tlv(0xA3, tlv(4, b"x"))), id="x400Address"),
        pytest.param(certificate(names=tlv(0xA5, tlv(4, b"x"))), id="ediPartyName"),
        pytest.param(certificate(names=tlv(0x82, b"\xff\xfe")), id="a name that is no ASCII"),
        pytest.param(certificate(names=tlv(0x87, b"123")), id="an address of three bytes"),
        pytest.param(
            certificate(names=b"".join(tlv(0x82, f"a{each}.example".encode()) for each in range(1001))), id="1001 names"
        ),
    ],
)
def test_a_certificate_that_cannot_be_used_is_a_problem_of_its_owner_and_no_mistake(made):
    with pytest.raises(CertificateProblem):
        pki.check_pair(made, rsa_key(), ["a.example"], datetime.now(UTC))


def test_a_name_that_a_certificate_repeats_counts_once():
    made = certificate(names=tlv(0x82, b"*.customers.example") * 30_000 + tlv(0x82, b"a.example"))
    assert pki.facts_of(pki.load_chain(made)[0]).hostnames == ("*.customers.example", "a.example")
