"""What has to hold of the admission policies whatever else changes in them."""

from pathlib import Path

import pytest
import yaml

from certward.kube.kinds import KINDS
from certward.kube.routes import ROUTE_KINDS
from certward.render.registry import DIALECTS

FOLDER = Path(__file__).parents[2] / "manifests" / "admission"
PARTS = ("operator", "hostnames")


def documents(part):
    return [one for path in (FOLDER / part).glob("[!k]*.yaml") for one in yaml.safe_load_all(path.read_text())]


def policies(part):
    found = [one for one in documents(part) if one["kind"] == "ValidatingAdmissionPolicy"]
    assert found
    return {one["metadata"]["name"]: one["spec"] for one in found}


def matched(spec):
    """(API group, resource), with an API version or any."""
    return {
        (group, resource)
        for rule in spec["matchConstraints"]["resourceRules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def place(kind):
    prefix, plural = KINDS[kind]
    return (prefix.split("/")[2] if prefix.startswith("/apis/") else "", plural)


WRITTEN = {kind for dialect in DIALECTS.values() for kind in dialect.kinds} | {"Service", "EndpointSlice"}


@pytest.mark.parametrize("part", PARTS)
def test_kustomizations_list_every_file(part):
    listed = yaml.safe_load((FOLDER / part / "kustomization.yaml").read_text())["resources"]
    assert sorted(listed) == sorted(path.name for path in (FOLDER / part).glob("[!k]*.yaml"))


@pytest.mark.parametrize("part", PARTS)
def test_every_policy_is_bound_and_closed(part):
    bindings = [one["spec"] for one in documents(part) if one["kind"] == "ValidatingAdmissionPolicyBinding"]
    assert {one["policyName"] for one in bindings} == set(policies(part))
    assert all(one["validationActions"] == ["Deny"] for one in bindings)
    assert {spec["failurePolicy"] for spec in policies(part).values()} == {"Fail"}


@pytest.mark.parametrize("part", PARTS)
def test_every_rule_says_what_to_do_and_that_it_is_forbidden(part):
    for spec in policies(part).values():
        for rule in spec["validations"]:
            assert len(rule["message"]) > 60
            assert rule["reason"] == "Forbidden"


def test_the_operators_account_is_confined_in_all_that_it_may_write():
    rules = yaml.safe_load_all((FOLDER.parent / "base" / "rbac.yaml").read_text())
    writable = {
        (group, resource)
        for document in rules
        if document["kind"] == "ClusterRole"
        for rule in document["rules"]
        if {"create", "patch", "delete"} & set(rule["verbs"])
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        if "/" not in resource
    }
    confined = set().union(*(matched(spec) for spec in policies("operator").values()))
    assert writable - confined == {("events.k8s.io", "events"), ("certward.dev", "hostnamerules")}
    assert {place(kind) for kind in WRITTEN} <= confined


def test_every_kind_of_route_is_looked_at_for_its_hosts():
    assert {place(kind) for kind in (*ROUTE_KINDS, "Domain")} <= matched(policies("hostnames")["certward-hostnames"])


def test_all_that_the_operator_makes_is_kept_from_others():
    assert {place(kind) for kind in (*ROUTE_KINDS, *WRITTEN)} <= matched(policies("hostnames")["certward-managed"])
