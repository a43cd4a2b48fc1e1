"""CAA records: the examples of RFC 8659 and RFC 8657, and what else people write."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certward.probe.caa import CAAPolicy, CAARecord, IssueValue, judge, names_to_ask, parse_issue

ACCOUNT = "https://ca.example/acct/7"


def policy(*domains, account=ACCOUNT, method="http-01", wildcard=False):
    return CAAPolicy(domains or ("ca1.example.net",), account, method, wildcard)


def issue(*values, tag="issue", flags=0):
    return [CAARecord(flags, tag, value) for value in values]


def wild(*values):
    return issue(*values, tag="issuewild")


@pytest.mark.parametrize(
    ("hostname", "names"),
    [
        ("x.y.z", ["x.y.z", "y.z", "z"]),
        ("*.y.z", ["y.z", "z"]),
        ("example", ["example"]),
    ],
)
def test_the_tree_is_climbed_to_below_the_root(hostname, names):
    assert list(names_to_ask(hostname)) == names


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        ("ca1.example.net", IssueValue("ca1.example.net")),
        (" \tCA1.Example.Net ", IssueValue("ca1.example.net")),
        (";", IssueValue("")),
        ("", IssueValue("")),
        ("ca1.example.net;", IssueValue("ca1.example.net")),
        ("ca1.example.net; account=230123", IssueValue("ca1.example.net", (("account", "230123"),))),
        ("ca1.example.net ; Policy = ev ;a=", IssueValue("ca1.example.net", (("policy", "ev"), ("a", "")))),
        ("; a=b=c", IssueValue("", (("a", "b=c"),))),
        ("a--b.example", IssueValue("a--b.example")),
        ("%%%%%", None),
        ("ca1.example.net; account", None),
        ("ca1.example.net; a=b;", None),
        ("ca1.example.net; a=b c", None),
        ("ca1.example.net account=1", None),
        ("-ca.example", None),
        ("ca..example", None),
        ("ca.example.", None),
        ("cä.example", None),
        (";;", None),
        ("ca.example; a-=1", None),
    ],
)
def test_values_follow_the_grammar(value, parsed):
    assert parse_issue(value) == parsed


@given(st.text())
def test_no_value_is_too_odd(value):
    parse_issue(value)


@given(st.text(alphabet="ca-.;= \t%" + string.digits, max_size=40))
def test_a_value_that_is_read_can_be_written_and_read_again(value):
    parsed = parse_issue(value)
    if parsed:
        written = "; ".join([parsed.issuer, *(f"{tag}={text}" for tag, text in parsed.parameters)])
        assert parse_issue(written) == parsed


@pytest.mark.parametrize(
    ("records", "asked", "obstacle"),
    [
        pytest.param([], policy(), "", id="no records"),
        pytest.param(issue("ca1.example.net"), policy(), "", id="named"),
        pytest.param(issue("CA1.EXAMPLE.NET"), policy(), "", id="case does not matter"),
        pytest.param(issue("ca1.example.net", tag="ISSUE"), policy(), "", id="nor in the tag"),
        pytest.param(issue("other.example", "ca1.example.net"), policy(), "", id="named beside another"),
        pytest.param(issue("second.example"), policy("first.example", "second.example"), "", id="any of its names"),
        pytest.param(issue("other.example"), policy(), "issuer", id="another one named"),
        pytest.param(issue("sub.ca1.example.net"), policy(), "issuer", id="a name below is another"),
        pytest.param(issue(";"), policy(), "issuer", id="nobody"),
        pytest.param(issue("%%%%%"), policy(), "malformed", id="RFC 8659, 4.2: malformed is nobody"),
        pytest.param(issue("%%%%%", "ca1.example.net"), policy(), "", id="malformed beside a good one"),
        pytest.param(issue(";", "ca1.example.net"), policy(), "", id="nobody beside a good one"),
        pytest.param(issue("mailto:a@b", tag="iodef"), policy(), "", id="iodef alone forbids nothing"),
        pytest.param(issue("x", tag="tbs"), policy(), "", id="unknown, not critical"),
        pytest.param(issue("ca1.example.net") + issue("x", tag="tbs", flags=128), policy(), "critical", id="critical"),
        pytest.param(issue("x", tag="tbs", flags=1), policy(), "critical", id="critical by the usual mistake"),
        pytest.param(issue("x", tag="tbs", flags=64), policy(), "", id="other flags are ignored"),
        pytest.param(issue("ca1.example.net", flags=128), policy(), "", id="critical, but known"),
        pytest.param(issue(";", tag="issuemail", flags=128), policy(), "", id="about mail"),
        pytest.param(wild("ca1.example.net"), policy(), "", id="issuewild alone forbids no plain name"),
        pytest.param(wild(";"), policy(), "", id="even when it lets nobody"),
        pytest.param(wild(";"), policy(wildcard=True), "issuer", id="but wildcards it does"),
        pytest.param(issue("ca1.example.net"), policy(wildcard=True), "", id="issue holds for wildcards"),
        pytest.param(issue("ca1.example.net") + wild(";"), policy(wildcard=True), "issuer", id="issuewild outranks it"),
        pytest.param(issue("ca1.example.net") + wild(";"), policy(), "", id="for wildcards only"),
        pytest.param(issue(";") + wild("ca1.example.net"), policy(wildcard=True), "", id="the other way round too"),
        pytest.param(issue(f"ca1.example.net; accounturi={ACCOUNT}"), policy(), "", id="our account"),
        pytest.param(issue(f"ca1.example.net; accounturi={ACCOUNT}0"), policy(), "account", id="another account"),
        pytest.param(issue("ca1.example.net; accounturi=x"), policy(account=""), "", id="ours is not known yet"),
        pytest.param(
            issue(f"ca1.example.net; accounturi={ACCOUNT}; accounturi={ACCOUNT}"), policy(), "account", id="twice"
        ),
        pytest.param(issue("ca1.example.net; validationmethods=dns-01"), policy(), "method", id="another method"),
        pytest.param(issue("ca1.example.net; validationmethods=dns-01,http-01"), policy(), "", id="our method"),
        pytest.param(issue("ca1.example.net; validationmethods="), policy(), "method", id="no method"),
        pytest.param(
            issue("ca1.example.net; validationmethods=dns-01"), policy(method="dns-01"), "", id="our method, DNS"
        ),
        pytest.param(
            issue("ca1.example.net; validationmethods=dns-01", "ca1.example.net; accounturi=" + ACCOUNT),
            policy(),
            "",
            id="one property is enough",
        ),
        pytest.param(issue("ca1.example.net; unknown=1"), policy(), "", id="parameters of others do not matter"),
        pytest.param(issue("other.example", "ca1.example.net; accounturi=x"), policy(), "account", id="nearest miss"),
    ],
)
def test_judge(records, asked, obstacle):
    verdict = judge(records, asked)
    assert (verdict.obstacle, verdict.is_allowed) == (obstacle, not obstacle)


def test_a_ca_without_a_name_heeds_no_caa():
    nameless = CAAPolicy((), ACCOUNT, "http-01", is_wildcard=False)
    assert judge(issue(";") + issue("x", tag="tbs", flags=128), nameless).is_allowed


def test_the_verdict_tells_who_may():
    verdict = judge(issue("b.example", ";", "a.example", "b.example; x=y"), policy())
    assert (verdict.tag, verdict.issuers) == ("issue", ("a.example", "b.example"))


@given(st.lists(st.builds(CAARecord, st.integers(0, 255), st.text(max_size=12), st.text(max_size=30))), st.booleans())
def test_the_order_of_records_does_not_matter(records, wildcard):
    asked = policy(wildcard=wildcard)
    assert judge(records, asked).is_allowed == judge(records[::-1], asked).is_allowed
