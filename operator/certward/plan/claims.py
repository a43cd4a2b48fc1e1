"""What an order has to keep to at its CA: which limits, for whom, which of them a renewal is exempt from."""

import base64
import hashlib
import re
from collections.abc import Callable
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from certward.plan.turns import OrderRequest
from certward.plan.windows import Limit, Subject

ACCOUNT: Final = Subject(Limit.ORDERS)
_OF_NAMES = re.compile(r"already issued for this exact set")
_OF_DOMAIN = re.compile(r"already issued for \"?([a-z0-9.-]+)")
_OF_HOSTNAME = re.compile(r"failed authorizations")


class Exemptions(NamedTuple):
    """What a CA does not count: plain renewals of the same names, and renewals with ARI's `replaces`."""

    renewals: bool = False
    replaces: bool = False


class Claims(NamedTuple):
    """What an order has to keep to, what it uses, and every subject that it concerns."""

    checked: tuple[Subject, ...]
    counted: tuple[Subject, ...]
    concerned: tuple[Subject, ...]


def exemptions_of(directory: str) -> Exemptions:
    """What the CA with this directory exempts; only for Let's Encrypt is that known.

    There a renewal of the same names counts neither as an order nor for its registered domain, but as a duplicate, and
    its failures count; one with `replaces` has to keep no limit, but is counted as a duplicate for later ones
    (https://letsencrypt.org/docs/rate-limits/ and Boulder's ratelimits/transaction.go).
    """
    host = urlsplit(directory).hostname or ""
    is_known = host == "letsencrypt.org" or host.endswith(".letsencrypt.org")
    return Exemptions(renewals=is_known, replaces=is_known)


def claims_of(request: OrderRequest, registered: Callable[[str], str], exempt: Exemptions) -> Claims:
    """What an order has to keep to and uses."""
    names = sorted(set(request.hostnames))
    domains = tuple(Subject(Limit.CERTIFICATES, each) for each in sorted({registered(name) for name in names}))
    failures = tuple(Subject(Limit.FAILURES, name.removeprefix("*.")) for name in names)
    digest = base64.urlsafe_b64encode(hashlib.sha256(",".join(names).encode()).digest()[:9]).decode()
    duplicates = (Subject(Limit.DUPLICATES, digest),)
    is_new = not (request.renews and exempt.renewals) and not (request.replaces and exempt.replaces)
    counted = (ACCOUNT, *domains, *duplicates) if is_new else duplicates
    checked = () if request.replaces and exempt.replaces else (*failures, *counted)
    return Claims(checked, counted, (ACCOUNT, *domains, *duplicates, *failures))


def scopes(message: str, claims: Claims | None) -> tuple[Subject, ...]:
    """What a refusal is about, by the words of Boulder, the software of Let's Encrypt; otherwise the whole account."""
    if claims is None:
        return (ACCOUNT,)
    of: dict[Limit, tuple[Subject, ...]] = {}
    for subject in claims.concerned:
        of[subject.limit] = (*of.get(subject.limit, ()), subject)
    if _OF_NAMES.search(message):
        return of[Limit.DUPLICATES]
    if _OF_HOSTNAME.search(message):
        return (*of[Limit.FAILURES], *of[Limit.DUPLICATES])
    if named := _OF_DOMAIN.search(message):
        domains = tuple(each for each in of[Limit.CERTIFICATES] if each.name == named[1])
        # A name that is not known here says nothing about others, so the refused one waits by itself.
        return (*domains, *of[Limit.DUPLICATES])
    return (ACCOUNT,)
