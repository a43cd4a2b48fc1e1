"""CAA records: whether a certification authority may issue for a name (RFC 8659, RFC 8657). No I/O."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from certward.model.hostnames import is_wildcard, parent

Method = Literal["http-01", "dns-01", "dns-persist-01"]
#: What stands in the way: no property names the CA; one does, but for another account or another method only; a value
#: that nobody can read; a critical property that CAs do not know.
Obstacle = Literal["", "issuer", "account", "method", "malformed", "critical"]

#: Properties that CAs know; all but the first two say nothing about certificates for servers (RFC 8659, 4.4;
#: RFC 9495; CA/Browser Forum Baseline Requirements, appendix A).
_KNOWN: Final = frozenset({"issue", "issuewild", "iodef", "issuemail", "contactemail", "contactphone"})

#: The critical flag is the highest bit (RFC 8659, 4.1.1). Let's Encrypt takes the lowest one for it as well, since
#: many who set records misread the RFC so.
_CRITICAL: Final = 0x80 | 0x01

_WSP: Final = " \t"
_LABEL: Final = r"[A-Za-z0-9](?:-*[A-Za-z0-9])*"
_DOMAIN: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_PARAMETER: Final = re.compile(rf"({_LABEL})[ \t]*=[ \t]*([\x21-\x3A\x3C-\x7E]*)")


@dataclass(frozen=True, slots=True)
class CAARecord:
    """One CAA record; the value as the octets say, each one a character."""

    flags: int
    tag: str
    value: str


@dataclass(frozen=True, slots=True)
class CAAPolicy:
    """What the CA is and what will be asked of it.

    Attributes:
        issuer_domains: the names by which CAA records know the CA: `meta.caaIdentities` of its ACME directory
            (RFC 8555, 7.1.1); none: the CA does not say that it heeds CAA, so nothing forbids.
        account_uri: the URL of the ACME account (RFC 8657, 3); empty: not known yet, so not compared.
        method: how control will be proven (RFC 8657, 4).
        is_wildcard: the certificate is for `*.` and a name.
    """

    issuer_domains: tuple[str, ...]
    account_uri: str
    method: Method
    is_wildcard: bool


@dataclass(frozen=True, slots=True)
class CAAVerdict:
    """Whether a record set lets the CA issue.

    Attributes:
        obstacle: what stands in the way; empty when nothing does.
        tag: the property that decided, `issue` or `issuewild`; with the obstacle "critical" the unknown one.
        issuers: the CAs that the record set names there, sorted.
    """

    obstacle: Obstacle = ""
    tag: str = ""
    issuers: tuple[str, ...] = ()

    @property
    def is_allowed(self) -> bool:
        """The CA may issue."""
        return not self.obstacle


@dataclass(frozen=True, slots=True)
class IssueValue:
    """The value of an `issue` or `issuewild` property (RFC 8659, 4.2).

    Attributes:
        issuer: name of the CA in lower case; empty: nobody.
        parameters: tags in lower case, with their values, in order.
    """

    issuer: str
    parameters: tuple[tuple[str, str], ...] = ()

    def all(self, tag: str) -> tuple[str, ...]:
        """The values of a parameter."""
        return tuple(value for name, value in self.parameters if name == tag)


def names_to_ask(hostname: str) -> Iterator[str]:
    """The names whose CAA records count: the first that has any decides (RFC 8659, 3).

    They are the name, without the asterisk of a wildcard, and all above it except the root. Each is to be asked for
    as resolvers do, through its aliases; from an alias the way up goes on at the name itself.
    """
    name = parent(hostname) if is_wildcard(hostname) else hostname
    while name:
        yield name
        name = parent(name)


def judge(records: Iterable[CAARecord], policy: CAAPolicy) -> CAAVerdict:
    """Tell whether a name's relevant record set lets the CA issue (RFC 8659, 4; RFC 8657).

    Args:
        records: of the first name out of `names_to_ask` that has any; none: nothing is forbidden.
        policy: the CA and what it will be asked.
    """
    properties = [(record.tag.lower(), record) for record in records]
    if not policy.issuer_domains:
        return CAAVerdict()
    for tag, record in properties:
        if record.flags & _CRITICAL and tag not in _KNOWN:
            return CAAVerdict("critical", tag)
    # `issuewild` takes the place of `issue` for wildcards, and says nothing about other names (RFC 8659, 4.3).
    tags = [tag for tag, _ in properties]
    deciding = "issuewild" if policy.is_wildcard and "issuewild" in tags else "issue"
    values = [parse_issue(record.value) for tag, record in properties if tag == deciding]
    if not values:
        return CAAVerdict()
    obstacles = [_obstacle(value, policy) for value in values]
    if "" in obstacles:
        return CAAVerdict(tag=deciding)
    issuers = tuple(sorted({value.issuer for value in values if value and value.issuer}))
    # The nearest miss is what its owner wants to hear of.
    nearest = next(each for each in _NEAREST_FIRST if each in obstacles)
    return CAAVerdict(nearest, deciding, issuers)


_NEAREST_FIRST: Final[tuple[Obstacle, ...]] = ("account", "method", "malformed", "issuer")


def parse_issue(value: str) -> IssueValue | None:
    """Read the value of an `issue` property; None when it breaks the grammar, and then it allows nobody.

    The grammar is RFC 8659's (4.2); a semicolon after the last parameter breaks it.
    """
    head, *rest = value.split(";")
    issuer = head.strip(_WSP)
    if issuer and not _DOMAIN.fullmatch(issuer):
        return None
    if len(rest) == 1 and not rest[0].strip(_WSP):
        rest = []
    found = [_PARAMETER.fullmatch(text.strip(_WSP)) for text in rest]
    parameters = tuple((match[1].lower(), match[2]) for match in found if match)
    return IssueValue(issuer.lower(), parameters) if len(parameters) == len(found) else None


def _obstacle(value: IssueValue | None, policy: CAAPolicy) -> Obstacle:
    """What keeps one property from letting the CA issue."""
    if value is None:
        return "malformed"
    if value.issuer not in {name.lower() for name in policy.issuer_domains}:
        return "issuer"
    accounts, methods = value.all("accounturi"), value.all("validationmethods")
    # More than one is a property that cannot be met (RFC 8657, 3).
    if len(accounts) > 1 or (accounts and policy.account_uri and accounts[0] != policy.account_uri):
        return "account"
    if len(methods) > 1 or (methods and policy.method not in methods[0].split(",")):
        return "method"
    return ""
