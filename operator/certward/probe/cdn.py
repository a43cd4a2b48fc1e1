"""Which content delivery network an HTTP answer comes from, told by the headers that each adds."""

from collections.abc import Mapping
from typing import Final

#: Name of the network, header, and how its value begins in lower case ("" for any value).
_SIGNS: Final = (
    ("Cloudflare", "server", "cloudflare"),
    ("Cloudflare", "cf-ray", ""),
    ("Amazon CloudFront", "server", "cloudfront"),
    ("Amazon CloudFront", "x-amz-cf-id", ""),
    ("Akamai", "server", "akamai"),
    ("Akamai", "akamai-grn", ""),
    ("Fastly", "x-fastly-request-id", ""),
    ("Fastly", "x-served-by", "cache-"),
    ("Azure Front Door", "x-azure-ref", ""),
    ("Imperva", "x-iinfo", ""),
    ("Imperva", "x-cdn", "imperva"),
    ("Imperva", "x-cdn", "incapsula"),
    ("Sucuri", "server", "sucuri"),
    ("Sucuri", "x-sucuri-id", ""),
    ("bunny.net", "server", "bunnycdn"),
    ("KeyCDN", "server", "keycdn"),
    ("CDN77", "server", "cdn77"),
    ("Gcore", "server", "gcore"),
)


def cdn_of(headers: Mapping[str, str]) -> str:
    """Name the network that an answer came through; empty when it shows none.

    Args:
        headers: names in lower case.
    """
    return next(
        (
            name
            for name, header, begins in _SIGNS
            if header in headers and headers[header].strip().lower().startswith(begins)
        ),
        "",
    )
