"""Secrets and the like in memory, and certificates to put into them; tests/integration has the real API server."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from certward.errors import Conflict
from certward.model import keys

NOW = datetime.now(UTC).replace(microsecond=0)
KEY, OTHER_KEY = keys.generate_key("ECDSA-P256"), keys.generate_key("ECDSA-P256")


def certificate(hostname="www.example.com", *, starts=NOW - timedelta(days=1), ends=NOW + timedelta(days=9)):
    private = serialization.load_pem_private_key(KEY, None)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(starts)
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(hostname)]), critical=False)
        .sign(private, hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.PEM)


class Shelf:
    """Holds objects by name, and counts how often it was looked at."""

    def __init__(self):
        self.there = {}
        self.version = 0
        self.looks = 0

    def get(self, _kind, _namespace, name):
        self.looks += 1
        return self.there.get(name)

    def put(self, manifest, **changes):
        self.version += 1
        meta = (
            {"uid": "of-the-secret"}
            | manifest["metadata"]
            | {"resourceVersion": str(self.version)}
            | changes.pop("metadata", {})
        )
        self.there[meta["name"]] = manifest | {"metadata": meta} | changes
        return self.there[meta["name"]]

    def apply(self, manifest, *, has_priority=True):
        """As the API server does, as to whose it is: a uid has to fit; without priority, all is another's."""
        meta = manifest["metadata"]
        live = self.there.get(meta["name"])
        if "uid" in meta and (live is None or live["metadata"]["uid"] != meta["uid"]):
            raise Conflict("Conflict", "another uid")
        if live and not has_priority:
            raise Conflict("Conflict", "a field is another's")
        return self.put(manifest)

    def delete(self, _kind, _namespace, name, *, uid=""):
        assert uid in ("", self.there[name]["metadata"]["uid"])
        self.there.pop(name, None)
