"""Whether what is there holds what is wanted."""

import pytest

from certward.kube.ensure import holds, is_managed

LIVE = {
    "metadata": {"name": "x", "labels": {"a": "1", "theirs": "2"}, "resourceVersion": "7"},
    "spec": {"hosts": ["a", "b"], "ports": [{"port": 80, "nodePort": 30000}], "empty": {}, "off": False},
}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        pytest.param({}, True, id="nothing is wanted"),
        pytest.param({"metadata": {"labels": {"a": "1"}}}, True, id="others added labels"),
        pytest.param({"metadata": {"labels": {"a": "2"}}}, False, id="a label differs"),
        pytest.param({"metadata": {"annotations": {"a": "1"}}}, False, id="a mapping is missing"),
        pytest.param({"spec": {"hosts": ["a", "b"]}}, True, id="a list is the same"),
        pytest.param({"spec": {"hosts": ["b", "a"]}}, False, id="a list has another order"),
        pytest.param({"spec": {"hosts": ["a"]}}, False, id="a list is longer"),
        pytest.param({"spec": {"hosts": ["a", "b", "c"]}}, False, id="a list is shorter"),
        pytest.param({"spec": {"hosts": "a"}}, False, id="a list instead of a text"),
        pytest.param({"spec": {"ports": [{"port": 80}]}}, True, id="the API server added to an element"),
        pytest.param({"spec": {"ports": [{"port": 81}]}}, False, id="an element differs"),
        pytest.param({"spec": {"ports": [{"port": "80"}]}}, False, id="a number is no text"),
        pytest.param({"spec": {"empty": {}}}, True, id="an empty mapping"),
        pytest.param({"spec": {"off": False}}, True, id="a false that is there"),
        pytest.param({"spec": {"gone": False}}, False, id="a false that is not there"),
        pytest.param({"spec": {"gone": None}}, True, id="nothing where there is nothing"),
        pytest.param({"spec": {"hosts": {}}}, False, id="a mapping instead of a list"),
    ],
)
def test_holds(wanted, expected):
    assert holds(LIVE, wanted) is expected


def test_everything_holds_itself():
    assert holds(LIVE, LIVE)
    assert not holds(None, LIVE)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"labels": {"app.kubernetes.io/managed-by": "certward"}}, True),
        ({"labels": {"app.kubernetes.io/managed-by": "Helm"}}, False),
        ({"labels": None}, False),
        ({}, False),
    ],
)
def test_whose_an_object_is(metadata, expected):
    assert is_managed({"metadata": metadata}) is expected
