"""A CA's directory as anybody may read it, without an account: whether it is there, and what its clock says."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from certward.acme.tls import mount, tls_context

_BODY_MAX = 1024 * 1024


@dataclass(frozen=True, slots=True)
class DirectoryLook:
    """What came of asking for a directory (RFC 8555, 7.1.1).

    Attributes:
        problem: why there is none, as the rest of a sentence; empty when there is one.
        document: it.
        date: the CA's clock, by its Date header; None where it told none.
    """

    problem: str = ""
    document: Mapping[str, Any] = field(default_factory=dict)
    date: datetime | None = None

    @property
    def caa_identities(self) -> tuple[str, ...]:
        """The names by which CAA records know the CA; none: it does not say that it heeds them."""
        meta = self.document.get("meta")
        names = meta.get("caaIdentities") if isinstance(meta, dict) else None
        return tuple(name for name in names if isinstance(name, str)) if isinstance(names, list) else ()


def look_at_directory(url: str, ca_bundle_pem: bytes = b"", *, timeout: float = 5.0) -> DirectoryLook:
    """Ask for a directory, once.

    Args:
        url: of the directory.
        ca_bundle_pem: roots for its TLS, in addition to the system's.
        timeout: seconds to connect, and seconds for the whole answer.
    """
    with requests.Session() as session:
        try:
            mount(session, tls_context(ca_bundle_pem))
            answer = session.get(url, timeout=timeout, stream=True, headers={"User-Agent": "certward"})
            body = answer.raw.read(_BODY_MAX, decode_content=True)
        except ValueError as error:
            return DirectoryLook(f"has a caBundle with {error}")
        except requests.exceptions.SSLError:
            return DirectoryLook("shows a certificate that is not trusted here")
        except (requests.RequestException, HTTPError, OSError) as error:
            return DirectoryLook(f"does not answer ({_in_words(error)})")
        date = _date(answer.headers.get("Date", ""))
        if answer.status_code != HTTPStatus.OK:
            return DirectoryLook(f"answers with status {answer.status_code}", date=date)
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        if not isinstance(document, dict) or "newOrder" not in document:
            return DirectoryLook("answers with something that is no ACME directory", date=date)
        return DirectoryLook(document=document, date=date)


def _in_words(error: Exception) -> str:
    text = str(error)
    for sign, words in (
        ("refused", "the connection is refused"),
        ("timed out", "no answer in time"),
        ("resolve", "its name cannot be resolved"),
        ("resolution", "its name cannot be resolved"),
        ("Name or service not known", "its name cannot be resolved"),
        ("unreachable", "it cannot be reached"),
    ):
        if sign in text:
            return words
    return type(error).__name__


def _date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text) if text else None
    except (ValueError, OverflowError):
        return None
