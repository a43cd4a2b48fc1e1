"""No tenant injects anything: into annotations, snippets, names, or into what belongs to another tenant.

Two tenants of one cluster write hostile Apps, Domains and TLSPolicies. What the API server lets in is rendered by every
dialect, and every field of it is looked at. `CERTWARD_HOSTILE_CASES` sets the number of cases for each dialect.
"""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import HealthCheck, given, settings

from certward.kube.ensure import marked
from certward.model.resources import ServiceRef
from certward.render.registry import DIALECTS
from integration import test_crds
from property import sabotage
from property.admission import refusals
from property.hostile import Change
from property.tenants import STAGED, WORLDS, Told, Wish, Written, different, render_all, write
from property.violations import collisions, violations

CASES = int(os.environ.get("CERTWARD_HOSTILE_CASES", "300"))
MANY = settings(max_examples=CASES, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
FEWER = settings(MANY, max_examples=max(CASES // 5, 1))


@dataclass
class Tally:
    """How many cases there were, and what became of them.

    Attributes:
        hostile: with a value of ours that was let in.
        in_spec: with one in a spec or a name, and not only in labels and annotations.
        loaded: with one that has characters of some language.
        loaded_in_spec: with such a one in a spec.
    """

    cases: int = 0
    hostile: int = 0
    in_spec: int = 0
    loaded: int = 0
    loaded_in_spec: int = 0
    changes: Counter[str] = field(default_factory=Counter)
    hosts: Counter[str] = field(default_factory=Counter)

    def count(self, written: list[Written]) -> None:
        self.cases += 1
        taken = [change for each in written for change in each.taken]
        self.changes["taken"] += len(taken)
        self.changes["refused"] += sum(len(each.refused) for each in written)
        self.hostile += bool(taken)
        in_spec = [change for change in taken if change.at[0] == "spec" or change.at[-1] == "name"]
        self.in_spec += bool(in_spec)
        self.loaded += any(change.is_loaded for change in taken)
        self.loaded_in_spec += any(change.is_loaded for change in in_spec)

    def told(self, dialect: str, mode: str) -> None:
        """One line for whoever runs many cases by hand (pytest -s)."""
        hosts = ", ".join(f"{count} {word}" for word, count in sorted(self.hosts.items()))
        print(
            f"\n{dialect}, {mode}: {self.cases} cases; with hostile values let in {self.hostile}, in a spec or a name "
            f"{self.in_spec}; with characters of some language {self.loaded}, in a spec {self.loaded_in_spec}; "
            f"changes taken {self.changes['taken']}, refused {self.changes['refused']}; hosts: {hosts}"
        )


def examine(dialect: str, world: Sequence[Wish], tally: Tally, *, is_checked: bool) -> list[str]:
    """Whatever is wrong with what two tenants have rendered."""
    written = [write(wish, number, is_checked=is_checked) for number, wish in enumerate(world)]
    tally.count(written)
    answers = render_all(DIALECTS[dialect], world, different(world, written))
    hosts = [each for each in answers if isinstance(each, Told)]
    tally.hosts.update("rendered" if isinstance(each, Told) else each.reason for each in answers)
    found = [words for each in hosts for words in violations(each)]
    return found + (collisions(*hosts) if len(hosts) == 2 else [])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_nothing_that_the_api_server_lets_in_is_more_than_a_value(dialect: str) -> None:
    tally = Tally()

    @MANY
    @given(WORLDS)
    def check(world: Sequence[Wish]) -> None:
        assert examine(dialect, world, tally, is_checked=True) == []

    check()
    tally.told(dialect, "let in by the API server")
    assert tally.in_spec > tally.cases * 0.5, "the values are not aimed well enough"
    assert tally.loaded_in_spec > tally.cases * 0.2, "the values are not aimed well enough"
    assert tally.hosts["rendered"] > tally.cases


@pytest.mark.parametrize("dialect", DIALECTS)
def test_nothing_that_comes_past_the_schema_is_more_than_a_value(dialect: str) -> None:
    tally = Tally()

    @FEWER
    @given(WORLDS)
    def check(world: Sequence[Wish]) -> None:
        assert examine(dialect, world, tally, is_checked=False) == []

    check()
    tally.told(dialect, "past the schema")
    assert tally.hosts["InvalidSpec"] > 0, "nothing is refused that has come past the schema"


def a_host(dialect: str, *changes: Change, namespace: str = "team-a") -> Told:
    wish = Wish(namespace, changes, ("paths",), STAGED, is_manual=False, is_builtin=False)
    written = write(wish, 0)
    assert written.refused == ()
    (told,) = render_all(DIALECTS[dialect], [wish], [written])
    assert isinstance(told, Told), told
    return told


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_host_without_anything_unusual_is_found_in_order(dialect: str) -> None:
    assert violations(a_host(dialect)) == []


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("breakage", sabotage.BREAKAGES, ids=lambda made: made.__name__)
def test_a_renderer_that_is_broken_is_found_out(breakage: sabotage.Breakage, dialect: str) -> None:
    told = a_host(dialect, *sabotage.TAUNTS)
    manifests = [breakage(told.host, each) for each in told.manifests]
    assert manifests != list(told.manifests), "nothing is broken"
    remarked = [marked(sabotage.unmarked(each)) for each in manifests]
    assert violations(replace(told, manifests=remarked)) != []


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_digest_of_something_else_is_found_out(dialect: str) -> None:
    told = a_host(dialect)
    first, *others = told.manifests
    changed = {**first, "metadata": {**first["metadata"], "annotations": {"certward.dev/rendered": "0" * 16}}}
    assert violations(replace(told, manifests=[changed, *others])) != []


@pytest.mark.parametrize("dialect", DIALECTS)
def test_two_hosts_with_one_object_are_found_out(dialect: str) -> None:
    one, other = a_host(dialect), a_host(dialect, Change("Domain", ("spec", "hostname"), "other.example.com"))
    assert any("both write" in words for words in collisions(one, other))


@pytest.mark.parametrize("dialect", [name for name, dialect in DIALECTS.items() if dialect.joins_backends])
@pytest.mark.parametrize("backend", [("a-shop", 8080), ("a-certward-challenge", 8089)], ids=lambda of: of[0])
def test_two_namespaces_with_one_backend_are_found_out(backend: tuple[str, int], dialect: str) -> None:
    one, other = a_host(dialect, namespace="team"), a_host(dialect)
    reaching = replace(one.host, app=replace(one.host.app, service=ServiceRef(*backend)))
    assert any("both lead to" in words for words in collisions(replace(one, host=reaching), other))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_domain_takes_the_objects_of_a_built_in_host(dialect: str) -> None:
    """By the name that they are made of: the API server refuses it, or nothing comes of it."""
    builtin = Wish("team-a", (), ("paths",), STAGED, is_manual=False, is_builtin=True)
    first = write(builtin, 0)
    (there,) = render_all(DIALECTS[dialect], [builtin], [first])
    assert isinstance(there, Told)
    named = Change("Domain", ("metadata", "name"), there.host.domain.object_name)
    world = [builtin, builtin._replace(changes=(named,), is_builtin=False)]
    written = [first, write(world[1], 1)]
    one, other = render_all(DIALECTS[dialect], world, written)
    assert isinstance(one, Told)
    assert isinstance(other, Told)
    assert collisions(one, other) == []


def test_the_stand_in_judges_as_the_api_server_does() -> None:
    """The table is the one that tests/integration/test_crds.py holds against the real API server."""
    wrong = []
    for table in test_crds.TABLES:
        for case in table["cases"]:
            body = test_crds.manifest(table["template"], case)
            body["metadata"]["namespace"] = "team-a"
            if bool(refusals(body)) != bool(case.get("refused")):
                wrong.append(case["id"])
    assert wrong == []
