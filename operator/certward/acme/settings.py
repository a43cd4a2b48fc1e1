"""What the configuration says of an issuer."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ExternalAccount:
    """An account that the CA's customer has already (RFC 8555, 7.3.4); the key is base64url."""

    key_id: str
    hmac_key: str = field(repr=False)


@dataclass(frozen=True)
class IssuerSettings:
    """A CA and how to introduce ourselves there.

    Attributes:
        name: unique in the configuration.
        directory: URL of the ACME directory.
        email: contact of the account; may be empty.
        ca_bundle_pem: roots for the directory's own TLS, in addition to the system's.
        external_account: where the CA wants one.
    """

    name: str
    directory: str
    email: str = ""
    ca_bundle_pem: bytes = b""
    external_account: ExternalAccount | None = None
