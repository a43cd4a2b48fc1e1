"""Keys, certificate facts and the checks that a certificate has to pass before it is served."""

from datetime import UTC, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from certward.model import pki
from chains import NOW, authority, hierarchy, leaf, named


@pytest.mark.parametrize("key_type", pki.KEY_TYPES)
def test_a_generated_key_is_of_its_type_and_signs_a_request_with_names_only(key_type):
    key_pem = pki.generate_key(key_type)

    assert pki.key_type_of(key_pem) == key_type
    request = x509.load_der_x509_csr(pki.csr_der(key_pem, ["a.example.com", "*.b.example.com"]))
    assert request.is_signature_valid
    assert list(request.subject) == []
    (extension,) = request.extensions
    assert extension.value.get_values_for_type(x509.DNSName) == ["a.example.com", "*.b.example.com"]


def test_an_unknown_key_type_is_refused():
    with pytest.raises(ValueError, match="ECDSA-P256, ECDSA-P384"):
        pki.generate_key("RSA-1024")


def test_facts_of_a_certificate_and_of_its_der_form():
    _, intermediate = hierarchy()
    issued = leaf("WWW.example.com", "b.example.com", issuer=intermediate, serial=0xABC)

    facts = pki.facts_of(issued.cert)

    assert facts == pki.facts_of(issued.cert.public_bytes(serialization.Encoding.DER))
    assert (facts.subject, facts.issuer) == ("", "CN=Test Intermediate")
    assert facts.serial_number == "0abc"
    assert facts.fingerprint_sha256 == issued.cert.fingerprint(hashes.SHA256()).hex()
    assert facts.key_type == "ECDSA-P256"
    assert facts.hostnames == ("www.example.com", "b.example.com")
    assert facts.not_before == NOW - timedelta(days=1)
    assert facts.not_after.tzinfo is UTC
    assert len(facts.spki_sha256) == 64


def test_facts_of_something_else():
    with pytest.raises(pki.CertificateProblem):
        pki.facts_of(b"\x30\x03\x02\x01\x01")


@pytest.mark.parametrize(
    ("names", "hostname", "covered"),
    [
        pytest.param(["a.example.com"], "a.example.com", True, id="same"),
        pytest.param(["A.Example.com"], "a.example.COM", True, id="case"),
        pytest.param(["*.example.com"], "a.example.com", True, id="one label"),
        pytest.param(["*.example.com"], "a.b.example.com", False, id="two labels"),
        pytest.param(["*.example.com"], "example.com", False, id="the parent"),
        pytest.param(["*.example.com"], "*.example.com", True, id="the wildcard itself"),
        pytest.param(["a.example.com"], "*.example.com", False, id="wildcard wanted"),
        pytest.param(["*.com"], "*.example.com", False, id="wildcard below a wildcard"),
        pytest.param(["*a.example.com"], "aa.example.com", False, id="part of a label"),
        pytest.param([], "a.example.com", False, id="none"),
    ],
)
def test_names_that_cover_a_hostname(names, hostname, covered):
    assert pki.covers(names, hostname) is covered


def test_a_good_pair_with_chain_passes():
    root, intermediate = hierarchy()
    issued = leaf("*.example.com", issuer=intermediate)
    chain = issued.pem + intermediate.pem + root.pem

    assert pki.check_pair(chain, issued.key_pem, ["www.example.com"], NOW) == pki.facts_of(issued.cert)


def test_a_self_signed_one_passes():
    issued = leaf("www.example.com")
    assert pki.check_pair(issued.pem, issued.key_pem, ["www.example.com"], NOW).key_type == "ECDSA-P256"


def bad_pairs():
    root, intermediate = hierarchy()
    good = leaf("www.example.com", issuer=intermediate)
    encrypted = good.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    weak_key = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - to be refused
    weak = leaf("www.example.com", key=weak_key)
    early = leaf("www.example.com", start=1)
    late = leaf("www.example.com", start=-91)
    header = b"-----BEGIN CERTIFICATE-----\n"
    return [
        pytest.param(b"", good.key_pem, "no certificate", id="empty file"),
        pytest.param(good.key_pem, good.key_pem, "no certificate", id="a key for a certificate"),
        pytest.param(header + b"AAAA\n-----END CERTIFICATE-----\n", good.key_pem, "parsed", id="garbage"),
        pytest.param(header, good.key_pem, "parsed", id="cut off"),
        pytest.param(good.pem, b" \n", "no private key", id="no key"),
        pytest.param(good.pem, b"-----BEGIN PRIVATE KEY-----", "cannot be read", id="broken key"),
        pytest.param(good.pem, encrypted, "encrypted", id="encrypted key"),
        pytest.param(good.pem, weak.key_pem, "does not belong", id="another key"),
        pytest.param(intermediate.pem + good.pem, good.key_pem, "does not belong", id="leaf not first"),
        pytest.param(leaf("a.test", key=good.key).pem, good.key_pem, "for a.test", id="other name"),
        pytest.param(leaf(key=good.key).pem, good.key_pem, "no DNS name", id="no name"),
        pytest.param(early.pem, early.key_pem, "not valid yet", id="not yet"),
        pytest.param(late.pem, late.key_pem, "has expired", id="expired"),
        pytest.param(weak.pem, weak.key_pem, "1024 bits", id="weak RSA"),
        pytest.param(good.pem + root.pem, good.key_pem, "not a chain", id="a link is missing"),
    ]


@pytest.mark.parametrize(("chain", "key", "text"), bad_pairs())
def test_what_is_wrong_with_a_pair_is_said(chain, key, text):
    with pytest.raises(pki.CertificateProblem, match=text) as caught:
        pki.check_pair(chain, key, ["www.example.com"], NOW)
    assert "PRIVATE" not in str(caught.value)


def test_the_moments_of_beginning_and_end_are_valid():
    issued = leaf("www.example.com", start=0, days=1)
    for now in (NOW, NOW + timedelta(days=1)):
        pki.check_pair(issued.pem, issued.key_pem, ["www.example.com"], now)


def test_the_identifier_of_rfc_9773_appendix_a():
    """The example's key identifier and serial number, in a certificate of our own."""
    key = ec.generate_private_key(ec.SECP256R1())
    identifier = bytes.fromhex("69885B6B87464041E1B37B847BA0AE2CDE01C8D4")
    cert = (
        x509.CertificateBuilder()
        .subject_name(named("x"))
        .issuer_name(named("x"))
        .public_key(key.public_key())
        .serial_number(0x87654321)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.AuthorityKeyIdentifier(identifier, None, None), critical=False)
        .sign(key, hashes.SHA256())
    )
    assert pki.ari_certificate_id(cert) == "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"


def test_trust_is_a_valid_path_to_a_known_root():
    root, intermediate = hierarchy()
    issued = leaf("*.example.com", issuer=intermediate)
    chain = (issued.cert, intermediate.cert)

    assert pki.is_trusted(chain, root.pem, NOW)
    assert not pki.is_trusted(chain, authority("Another Root").pem, NOW)
    assert not pki.is_trusted(chain[:1], root.pem, NOW)
    assert not pki.is_trusted(chain, root.pem, NOW + timedelta(days=90))
    assert not pki.is_trusted(chain, b"", NOW)
    assert not pki.is_trusted((leaf("a.test").cert,), root.pem, NOW)
