"""The operator's rights are all used: what its manifests grant is what it asks for, and nothing more.

`test_rbac.py` has it the other way round: nothing that the operator asks for is refused.
"""

from collections.abc import Callable
from copy import deepcopy

import pytest

from cluster.handle import Cluster
from cluster.operator_process import NAMESPACE, SERVICE_ACCOUNT
from integration import observer, rights
from integration.rendering import MANIFESTS, Object, helm, kustomize
from integration.rights import Right, Use
from integration.rights_world import Day

#: By these the admission policies know the operator's account; there is nothing to be done with them.
MARKS = {Right("", "certward.dev", "operators", "run"), Right("", "certward.dev", "hostnames", "override")}
OVERLAYS = sorted(path.name for path in (MANIFESTS / "overlays").iterdir())
NAMESPACES = {"other-namespace": "platform-tls"}


def base() -> list[Object]:
    return kustomize(MANIFESTS / "base")


def granted(objects: list[Object], namespace: str = NAMESPACE) -> set[Right]:
    return rights.granted(objects, SERVICE_ACCOUNT, namespace)


def in_words(found: set[Right] | set[Use]) -> list[str]:
    return sorted(map(rights.in_words, found))


@pytest.fixture(scope="module")
def used(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> set[Use]:
    """What the operator asks for on a day on which it has everything to do."""
    log, day = observer.AuditLog(cluster), Day(cluster, tmp_path_factory.mktemp("rights"))
    with day.begun():
        day.work()
        day.end()
        found = rights.used(log.of_the_operator())
    print(f"\n{len(granted(base()))} rights, {len(found)} uses")
    return found


def test_every_right_is_used(used: set[Use]) -> None:
    assert in_words(rights.unneeded(granted(base()), used)) == []


def test_everything_that_is_used_is_granted(used: set[Use]) -> None:
    assert in_words(rights.refused(granted(base()), used)) == []


def test_no_right_is_granted_everywhere_that_is_used_in_its_own_namespace_only(used: set[Use]) -> None:
    assert in_words(rights.too_wide(granted(base()), used, NAMESPACE)) == []


def operators_rules(objects: list[Object]) -> list[tuple[str, Object]]:
    """The rules of the operator's two roles, each with the kind of its role."""
    roles = (
        each for each in objects if each["kind"] in ("Role", "ClusterRole") and each["metadata"]["name"] == "certward"
    )
    return [(role["kind"], rule) for role in roles for rule in role["rules"]]


RULES = [f"{kind} {'+'.join(rule['resources'])} {'+'.join(rule['verbs'])}" for kind, rule in operators_rules(base())]


@pytest.mark.parametrize("number", range(len(RULES)), ids=RULES)
def test_a_rule_that_is_taken_away_is_missed(used: set[Use], number: int) -> None:
    objects = base()
    _, rule = operators_rules(objects)[number]
    taken = {
        (group, resource, verb)
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    rule["verbs"] = []
    missed = rights.refused(granted(objects), used)
    assert {(use.group, use.resource, use.verb) for use in missed} == taken


def rule(group: str, resource: str, *verbs: str, **further: list[str]) -> Object:
    return {"apiGroups": [group], "resources": [resource], "verbs": list(verbs), **further}


SUPERFLUOUS: dict[str, tuple[str, Object]] = {
    "a verb": ("ClusterRole", rule("certward.dev", "domains", "delete")),
    "a verb for a subresource": ("ClusterRole", rule("certward.dev", "domains/status", "update")),
    "a resource": ("ClusterRole", rule("", "pods", "get")),
    "a resource by its name": ("ClusterRole", rule("", "configmaps", "get", resourceNames=["kube-root-ca.crt"])),
    "secrets as a list": ("ClusterRole", rule("", "secrets", "list")),
    "what is granted in the whole cluster": ("Role", rule("", "secrets", "get")),
    "what is granted for all names": ("ClusterRole", rule("", "secrets", "get", resourceNames=["bought"])),
    "a verb in its own namespace": ("Role", rule("coordination.k8s.io", "leases", "patch")),
    "for all names what is granted for one": ("ClusterRole", rule("", "services", "patch")),
}


@pytest.mark.parametrize(("kind", "added"), SUPERFLUOUS.values(), ids=SUPERFLUOUS)
def test_a_rule_that_is_too_much_is_found(used: set[Use], kind: str, added: Object) -> None:
    objects = base()
    (role,) = (each for each in objects if each["kind"] == kind and each["metadata"]["name"] == "certward")
    role["rules"].append(added)
    found = rights.unneeded(granted(objects), used)
    (resource,), (verb,) = added["resources"], added["verbs"]
    assert (resource, verb) in {(right.resource, right.verb) for right in found}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_overlay_grants_the_same(overlay: str) -> None:
    namespace = NAMESPACES.get(overlay, NAMESPACE)
    found = granted(kustomize(MANIFESTS / "overlays" / overlay), namespace)
    expected = {right._replace(namespace=namespace) if right.namespace else right for right in granted(base())}
    assert found == expected | (MARKS if overlay == "admission" else set())


@pytest.mark.parametrize("is_on", [False, True], ids=["by default", "with admission policies"])
def test_the_chart_grants_the_same(is_on: bool) -> None:
    found = granted(helm({"admission": {"operator": is_on, "hostnames": is_on}}))
    assert found == granted(base()) | (MARKS if is_on else set())


BAD: dict[str, Callable[[Object], None]] = {
    "a wildcard": lambda rule: rule.update(verbs=["*"]),
    "no resource": lambda rule: rule.update(nonResourceURLs=["/metrics"]),
}


@pytest.mark.parametrize("spoil", BAD.values(), ids=BAD)
def test_a_rule_that_cannot_be_compared_is_refused(spoil: Callable[[Object], None]) -> None:
    objects = deepcopy(base())
    spoil(operators_rules(objects)[0][1])
    with pytest.raises(ValueError, match="this rule"):
        granted(objects)
