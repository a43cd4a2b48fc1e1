"""What `doctor` says of each part of an installation, and that it asks for the rights that the manifests grant."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from builders import DAY, NOW, app, domain
from certward.acme.directory import DirectoryLook
from certward.cli.doctor import of_ingress, of_operator, of_outside
from certward.cli.doctor.rights import NEEDS, Need, in_words
from certward.cli.findings import Finding, Unseen, Verdict
from certward.cli.seeing import without_files
from certward.model.policy import DefaultChange, Rules
from certward.model.resources import App, format_time
from certward.names import ANNOTATION_DEFAULT_REVISION
from certward.render.registry import DIALECTS

UNSEEN = Unseen("you may not")
CRDS = ("apps.certward.dev", "domains.certward.dev", "tlspolicies.certward.dev")
RBAC = Path(__file__).parents[2] / "manifests" / "base" / "rbac.yaml"


def crd(*, version: str = "v1alpha1", is_served: bool = True, established: str = "True") -> dict[str, Any]:
    return {
        "spec": {"versions": [{"name": version, "served": is_served}]},
        "status": {"conditions": [{"type": "Established", "status": established}]},
    }


def crds(**changes: Any) -> dict[str, Any]:
    return {name: crd() for name in CRDS} | {f"{plural}.certward.dev": body for plural, body in changes.items()}


def lease(seconds: float, holder: str = "certward-0") -> dict[str, Any]:
    return {
        "spec": {
            "holderIdentity": holder,
            "acquireTime": "2026-11-22T12:00:00.000000Z",
            "renewTime": (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "leaseDurationSeconds": 15,
        }
    }


def deployment(ready: int, wanted: int = 2) -> dict[str, Any]:
    return {"spec": {"replicas": wanted}, "status": {"readyReplicas": ready}}


def pod(**container: Any) -> dict[str, Any]:
    return {"metadata": {"name": "certward-x"}, "status": {"containerStatuses": [container]}}


def option(namespace: str = "traefik", name: str = "default", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": namespace, "name": name}, "spec": spec}


def at(name: str, state: str, **status: Any) -> Any:
    return domain(name, status={"state": state, **status})


def pinned(revision: str, name: str = "shop", *, age: int = 1) -> App:
    """An App of so many days that is pinned to a revision."""
    of = {"annotations": {ANNOTATION_DEFAULT_REVISION: revision}, "created_at": NOW - age * DAY}
    return app(name, of=of)


#: The default was 2018-06 until 100 days ago.
HISTORY = (DefaultChange(NOW - 1000 * DAY, "2018-06"), DefaultChange(NOW - 100 * DAY, "2026-11"))
RULES = Rules("2026-11", HISTORY)
WAITS = pod(state={"waiting": {"reason": "CrashLoopBackOff"}})
RESTARTED = pod(restartCount=4, state={"running": {}}, lastState={"terminated": {"exitCode": 137}})
OVERDUE = {"conditions": [{"type": "RenewalOverdue", "status": "True"}]}
STRICT = {"minVersion": "VersionTLS12", "sniStrict": True}
YES, WARNS, BREAKS, BLIND = Verdict.OK, Verdict.WARNING, Verdict.BROKEN, Verdict.NOT_LOOKED_AT
op, ing, out = of_operator, of_ingress, of_outside
#: name -> what was said, the verdict, a part of the words, a part of what to do.
CASES: dict[str, tuple[Finding, Verdict, str, str]] = {
    "definitions": (op.definitions(crds(), ["apps"]), YES, "are established and serve v1alpha1", ""),
    "a definition is missing": (
        op.definitions(crds(apps=None), []),
        BREAKS,
        "apps.certward.dev is not there.",
        "-k crds",
    ),
    "a definition is not established": (
        op.definitions(crds(apps=crd(established="False"), domains=crd(established="False")), []),
        BREAKS,
        "apps.certward.dev and domains.certward.dev are not established",
        "-k crds",
    ),
    "another version": (
        op.definitions(crds(apps=crd(version="v1")), []),
        BREAKS,
        "apps.certward.dev does not serve v1alpha1",
        "of the same release as this plugin",
    ),
    "a version that is no longer served": (
        op.definitions(crds(apps=crd(is_served=False)), []),
        BREAKS,
        "does not serve v1alpha1",
        "",
    ),
    "definitions unseen": (op.definitions(UNSEEN, ["domains", "apps"]), YES, "is served: apps, domains.", ""),
    "definitions unseen and not served": (
        op.definitions(UNSEEN, None),
        BREAKS,
        "does not serve certward.dev",
        "-k crds",
    ),
    "rights": (op.rights([], "x/y"), YES, "x/y has every right", ""),
    "rights missing": (op.rights(["patch apps", "get x"], "x/y"), BREAKS, "may not patch apps and get x.", "manifests"),
    "rights unseen": (op.rights(UNSEEN, "x/y"), BLIND, "The rights of x/y: you may not.", ""),
    "lease": (op.lease(lease(3), NOW), YES, "certward-0 works since 2026-11-22T12:00:00Z; it renewed", ""),
    "lease from a clock ahead": (op.lease(lease(-3), NOW), YES, "less than a minute ago", ""),
    "lease not renewed": (op.lease(lease(600), NOW), BREAKS, "has not renewed it for 10 minutes", "logs"),
    "lease given up": (op.lease(lease(3, ""), NOW), BREAKS, "Nobody holds the Lease", "logs"),
    "no lease": (op.lease(None, NOW), BREAKS, "Nobody holds the Lease", "logs"),
    "one lease of one": (op.leases({0: lease(3)}, NOW), YES, "certward-0 works since", ""),
    "leases": (
        op.leases({0: lease(3), 1: lease(2, "certward-1"), 2: lease(1)}, NOW),
        YES,
        "certward-0 works on shards 0 and 2 and certward-1 works on shard 1, of 3.",
        "",
    ),
    "a lease of several not renewed": (
        op.leases({0: lease(3), 1: lease(600)}, NOW),
        BREAKS,
        "Nobody works on shard 1 of 2. certward-0 held the Lease since 2026-11-22T12:00:00Z, but has not renewed it",
        "logs",
    ),
    "a lease of several not there": (op.leases({0: lease(3), 1: None}, NOW), BREAKS, "Nobody works on shard 1", "logs"),
    "leases unseen": (op.leases(UNSEEN, NOW), BLIND, "you may not", ""),
    "lease unseen": (op.lease(UNSEEN, NOW), BLIND, "you may not", ""),
    "deployment": (op.deployment(deployment(2), [], "sys"), YES, "2 of 2 replicas are ready.", ""),
    "half a deployment": (op.deployment(deployment(1), [WAITS], "sys"), WARNS, "CrashLoopBackOff", "-n sys describe"),
    "no pod is ready": (op.deployment(deployment(0), UNSEEN, "sys"), BREAKS, "0 of 2", "-n sys logs"),
    "scaled down": (op.deployment(deployment(0, 0), [], "sys"), BREAKS, "scaled to 0", "--replicas=1"),
    "restarted": (
        op.deployment(deployment(2), [RESTARTED], "sys"),
        WARNS,
        "restarted 4 times, the last time with status 137",
        "",
    ),
    "no deployment": (
        op.deployment(None, [], "sys"),
        WARNS,
        "no Deployment certward in namespace sys",
        "--operator-namespace",
    ),
    "deployment unseen": (op.deployment(UNSEEN, UNSEEN, "sys"), BLIND, "you may not", ""),
    "configuration": (op.configuration("a", "", NOW, NOW + DAY), YES, "holds no mistake", ""),
    "configuration with mistakes": (
        op.configuration("a", "x: is\ny: too", None, None),
        BREAKS,
        "x: is; y: too",
        "docs",
    ),
    "configuration changed since": (
        op.configuration("a", "", NOW, NOW - DAY),
        WARNS,
        "changed at 2026-11-23T12",
        "rollout restart",
    ),
    "configuration with a danger": (
        op.configuration("a", "", NOW, NOW + DAY, ("Anybody may.",)),
        WARNS,
        "Anybody may.",
        "hostnames",
    ),
    "a floor": (
        op.floor(Rules("2026-11", HISTORY, "TLSv1.2"), [pinned("2018-06")], "here"),
        YES,
        "beneath TLSv1.2",
        "",
    ),
    "no floor": (op.floor(RULES, [app(), pinned("2026-11")], "here"), YES, "No tls.floor is set; no App here is", ""),
    "no floor and an old App with its own default": (
        op.floor(RULES, [pinned("2018-06", age=800)], "here"),
        YES,
        "",
        "",
    ),
    "no floor and Apps pinned back": (
        op.floor(RULES, [pinned("2018-06"), pinned("2017-09", "blog", age=800), pinned("x", "typo")], "here"),
        WARNS,
        "No tls.floor is set, and team-a/blog and team-a/shop are pinned to an older TLS revision",
        "tls upgrade",
    ),
    "floor unseen": (op.floor(UNSEEN, [], "here"), BLIND, "you may not", ""),
    "configuration unseen": (op.configuration(UNSEEN, "", None, None), BLIND, "you may not", ""),
    "Traefik": (
        ing.engine("t", DIALECTS["traefik"].capabilities, is_used=True),
        YES,
        "(Traefik) can be told, for each host: protocol versions, suites up to TLS 1.2, groups, HSTS, redirects,",
        "",
    ),
    "an engine that can do nothing": (
        ing.engine("g", DIALECTS["generic"].capabilities, is_used=True),
        WARNS,
        "for each host: nothing; not: protocol versions",
        "what it is configured with for all hosts",
    ),
    "an engine that can do nothing, unused": (
        ing.engine("g", DIALECTS["generic"].capabilities, is_used=False),
        YES,
        "nothing",
        "",
    ),
    "default class": (ing.default_class("traefik", {"traefik"}), YES, "are routed by traefik", ""),
    "no such default class": (ing.default_class("x", {"b", "a"}), BREAKS, "no such IngressClass", "one of: a, b."),
    "default class unseen": (ing.default_class(UNSEEN, {"a"}), BLIND, "you may not", ""),
    "strict default": (ing.strict_default([option(**STRICT)], []), YES, "begins at TLS12 and refuses names", ""),
    "a lax default": (
        ing.strict_default([option(minVersion="VersionTLS10")], []),
        WARNS,
        "admits TLS10",
        "VersionTLS12",
    ),
    "no default": (ing.strict_default([option(name="other")], []), WARNS, "has no strict default", "sniStrict: true"),
    "two defaults": (
        ing.strict_default([option("a", **STRICT), option("b", **STRICT)], []),
        WARNS,
        "namespaces a and b; Traefik then takes none",
        "Apply one",
    ),
    "a default certificate": (
        ing.strict_default([option()], [option("traefik")]),
        YES,
        "serves unknown names with the certificate of its TLSStore",
        "",
    ),
    "default unseen": (ing.strict_default(UNSEEN, UNSEEN), BLIND, "you may not", ""),
    "CA": (out.directory("le", DirectoryLook()), YES, "Issuer le answers, from here.", ""),
    "CA away": (
        out.directory("le", DirectoryLook("does not answer")),
        WARNS,
        "le does not answer, from here.",
        "CAUnavailable",
    ),
    "CA unseen": (out.directory("le", UNSEEN), BLIND, "you may not", ""),
    "clock": (out.clock("It", NOW, NOW + timedelta(seconds=1)), YES, "agrees", ""),
    "clock a little off": (out.clock("it", NOW - timedelta(seconds=20), NOW), YES, "is behind this machine's", ""),
    "clock off": (
        out.clock("it", NOW + timedelta(minutes=3), NOW),
        WARNS,
        "is ahead of this machine's by 3 minutes.",
        "NTP",
    ),
    "clock far off": (out.clock("it", NOW - timedelta(hours=3), NOW), WARNS, "may not be valid yet", "NTP"),
    "no clock": (out.clock("It", None, NOW), BLIND, "tells no time", ""),
    "your rights": (out.user_roles([], {"read": True, "write": False}, "n"), YES, "you may read; not write.", ""),
    "no rights": (out.user_roles(UNSEEN, {"read": False}, "n"), YES, "you may nothing of Certward; not read.", ""),
    "roles missing": (
        out.user_roles(["certward-view"], {"a": True}, "n"),
        WARNS,
        "certward-view is not there",
        "user-roles",
    ),
    "no domains": (out.domains([], "here"), YES, "There are no Domains here.", ""),
    "domains": (
        out.domains([at("a", "CertIssued"), domain("b")], "here"),
        YES,
        "2 Domains here: 1 CertIssued, 1 not taken up.",
        "",
    ),
    "domains in trouble": (
        out.domains([at("b", "Failed"), at("a", "Failing"), at("c", "CertIssued")], "here"),
        WARNS,
        "3 Domains here: 1 CertIssued, 1 Failed, 1 Failing. In trouble: team-a/a and team-a/b.",
        "explain team-a/a",
    ),
    "no renewal overdue": (out.overdue([at("a", "CertIssued")], NOW), YES, "No renewal is overdue.", ""),
    "overdue": (
        out.overdue([at("a", "CertIssued", **OVERDUE)], NOW),
        WARNS,
        "team-a/a ought to have been",
        "explain team-a/a",
    ),
    "expired": (
        out.overdue([at("a", "CertIssued", certificate={"notAfter": format_time(NOW)})], NOW),
        BREAKS,
        "The certificate of team-a/a has expired.",
        "explain team-a/a",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_part_is_judged_in_words(name: str) -> None:
    found, verdict, words, advice = CASES[name]
    assert (found.verdict, words in found.words, advice in found.advice) == (verdict, True, True), found
    assert bool(found.advice) >= (verdict is BREAKS)


def granted() -> Mapping[tuple[bool, str, str, str], set[str]]:
    """(own namespace only, group, resource, name) -> verbs, as the manifests of the operator's account have them."""
    found: dict[tuple[bool, str, str, str], set[str]] = {}
    for document in yaml.safe_load_all(RBAC.read_text()):
        for rule in document.get("rules") or () if document["kind"] in ("Role", "ClusterRole") else ():
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    for name in rule.get("resourceNames") or [""]:
                        key = (document["kind"] == "Role", group, resource, name)
                        found.setdefault(key, set()).update(rule["verbs"])
    return found


def test_the_rights_that_are_asked_for_are_those_that_the_manifests_grant() -> None:
    asked: dict[tuple[bool, str, str, str], set[str]] = {}
    for need in NEEDS:
        for resource in need.resources:
            asked.setdefault((need.is_own, need.group, resource, need.name), set()).update(need.verbs)
    assert asked == granted()


def test_a_right_in_words() -> None:
    need = Need("certward.dev", ("domains/status",), ("patch",))
    assert in_words("patch", need.resources[0], need.group) == "patch domains.certward.dev/status"
    assert in_words("get", "secrets", "") == "get secrets"


def test_roots_in_files_of_the_pod_are_left_out_and_nothing_else() -> None:
    pem = "-----BEGIN CERTIFICATE-----\nx\n"
    text = yaml.safe_dump({"issuers": [{"name": "a", "caBundle": "/etc/ca.pem"}, {"name": "b", "caBundle": pem}]})
    assert yaml.safe_load(without_files(text)) == {"issuers": [{"name": "a"}, {"name": "b", "caBundle": pem}]}
    for other in ("a: b\n", "issuers: x\n", "- a\n"):
        assert yaml.safe_load(without_files(other)) == yaml.safe_load(other)
    assert without_files("[") == "["
