"""Thumbprints by hostname, for answerers."""

from collections.abc import Awaitable, Callable, Mapping


def by_hostname(known: Mapping[str, str]) -> Callable[[str], Awaitable[str | None]]:
    """What an answerer answers by, as `known` stands when it is asked."""

    async def thumbprint_for(hostname: str) -> str | None:
        return known.get(hostname)

    return thumbprint_for
