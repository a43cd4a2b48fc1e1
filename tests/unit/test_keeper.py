"""What is done by the clock, with everything that it is done to standing still."""

import threading
from types import SimpleNamespace

from certward.errors import Rejected
from certward.kube.cache import Cache
from certward.runtime.holding import Holding
from certward.runtime.keeper import Keeper
from certward.runtime.queue import WorkQueue


def keeper_of(done, *, ensure, is_missing=False):
    """A keeper of a replica that holds the Lease; what it does is put into `done`."""

    def doing(*names, returns=()):
        return SimpleNamespace(**{name: lambda *_, name=name, **__: done.append(name) or returns for name in names})

    lease = SimpleNamespace(holds=lambda _: True, held=lambda: frozenset({0}), leaving=frozenset)
    return Keeper(
        threading.Event(),
        Cache(),
        WorkQueue(),
        lease=lease,
        holding=Holding(lease, 1),
        intake=doing("resync", "enqueue", "enqueue_shard"),
        reconciler=doing("leave_shard", returns=True),
        account_care=SimpleNamespace(is_busy=lambda: False),
        issuers=doing("look_again"),
        policies=doing("load"),
        ledger=doing("load", "due", "flush", "leave"),
        platform=SimpleNamespace(ensure=ensure, is_missing=is_missing),
        dns01=doing("load", "sweep", "leave"),
        namespaces=doing("addresses"),
        memories=SimpleNamespace(),
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
