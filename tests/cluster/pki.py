"""The cluster's own certificates: one CA, the servers, the clients, and the key of ServiceAccount tokens.

They protect nothing but a cluster on loopback, live in the cluster's state folder, and go with it.
"""

import datetime as dt
import ipaddress
import shutil
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cluster.paths import write_atomically

_VALIDITY = dt.timedelta(days=365)


@dataclass(frozen=True)
class Pki:
    """The files; a `.pem` of a server or client holds certificate and key."""

    root: Path

    @property
    def ca(self) -> Path:
        """The root of the control plane and of Pebble's own listeners."""
        return self.root / "ca.pem"

    @property
    def service_account_key(self) -> Path:
        """The key that signs ServiceAccount tokens."""
        return self.root / "service-account.key"

    @property
    def service_account_public_key(self) -> Path:
        """The public half, by which tokens are checked."""
        return self.root / "service-account.pub"

    def certificate(self, name: str) -> Path:
        """Return the certificate file of `apiserver`, `pebble`, `ingress`, `admin` or `controller-manager`."""
        return self.root / f"{name}.crt"

    def key(self, name: str) -> Path:
        """Return the key file that belongs to `certificate(name)`."""
        return self.root / f"{name}.key"

    def both(self, name: str) -> Path:
        """Return the file with certificate and key together."""
        return self.root / f"{name}.pem"


def ensure(folder: Path, service_network: str) -> Pki:
    """Return the files, made first if they are not all there; a killed run never leaves half of them."""
    pki = Pki(folder)
    if folder.is_dir():
        return pki
    making = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True, mode=0o700)
    made = Pki(making)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = _certificate("certward local cluster CA", ca_key, ca_key, None, ca=True)
    write_atomically(made.ca, ca.public_bytes(serialization.Encoding.PEM))
    names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    addresses = ["127.0.0.1", f"{service_network}.0.1"]
    _issue(made, "apiserver", _leaf("kube-apiserver", ca_key, ca, names=names, addresses=addresses))
    _issue(made, "pebble", _leaf("pebble", ca_key, ca, names=["localhost", "pebble"], addresses=["127.0.0.1"]))
    _issue(made, "ingress", _leaf("local ingress", ca_key, ca, names=["nobody.invalid"]))
    _issue(made, "admin", _leaf("certward-admin", ca_key, ca, group="system:masters"))
    _issue(made, "controller-manager", _leaf("system:kube-controller-manager", ca_key, ca))
    token_key = ec.generate_private_key(ec.SECP256R1())
    write_atomically(made.service_account_key, _pem(token_key), 0o600)
    public = token_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    write_atomically(made.service_account_public_key, public)
    making.rename(folder)
    return pki


_Issued = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def _issue(pki: Pki, name: str, issued: _Issued) -> None:
    certificate = issued[0].public_bytes(serialization.Encoding.PEM)
    write_atomically(pki.certificate(name), certificate)
    write_atomically(pki.key(name), _pem(issued[1]), 0o600)
    write_atomically(pki.both(name), certificate + _pem(issued[1]), 0o600)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _leaf(
    common_name: str,
    ca_key: ec.EllipticCurvePrivateKey,
    ca: x509.Certificate,
    *,
    group: str = "",
    names: list[str] | None = None,
    addresses: list[str] | None = None,
) -> _Issued:
    key = ec.generate_private_key(ec.SECP256R1())
    sans: list[x509.GeneralName] = [x509.DNSName(name) for name in names or []]
    sans += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses or []]
    return _certificate(common_name, key, ca_key, ca, group=group, sans=sans), key


def _certificate(
    common_name: str,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
    *,
    group: str = "",
    sans: list[x509.GeneralName] | None = None,
    ca: bool = False,
) -> x509.Certificate:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if group:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
    subject = x509.Name(attributes)
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + _VALIDITY)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .add_extension(
            key_usage(ca=ca),
            critical=True,
        )
    )
    if not ca:
        usage = ExtendedKeyUsageOID.SERVER_AUTH if sans else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if sans:
        builder = builder.add_extension(x509.SubjectAlternativeName(sans), critical=False)
    return builder.sign(signer, hashes.SHA256())


def key_usage(*, ca: bool) -> x509.KeyUsage:
    """What a key may do that signs certificates, or that a server has."""
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
