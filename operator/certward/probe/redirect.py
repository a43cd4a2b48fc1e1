"""Where a redirect of the challenge path may lead: to hostnames, by HTTP or HTTPS, at ports 80 and 443.

Let's Encrypt follows no others, so neither need we.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit

from certward.model import hostnames

HTTP: Final = 80
HTTPS: Final = 443
_URL_MAX: Final = 2000


@dataclass(frozen=True, slots=True)
class Url:
    """A URL of HTTP.

    Attributes:
        is_https: speak TLS.
        host: a hostname.
        port: 80 or 443.
        path: with the query.
    """

    is_https: bool
    host: str
    port: int
    path: str

    def __str__(self) -> str:
        return f"{'https' if self.is_https else 'http'}://{self.host}:{self.port}{self.path}"


def follow(url: Url, location: str) -> Url | str:
    """Read where a redirect leads.

    Args:
        url: what was asked for.
        location: what the answer says, or nothing.

    Returns:
        The next URL; or why a CA would not go there, as the rest of a sentence.
    """
    try:
        parts = urlsplit(urljoin(str(url), location.strip()))
        host, port = (parts.hostname or "").removesuffix("."), parts.port
    except ValueError:
        return "redirects to a URL that cannot be read"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not location or len(location) > _URL_MAX or not all("!" <= each <= "~" for each in path):
        return "redirects to a URL that cannot be read"
    if parts.scheme not in ("http", "https"):
        return "redirects to something other than HTTP and HTTPS"
    if not hostnames.is_valid(host) or hostnames.is_wildcard(host):
        return "redirects to something other than a hostname, which CAs do not follow"
    port = port or (HTTPS if parts.scheme == "https" else HTTP)
    if port not in (HTTP, HTTPS):
        return f"redirects to {host} at a port other than 80 and 443, which CAs do not follow"
    return Url(parts.scheme == "https", host, port, path)
