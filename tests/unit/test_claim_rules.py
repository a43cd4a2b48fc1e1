"""The rules about hostnames as an object of the cluster: what it says, and when it is written."""

import logging

import pytest

from certward.config import parse
from certward.errors import Blocked, Rejected
from certward.model.hostnames import HostnameRule
from certward.runtime.claim_rules import KIND, NAME, ClaimRules, render

CONFIG = """
platformDomain: {suffix: apps.example.net}
hostnames: [{pattern: "*.shop.example.com", namespaces: [team-b, team-a]}]
hostnamesDefault: deny
"""
SAID = {"rules": {".shop.example.com": ["team-a", "team-b"]}, "default": "deny", "platform": "apps.example.net"}


class Cluster:
    """The one object, as the API server keeps it; `others` are rules that somebody has added by hand."""

    def __init__(self, error=None, others=None):
        self.live, self.error, self.others, self.writes = None, error, others or {}, 0

    def get(self, kind, namespace, name):
        assert (kind, namespace, name) == (KIND, "", NAME)
        return self.live

    def apply(self, manifest):
        if self.error:
            raise self.error
        spec = manifest["spec"]
        self.live = manifest | {"spec": spec | {"rules": spec["rules"] | self.others}}
        self.writes += 1
        return self.live


def publish(cluster, text, path):
    ClaimRules(parse(text, path), cluster).publish()


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ([], {}),
        ([HostnameRule("www.example.com", ("team-a",))], {"www.example.com": ["team-a"]}),
        ([HostnameRule("*.example.com", ("team-b", "team-a"))], {".example.com": ["team-a", "team-b"]}),
        ([HostnameRule("*.a.com", ("x",)), HostnameRule("*.a.com", ("x", "y"))], {".a.com": ["x", "y"]}),
        ([HostnameRule("www.example.com", ())], {"www.example.com": []}),
    ],
    ids=["none", "a name", "all below", "two add up", "nobody"],
)
def test_what_it_says(rules, said):
    assert render(rules, "deny", "") == {"rules": said, "default": "deny"}


def test_it_is_written_once_and_again_when_the_rules_change(tmp_path):
    cluster = Cluster()
    for _ in range(2):
        publish(cluster, CONFIG, tmp_path)
    assert cluster.live["spec"] == SAID
    assert cluster.writes == 1
    publish(cluster, "hostnamesDefault: allow", tmp_path)
    assert cluster.live["spec"] == {"rules": {}, "default": "allow"}


def test_a_cluster_without_the_policies_is_no_matter(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    publish(Cluster(error=Blocked("KindNotServed", "The API server knows no HostnameRules")), CONFIG, tmp_path)
    assert not caplog.records


def test_an_account_that_may_not_write_it_works_on(tmp_path, caplog):
    publish(Cluster(error=Rejected("Forbidden", "the account may not patch HostnameRules")), CONFIG, tmp_path)
    assert "may not patch HostnameRules" in caplog.text


def test_a_rule_that_somebody_has_added_by_hand_is_told(tmp_path, caplog):
    publish(Cluster(others={".example.com": ["team-z"]}), CONFIG, tmp_path)
    assert "somebody else has added; delete it: .example.com" in caplog.text
