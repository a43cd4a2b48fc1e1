"""The registered domain of a hostname, by the public suffix list that comes with the package publicsuffixlist.

As Let's Encrypt counts: with the list's private section, and a name that is itself a public suffix stands for itself.
"""

import functools

from publicsuffixlist import PublicSuffixList


def registered_domain(hostname: str) -> str:
    """The domain that somebody registered, such as example.co.uk for www.example.co.uk or *.example.co.uk."""
    name = hostname.removeprefix("*.")
    return _list().privatesuffix(name) or name


@functools.cache
def _list() -> PublicSuffixList:
    return PublicSuffixList()
