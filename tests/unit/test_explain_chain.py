"""The chain from DNS to the handshake: whatever can be wrong is found in its link, with what to do."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest

from builders import DAY, NOW, app, broken_secret, domain, facts, policy, secret
from certward.cli.explain.chain import CHAIN, stop_of, summary, walk
from certward.cli.explain.facts import CAALook, Facts, Names, PathLook, RouteLook, ServedLook
from certward.cli.findings import Unseen, Verdict, is_any_broken
from certward.model.resources import format_time
from certward.plan.checks import SecretState
from certward.probe.caa import CAAPolicy, CAARecord, judge
from certward.probe.fetch import Look, Shown
from certward.probe.pointing import Pointing, Target
from certward.probe.resolver import Broken, Found, NotFound, Unanswered

HOST = "www.example.com"
HERE, ELSEWHERE = IPv4Address("198.51.100.1"), IPv4Address("203.0.113.7")
HERE_6, ELSEWHERE_6 = IPv6Address("2001:db8::1"), IPv6Address("2001:db8::7")
TARGET = Target("edge.example.net", (HERE, HERE_6))
SET = "Set a CNAME record with the value edge.example.net."
CA = "ca.example"
UNSEEN = Unseen("you may not")
ISSUED = facts()
LINKS = [name for name, _ in CHAIN]


def condition(kind: str, status: str, reason: str = "Because", message: str = "Because of it.") -> dict[str, str]:
    since = format_time(NOW - DAY)
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since}


def status(
    state: str = "CertIssued", reason: str = "", message: str = "", *conditions: Mapping[str, str], **more: Any
) -> dict[str, Any]:
    told = {
        "state": state,
        "reason": reason,
        "message": message,
        "lastUpdated": format_time(NOW - timedelta(minutes=5)),
        "conditions": list(conditions) or [condition("PolicyEnforced", "True", "Enforced", "All of it is kept.")],
    }
    if state == "CertIssued":
        told["certificate"] = {
            "source": "Automatic",
            "secretName": "www-tls",
            "fingerprintSHA256": ISSUED.fingerprint_sha256,
            "notAfter": format_time(ISSUED.not_after),
            "renewalTime": format_time(NOW + 60 * DAY),
        }
    return told | more


RIGHT_A = Found((HERE,))
NO_AAAA: Found[IPv6Address] = Found(())
OWN = "www-tls"


def names(ipv4: Any = RIGHT_A, ipv6: Any = NO_AAAA, target: Target = TARGET) -> Names:
    return Names(Pointing(ipv4, ipv6, target), SET)


def seen(shown: Shown, words: str = "", address: Any = HERE, **look: Any) -> PathLook:
    return PathLook(str(address), 80, Look(shown, words, **look))


def caa(*records: tuple[str, str]) -> CAALook:
    found = tuple(CAARecord(0, tag, value) for tag, value in records)
    return CAALook(HOST, found, issuer_domains=(CA,), verdict=judge(found, CAAPolicy((CA,), "", "http-01", False)))


def served(**changes: Any) -> ServedLook:
    return replace(ServedLook(str(HERE), 443, leaf=ISSUED), **changes)


ROUTES = RouteLook("traefik", "Traefik", present=("Ingress a", "Ingress b"), foreign_route="makes Traefik fall back")
GOOD = Facts(
    HOST,
    NOW,
    domain=domain(status=status()),
    app=app(),
    names=names(),
    caa=CAALook(),
    path=(seen(Shown.RIGHT),),
    secret=secret(ISSUED),
    secret_name=OWN,
    routes=ROUTES,
    served=(served(),),
    app_flag=" -n team-a -a shop",
)
#: Before there is a certificate.
NEW = replace(GOOD, domain=domain(status=status("InProgress")), secret=SecretState(), served=(served(leaf=facts(9)),))


def told(state: str, reason: str, message: str = "It did not work; mend it.", **more: Any) -> Any:
    return domain(status=status(state, reason, message, **more))


OFF = app(is_automatic=False)
EXPIRED = facts(not_after=NOW - DAY)
#: name -> what is known, the link at which it stops, a part of the words, a part of what to do.
BROKEN: dict[str, tuple[Facts, str, str, str]] = {
    "no Domain": (Facts(HOST, NOW), "Domain", "No Domain has the hostname", f"domains add {HOST} -a APP"),
    "no Domain, as far as can be seen": (
        Facts(HOST, NOW, searched=" in namespace x, and you may not look into others"),
        "Domain",
        "in namespace x, and you may not look into others, so",
        "domains add",
    ),
    "taken": (replace(NEW, owner="team-b/old"), "Domain", "belongs to the older Domain team-b/old", "delete"),
    "taken, as told": (replace(NEW, domain=told("Waiting", "HostnameTaken")), "Domain", "It did not work", "delete it"),
    "not allowed": (replace(NEW, domain=told("Failed", "HostnameNotAllowed")), "Domain", "mend it.", ""),
    "reserved": (replace(NEW, domain=told("Failed", "HostnameReserved")), "Domain", "mend it.", ""),
    "Secret names collide": (replace(NEW, domain=told("Failed", "SecretNameCollides")), "Domain", "mend it.", ""),
    "not taken up": (replace(NEW, domain=domain()), "Order", "has not said anything", "certward doctor"),
    "no App": (replace(NEW, app=None), "App", "There is no App shop in namespace team-a.", "correct spec.appRef.name"),
    "no App, as told": (replace(NEW, app=UNSEEN, domain=told("Waiting", "AppNotFound")), "App", "mend it.", ""),
    "no Service": (
        replace(NEW, missing_service="shop"),
        "App",
        "Service shop, which is not there",
        "Create the Service",
    ),
    "automatic is off": (
        replace(NEW, app=OFF),
        "App",
        "Automatic certificates are off",
        "auto enable -n team-a -a shop",
    ),
    "NXDOMAIN": (replace(NEW, names=names(NotFound(), NotFound())), "DNS", "has no address in the DNS", SET),
    "no records": (replace(NEW, names=names(Found(()))), "DNS", "has no address in the DNS", SET),
    "alias of nothing": (
        replace(NEW, names=names(NotFound(("gone.example",)), NotFound(("gone.example",)))),
        "DNS",
        "is an alias of gone.example, which has no address",
        SET,
    ),
    "broken zone": (replace(NEW, names=names(Broken(), Broken())), "DNS", "fail when they are asked", "check the zone"),
    "wrong target": (replace(NEW, names=names(Found((ELSEWHERE,)))), "DNS", "points to 203.0.113.7, but it has", SET),
    "wrong target with a certificate": (replace(GOOD, names=names(Found((ELSEWHERE,)))), "DNS", "has to point", SET),
    "one address too many": (replace(NEW, names=names(Found((HERE, ELSEWHERE)))), "DNS", "to point only to", SET),
    "stray AAAA": (
        replace(NEW, names=names(ipv6=Found((ELSEWHERE_6,)))),
        "DNS",
        "an AAAA record with the value 2001:db8::7, which leads elsewhere",
        "delete the AAAA record",
    ),
    "stray AAAA by its answer": (
        replace(
            NEW,
            names=names(ipv6=Found((ELSEWHERE_6,)), target=Target()),
            path=(seen(Shown.WRONG, "answers with status 404", ELSEWHERE_6), seen(Shown.RIGHT)),
        ),
        "DNS",
        "which answers with status 404",
        "delete the AAAA record",
    ),
    "DNS, as told": (
        replace(NEW, names=names(Unanswered(), Unanswered()), domain=told("Failing", "DNSNotFound")),
        "DNS",
        "mend it.",
        "",
    ),
    "CAA forbids": (
        replace(NEW, caa=caa(("issue", "other.example"))),
        "CAA",
        "let only other.example issue",
        f'"{CA}"',
    ),
    "CAA cannot be read": (replace(NEW, caa=CAALook(failing_at=HOST)), "CAA", "fail when they are asked", "DNSSEC"),
    "CAA, as told": (
        replace(
            NEW, caa=CAALook(HOST, (CAARecord(0, "issue", "x"),), unknown="y"), domain=told("Failing", "CAAForbids")
        ),
        "CAA",
        "mend it.",
        "",
    ),
    "port 80 closed": (
        replace(NEW, path=(seen(Shown.CLOSED, "refuses connections at port 80"),)),
        "Port 80",
        "198.51.100.1, to which www.example.com points, refuses connections",
        "Have port 80 opened",
    ),
    "port 80 closed at a given address": (
        replace(
            NEW, path=(PathLook("::1", 8080, Look(Shown.CLOSED, "refuses connections at port 80"), is_given=True),)
        ),
        "Port 80",
        "[::1]:8080 refuses connections there when asked",
        "Have port 80 opened",
    ),
    "port 80 silent, 443 not": (
        replace(NEW, path=(seen(Shown.SILENT, "cannot be reached from the cluster"),)),
        "Port 80",
        "does not answer plain HTTP",
        "Have port 80 opened",
    ),
    "redirects in a circle": (
        replace(NEW, path=(seen(Shown.WRONG, "redirects without end", is_loop=True),)),
        "Port 80",
        "redirects without end",
        "without login or redirect",
    ),
    "port 80, as told": (
        replace(NEW, path=UNSEEN, domain=told("Failing", "ChallengeUnreachable")),
        "Port 80",
        "mend it.",
        "",
    ),
    "somebody else answers": (
        replace(NEW, path=(seen(Shown.WRONG, "answers with a page of its own"),)),
        "Challenge",
        "answers with a page of its own",
        "Let requests for http://www.example.com/.well-known/acme-challenge/ through",
    ),
    "somebody else's route answers": (
        replace(
            NEW,
            path=(seen(Shown.WRONG, "answers with status 404"),),
            routes=replace(ROUTES, foreign=("Ingress team-b/theirs",)),
        ),
        "Challenge",
        "Ingress team-b/theirs routes the same host",
        "remove the host there",
    ),
    "the challenge's route is missing": (
        replace(
            NEW, path=(seen(Shown.WRONG, "answers with status 404"),), routes=replace(ROUTES, missing=("Ingress c",))
        ),
        "Challenge",
        "Ingress c is not there",
        "certward doctor",
    ),
    "CDN": (
        replace(NEW, path=(seen(Shown.WRONG, "answers with status 403", cdn="Cloudflare"),)),
        "Challenge",
        "Cloudflare stands before www.example.com",
        "switch its proxy off",
    ),
    "blocked, as told": (
        replace(NEW, path=(seen(Shown.UNROUTED),), served=(), domain=told("Failing", "CDNInterferes")),
        "Challenge",
        "mend it.",
        "",
    ),
    "CA refuses": (replace(NEW, domain=told("Failed", "CARejected")), "Order", "mend it.", "auto refresh -n team-a"),
    "CA refuses, so no challenge is routed": (
        replace(NEW, domain=told("Failed", "CARejected"), path=(seen(Shown.WRONG, "answers with status 404"),)),
        "Order",
        "mend it.",
        "auto refresh",
    ),
    "CA is away": (replace(NEW, domain=told("Failing", "CAUnavailable")), "Order", "mend it.", "next attempt"),
    "validation failed": (
        replace(NEW, domain=told("Failing", "OrderInvalid", attempts={"nextAttempt": "2026-11-23T13:40:00Z"})),
        "Order",
        "mend it.",
        "at 2026-11-23T13:40:00Z; to have it made now: kubectl certward certs auto refresh",
    ),
    "rate limited": (
        replace(NEW, domain=told("Waiting", "RateLimited", attempts={"nextAttempt": "2026-11-23T13:40:00Z"})),
        "Order",
        "mend it.",
        "it goes on by itself at 2026-11-23T13:40:00Z",
    ),
    "waits for budget": (replace(NEW, domain=told("Waiting", "WaitingForBudget")), "Order", "mend it.", "by itself"),
    "mended since": (
        replace(NEW, domain=told("Failing", "DNSNotFound", "It had no address.")),
        "Order",
        "looks right from here now; the operator had found: It had no address.",
        "auto refresh",
    ),
    "under way for hours": (
        replace(
            NEW,
            domain=domain(status=status("DNSVerified", order={"issuer": "le", "createdAt": "2026-11-23T09:00:00Z"})),
        ),
        "Order",
        "The order at le has been under way for longer than usual (since 2026-11-23T09:00:00Z)",
        "certward doctor",
    ),
    "Secret missing": (
        replace(GOOD, secret=SecretState()),
        "Secret",
        "Secret www-tls in namespace team-a is not",
        "refresh",
    ),
    "Secret of somebody else": (
        replace(GOOD, secret=SecretState(exists=True, problem="x"), domain=told("Failed", "SecretInvalid")),
        "Secret",
        "is not Certward's",
        "Rename or delete it",
    ),
    "Secret with garbage": (
        replace(GOOD, secret=broken_secret("There is no certificate in PEM form.")),
        "Secret",
        "cannot be served: There is no certificate in PEM form.",
        "refresh",
    ),
    "Secret expired, as told": (
        replace(GOOD, secret=UNSEEN, domain=domain(status=status(certificate={"notAfter": "2026-11-20T00:00:00Z"}))),
        "Secret",
        "has expired (2026-11-20T00:00:00Z)",
        "refresh",
    ),
    "Secret invalid, as told": (
        replace(GOOD, secret=UNSEEN, domain=told("Failed", "SecretInvalid")),
        "Secret",
        "mend it.",
        "",
    ),
    "route missing": (
        replace(GOOD, routes=replace(ROUTES, missing=("Ingress a",))),
        "Route",
        "Ingress a is not",
        "doctor",
    ),
    "route changed": (
        replace(GOOD, routes=replace(ROUTES, changed=("Ingress a", "TLSOption b"))),
        "Route",
        "changed Ingress a and TLSOption b",
        "put back",
    ),
    "no such class": (
        replace(GOOD, routes=RouteLook("x", "", obstacle="There is no ingress class x; name another in the App.")),
        "Route",
        "no ingress class x",
        "name another",
    ),
    "not taken by the controller": (
        replace(GOOD, routes=replace(ROUTES, complaint="Envoy Gateway does not take HTTPRoute a: no.")),
        "Route",
        "does not take HTTPRoute a",
        "administrator",
    ),
    "foreign route that harms": (
        replace(GOOD, routes=replace(ROUTES, foreign=("Ingress b/c",)), served=(served(leaf=facts(7)),)),
        "Route",
        "Ingress b/c routes the same host, which makes Traefik fall back.",
        f"Remove the host {HOST} there",
    ),
    "foreign route that harms, as told": (
        replace(
            GOOD,
            routes=replace(ROUTES, foreign=("Ingress b/c",)),
            served=UNSEEN,
            domain=domain(status=status("CertIssued", "", "", condition("Served", "False", "NotServed"))),
        ),
        "Route",
        "Ingress b/c",
        "Remove the host",
    ),
    "another certificate": (
        replace(GOOD, served=(served(leaf=facts(7, hostnames=("other.example",), issuer="CN=Other")),)),
        "Handshake",
        "198.51.100.1 serves another certificate than the one declared, for other.example, by CN=Other.",
        "has not taken the route up",
    ),
    "another certificate at one address": (
        replace(GOOD, served=(served(), served(address="198.51.100.2", leaf=facts(7)))),
        "Handshake",
        "198.51.100.2 serves another certificate",
        "",
    ),
    "another certificate, Secret unseen": (
        replace(GOOD, secret=UNSEEN, served=(served(leaf=facts(7)),)),
        "Handshake",
        "another certificate",
        "",
    ),
    "expired": (replace(GOOD, served=(served(leaf=EXPIRED),)), "Handshake", "has expired (2026-11-22T12:00:00Z)", ""),
    "does not cover": (
        replace(GOOD, secret=secret(facts(hostnames=("a.b",))), served=(served(leaf=facts(hostnames=("a.b",))),)),
        "Handshake",
        "is for a.b and does not cover",
        "",
    ),
    "alert": (
        replace(GOOD, served=(served(leaf=None, failure="alert", words="the server answered with TLS alert x"),)),
        "Handshake",
        "no TLS handshake with 198.51.100.1: the server answered with TLS alert x.",
        "",
    ),
    "443 closed": (
        replace(GOOD, served=(served(leaf=None, failure="timeout", words="timed out"),)),
        "Handshake",
        "answers plain HTTP, but not at the port of HTTPS",
        "",
    ),
    "chain in disorder": (replace(GOOD, served=(served(is_chain=False),)), "Handshake", "do not belong together", ""),
    "not served, as told": (
        replace(
            GOOD,
            served=UNSEEN,
            domain=domain(status=status("CertIssued", "", "", condition("Served", "False", "NotServed", "It is not."))),
        ),
        "Handshake",
        "It is not.",
        "",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_it_stops_where_it_is_broken_and_says_what_to_do(name: str) -> None:
    given, link, words, advice = BROKEN[name]
    links = walk(given)
    stop = stop_of(links)
    assert stop is not None
    assert (stop.name, stop.finding.verdict) == (link, Verdict.BROKEN)
    assert words in stop.finding.words
    assert advice in f"{stop.finding.words} {stop.finding.advice}"
    assert [each.name for each in links] == LINKS
    at = LINKS.index(link)
    assert all(each.finding.verdict is Verdict.NOT_REACHED for each in links[at + 1 :])
    assert all(each.finding.verdict not in (Verdict.BROKEN, Verdict.NOT_REACHED) for each in links[:at])
    assert is_any_broken(each.finding for each in links)
    assert summary(HOST, links) == f"{HOST} is broken at {link}."


def as_told(*conditions: Mapping[str, str], **more: Any) -> Any:
    return domain(status=status("CertIssued", "", "", *conditions, **more))


#: name -> what is known, the link that is not simply in order, its verdict, a part of the words.
NOT_BROKEN: dict[str, tuple[Facts, str, Verdict, str]] = {
    "all is well": (GOOD, "Handshake", Verdict.OK, "198.51.100.1 serves the certificate"),
    "not trusted here": (
        replace(GOOD, served=(served(is_trusted=False),)),
        "Handshake",
        Verdict.OK,
        "This machine does not trust its issuer.",
    ),
    "passed on by a proxy": (
        replace(GOOD, names=names(Found((ELSEWHERE,))), path=(seen(Shown.RIGHT, address=ELSEWHERE),)),
        "DNS",
        Verdict.OK,
        "passes requests on",
    ),
    "target not known": (replace(GOOD, names=names(target=Target())), "DNS", Verdict.OK, "is not configured"),
    "alias of the target": (
        replace(GOOD, names=names(Found((ELSEWHERE,), ("edge.example.net",)))),
        "DNS",
        Verdict.OK,
        "as it should",
    ),
    "no resolver, operator has verified": (
        replace(GOOD, names=names(Unanswered(), Unanswered()), domain=as_told(condition("DNSVerified", "True"))),
        "DNS",
        Verdict.OK,
        "name one by --resolver",
    ),
    "no resolver, nobody knows": (
        replace(GOOD, names=names(Unanswered(), Unanswered())),
        "DNS",
        Verdict.NOT_LOOKED_AT,
        "no DNS resolver answers here",
    ),
    "CAA allows": (replace(GOOD, caa=caa(("issue", CA))), "CAA", Verdict.OK, f"let {CA} issue"),
    "CAA of a CA that is not known": (
        replace(GOOD, caa=CAALook(HOST, (CAARecord(0, "issue", "x.example"),), unknown="you may not read it")),
        "CAA",
        Verdict.NOT_LOOKED_AT,
        'issue "x.example"; whether they let the CA issue: you may not read it.',
    ),
    "CAA forbids the renewal": (
        replace(GOOD, caa=caa(("issue", "other.example"))),
        "CAA",
        Verdict.WARNING,
        "good until 2027-02-20T12:00:00Z, but cannot be renewed like this. The CAA records",
    ),
    "the challenge is blocked at the renewal": (
        replace(GOOD, path=(seen(Shown.WRONG, "answers with status 403"),)),
        "Challenge",
        Verdict.WARNING,
        "cannot be renewed like this",
    ),
    "not reached from here, but by the operator": (
        replace(
            GOOD,
            path=(seen(Shown.UNROUTED),),
            served=UNSEEN,
            domain=as_told(
                condition("DNSVerified", "True", "Validated"),
                condition("Served", "True"),
                condition("PolicyEnforced", "True"),
            ),
        ),
        "Challenge",
        Verdict.OK,
        "the operator, or the CA, got through",
    ),
    "not served from here, but to the operator": (
        replace(GOOD, served=UNSEEN, domain=as_told(condition("Served", "True"))),
        "Handshake",
        Verdict.OK,
        "the operator's handshakes show the certificate",
    ),
    "not reached from here, nor known": (
        replace(GOOD, served=(served(leaf=None, failure="unreachable"),), path=()),
        "Handshake",
        Verdict.NOT_LOOKED_AT,
        "cannot be reached from here; name an address by --https",
    ),
    "IPv6 is not reached from here": (
        replace(
            GOOD,
            names=names(ipv6=Found((HERE_6,))),
            path=(seen(Shown.UNROUTED, address=HERE_6), seen(Shown.RIGHT)),
            served=(served(address=str(HERE_6), leaf=None, failure="unreachable"), served()),
        ),
        "Handshake",
        Verdict.OK,
        "198.51.100.1 serves",
    ),
    "the renewal fails": (
        replace(GOOD, domain=domain(status=status("CertIssued", "CAUnavailable", "The CA is away."))),
        "Order",
        Verdict.WARNING,
        "but: The CA is away.",
    ),
    "the renewal is overdue": (
        replace(GOOD, domain=as_told(condition("RenewalOverdue", "True", "Overdue", "It ought to have been."))),
        "Order",
        Verdict.WARNING,
        "It ought to have been. It expires at",
    ),
    "automatic was turned off": (replace(GOOD, app=OFF), "App", Verdict.WARNING, "not renewed"),
    "a Service is missing behind a certificate": (
        replace(GOOD, missing_service="shop"),
        "App",
        Verdict.WARNING,
        "HTTPS answers 503",
    ),
    "the Secret may not be read": (
        replace(GOOD, secret=UNSEEN),
        "Secret",
        Verdict.NOT_LOOKED_AT,
        "you may not. The operator says that it holds a certificate that is good until 2027-02-20T12:00:00Z.",
    ),
    "some routes may not be read": (
        replace(GOOD, routes=replace(ROUTES, unseen="TLSOption a, for want of rights")),
        "Route",
        Verdict.OK,
        "Not looked at: TLSOption a, for want of rights.",
    ),
    "no route may be read": (replace(GOOD, routes=UNSEEN), "Route", Verdict.NOT_LOOKED_AT, "you may not"),
    "a foreign route that harms nobody": (
        replace(GOOD, routes=replace(ROUTES, foreign=("Ingress b/c", "Ingress b/d"))),
        "Route",
        Verdict.WARNING,
        "Ingress b/c and Ingress b/d route the same host",
    ),
    "the policy is not kept": (
        replace(GOOD, domain=as_told(condition("PolicyEnforced", "False", "NotServed", "It accepts TLSv1.2."))),
        "TLS policy",
        Verdict.WARNING,
        "The TLS profile is not kept: It accepts TLSv1.2.",
    ),
    "the policy is refused": (
        replace(
            GOOD,
            policies=(
                policy(status={"conditions": [condition("Accepted", "False", "ProfileRetired", "Use another.")]}),
            ),
        ),
        "TLS policy",
        Verdict.WARNING,
        "TLSPolicy modern is not in force for this App: Use another.",
    ),
    "the policy was not looked at": (
        replace(GOOD, domain=as_told(condition("PolicyEnforced", "Unknown", "NotProbed", "Not yet."))),
        "TLS policy",
        Verdict.NOT_LOOKED_AT,
        "Not yet.",
    ),
    "the challenge is blocked, but DNS-01 is there": (
        replace(
            NEW,
            secret=secret(ISSUED),
            served=GOOD.served,
            has_dns_challenges=True,
            path=(seen(Shown.WRONG, "answers with status 403"),),
        ),
        "Challenge",
        Verdict.WARNING,
        "the platform can have it done by DNS. 198.51.100.1, to which",
    ),
    "a wildcard": (
        replace(
            GOOD,
            domain=domain(hostname="*.example.com", status=status()),
            path=(seen(Shown.WRONG, "answers with status 404"),),
        ),
        "Challenge",
        Verdict.OK,
        "validated by its DNS",
    ),
    "a manual certificate": (
        replace(
            GOOD,
            app=OFF,
            secret=SecretState(exists=True, facts=ISSUED),
            path=(seen(Shown.WRONG, "answers with status 404"),),
            domain=as_told(
                certificate={"source": "Manual", "secretName": "bought", "notAfter": format_time(ISSUED.not_after)}
            ),
        ),
        "Challenge",
        Verdict.OK,
        "It is not needed",
    ),
}


@pytest.mark.parametrize("name", NOT_BROKEN)
def test_what_works_is_not_called_broken(name: str) -> None:
    given, link, verdict, words = NOT_BROKEN[name]
    links = walk(given)
    assert stop_of(links) is None
    found = next(each.finding for each in links if each.name == link)
    assert (found.verdict, words in found.words) == (verdict, True), found.words
    assert not is_any_broken(each.finding for each in links)


@pytest.mark.parametrize(
    ("given", "link"),
    [
        (replace(NEW, domain=domain(created_at=NOW - timedelta(seconds=3))), "Order"),
        (NEW, "Order"),
    ],
    ids=["created just now", "order under way"],
)
def test_what_is_on_its_way_stops_the_chain_and_is_not_broken(given: Facts, link: str) -> None:
    links = walk(given)
    stop = stop_of(links)
    assert stop is not None
    assert (stop.name, stop.finding.verdict) == (link, Verdict.WARNING)
    assert links[-1].finding.verdict is Verdict.NOT_REACHED
    assert not is_any_broken(each.finding for each in links)
    assert summary(HOST, links) == f"{HOST} is on its way, at {link}."


GIVEN = replace(seen(Shown.RIGHT), is_given=True)
NOT_YET = names(Found((ELSEWHERE,)))


def test_before_the_dns_is_changed_it_is_looked_at_the_addresses_that_are_named() -> None:
    given = replace(GOOD, names=NOT_YET, path=(GIVEN,), served=(served(is_given=True),))
    links = walk(given)
    assert [str(each.finding.verdict) for each in links] == ["ok", "ok", "broken", *["ok"] * 8]
    assert summary(HOST, links) == f"{HOST} is broken at DNS."

    without = walk(replace(NEW, names=NOT_YET, path=(GIVEN,), served=(served(is_given=True),)))
    assert [str(each.finding.verdict) for each in without] == ["ok", "ok", "broken", *["ok"] * 3, *["not reached"] * 5]

    worse = walk(replace(given, routes=replace(ROUTES, missing=("Ingress a",))))
    assert [str(each.finding.verdict) for each in worse][-3:] == ["broken", "not reached", "not reached"]


def test_the_summary_names_warnings_and_what_could_not_be_seen() -> None:
    assert summary(HOST, walk(GOOD)) == f"{HOST} works."
    limited = walk(replace(GOOD, secret=UNSEEN, routes=UNSEEN))
    assert summary(HOST, limited) == f"{HOST} works, as far as could be seen (not: Secret, Route)."
    warned = walk(replace(GOOD, missing_service="shop"))
    assert summary(HOST, warned) == f"{HOST} works, with a warning at App."


def test_what_the_operator_says_comes_with_its_time() -> None:
    links = walk(replace(NEW, domain=told("Failed", "CARejected")))
    stop = stop_of(links)
    assert stop is not None
    assert stop.finding.told.endswith("(the operator, 2026-11-23T11:55:00Z)")
    assert stop.data()["seenBy"] == "operator"
    assert stop.data()["since"] == "2026-11-23T11:55:00Z"
