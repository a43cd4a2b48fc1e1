"""What is done by the clock, with everything that it is done to standing still."""

import threading
import time
from types import SimpleNamespace

from certward.errors import Rejected
from certward.kube.cache import Cache
from certward.runtime.holding import Holding
from certward.runtime.keeper import Keeper
from certward.runtime.queue import WorkQueue


def keeper_of(done, *, ensure, is_missing=False, is_record_written=lambda _: False, **others):
    """A keeper of a replica that holds the Lease; what it does is put into `done`, and `others` are as they are."""

    def doing(*names, returns=()):
        return SimpleNamespace(**{name: lambda *_, name=name, **__: done.append(name) or returns for name in names})

    lease = SimpleNamespace(holds=lambda _: True, held=lambda: frozenset({0}), leaving=frozenset)
    parts = {
        "lease": lease,
        "holding": Holding(lease, 1),
        "reconciler": doing("leave_shard", returns=True),
        "account_care": SimpleNamespace(is_busy=lambda: False),
    }
    return Keeper(
        threading.Event(),
        Cache(),
        WorkQueue(),
        **(parts | others),
        intake=SimpleNamespace(**vars(doing("resync", "enqueue", "enqueue_shard")), synced_at=time.monotonic()),
        issuers=doing("look_again"),
        policies=doing("load"),
        claim_rules=doing("publish"),
        ledger=doing("load", "due", "flush", "leave"),
        platform=SimpleNamespace(ensure=ensure, is_missing=is_missing),
        dns01=SimpleNamespace(**vars(doing("load", "sweep", "leave")), is_busy=is_record_written),
        namespaces=doing("addresses"),
        memories=doing("drop_all"),
        drift=doing("look"),
        drift_every=600.0,
    )


def test_the_platforms_names_hold_up_nobody_elses_certificates():
    done = []

    def refused():
        done.append("ensure")
        raise Rejected("Forbidden", "the operator's account may not create Domain")

    keeper = keeper_of(done, ensure=refused)
    keeper.look()
    assert done.index("ensure") < done.index("enqueue_shard")
    assert {"sweep", "flush", "addresses"} <= set(done)
    keeper.look()
    assert done.count("ensure") == 1, "tried again later"


def test_the_platforms_objects_are_looked_at_again_with_each_full_list():
    done = []
    keeper = keeper_of(done, ensure=lambda: done.append("ensure"))
    keeper.look()
    keeper.look()
    assert done.count("ensure") == 1
    keeper._next_platform = 0.0
    keeper.look()
    assert done.count("ensure") == 2


def test_an_object_of_the_platform_that_somebody_deletes_is_put_back_soon_and_not_in_a_busy_loop():
    done = []
    keeper = keeper_of(done, ensure=lambda: done.append("ensure"), is_missing=True)
    keeper.look()
    keeper.look()
    assert done.count("ensure") == 1
    keeper._soonest_platform = 0.0
    keeper.look()
    keeper.look()
    assert done.count("ensure") == 2


def test_a_shard_is_given_up_only_when_nothing_of_it_is_worked_on_and_all_is_written():
    done, is_idle, is_written, is_busy = [], [False, True, True, True], [True, False, False], [True, False]
    lease = SimpleNamespace(
        holds=lambda _: False,
        held=frozenset,
        leaving=lambda: frozenset({0}),
        let_go=lambda shard: done.append(f"let go {shard}"),
    )
    holding = Holding(lease, 4)
    holding.begin(0)
    keeper = keeper_of(
        done,
        ensure=lambda: None,
        lease=lease,
        holding=holding,
        reconciler=SimpleNamespace(leave_shard=lambda _: is_idle.pop(0)),
        account_care=SimpleNamespace(is_busy=lambda: is_busy.pop(0)),
        is_record_written=lambda _: is_written.pop(0),
    )
    keeper.look()
    assert not holding.begun, "nothing more of it is taken up"
    assert "leave" not in done
    keeper.look()
    assert "leave" not in done, "a record is just written into the DNS"
    keeper.look()
    assert "leave" not in done, "the accounts are being looked after"
    keeper.look()
    assert done[-4:] == ["leave", "leave", "drop_all", "let go 0"]
