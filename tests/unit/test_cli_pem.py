"""Certificates from files: what is taken, what is refused and with which words."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from certward.cli import pem
from certward.cli.errors import CliError, Exit
from certward.model import pki
from e2e.bought import Seller, key_pem, tls_secret
from e2e.bought import pem as pem_of

NOW, DAY = datetime.now(UTC), timedelta(days=1)


@pytest.fixture(scope="module")
def seller(tmp_path_factory: pytest.TempPathFactory) -> Seller:
    return Seller(tmp_path_factory.mktemp("seller"))


class Desk:
    """Files of one test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, name: str, content: bytes) -> Path:
        file = self.folder / name
        file.write_bytes(content)
        return file


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def refused(certificate: Path, key: Path, chain: tuple[Path, ...] = ()) -> str:
    with pytest.raises(CliError) as caught:
        pem.read_pair(certificate, key, chain, NOW)
    assert caught.value.code is Exit.USAGE
    return caught.value.message


def test_a_chain_in_one_file(seller: Seller, desk: Desk) -> None:
    chain, key, leaf = seller.sell(["www.example.com", "*.example.com"])
    pair = pem.read_pair(desk.put("c", b"# a comment\n" + chain), desk.put("k", key), (), NOW)

    assert pair.facts.hostnames == ("www.example.com", "*.example.com")
    assert pair.chain_pem == chain
    assert pki.load_chain(pair.chain_pem)[0] == leaf


def test_a_chain_in_files_of_its_own_in_any_order_and_with_its_root(seller: Seller, desk: Desk) -> None:
    chain, key, leaf = seller.sell(["www.example.com"])
    above = desk.put("above", pem_of(seller.root) + pem_of(seller.intermediate))
    pair = pem.read_pair(desk.put("c", pem_of(leaf)), desk.put("k", key), (above,), NOW)

    assert pair.chain_pem == chain  # leaf, intermediate; a root is not sent


def test_certificate_and_key_in_one_file(seller: Seller, desk: Desk) -> None:
    chain, key, _ = seller.sell(["www.example.com"])
    both = desk.put("both", key + chain)
    pair = pem.read_pair(both, both, (), NOW)

    assert (pair.chain_pem, pair.key_pem) == (chain, key)


def self_signed(key: ec.EllipticCurvePrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Own")])
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), NOW - DAY, NOW + DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("www.example.com")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return pem_of(built)


def test_a_self_signed_one_with_a_key_as_openssl_writes_it(desk: Desk) -> None:
    # `openssl ecparam -genkey` puts the parameters in front of the key; not every server takes them.
    key = ec.generate_private_key(ec.SECP256R1())
    old = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    pair = pem.read_pair(desk.put("c", self_signed(key)), desk.put("k", parameters + old), (), NOW)

    assert pair.facts.issuer == "CN=Own"
    assert pair.key_pem == old


def test_the_key_is_in_no_representation(seller: Seller, desk: Desk) -> None:
    chain, key, _ = seller.sell(["www.example.com"])
    pair = pem.read_pair(desk.put("c", chain), desk.put("k", key), (), NOW)

    assert "PRIVATE" not in repr(pair)
    assert key.decode()[40:80] not in repr(pair)


def encrypted(key: bytes) -> bytes:
    loaded = serialization.load_pem_private_key(key, None)
    assert isinstance(loaded, rsa.RSAPrivateKey)
    return key_pem(loaded, b"secret")


@pytest.mark.parametrize(
    ("certificate", "key", "told"),
    [
        (lambda _chain, key: key, lambda chain, _key: chain, "holds a certificate and no key"),
        (None, lambda _chain, _key: key_pem(ec.generate_private_key(ec.SECP256R1())), "does not belong"),
        (None, lambda _chain, key: encrypted(key), "is encrypted"),
        (None, lambda _chain, _key: b"", "no private key"),
        (lambda _chain, _key: b"hello", None, "no certificate in PEM form"),
        (lambda chain, _key: chain[:-40], None, "is not whole"),
        (lambda _chain, _key: b"x" * (600 * 1024), None, "too large"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_files_that_are_refused(seller: Seller, desk: Desk, certificate, key, told: str) -> None:
    pair = seller.sell(["www.example.com"])[:2]

    def content(how, given: bytes) -> bytes:
        return how(*pair) if how else given

    assert told in refused(desk.put("c", content(certificate, pair[0])), desk.put("k", content(key, pair[1])))


@pytest.mark.parametrize(
    ("sold", "told"),
    [
        ({"days": 5, "begins": -10 * DAY}, "has expired"),
        ({"begins": DAY}, "is not valid yet"),
        ({"bits": 1024}, "1024 bits"),
    ],
    ids=["expired", "not yet", "weak"],
)
def test_certificates_that_are_refused(seller: Seller, desk: Desk, sold, told: str) -> None:
    chain, key, _ = seller.sell(["www.example.com"], **sold)

    assert told in refused(desk.put("c", chain), desk.put("k", key))


def test_a_chain_of_others_is_refused(seller: Seller, desk: Desk, tmp_path: Path) -> None:
    _, key, leaf = seller.sell(["www.example.com"])
    stranger = Seller(tmp_path, "Stranger").intermediate

    assert "not a chain" in refused(desk.put("c", pem_of(leaf) + pem_of(stranger)), desk.put("k", key))


def test_a_file_that_cannot_be_read_is_named(desk: Desk, tmp_path: Path) -> None:
    assert "nowhere cannot be read: No such file" in refused(tmp_path / "nowhere", desk.put("k", b""))
    assert "cannot be read: Is a directory" in refused(tmp_path, desk.put("k", b""))


def test_what_a_secret_holds(seller: Seller) -> None:
    chain, key, _ = seller.sell(["www.example.com"], days=5)
    _, other, _ = seller.sell(["www.example.com"])
    kept = pem.read_secret(tls_secret("bought", "team-a", chain, key), NOW)
    late = pem.read_secret(tls_secret("bought", "team-a", chain, key), NOW + timedelta(days=30))
    wrong = pem.read_secret(tls_secret("bought", "team-a", chain, other), NOW)

    assert (kept.facts and kept.facts.hostnames, kept.problem, kept.trusted) == (("www.example.com",), "", False)
    assert late.problem == "The certificate has expired."
    assert "does not belong" in wrong.problem
    assert pem.read_secret({"data": {"tls.crt": "%"}}, NOW).facts is None
    assert pem.read_secret({}, NOW).problem == "There is no certificate in PEM form."
