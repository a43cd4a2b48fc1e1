"""The looks at accounts: trouble with one is no trouble of another's. tests/integration has them at a real CA."""

import base64
from pathlib import Path

from certward.config import parse
from certward.errors import Transient
from certward.model import keys
from certward.runtime.account_care import AccountCare
from certward.runtime.issuers import Issuers

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
