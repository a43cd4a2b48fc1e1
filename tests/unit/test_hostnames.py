"""Hostnames: validity, coverage, conflicts and claims."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certward.model.hostnames import (
    HostnameRule,
    claim_allowed,
    conflicts,
    covers,
    is_valid,
    is_wildcard,
    parent,
    problem,
)

LABEL = st.from_regex(r"[a-z][a-z0-9]{0,3}", fullmatch=True)
NAME = st.lists(LABEL, min_size=2, max_size=4).map(".".join)
HOSTNAME = st.one_of(NAME, NAME.map("*.{}".format))


@pytest.mark.parametrize(
    "hostname",
    [
        "example.com",
        "www.example.com",
        "*.example.com",
        "a.b.c.d.example.co",
        "xn--bcher-kva.example",
        "1and1.com",
        "a-b.c-d.e1",
        f"{'a' * 63}.com",
        ".".join(["a" * 49] * 4 + ["b" * 53]),
    ],
)
def test_valid(hostname):
    assert problem(hostname) == ""
    assert is_valid(hostname)


@pytest.mark.parametrize(
    ("hostname", "says"),
    [
        ("", "empty"),
        ("localhost", "two labels, such as"),
        ("*.com", "two labels after `*.`"),
        ("*", "wildcard is"),
        ("*.", "without the dot"),
        ("www.*.com", "wildcard is"),
        ("w*.example.com", "wildcard is"),
        ("*.*.example.com", "wildcard is"),
        ("*example.com", "wildcard is"),
        ("WWW.example.com", "lower case: www.example.com"),
        ("www.example.com.", "without the dot"),
        (".example.com", "empty label"),
        ("a..b", "empty label"),
        ("-a.example.com", "'-a'"),
        ("a-.example.com", "'a-'"),
        ("a_b.example.com", "'a_b'"),
        (f"{'a' * 64}.com", "1 to 63"),
        (".".join(["a" * 49] * 4 + ["b" * 54]), "254 characters"),
        ("example.1com", "'1com', must begin with a letter"),
        ("192.0.2.1", "IP address"),
        ("2001:db8::1", "IP address"),
        ("[2001:db8::1]", "IP address"),
        ("bücher.example", "xn--"),
        ("a.example.com\n", "1 to 63"),
        ("https://a.example.com", "1 to 63"),
    ],
)
def test_invalid_says_what_to_write(hostname, says):
    assert says in problem(hostname)
    assert not is_valid(hostname)


@pytest.mark.parametrize(
    ("hostname", "wildcard", "above"),
    [("*.d.com", True, "d.com"), ("x.d.com", False, "d.com"), ("com", False, "")],
)
def test_wildcard_and_parent(hostname, wildcard, above):
    assert is_wildcard(hostname) is wildcard
    assert parent(hostname) == above


@pytest.mark.parametrize(
    ("san", "hostname", "result"),
    [
        ("a.d.com", "a.d.com", True),
        ("A.D.com", "a.d.com", True),
        ("*.d.com", "a.d.com", True),
        ("*.d.com", "*.d.com", True),
        ("*.d.com", "d.com", False),
        ("*.d.com", "a.b.d.com", False),
        ("*.d.com", "*.b.d.com", False),
        ("*.d.com", ".d.com", False),
        ("*.d.com", "a.xd.com", False),
        ("a.d.com", "*.d.com", False),
        ("a*.d.com", "ab.d.com", False),
        ("*.", "a", False),
        ("b.d.com", "a.d.com", False),
        ("192.0.2.1", "a.d.com", False),
    ],
)
def test_covers(san, hostname, result):
    assert covers(san, hostname) is result


@pytest.mark.parametrize(
    ("a", "b", "result"),
    [
        ("a.d.com", "a.d.com", True),
        ("*.d.com", "a.d.com", True),
        ("*.d.com", "*.d.com", True),
        ("*.d.com", "a.b.d.com", False),
        ("*.d.com", "*.b.d.com", False),
        ("*.d.com", "d.com", False),
        ("a.d.com", "b.d.com", False),
    ],
)
def test_conflicts(a, b, result):
    assert conflicts(a, b) is result
    assert conflicts(b, a) is result


RULES = [
    HostnameRule("*.d.com", ("team-a",)),
    HostnameRule("*.pay.d.com", ("team-b",)),
    HostnameRule("shop.d.com", ("team-c",)),
    HostnameRule("shop.d.com", ("team-d",)),
    HostnameRule("closed.com", ()),
]


@pytest.mark.parametrize(
    ("hostname", "namespaces"),
    [
        ("www.d.com", {"team-a"}),
        ("x.y.d.com", {"team-a"}),
        ("*.d.com", {"team-a"}),
        ("*.x.d.com", {"team-a"}),
        ("pay.d.com", {"team-a"}),
        ("*.pay.d.com", {"team-b"}),
        ("a.pay.d.com", {"team-b"}),
        ("shop.d.com", {"team-c", "team-d"}),
        ("closed.com", set()),
    ],
)
@pytest.mark.parametrize("default", ["allow", "deny"])
def test_the_most_specific_rule_decides(hostname, namespaces, default):
    everyone = {"team-a", "team-b", "team-c", "team-d", "other"}
    assert {n for n in everyone if claim_allowed(hostname, n, RULES, default)} == namespaces
    assert {n for n in everyone if claim_allowed(hostname, n, RULES[::-1], default)} == namespaces


@pytest.mark.parametrize("hostname", ["d.com", "xd.com", "other.org"])
def test_where_no_rule_matches_the_default_decides(hostname):
    assert claim_allowed(hostname, "team-a", RULES, "allow")
    assert not claim_allowed(hostname, "team-a", RULES, "deny")


@given(NAME)
def test_a_wildcard_covers_exactly_one_label(name):
    assert covers(f"*.{name}", f"a.{name}")
    assert not covers(f"*.{name}", name)
    assert not covers(f"*.{name}", f"a.b.{name}")


@given(HOSTNAME, HOSTNAME)
def test_conflicts_is_symmetric_and_follows_covers(a, b):
    assert is_valid(a)
    assert conflicts(a, b) == conflicts(b, a)
    assert conflicts(a, a)
    if covers(a, b) and a != b:
        assert is_wildcard(a)
        assert not is_wildcard(b)
        assert parent(a) == parent(b)


@given(
    HOSTNAME,
    st.lists(st.builds(HostnameRule, HOSTNAME, st.sampled_from([(), ("a",), ("a", "b")])), max_size=6),
    st.data(),
)
def test_the_order_of_rules_never_matters(hostname, rules, data):
    shuffled = data.draw(st.permutations(rules))
    for default in ("allow", "deny"):
        assert claim_allowed(hostname, "b", rules, default) == claim_allowed(hostname, "b", shuffled, default)


@given(HOSTNAME, st.lists(st.builds(HostnameRule, HOSTNAME, st.just(("a",))), max_size=6))
def test_a_rule_for_the_very_name_outranks_all_others(hostname, rules):
    rules = [r for r in rules if r.pattern != hostname]
    assert claim_allowed(hostname, "z", [*rules, HostnameRule(hostname, ("z",))], "deny")
    assert not claim_allowed(hostname, "z", [*rules, HostnameRule(hostname, ())], "allow")
