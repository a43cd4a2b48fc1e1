"""The looks at accounts: trouble with one is no trouble of another's. tests/integration has them at a real CA."""

import base64
from pathlib import Path
from types import SimpleNamespace

from certward.acme.problems import Problem, ProblemReply
from certward.config import parse
from certward.errors import Rejected, Transient
from certward.model import keys
from certward.runtime import gate
from certward.runtime.account_care import AccountCare
from certward.runtime.issuers import SEEN_BY_ALL, Issuers

CONFIG = parse(
    """
issuers:
- {name: first, directory: "https://first.ca.example/dir"}
- {name: second, directory: "https://second.ca.example/dir"}
""",
    Path(),
)
META = {"name": "certward-account-second", "uid": "1", "resourceVersion": "1"}
SECOND = {"metadata": META, "data": {"tls.key": base64.b64encode(keys.generate_key("ECDSA-P256")).decode()}}


class Halting:
    """An API server that has the second account, and no answer about the first."""

    def get(self, _kind, _namespace, name):
        if name == "certward-account-first":
            raise Transient("APIServerUnavailable", "it does not answer")
        return SECOND


def test_trouble_with_one_account_holds_up_no_other():
    issuers = Issuers(CONFIG, Halting(), namespace="certward-system")
    issuers.gate("second").close()  # as a change of key that was called off leaves it
    AccountCare(CONFIG, issuers, may_work=lambda: True).look()
    with issuers.using("second") as is_free:
        assert is_free


class Kept:
    """An API server that has the second account, as it stands now."""

    def __init__(self):
        self.secret = SECOND

    def get(self, _kind, _namespace, name):
        return self.secret if name == "certward-account-second" else None


def with_keys(**pems):
    version = {"resourceVersion": str(hash(tuple(pems.values())))}
    data = {name: base64.b64encode(pem).decode() for name, pem in pems.items()}
    return {"metadata": META | version, "data": data}


def test_who_does_not_care_for_an_account_lets_it_rest_until_all_replicas_can_have_seen_its_new_key(monkeypatch):
    now = SimpleNamespace(value=1000.0)
    monkeypatch.setattr(gate, "time", SimpleNamespace(monotonic=lambda: now.value))
    server = Kept()
    issuers = Issuers(CONFIG, server, namespace="certward-system")
    old, new = keys.generate_key("ECDSA-P256"), keys.generate_key("ECDSA-P256")

    def is_used():
        changed = issuers.look_again(is_follower=True)
        with issuers.using("second") as is_free:
            return is_free, changed

    server.secret = with_keys(**{"tls.key": old})
    before = issuers.thumbprint("second")
    assert is_used() == (True, set())
    server.secret = with_keys(**{"tls.key": old, "next.key": new})
    assert is_used() == (False, set())
    server.secret = with_keys(**{"tls.key": new})
    assert is_used() == (False, {"second"})
    now.value += SEEN_BY_ALL - 0.1
    assert is_used() == (False, set()), "a third one may still answer by the former key"
    now.value += 0.1
    assert is_used() == (True, set())
    assert issuers.thumbprint("second") not in (None, before)


def test_a_request_that_was_signed_by_the_former_key_is_tried_again():
    server = Kept()
    old, new = keys.generate_key("ECDSA-P256"), keys.generate_key("ECDSA-P256")
    server.secret = with_keys(**{"tls.key": old})
    issuers = Issuers(CONFIG, server, namespace="certward-system")
    issuers.thumbprint("second")
    client = issuers._issuers["second"]
    refused = ProblemReply(Problem("malformed", "JWS verification error", 400), None)
    assert isinstance(client.error(refused, "www.example.com"), Rejected)
    server.secret = with_keys(**{"tls.key": new})
    assert isinstance(client.error(refused, "www.example.com"), Transient)
    denied = ProblemReply(Problem("rejectedIdentifier", "no", 400), None)
    assert isinstance(client.error(denied, "www.example.com"), Rejected), "that is not about the key"
