"""What is asked before a change, and that nothing is done that was not asked like that.

The API server is one of a few lines (tests/dashboard/api_server.py), because somebody has to be quicker than the user
by one request. That changes come out right on a real one is tried in tests/integration/test_dashboard_cluster.py.
"""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from certward.cli.context import Flags, Session
from certward.cli.errors import CliError
from certward.dashboard.changing import NONE, Changing
from certward.names import ANNOTATION_DEFAULT_REVISION, DEFAULTS_CONFIGMAP
from dashboard import worlds
from dashboard.api_server import ApiServer, Body, api_server

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SHOP = ("team-a", "shop")


@pytest.fixture
def server() -> Iterator[ApiServer]:
    """An App with a hostname, served its default, and one of another team."""
    with api_server(
        worlds.app("shop", "team-a", NOW),
        worlds.app("blog", "team-a", NOW),
        worlds.domain("www.example.com", "shop", "team-a", NOW, expires=NOW + timedelta(days=60)),
        worlds.domain("blog.example.com", "blog", "team-a", NOW),
        defaults("2026-11"),
    ) as running:
        yield running


@pytest.fixture
def changing(server: ApiServer, tmp_path: Path) -> Changing:
    return Changing(Session(Flags(kubeconfig=str(server.kubeconfig(tmp_path)))), "certward-system")


def defaults(revision: str) -> Body:
    history = [{"since": "2026-11-01T00:00:00Z", "revision": revision}]
    data = {"history": json.dumps(history), "floor": ""}
    return {
        "kind": "ConfigMap",
        "metadata": {"name": DEFAULTS_CONFIGMAP, "namespace": "certward-system"},
        "data": data,
    }


def own(profile: str = "modern", name: str = "shop", **spec: object) -> Body:
    """A TLSPolicy of the App alone."""
    body = worlds.policy(name, "team-a", NOW, profile)
    body["spec"] |= {"targetRefs": [{"kind": "App", "name": "shop"}], **spec}
    return body


def is_on(server: ApiServer) -> bool:
    return bool(server.get("App", *SHOP)["spec"]["certificates"]["automatic"])


def policies(server: ApiServer) -> list[Body]:
    return [body for (plural, *_), body in server.objects.items() if plural == "tlspolicies"]


@pytest.mark.parametrize("to", [False, True])
def test_automatic_certificates_are_turned_off_and_on(server: ApiServer, changing: Changing, to: bool) -> None:
    server.change("App", *SHOP, spec={"certificates": {"automatic": not to}})
    asked = changing.ask_automatic(*SHOP, is_on=to)
    assert asked.denied == ""
    assert "www.example.com" in " ".join(asked.told)
    assert "blog.example.com" not in " ".join(asked.told)
    changing.set_automatic(*SHOP, is_on=to, seen=asked.seen)
    assert is_on(server) is to
    with pytest.raises(CliError):
        changing.set_automatic(*SHOP, is_on=to, seen=asked.seen)


def test_what_is_so_already_is_not_offered(server: ApiServer, changing: Changing) -> None:
    assert changing.ask_automatic(*SHOP, is_on=True).denied == "Automatic certificates are on for shop already."
    server.put(own("modern"))
    assert "says so already" in changing.ask_profile(*SHOP, "modern").denied


def a_domain(server: ApiServer) -> None:
    server.put(worlds.domain("new.example.com", "shop", "team-a", NOW))


def no_domain(server: ApiServer) -> None:
    server.drop("Domain", "team-a", "www-example-com")


def the_app(server: ApiServer) -> None:
    server.change("App", *SHOP, spec={"httpsRedirect": False})


def another_app(server: ApiServer) -> None:
    server.drop("App", *SHOP)
    server.put({**worlds.app("shop", "team-a", NOW), "metadata": {**worlds.meta("shop", "team-a", NOW), "uid": "new"}})


def git(server: ApiServer) -> None:
    server.change("App", *SHOP, metadata={"annotations": {"argocd.argoproj.io/tracking-id": "x"}})


def a_renewal(server: ApiServer) -> None:
    certificate = {"notAfter": "2027-06-01T00:00:00Z"}
    server.change("Domain", "team-a", "www-example-com", status={"certificate": certificate})


@pytest.mark.parametrize("meanwhile", [a_domain, no_domain, the_app, another_app, git, a_renewal])
def test_an_answer_to_what_would_be_asked_otherwise_now_does_nothing(
    server: ApiServer, changing: Changing, meanwhile: Callable[[ApiServer], None]
) -> None:
    """Among others: a hostname that came since would be cut off without having been named."""
    asked = changing.ask_automatic(*SHOP, is_on=False)
    meanwhile(server)
    with pytest.raises(CliError, match="Nothing was done"):
        changing.set_automatic(*SHOP, is_on=False, seen=asked.seen)
    assert is_on(server)


@pytest.mark.parametrize("many", [9, 30])
def test_a_hostname_that_is_not_named_for_want_of_room_counts_as_well(
    server: ApiServer, changing: Changing, many: int
) -> None:
    server.put(*(worlds.domain(f"h{number}.example.com", "shop", "team-a", NOW) for number in range(many)))
    server.change("App", *SHOP, spec={"certificates": {"automatic": False}})
    asked = changing.ask_automatic(*SHOP, is_on=True)
    server.drop("Domain", "team-a", "www-example-com")
    server.put(worlds.domain("zzz.example.com", "shop", "team-a", NOW))
    with pytest.raises(CliError, match="Nothing was done"):
        changing.set_automatic(*SHOP, is_on=True, seen=asked.seen)


def test_what_does_not_concern_the_question_does_not_stop_it(server: ApiServer, changing: Changing) -> None:
    asked = changing.ask_automatic(*SHOP, is_on=False)
    server.put(worlds.domain("other.example.com", "blog", "team-a", NOW), own("modern"))
    server.change("App", "team-a", "blog", spec={"httpsRedirect": False})
    changing.set_automatic(*SHOP, is_on=False, seen=asked.seen)
    assert not is_on(server)


def quicker(server: ApiServer, verb: str, act: Callable[[], None]) -> None:
    """Have somebody act between the last look and the write."""

    def before(asked: str, _: str) -> None:
        if asked == verb:
            server.before = lambda *_: None
            act()

    server.before = before


def test_somebody_who_is_quicker_by_one_request_is_not_overruled(server: ApiServer, changing: Changing) -> None:
    asked = changing.ask_automatic(*SHOP, is_on=False)
    quicker(server, "patch", lambda: server.change("App", *SHOP, spec={"httpsRedirect": False}))
    with pytest.raises(CliError, match="changed by somebody else"):
        changing.set_automatic(*SHOP, is_on=False, seen=asked.seen)
    assert is_on(server)

    server.put(own("modern"))
    asked = changing.ask_profile(*SHOP, "default")
    quicker(server, "patch", lambda: server.change("TLSPolicy", *SHOP, spec={"revision": "2018-06"}))
    with pytest.raises(CliError, match="changed by somebody else"):
        changing.set_profile(*SHOP, "default", seen=asked.seen)
    assert server.get("TLSPolicy", *SHOP)["spec"]["profile"] == "modern"

    asked = changing.ask_profile(*SHOP, NONE)
    also = [{"kind": "App", "name": "shop"}, {"kind": "App", "name": "blog"}]
    quicker(server, "delete", lambda: server.change("TLSPolicy", *SHOP, spec={"targetRefs": also}))
    with pytest.raises(CliError, match="changed by somebody else"):
        changing.set_profile(*SHOP, NONE, seen=asked.seen)
    assert len(policies(server)) == 1


def test_a_profile_is_chosen_changed_and_taken_away(server: ApiServer, changing: Changing) -> None:
    asked = changing.ask_profile(*SHOP, "modern")
    assert "would be locked out" in asked.warnings[0]
    changing.set_profile(*SHOP, "modern", seen=asked.seen)
    (made,) = policies(server)
    assert made["spec"] == {"targetRefs": [{"kind": "App", "name": "shop"}], "profile": "modern"}
    changing.set_profile(*SHOP, "legacy", seen=changing.ask_profile(*SHOP, "legacy").seen)
    assert server.get("TLSPolicy", *SHOP)["spec"]["profile"] == "legacy"
    changing.set_profile(*SHOP, NONE, seen=changing.ask_profile(*SHOP, NONE).seen)
    assert policies(server) == []


def test_a_revision_that_the_policy_names_stays_and_so_does_all_else(server: ApiServer, changing: Changing) -> None:
    """As with `tls set`: another profile of the same revision."""
    hsts = {"maxAge": 63072000}
    server.put(own("modern", revision="2018-06", hsts=hsts))
    offer = changing.offer(*SHOP)
    assert [choice.label for choice in offer.choices][:2] == [
        "modern 2018-06 (TLS 1.2)",
        "default 2018-06 (TLS 1.1 to 1.2)",
    ]
    assert any("revision 2018-06, which stays" in note for note in offer.notes)
    asked = changing.ask_profile(*SHOP, "default")
    assert "with default 2018-06 (TLS 1.1 to 1.2) then" in " ".join(asked.told)
    assert "goes on naming revision 2018-06" in " ".join(asked.told)
    changing.set_profile(*SHOP, "default", seen=asked.seen)
    spec = server.get("TLSPolicy", *SHOP)["spec"]
    assert (spec["profile"], spec["revision"], spec["hsts"]) == ("default", "2018-06", hsts)


def test_a_profile_that_the_named_revision_lacks_is_refused_with_what_to_do(
    server: ApiServer, changing: Changing
) -> None:
    server.put(own("default", revision="2017-09"))
    refusals = {choice.value: choice.refusal for choice in changing.offer(*SHOP).choices}
    assert "Revision 2017-09 has no profile 'modern'" in refusals["modern"]
    assert refusals["strict"] == ""
    with pytest.raises(CliError, match="has no profile 'modern'"):
        changing.ask_profile(*SHOP, "modern")


def test_what_goes_with_a_policy_is_said_before_it_goes(server: ApiServer, changing: Changing) -> None:
    server.put(own("modern", revision="2018-06", hsts={"maxAge": 300}))
    told = changing.ask_profile(*SHOP, NONE).told[0]
    assert told == "TLSPolicy shop is deleted, and with it revision 2018-06 and HSTS (max-age 300) that it names."


def the_policy(server: ApiServer) -> None:
    server.change("TLSPolicy", *SHOP, spec={"revision": "2018-06"})


def a_policy_that_is_older(server: ApiServer) -> None:
    older = own("legacy", "older")
    older["metadata"]["creationTimestamp"] = "2020-01-01T00:00:00Z"
    server.put(older)


def the_default(server: ApiServer) -> None:
    server.put(defaults("2018-06"))


def the_pin(server: ApiServer) -> None:
    server.change("App", *SHOP, metadata={"annotations": {ANNOTATION_DEFAULT_REVISION: "2018-06"}})


def no_policy(server: ApiServer) -> None:
    server.drop("TLSPolicy", *SHOP)


@pytest.mark.parametrize("value", ["default", NONE])
@pytest.mark.parametrize(
    "meanwhile", [the_policy, a_policy_that_is_older, the_default, the_pin, no_policy, the_app, another_app]
)
def test_a_profile_that_would_be_asked_for_otherwise_now_is_not_set(
    server: ApiServer, changing: Changing, value: str, meanwhile: Callable[[ApiServer], None]
) -> None:
    server.put(own("modern"))
    asked = changing.ask_profile(*SHOP, value)
    meanwhile(server)
    before = policies(server)
    with pytest.raises(CliError):
        changing.set_profile(*SHOP, value, seen=asked.seen)
    assert policies(server) == before


def test_a_policy_of_others_does_not_stop_a_profile(server: ApiServer, changing: Changing) -> None:
    asked = changing.ask_profile(*SHOP, "modern")
    server.put(worlds.policy("blog", "team-a", NOW))
    changing.set_profile(*SHOP, "modern", seen=asked.seen)
    assert server.get("TLSPolicy", *SHOP)["spec"]["profile"] == "modern"


def test_of_two_policies_for_the_app_alone_the_one_in_force_is_meant(server: ApiServer, changing: Changing) -> None:
    server.put(own("modern", "a-newer"))
    a_policy_that_is_older(server)
    changing.set_profile(*SHOP, "default", seen=changing.ask_profile(*SHOP, "default").seen)
    assert server.get("TLSPolicy", "team-a", "older")["spec"]["profile"] == "default"
    assert server.get("TLSPolicy", "team-a", "a-newer")["spec"]["profile"] == "modern"


def test_a_right_to_one_object_alone_is_enough(server: ApiServer, changing: Changing) -> None:
    """A role with resourceNames."""
    server.put(own("modern"))
    server.may = lambda verb, _, __, name: verb in ("get", "list") or (verb in ("patch", "delete") and name == "shop")
    assert changing.ask_automatic(*SHOP, is_on=False).denied == ""
    assert changing.ask_profile(*SHOP, "default").denied == ""
    assert changing.ask_profile(*SHOP, NONE).denied == ""
    assert "no right to patch" in changing.ask_automatic("team-a", "blog", is_on=False).denied
    assert "no right to create" in changing.ask_profile("team-a", "blog", "modern").denied


def test_a_right_that_is_gone_by_the_answer_is_the_api_servers_to_refuse(server: ApiServer, changing: Changing) -> None:
    asked = changing.ask_automatic(*SHOP, is_on=False)
    server.may = lambda verb, *_: verb in ("get", "list")
    with pytest.raises(CliError, match="has no right to patch"):
        changing.set_automatic(*SHOP, is_on=False, seen=asked.seen)
    assert is_on(server)


def test_a_default_that_cannot_be_read_is_said_to_be_assumed(server: ApiServer, changing: Changing) -> None:
    assert not any("assumes" in text for text in changing.ask_profile(*SHOP, "modern").told)
    server.may = lambda _, plural, *__: plural != "configmaps"
    assert any("assumes the newest revision, 2026-11" in text for text in changing.offer(*SHOP).notes)
    assert any("assumes the newest revision, 2026-11" in text for text in changing.ask_profile(*SHOP, "modern").told)
