"""Small HTTP requests to the cluster's own parts; proxies of the environment are never used."""

import http.client
import json
import ssl
from pathlib import Path
from urllib.parse import urlsplit


def get(url: str, *, ca: Path | None = None, client: Path | None = None, timeout: float = 3.0) -> tuple[int, bytes]:
    """Return status and body of a GET; as `_ask`."""
    return _ask("GET", url, None, ca=ca, client=client, timeout=timeout)


def post(url: str, body: object, *, timeout: float = 5.0) -> tuple[int, bytes]:
    """Return status and body of a POST with a body in JSON; as `_ask`."""
    return _ask("POST", url, json.dumps(body), ca=None, client=None, timeout=timeout)


def _ask(
    method: str, url: str, body: str | None, *, ca: Path | None, client: Path | None, timeout: float
) -> tuple[int, bytes]:
    """Return status and body of an answer.

    `ca` is the file of roots for https; `client` a PEM file with a client's certificate and key. Raises
    OSError or http.client.HTTPException when there is no answer within `timeout` seconds.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=str(ca) if ca else None)
        if client:
            context.load_cert_chain(client)
        connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=timeout)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        # Pebble refuses requests without a User-Agent (RFC 8555, 6.1).
        connection.request(method, target, body, {"User-Agent": "certward-cluster"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def answers(url: str, *, status: int = 200, ca: Path | None = None, client: Path | None = None) -> bool:
    """Tell whether a GET is answered with this status."""
    try:
        return get(url, ca=ca, client=client)[0] == status
    except (OSError, http.client.HTTPException):
        return False
