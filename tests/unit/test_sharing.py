"""Copies that share equal strings."""

import json

from hypothesis import given
from hypothesis import strategies as st

from certward.model.sharing import shared

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_a_copy_is_equal(value):
    assert shared(value) == value


def test_equal_strings_of_two_bodies_are_one():
    text = json.dumps({"conditions": [{"type": "Ready", "status": "True"}]})
    one, other = shared(json.loads(text)), shared(json.loads(text))
    assert one is not other
    assert one["conditions"][0]["status"] is other["conditions"][0]["status"]
    assert next(iter(one)) is next(iter(other))


def test_nothing_of_the_body_is_kept():
    body = json.loads(json.dumps({"uid": "9c0a1b64-fa1e-4c7b-9a7d-6b6c9e7b5c11", "message": "long " * 50}))
    copied = shared(body)
    assert copied["uid"] is not body["uid"]
    assert copied["message"] is not body["message"]
