"""What the TXT records for a CA's challenges say before the CA looks at them."""

from collections.abc import Collection
from datetime import datetime

from certward.probe.caa import parse_issue
from certward.probe.resolver import Broken, Found, NotFound, Resolver


def place_of(resolver: Resolver, name: str) -> str | None:
    """Where the TXT records of a name stand: at the end of its CNAME records, which need not exist yet.

    Returns:
        The name; None: it could not be looked up.
    """
    found = resolver.txt(name)
    if isinstance(found, Found | NotFound):
        return found.aliases[-1] if found.aliases else name
    return None


def is_persistent(
    resolver: Resolver,
    name: str,
    issuer_domains: Collection[str],
    account_uri: str,
    *,
    is_wildcard: bool,
    now: datetime,
) -> bool | None:
    """Whether a record of DNS-PERSIST-01 lets an account have certificates (draft-ietf-acme-dns-persist, 4).

    Args:
        resolver: to ask.
        name: of the record.
        issuer_domains: the names by which the CA goes in the DNS.
        account_uri: the ACME account's URL.
        is_wildcard: the certificate is for a wildcard, so the record has to say so.
        now: aware UTC datetime.

    Returns:
        None: it could not be looked up.
    """
    found = resolver.txt(name)
    if isinstance(found, NotFound | Broken):
        return False
    if not isinstance(found, Found):
        return None
    return any(_allows(text, issuer_domains, account_uri, is_wildcard, now) for text in found.records)


def _allows(text: str, issuer_domains: Collection[str], account_uri: str, is_wildcard: bool, now: datetime) -> bool:
    value = parse_issue(text)
    if value is None or value.issuer not in {domain.lower() for domain in issuer_domains}:
        return False
    if len({tag for tag, _ in value.parameters}) < len(value.parameters):
        return False  # a CA takes a record that says something twice for malformed
    parameters = dict(value.parameters)
    until = parameters.get("persistuntil")
    if until is not None and not (until.isdecimal() and len(until) < 16 and int(until) > now.timestamp()):  # noqa: PLR2004
        return False
    if is_wildcard and parameters.get("policy", "").lower() != "wildcard":
        return False
    return parameters.get("accounturi") == account_uri
