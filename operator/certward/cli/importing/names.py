"""Names for Apps and Domains: readable, the same each time, and with Secrets that nobody else has."""

import hashlib
from collections.abc import Callable, Iterable, Iterator

from certward.model.hostnames import is_wildcard, parent

#: App and Domain names are label values as well.
MAX_LENGTH = 63


def secrets_of(domain: str) -> tuple[str, str]:
    """The Secrets that a Domain of this name would write."""
    return f"{domain}-tls", f"{domain}-tls-next"


def candidates(hostname: str) -> Iterator[str]:
    """Names for the Domain of a hostname, the nicest first; the later ones tell similar hostnames apart."""
    text = f"wildcard.{parent(hostname)}" if is_wildcard(hostname) else hostname
    plain = text.replace(".", "-")
    if len(plain) <= MAX_LENGTH:
        yield plain
    for digits in (6, 12, 24):
        yield with_digest(plain, hostname, digits)


def with_digest(name: str, of: str, digits: int = 6) -> str:
    """A name cut to its length, with some hex digits of SHA-256 over `of` at its end."""
    digest = hashlib.sha256(of.encode()).hexdigest()[:digits]
    return f"{name[: MAX_LENGTH - digits - 1].rstrip('-.')}-{digest}"


def domain_name(hostname: str, is_free: Callable[[str], bool]) -> str:
    """The first name that is free.

    Args:
        hostname: of the Domain.
        is_free: whether a name, and the Secrets that go with it, belong to nobody else.
    """
    return next((name for name in candidates(hostname) if is_free(name)), with_digest("domain", hostname, 40))


def app_name(wanted: str, taken: Iterable[str]) -> str:
    """The wanted name, cut to its length, with a number behind it where it is taken."""
    base = wanted if len(wanted) <= MAX_LENGTH else with_digest(wanted, wanted)
    used = set(taken)
    if base not in used:
        return base
    number = 2
    while (name := f"{base[: MAX_LENGTH - 1 - len(str(number))]}-{number}") in used:
        number += 1
    return name
