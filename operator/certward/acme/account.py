"""An ACME account's key: its thumbprint, its signatures, its binding to an external account."""

import json
import re
from collections.abc import Mapping
from typing import Any

from acme import jws, messages
from cryptography.exceptions import UnsupportedAlgorithm
from josepy import b64
from josepy.errors import Error as JoseError
from josepy.json_util import decode_b64jose
from josepy.jwa import ES256, ES384, ES512, RS256, JWASignature
from josepy.jwk import JWK

from certward.acme.settings import ExternalAccount

_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")

# RFC 7518, 3.1: which algorithm belongs to which kind of key.
_ALGORITHMS: Mapping[str, JWASignature] = {"RSA": RS256, "P-256": ES256, "P-384": ES384, "P-521": ES512}


class AccountKey:
    """The private key of an account.

    Args:
        key_pem: RSA, or ECDSA on P-256, P-384 or P-521.

    Raises:
        ValueError: it is none of these, or cannot be read.
    """

    def __init__(self, key_pem: bytes) -> None:
        try:
            self._jwk = JWK.load(key_pem)
        except (ValueError, TypeError, UnsupportedAlgorithm, JoseError):
            raise ValueError("the account key cannot be read") from None
        algorithm = _ALGORITHMS.get(self._jwk.to_partial_json().get("crv", self._jwk.typ))
        if algorithm is None:
            raise ValueError("the account key has to be RSA or ECDSA on P-256, P-384 or P-521")
        self._algorithm = algorithm
        self.thumbprint = b64.b64encode(self._jwk.thumbprint()).decode()
        """RFC 7638, base64url; the second half of every key authorization."""

    def sign(self, payload: bytes, *, nonce: str, url: str, account_url: str = "") -> bytes:
        """The body of a request (RFC 8555, 6.2), with the account's URL or, without one, the public key.

        Raises:
            ValueError: the nonce is not base64url.
        """
        try:
            raw_nonce = decode_b64jose(nonce)
        except JoseError as error:
            raise ValueError("not base64url") from error
        signed = jws.JWS.sign(
            payload, key=self._jwk, alg=self._algorithm, nonce=raw_nonce, url=url, kid=account_url or None
        )
        return bytes(signed.json_dumps().encode())

    @property
    def public_jwk(self) -> dict[str, Any]:
        """The public half as a JWK (RFC 7517)."""
        return dict(self._jwk.public_key().to_json())

    def endorse(self, old: "AccountKey", *, account_url: str, url: str) -> bytes:
        """What the new key of an account says of itself (RFC 8555, 7.3.5); the old one signs it as a request's payload.

        Args:
            old: the account's key so far.
            account_url: the account.
            url: of the CA's keyChange.
        """
        payload = json.dumps({"account": account_url, "oldKey": old.public_jwk})
        signed = jws.JWS.sign(payload.encode(), key=self._jwk, alg=self._algorithm, nonce=None, url=url)
        return bytes(signed.json_dumps().encode())

    def bind(self, external: ExternalAccount, directory: Mapping[str, Any]) -> dict[str, Any]:
        """The external account's binding for newAccount (RFC 8555, 7.3.4).

        Raises:
            ValueError: its key is not base64url.
        """
        hmac_key = external.hmac_key.strip().rstrip("=")
        if not _BASE64URL.fullmatch(hmac_key) or len(hmac_key) % 4 == 1:
            raise ValueError("the external account's key is not base64url")
        return messages.ExternalAccountBinding.from_data(
            self._jwk.public_key(), external.key_id, hmac_key, messages.Directory(directory)
        )
