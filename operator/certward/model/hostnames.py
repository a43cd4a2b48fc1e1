"""Hostnames: which are valid, what a certificate's name covers, who may claim one, which exclude each other.

Hostnames are compared as they stand: valid ones are in lower case and have no trailing dot.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, Literal

#: RFC 1035, 2.3.4: 255 octets on the wire, which leave 253 characters in writing.
MAX_LENGTH: Final = 253
#: A single label belongs to nobody (example) or to no public name (localhost).
MIN_LABELS: Final = 2

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class HostnameRule:
    """Which namespaces may claim which names.

    Attributes:
        pattern: one hostname, or `*.d` for every name below d (not d itself).
        namespaces: the namespaces that may claim them; none: nobody may.
    """

    pattern: str
    namespaces: tuple[str, ...]


def is_valid(hostname: str) -> bool:
    """Tell whether a hostname can be that of a Domain."""
    return not problem(hostname)


def problem(hostname: str) -> str:
    """Say in one sentence what is wrong with a hostname and what to write instead; "" when it is valid."""
    if not hostname:
        return "The hostname is empty."
    if _is_address(hostname):
        return "An IP address is not a hostname; certificates are issued for names."
    if not hostname.isascii():
        return "Write an internationalized name in its ASCII form, each such label beginning with xn--."
    if hostname != hostname.lower():
        return f"Write the hostname in lower case: {hostname.lower()}."
    if hostname.endswith("."):
        return "Write the hostname without the dot at its end."
    if len(hostname) > MAX_LENGTH:
        return f"The hostname has {len(hostname)} characters; {MAX_LENGTH} are the most."
    return _problem_of_labels(hostname)


def _problem_of_labels(hostname: str) -> str:
    name = parent(hostname) if is_wildcard(hostname) else hostname
    if "*" in name:
        return "A wildcard is `*.` at the very beginning, followed by a hostname, and nowhere else."
    labels = name.split(".")
    if "" in labels:
        return "The hostname has an empty label: a dot at its beginning or two in a row."
    for label in labels:
        if not _LABEL.fullmatch(label):
            return f"The label '{label}' must be 1 to 63 letters, digits and inner hyphens."
    if len(labels) < MIN_LABELS:
        after = " after `*.`" if is_wildcard(hostname) else ""
        return f"The hostname needs at least two labels{after}, such as www.example.com."
    if not labels[-1][0].isalpha():
        return f"The last label, '{labels[-1]}', must begin with a letter."
    return ""


def is_wildcard(hostname: str) -> bool:
    """Tell whether a name is `*.` and something."""
    return hostname.startswith("*.")


def parent(hostname: str) -> str:
    """Return the name one label up: d for `*.d` and for x.d; "" for a single label."""
    return hostname.partition(".")[2]


def covers(san: str, hostname: str) -> bool:
    """Tell whether a certificate for `san` is one for `hostname` (RFC 9525, 6.3; RFC 6125, 6.4.3).

    A wildcard stands for exactly one whole left-most label. A wildcard hostname is covered by the same
    wildcard only. Case does not matter, since certificates are written by others.
    """
    san, hostname = san.lower(), hostname.lower()
    if san == hostname:
        return True
    below = is_wildcard(san) and bool(parent(san)) and parent(san) == parent(hostname)
    return below and not is_wildcard(hostname) and bool(hostname.partition(".")[0])


def conflicts(a: str, b: str) -> bool:
    """Tell whether two hostnames can not both be owned: the same, or `*.d` and a name directly under d."""
    return covers(a, b) or covers(b, a)


def claim_allowed(
    hostname: str, namespace: str, rules: Sequence[HostnameRule], default: Literal["allow", "deny"]
) -> bool:
    """Tell whether a Domain in `namespace` may have `hostname`.

    The most specific of the rules that match decides: the name itself before `*.d`, and a longer d before a
    shorter one. Rules with the same pattern add up. The hostname `*.x.d` is a name below d and below x.d.

    Args:
        hostname: the name asked for.
        namespace: who asks.
        rules: in any order.
        default: what holds where no rule matches.
    """
    matching = [rule for rule in rules if _matches(rule.pattern, hostname)]
    if not matching:
        return default == "allow"
    decisive = max((rule.pattern for rule in matching), key=lambda p: (not is_wildcard(p), len(p)))
    return any(namespace in rule.namespaces for rule in matching if rule.pattern == decisive)


def _matches(pattern: str, hostname: str) -> bool:
    if is_wildcard(pattern):
        return hostname.endswith(pattern[1:]) and len(hostname) > len(pattern[1:])
    return pattern == hostname


def _is_address(text: str) -> bool:
    try:
        ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True
