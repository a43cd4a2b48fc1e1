"""Whether what is there holds what is wanted, and for how long that is taken to be so."""

import copy
from types import SimpleNamespace

import pytest

from certward.errors import Blocked, Transient
from certward.kube import known
from certward.kube.ensure import Ensurer, holds, is_managed, ref_of
from certward.kube.known import Whose
from certward.names import LABEL_APP, LABEL_DOMAIN, LABEL_MANAGED_BY, MANAGED_BY
from secret_shelf import Shelf

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


# How long what was seen is believed: whoever makes an object by hand into something else waits no longer than this.

TRUSTED, TRUSTED_OWNED = 3.0, 20.0


def nobody_knows(*_ref):
    return False


def manifest(name="x", *, owner="", hosts=("a",)):
    owners = {"ownerReferences": [{"kind": "App", "name": "shop", "uid": owner}]} if owner else {}
    meta = {"name": name, "namespace": "team-a", "labels": {LABEL_MANAGED_BY: MANAGED_BY}} | owners
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"hosts": list(hosts)}}


@pytest.fixture
def clock(monkeypatch):
    """Seconds of monotonic time, which stand still."""
    now = [1000.0]
    monkeypatch.setattr(known, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


@pytest.fixture
def shelf():
    return Shelf()


@pytest.mark.parametrize(
    ("owner", "trusted"), [("", TRUSTED), ("uid", TRUSTED_OWNED)], ids=["without an owner", "with an owner"]
)
def test_what_was_seen_to_be_right_is_not_looked_at_in_a_burst_of_passes(shelf, clock, owner, trusted):
    ensurer, wanted = Ensurer(shelf, listed_every=600.0, is_free=nobody_knows), manifest(owner=owner)
    assert ensurer.present([wanted])
    shelf.there["x"]["spec"] = {"hosts": ["by hand"]}
    clock[0] += trusted - 0.1
    assert not ensurer.present([copy.deepcopy(wanted)])
    assert shelf.looks == 1
    clock[0] += 0.1
    assert ensurer.present([wanted]), "put back"
    assert shelf.there["x"]["spec"] == {"hosts": ["a"]}
    assert not ensurer.present([wanted])


def test_what_is_right_already_is_believed_like_what_was_written(shelf, clock):
    Ensurer(shelf, listed_every=600.0, is_free=nobody_knows).present([manifest()])
    ensurer = Ensurer(shelf, listed_every=600.0, is_free=nobody_knows)
    assert not ensurer.present([manifest()])
    assert not ensurer.present([manifest()])
    assert (shelf.looks, shelf.version) == (2, 1)
    clock[0] += TRUSTED
    assert not ensurer.present([manifest()])
    assert (shelf.looks, shelf.version) == (3, 1), "looked at, and not written"


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(
    "other", [{"hosts": ("a", "b")}, {"owner": "made-anew"}, {"owner": ""}], ids=["said", "owned", "nobody's"]
)
def test_what_is_to_be_otherwise_is_written_at_once(shelf, other):
    """An object of a deleted App goes with it; that of a namesake made anew has to be made anew."""
    ensurer, before, after = (
        Ensurer(shelf, listed_every=600.0, is_free=nobody_knows),
        manifest(owner="uid"),
        manifest(**{"owner": "uid"} | other),
    )
    ensurer.present([before])
    shelf.there.clear()
    assert ensurer.present([after])
    assert shelf.there["x"]["spec"]["hosts"] == after["spec"]["hosts"]
    shelf.there.clear()
    assert ensurer.present([before]), "and back again"


@pytest.mark.usefixtures("clock")
def test_what_was_taken_away_is_not_taken_to_be_there_nor_the_other_way_round(shelf):
    ensurer, wanted = Ensurer(shelf, listed_every=600.0, is_free=nobody_knows), manifest(owner="uid")
    ensurer.present([wanted])
    assert ensurer.absent([ref_of(wanted)])
    assert shelf.there == {}
    assert ensurer.present([wanted])
    assert ensurer.absent([ref_of(wanted)])
    assert shelf.there == {}


def test_what_is_gone_is_believed_to_be_so(shelf, clock):
    ensurer, wanted = Ensurer(shelf, listed_every=600.0, is_free=nobody_knows), manifest(owner="uid")
    assert not ensurer.absent([ref_of(wanted)])
    Ensurer(shelf, listed_every=600.0, is_free=nobody_knows).present([wanted])
    looks = shelf.looks
    clock[0] += TRUSTED_OWNED - 0.1
    assert not ensurer.absent([ref_of(wanted)])
    assert shelf.looks == looks
    clock[0] += 0.1
    assert ensurer.absent([ref_of(wanted)])
    assert shelf.there == {}


@pytest.mark.usefixtures("clock")
def test_what_nobody_asks_for_any_more_is_forgotten_and_looked_at_where_somebody_does(shelf):
    ensurer, gone, there = (
        Ensurer(shelf, listed_every=600.0, is_free=nobody_knows),
        manifest(),
        manifest("y", owner="uid"),
    )
    ensurer.absent([ref_of(gone)])
    ensurer.present([there])
    ensurer.forget_absent([ref_of(gone), ref_of(there), ("Ingress", "team-a", "x")])
    assert [list(known) for known in ensurer._known._of.values()] == [[ref_of(there)]]
    Ensurer(shelf, listed_every=600.0, is_free=nobody_knows).present([gone])
    assert ensurer.absent([ref_of(gone)]), "not believed to be gone"


@pytest.mark.parametrize("is_deleted_by_us", [True, False])
def test_of_a_namespace_that_is_gone_nothing_is_kept(shelf, clock, is_deleted_by_us):
    ensurer, wanted = Ensurer(shelf, listed_every=600.0, is_free=nobody_knows), manifest()
    ensurer.present([wanted])
    assert ensurer._known._unowned
    clock[0] += 1.0
    if is_deleted_by_us:
        ensurer.absent([ref_of(wanted)])
        ensurer.forget_absent([ref_of(wanted)])
    else:
        ensurer._known.list_shows("Service", [])  # its namespace has taken it along
    assert ensurer._known._unowned == {}
    assert ensurer._known._of == {"Service": {}}


@pytest.mark.usefixtures("clock")
def test_objects_of_one_name_in_two_namespaces_or_of_two_kinds_are_two(shelf):
    ensurer, wanted = Ensurer(shelf, listed_every=600.0, is_free=nobody_knows), manifest(owner="uid")
    ensurer.present([wanted])
    looks = shelf.looks
    ensurer.present([wanted | {"metadata": wanted["metadata"] | {"namespace": "team-b"}}])
    ensurer.present([wanted | {"kind": "ConfigMap"}])
    assert shelf.looks == looks + 2


@pytest.mark.usefixtures("clock")
def test_what_is_somebody_elses_is_looked_at_each_time_and_left_alone(shelf):
    ensurer, wanted = Ensurer(shelf, listed_every=600.0, is_free=nobody_knows), manifest(owner="uid")
    theirs = shelf.put(manifest() | {"metadata": {"name": "x", "namespace": "team-a", "labels": {}}})
    for _ in range(2):
        with pytest.raises(Blocked, match="Service x in namespace team-a is not Certward's"):
            ensurer.present([wanted])
    assert shelf.there == {"x": theirs}
    shelf.there.clear()
    assert ensurer.present([wanted]), "it has made room"


@pytest.mark.usefixtures("clock")
def test_what_could_not_be_written_is_not_taken_to_be_there(shelf, monkeypatch):
    def refuse(_manifest, **_):
        raise Transient("APIServerUnavailable", "no answer")

    ensurer, wanted = Ensurer(shelf, listed_every=600.0, is_free=nobody_knows), manifest(owner="uid")
    with monkeypatch.context() as away:
        away.setattr(shelf, "apply", refuse)
        with pytest.raises(Transient):
            ensurer.present([wanted])
    assert ensurer.present([wanted])


# What is written without having been read.


@pytest.mark.usefixtures("clock")
def test_what_nobody_else_has_is_written_without_being_read(shelf):
    ensurer = Ensurer(shown(shelf), listed_every=600.0, is_free=lambda *ref: ref == ("Service", "team-a", "x"))
    ensurer.look_over("Service")
    assert ensurer.present([manifest("x", owner="uid")])
    assert shelf.looks == 0
    assert ensurer.present([manifest("y", owner="uid")])
    assert shelf.looks == 1, "of y nothing is known"


@pytest.mark.usefixtures("clock")
def test_what_somebody_else_has_made_a_moment_ago_is_left_alone(shelf):
    ensurer = Ensurer(shown(shelf), listed_every=600.0, is_free=lambda *_: True)
    ensurer.look_over("Service")
    theirs = shelf.put(manifest() | {"metadata": {"name": "x", "namespace": "team-a", "labels": {}}})
    with pytest.raises(Blocked, match="not Certward's"):
        ensurer.present([manifest(owner="uid")])
    assert shelf.there == {"x": theirs}


@pytest.mark.parametrize("shows", [False, True], ids=["no list yet", "a list shows it"])
def test_what_may_be_there_already_is_read_and_not_written_once_more(shelf, clock, shows):
    Ensurer(shelf, listed_every=600.0, is_free=nobody_knows).present([manifest(owner="uid")])
    ensurer = Ensurer(shown(shelf), listed_every=600.0, is_free=lambda *_: True)
    if shows:
        ensurer.look_over("Service", is_new=True)
    assert not ensurer.present([manifest(owner="uid")])
    shelf.put(shelf.there["x"], status={"by": "another"})
    clock[0] += 600
    ensurer.look_over("Service")
    assert not ensurer.present([manifest(owner="uid")]), "another version of it, and right all the same"


def test_what_was_written_a_moment_ago_is_changed_without_being_read(shelf, clock):
    ensurer = Ensurer(shelf, listed_every=600.0, is_free=nobody_knows)
    ensurer.present([manifest(owner="uid")])
    clock[0] += TRUSTED_OWNED - 0.1
    looks = shelf.looks
    assert ensurer.present([manifest(owner="uid", hosts=("a", "b"))])
    assert shelf.looks == looks
    clock[0] += TRUSTED_OWNED
    assert ensurer.present([manifest(owner="uid", hosts=("c",))])
    assert shelf.looks == looks + 1


@pytest.mark.usefixtures("clock")
def test_another_object_in_the_place_of_ours_is_seen(shelf):
    ensurer = Ensurer(shelf, listed_every=600.0, is_free=nobody_knows)
    ensurer.present([manifest(owner="uid")])
    theirs = shelf.put({"kind": "Service", "metadata": {"name": "x", "namespace": "team-a", "uid": "other"}})
    with pytest.raises(Blocked):
        ensurer.present([manifest(owner="uid", hosts=("b",))])
    assert shelf.there == {"x": theirs}


# What a LIST of everything shows.


def shown(shelf):
    """A LIST as the API server gives it: kind and apiVersion are not in its items."""
    shelf.list = lambda _kind, **_: [
        copy.deepcopy({name: value for name, value in one.items() if name not in ("kind", "apiVersion")})
        for one in shelf.there.values()
    ]
    return shelf


def test_what_was_listed_is_compared_without_being_read(shelf, clock):
    Ensurer(shelf, listed_every=600.0, is_free=nobody_knows).present(
        [manifest("x", owner="uid"), manifest("y", owner="uid")]
    )
    shelf.there["y"]["spec"] = {"hosts": ["by hand"]}
    ensurer, looks = Ensurer(shown(shelf), listed_every=600.0, is_free=nobody_knows), shelf.looks
    assert ensurer.look_over("Service", is_new=True) == set()
    assert not ensurer.present([manifest("x", owner="uid")])
    assert ensurer.present([manifest("y", owner="uid")]), "put back"
    assert not ensurer.absent([("Service", "team-a", "z")])
    assert shelf.looks == looks
    clock[0] += 400
    assert not ensurer.present([manifest("x", owner="uid"), manifest("y", owner="uid")])
    assert shelf.looks == looks, "right until a list shows something else"


@pytest.mark.usefixtures("clock")
def test_what_has_come_since_the_list_is_taken_away_all_the_same(shelf):
    ensurer = Ensurer(shown(shelf), listed_every=600.0, is_free=nobody_knows)
    ensurer.look_over("Service", is_new=True)
    ensurer.present([manifest(owner="uid")])
    assert ensurer.absent([("Service", "team-a", "x")])
    assert shelf.there == {}


@pytest.mark.usefixtures("clock")
def test_what_the_first_list_has_shown_is_known_without_being_asked_for(shelf):
    Ensurer(shelf, listed_every=600.0, is_free=nobody_knows).present([manifest("left over", owner="uid")])
    ensurer = Ensurer(shown(shelf), listed_every=600.0, is_free=nobody_knows)
    ensurer.look_over("Service", is_new=True)
    looks = shelf.looks
    refs = [("Service", "team-a", "left over"), ("Service", "team-a", "never was")]
    assert ensurer.listed(refs) == (refs[0],)
    assert shelf.looks == looks
    ensurer.absent(refs)
    assert shelf.there == {}


@pytest.mark.parametrize("change", ["changed", "deleted"])
def test_whose_objects_are_not_what_they_were_is_found_by_the_next_list(shelf, clock, change):
    wanted = manifest(owner="uid")
    wanted["metadata"]["labels"] |= {LABEL_DOMAIN: "www", LABEL_APP: "shop"}
    ensurer = Ensurer(shown(shelf), listed_every=600.0, is_free=nobody_knows)
    ensurer.look_over("Service")
    ensurer.present([wanted])
    clock[0] += 600
    assert ensurer.look_over("Service") == set()
    if change == "deleted":
        shelf.there.clear()
    else:
        shelf.put(wanted, spec={"hosts": ["by hand"]})
    clock[0] += 600
    assert ensurer.look_over("Service") == {Whose("team-a", "www", "shop")}
    assert ensurer.present([wanted])
    assert shelf.there["x"]["spec"] == {"hosts": ["a"]}
    clock[0] += 600
    assert ensurer.look_over("Service") == set()


def test_what_is_written_while_a_list_is_made_is_not_held_against_it(shelf, clock):
    ensurer, wanted = Ensurer(shown(shelf), listed_every=600.0, is_free=nobody_knows), manifest(owner="uid")
    ensurer.present([manifest(owner="uid", hosts=("before",))])
    old = shelf.list("Service")

    def slow(_kind, **_):
        clock[0] += 1
        ensurer.present([wanted])
        yield from old

    clock[0] += 600
    shelf.list = slow
    assert ensurer.look_over("Service") == set()
    assert not ensurer.present([wanted])


def test_without_lists_everything_is_read_again(shelf, clock):
    ensurer, wanted = Ensurer(shown(shelf), listed_every=10.0, is_free=nobody_knows), manifest(owner="uid")
    ensurer.look_over("Service")
    ensurer.present([wanted])
    shelf.there.clear()
    clock[0] += 24.9
    assert not ensurer.present([wanted])
    clock[0] += 0.2
    assert ensurer.present([wanted]), "no list has been had for so long"


def test_a_namespace_made_anew_has_its_shared_objects_looked_at(shelf, clock):
    ensurer = Ensurer(shown(shelf), listed_every=600.0, is_free=nobody_knows)
    ensurer.look_over("Service")
    ensurer.present([manifest("shared"), manifest("own", owner="uid")])
    shelf.there.clear()
    clock[0] += 5
    ensurer.doubt("team-b")
    assert not ensurer.present([manifest("shared")])
    ensurer.doubt("team-a")
    assert ensurer.present([manifest("shared")])
    assert not ensurer.present([manifest("own", owner="uid")])
