"""A change of an account's key at a CA that wants an external account, and may not say which key it knows."""

import base64
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from bound_ca import HMAC_KEY, KEY_ID, BoundCA, Tells
from certward.acme import orders
from certward.acme.account import AccountKey
from certward.config import parse
from certward.errors import Transient
from certward.model import keys
from certward.runtime import account_care, gate
from certward.runtime.account_care import AccountCare
from certward.runtime.issuers import SEEN_BY_ALL, Issuers
from secret_shelf import Shelf

NAME, ROLLOVER = "certward-account-ca", "certward.dev/rollover"
CONFIG = parse(
    f"""
issuers:
- name: ca
  directory: "https://ca.example/dir"
  externalAccountBinding: {{keyID: {KEY_ID}, hmacKeySecretRef: {{name: external, key: hmac}}}}
""",
    Path(),
)


class Crash(BaseException):
    """The process is gone."""


class Secrets(Shelf):
    """An API server with Secrets, on which others keep what is theirs; writes of some numbers end in a crash."""

    def __init__(self):
        super().__init__()
        self.asked = ""
        self.writes = 0
        self.crashes = {}
        self.put({"metadata": {"name": "external"}, "data": {"hmac": encoded(HMAC_KEY.encode())}})

    def get(self, kind, namespace, name):
        live = super().get(kind, namespace, name)
        if live is None or name != NAME or not self.asked:
            return live
        meta = live["metadata"]
        return live | {"metadata": meta | {"annotations": meta["annotations"] | {ROLLOVER: self.asked}}}

    def create(self, manifest):
        return self.put(manifest)

    def apply(self, manifest, *, has_priority=True):
        self.writes += 1
        when = self.crashes.get(self.writes)
        if when == "before":
            raise Crash
        written = super().apply(manifest, has_priority=has_priority)
        if when == "after":
            raise Crash
        return self.get("Secret", "", written["metadata"]["name"])

    def put_next(self, key_pem):
        """As a restore may."""
        live = self.there[NAME]
        self.put(live | {"data": live["data"] | {"next.key": encoded(key_pem)}})

    def told(self, what):
        return self.there[NAME]["metadata"]["annotations"].get(f"certward.dev/{what}", "")

    def key(self, name="tls.key"):
        return base64.b64decode(self.there[NAME]["data"].get(name, ""))


class World:
    """A CA, an API server, and the operator's processes, of which there is one at a time."""

    def __init__(self, ca, now):
        self.ca, self.now, self.api = ca, now, Secrets()
        issuers = [CONFIG.issuers[0].model_copy(update={"directory": f"{ca.url}/directory"})]
        self.config = CONFIG.model_copy(update={"issuers": issuers})
        self.start()
        self.issuers.ready("ca")
        self.first = self.api.key()
        self.url = f"{ca.url}/account/1"

    def start(self):
        """Begin anew, as after a crash."""
        self.issuers = Issuers(self.config, self.api, namespace="certward-system")
        self.care = AccountCare(self.config, self.issuers, may_work=lambda: True)

    def look(self):
        """What the clock has done, in the thread of the accounts and in the keeper's."""
        self.care.look()
        self.issuers.look_again()
        self.care.look()
        self.now.value += SEEN_BY_ALL

    def interrupt(self, *, is_done):
        """Have a process leave two keys, of which the CA has the new one or not."""
        self.api.asked = "one"
        self.api.crashes = {self.api.writes + 2: "before"} if is_done else {self.api.writes + 1: "after"}
        with pytest.raises(Crash):
            self.care.look()
        self.api.crashes = {}
        assert self.ca_knows(self.api.key("next.key")) == is_done
        self.start()

    def fall_silent(self, *, is_done):
        """The same, and from then on the CA says nothing of either key."""
        self.interrupt(is_done=is_done)
        self.ca.shows = False

    def ca_knows(self, key_pem):
        return self.ca.keys == {self.url: AccountKey(key_pem).thumbprint}

    def is_used(self):
        with self.issuers.using("ca") as is_free:
            return is_free

    def order(self):
        return orders.new_order(self.issuers.ready("ca"), ["www.example.com"])

    def assert_changed(self):
        """The account has its new key, here and there, and goes on."""
        assert self.api.key() != self.first
        assert self.api.key("next.key") == b""
        assert self.ca_knows(self.api.key())
        assert (self.api.told("account-url"), self.api.told("rollover-handled")) == (self.url, self.api.asked)
        assert self.api.told("rollover-problem") == ""
        assert self.is_used()
        assert self.order().status == "ready"


def encoded(value):
    return base64.b64encode(value).decode()


@pytest.fixture
def now(monkeypatch):
    made = SimpleNamespace(value=1000.0)
    for module in (account_care, gate):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: made.value))
    return made


@pytest.fixture(params=list(Tells), ids=lambda tells: f"it tells {tells}")
def world(request, now):
    with closing(BoundCA(request.param)) as ca:
        yield World(ca, now)


@pytest.fixture
def silent(now):
    """Where the CA is going to say nothing to who has used the binding."""
    with closing(BoundCA(Tells.NEWLY_BOUND)) as ca:
        yield World(ca, now)


def test_a_key_is_changed(world):
    world.api.asked = "one"
    world.look()
    world.assert_changed()


@pytest.mark.parametrize("is_done", [False, True], ids=["the CA was not asked yet", "the CA has done it"])
def test_an_interrupted_change_is_ended(world, is_done):
    world.interrupt(is_done=is_done)
    world.look()
    world.assert_changed()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("write", [1, 2])
def test_no_crash_and_no_lost_answer_loses_the_account(world, when, write):
    world.api.asked, world.ca.drops = "one", 1
    world.api.crashes = {world.api.writes + write: when}
    for _ in range(4):
        try:
            world.look()
        except Crash:
            world.start()
        assert any(world.ca_knows(world.api.key(name)) for name in ("tls.key", "next.key") if world.api.key(name))
    world.assert_changed()


def test_where_the_ca_does_not_say_which_key_it_knows_the_account_goes_on_with_the_one_before(silent):
    silent.fall_silent(is_done=False)
    next_key = silent.api.key("next.key")
    silent.look()
    assert (silent.api.key(), silent.api.key("next.key")) == (silent.first, next_key)
    assert silent.is_used()
    assert silent.order().status == "ready"
    problem = silent.api.told("rollover-problem")
    assert problem.startswith("The CA ca does not say which of two keys the account has. The one before is used")
    assert "has to correct externalAccountBinding of issuer ca" in problem

    asked = silent.ca.asked("/newAccount")
    silent.look()
    assert silent.ca.asked("/newAccount") == asked, "it is asked later"
    silent.now.value += 3600
    silent.look()
    assert silent.ca.asked("/newAccount") == asked + 2
    assert silent.is_used()
    silent.ca.tells = Tells.BOUND
    silent.api.asked = "two"
    silent.look()
    silent.assert_changed()


def test_a_ca_that_is_busy_when_it_is_asked_again_takes_the_account_from_nobody(silent):
    silent.fall_silent(is_done=False)
    silent.look()
    silent.ca.is_busy = True
    silent.now.value += 3600
    silent.look()
    assert silent.is_used()
    assert silent.order().status == "ready"
    assert silent.api.key("next.key")


def test_a_ca_that_names_a_time_to_wait_is_not_asked_before(silent):
    silent.fall_silent(is_done=False)
    silent.ca.is_busy = True
    silent.look()
    asked = silent.ca.asked("/newAccount")
    silent.look()
    assert silent.ca.asked("/newAccount") == asked
    silent.ca.is_busy, silent.ca.shows = False, True
    silent.now.value += 600
    silent.look()
    silent.assert_changed()


def test_an_account_that_is_shown_as_nonsense_is_not_told_by_it(silent):
    silent.fall_silent(is_done=False)
    silent.ca.says("/account/1", (200, b""))
    silent.look()
    assert silent.is_used()
    assert silent.order().status == "ready"


def test_where_the_ca_does_not_say_so_the_new_key_is_not_lost_though_it_is_the_account_s(silent):
    silent.fall_silent(is_done=True)
    next_key = silent.api.key("next.key")
    silent.look()
    with pytest.raises(Transient):
        silent.order()
    assert silent.api.key("next.key") == next_key
    silent.start()
    silent.look()
    assert (silent.api.key(), silent.api.key("next.key")) == (silent.first, next_key)
    silent.ca.shows = True
    silent.now.value += 3600
    silent.look()
    silent.assert_changed()
    assert silent.api.key() == next_key


def test_another_external_account_is_a_reason_to_ask_at_once(silent):
    silent.fall_silent(is_done=False)
    silent.look()
    silent.order()
    silent.ca.tells = Tells.EVERYBODY
    silent.api.put({"metadata": {"name": "external"}, "data": {"hmac": encoded(b"YW5vdGhlcg")}})
    silent.look()
    silent.look()
    silent.assert_changed()


def test_other_replicas_go_on_too_and_leave_the_account_alone_while_the_ca_is_asked_again(silent):
    other = Issuers(silent.config, silent.api, namespace="certward-system")

    def is_used():
        other.look_again(is_follower=True)
        silent.now.value += SEEN_BY_ALL
        with other.using("ca") as is_free:
            return is_free

    silent.fall_silent(is_done=False)
    assert not is_used()
    silent.look()
    assert is_used()
    silent.api.crashes = {silent.api.writes + 1: "after"}
    silent.now.value += 3600
    with pytest.raises(Crash):
        silent.look()
    assert not is_used()


def test_a_next_key_that_is_none_stops_nobody(silent):
    silent.api.put_next(b"nonsense")
    silent.look()
    assert silent.is_used()
    assert silent.order().status == "ready"


def test_a_key_of_another_account_is_not_taken(silent):
    silent.ca.tells, taken = Tells.EVERYBODY, keys.generate_key("ECDSA-P256")
    silent.ca.keys[f"{silent.ca.url}/account/2"] = AccountKey(taken).thumbprint
    silent.api.put_next(taken)
    silent.look()
    assert "another account" in silent.api.told("rollover-problem")
    assert (silent.api.key(), silent.api.key("next.key")) == (silent.first, b"")
    assert silent.order().status == "ready"
