"""docs/reasons.md has an entry for each reason that the code can produce, and none besides."""

import re
from collections import Counter

import pytest
import yaml

import reasons
from certward.cli import words
from gitops import states


def test_each_reason_has_one_entry() -> None:
    assert [name for name, count in Counter(reasons.explained()).items() if count > 1] == []


def test_the_entries_are_the_reasons_of_the_code() -> None:
    found = {**reasons.words(), **reasons.certain()}
    wanted = found.keys() - reasons.OTHER_WORDS
    missing = {word: found[word] for word in wanted - set(reasons.explained())}
    assert missing == {}, "explain it in docs/reasons.md, or name it in tests/reasons.py as something else"
    assert set(reasons.explained()) - wanted == set(), "no code produces them any more"


def test_no_word_that_stands_where_reasons_stand_is_named_as_something_else() -> None:
    assert {word: place for word, place in reasons.certain().items() if word in reasons.OTHER_WORDS} == {}


def test_no_reason_is_put_together_from_parts() -> None:
    assert reasons.computed() == []


def test_the_definition_of_a_domain_names_reasons_that_are_explained() -> None:
    definition = yaml.safe_load((reasons.CHECKOUT / "crds" / "domains.yaml").read_text(encoding="utf-8"))
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]
    named = set(re.findall(r"\b[A-Z]+[a-z]+[A-Z]\w+", schema["reason"]["description"]))
    assert len(named) > 20
    assert named - {"CamelCase", "CertIssued"} <= set(reasons.explained())


def test_what_is_named_as_something_else_is_there() -> None:
    assert reasons.OTHER_WORDS - reasons.words().keys() == set(), "take it out of tests/reasons.py"


@pytest.mark.parametrize("reason", ["DNSWrongTarget", "ProfileRetired", "Served", "WaitingForBudget", "OtherClass"])
def test_reasons_are_found_wherever_they_come_from(reason: str) -> None:
    assert reason in {**reasons.words(), **reasons.certain()}


def test_every_state_in_the_table_for_gitops_has_reasons_with_an_entry() -> None:
    told = set()
    for _, _, body in states.objects():
        status = body["status"]
        told |= {status.get("reason", "")} | {each["reason"] for each in status.get("conditions", ())}
    assert told - {""} <= set(reasons.explained())


def test_each_entry_says_what_it_means() -> None:
    for entry in re.split(r"^### ", reasons.PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        assert "- **Means**: " in entry, entry.partition("\n")[0]


def test_the_plugin_names_the_entry() -> None:
    assert words.page_of("DNSWrongTarget") == "More about DNSWrongTarget: docs/reasons.md#dnswrongtarget"
    anchors = [words.page_of(reason).rpartition("#")[2] for reason in reasons.explained()]
    assert len(set(anchors)) == len(anchors)
