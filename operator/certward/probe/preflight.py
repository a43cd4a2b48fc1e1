"""What can be known of a hostname before a CA is asked, so that failures that are certain cost nothing there."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from certward.model.hostnames import is_wildcard
from certward.probe import preflight_words as words
from certward.probe.caa import judge, names_to_ask
from certward.probe.fetch import Fetcher, Look, Shown
from certward.probe.handshake import probe_name
from certward.probe.pointing import look_up, look_up_target
from certward.probe.preflight_outcome import Facts, Outcome, Preflight, Reason, RecordType
from certward.probe.public import Address
from certward.probe.resolver import Broken, Found, Unanswered
from certward.stages import stage

__all__ = ["Facts", "Outcome", "Preflight", "preflight"]

#: Of each family so many addresses are looked at; a CA takes one of them.
_LOOKS: Final = 2
#: For so long the names above a hostname are asked for their CAA records, were there a hundred of them.
_CLIMB_SECONDS: Final = 20.0
_NO_CONNECTION: Final = (Shown.SILENT, Shown.UNROUTED)
_Looks = Sequence[tuple[Address, Look]]


@stage("preflight from outside")
def preflight(hostname: str, question: Preflight, fetcher: Fetcher) -> Outcome:
    """Look at a hostname as a CA will: its addresses, its CAA records, its challenge path at those addresses.

    Takes as long as DNS and HTTP do, seconds where they are slow; see `Resolver` and `Fetcher` for the bounds.

    Args:
        hostname: a valid one; a wildcard only with dns-01.
        question: what is asked.
        fetcher: with the resolver and the rules for what may be fetched.

    Returns:
        The outcome. It raises nothing for anything that DNS or HTTP servers do.
    """
    if question.mode == "off":
        return Outcome()
    outcome = _Flight(hostname, question, fetcher).outcome()
    return replace(outcome, verdict="warning") if question.mode == "warn" and outcome.reason else outcome


class _Flight:
    """One preflight."""

    def __init__(self, hostname: str, question: Preflight, fetcher: Fetcher) -> None:
        self._hostname = hostname
        self._question = question
        self._fetcher = fetcher
        self._resolver = fetcher.resolver
        self._target = look_up_target(self._resolver, question.target)
        self._pointing = look_up(self._resolver, probe_name(hostname), self._target)
        self._is_answering = False

    def outcome(self) -> Outcome:
        needs_address = self._question.caa.method == "http-01"
        pointing = self._pointing
        if needs_address and pointing.is_nowhere:
            return self._blocked("DNSNotFound", words.not_found(self._hostname, pointing, self._setting()))
        caa = self._caa()
        if caa.verdict == "blocked" or not needs_address:
            return caa
        if not pointing.addresses:
            return self._warning(words.unanswered(self._hostname))
        path = self._challenge_path()
        return path if path.verdict != "passed" else replace(caa, facts=path.facts)

    def _caa(self) -> Outcome:
        policy = self._question.caa
        started = time.monotonic()
        for name in names_to_ask(self._hostname) if policy.issuer_domains else ():
            found = self._resolver.caa(name)
            if isinstance(found, Broken):
                return self._blocked("CAAForbids", words.caa_broken(self._hostname, name))
            if isinstance(found, Unanswered) or time.monotonic() - started > _CLIMB_SECONDS:
                return self._warning(words.unanswered(self._hostname))
            if isinstance(found, Found) and found.records:
                verdict = judge(found.records, policy)
                if verdict.is_allowed:
                    break
                at = found.aliases[-1] if found.aliases else name
                return self._blocked("CAAForbids", words.caa_forbids(self._hostname, at, verdict, policy))
        return self._passed()

    def _challenge_path(self) -> Outcome:
        """What the addresses answer; the right answer settles it, whatever the DNS looks like."""
        deadline = self._fetcher.deadline()
        ipv6 = self._look(self._pointing.ipv6_addresses, deadline)
        ipv4 = self._look(self._pointing.ipv4_addresses, deadline)
        looks = (*ipv6, *ipv4)
        self._is_answering = _any(looks, Shown.RIGHT) and not _any(looks, Shown.WRONG, Shown.CLOSED, Shown.REFUSED)
        if stray := self._stray(ipv4, ipv6):
            return stray
        is_at_target = self._pointing.is_at_target(self._pointing.addresses)
        for address, look in looks:
            if look.shown in (Shown.WRONG, Shown.CLOSED):
                return self._problem(address, look, is_wrong_target=is_at_target is False)
        others = [each for each in looks if each[1].shown is not Shown.RIGHT]
        if not others:
            return self._passed()
        if is_at_target is False and not self._passes_on(looks):
            return self._wrong_target()
        address, look = others[0]
        if not _only(ipv4, Shown.RIGHT):
            return self._warning(words.unreached(self._hostname, address, look))
        if look.shown is Shown.UNROUTED:
            return self._passed()  # no IPv6 in the cluster: nothing to complain of
        return self._warning(words.doubtful_aaaa(self._hostname, address, look))

    def _passes_on(self, looks: _Looks) -> bool:
        """Whether something other than the target has answered rightly, so that the DNS need not lead there."""
        rights = [address for address, look in looks if look.shown is Shown.RIGHT]
        is_refused = _any(looks, Shown.REFUSED)
        return not is_refused and any(self._pointing.is_at_target([address]) is False for address in rights)

    def _look(self, addresses: Sequence[Address], deadline: float) -> _Looks:
        token = secrets.token_urlsafe(32)
        expected = f"{token}.{self._question.thumbprint}".encode()
        looks: list[tuple[Address, Look]] = []
        # Those that lead elsewhere come first, since they may be the trouble.
        for address in sorted(addresses, key=lambda each: each in self._target.addresses)[:_LOOKS]:
            if looks and (time.monotonic() > deadline or looks[-1][1].shown in _NO_CONNECTION):
                break
            look = self._fetcher.look(
                address, self._hostname, token, expected, deadline=deadline, targets=self._target.networks
            )
            looks.append((address, look))
        return looks

    def _stray(self, ipv4: _Looks, ipv6: _Looks) -> Outcome | None:
        """An AAAA record that is wrong beside an A record that is right, by answer or by DNS."""
        is_at_target = self._pointing.is_at_target(self._pointing.ipv4_addresses)
        is_right = _only(ipv4, Shown.RIGHT)
        for address, look in ipv6:
            is_wrong = look.shown in (Shown.WRONG, Shown.CLOSED, Shown.REFUSED) and not look.cdn
            leads_elsewhere = look.shown is not Shown.RIGHT and self._pointing.is_at_target([address]) is False
            if (is_right and is_wrong) or (is_at_target and leads_elsewhere):
                how = "leads elsewhere" if look.shown in _NO_CONNECTION else look.words
                message = words.stray_aaaa(self._hostname, address, how, self._target)
                return self._blocked("DNSStrayAAAA", message)
        return None

    def _problem(self, address: Address, look: Look, *, is_wrong_target: bool) -> Outcome:
        if look.cdn:
            return self._blocked("CDNInterferes", words.interfering(self._hostname, look, self._target))
        if is_wrong_target:
            return self._wrong_target()
        if look.shown is Shown.CLOSED:
            return self._blocked("ChallengeUnreachable", words.unreachable(self._hostname, address, look))
        return self._blocked("ChallengeBlocked", words.blocked(self._hostname, address, look))

    def _wrong_target(self) -> Outcome:
        message = words.wrong_target(self._hostname, self._pointing, self._setting())
        return self._blocked("DNSWrongTarget", message)

    def _is_apex(self) -> bool:
        return bool(self._target.name) and not is_wildcard(self._hostname) and self._resolver.is_apex(self._hostname)

    def _setting(self) -> str:
        return words.setting(self._target, is_apex=self._is_apex())

    def _facts(self, *, is_apex: bool = False) -> Facts:
        target, pointing = self._target, self._pointing
        record_type: RecordType = ""
        values: tuple[str, ...] = ()
        if target.name:
            record_type, values = ("ALIAS" if is_apex else "CNAME"), (target.name,)
        elif target.addresses:
            record_type = "A" if target.of(4) else "AAAA"
            values = target.of(4) or target.of(6)
        return Facts(
            tuple(sorted(str(address) for address in pointing.addresses)),
            pointing.aliases,
            record_type,
            values,
            pointing.is_at_target(pointing.addresses),
            self._is_answering,
        )

    def _passed(self) -> Outcome:
        return Outcome(facts=self._facts())

    def _warning(self, message: str) -> Outcome:
        return Outcome("warning", "", message, self._facts())

    def _blocked(self, reason: Reason, message: str) -> Outcome:
        is_dns = reason in ("DNSNotFound", "DNSWrongTarget")
        return Outcome("blocked", reason, message, self._facts(is_apex=is_dns and self._is_apex()))


def _any(looks: _Looks, *shown: Shown) -> bool:
    return any(look.shown in shown for _, look in looks)


def _only(looks: _Looks, shown: Shown) -> bool:
    return bool(looks) and all(look.shown is shown for _, look in looks)
