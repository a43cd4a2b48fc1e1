"""What the dashboard tells of the CAs' limits, read from the operator's own records."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from certward.cli.api import Api
from certward.dashboard import budgets
from certward.dashboard.store import Budget
from certward.plan.ledger_document import Snapshot, render
from certward.plan.windows import Books, Limit, Subject
from dashboard import worlds
from dashboard.api_server import ApiServer, Body, api_server

DIRECTORY = "https://acme.example.com/directory"
LIMITS = {Limit.ORDERS: 300, Limit.CERTIFICATES: 50, Limit.DUPLICATES: 0, Limit.FAILURES: 5}
CONFIG = f"""
issuers:
- name: test
  directory: {DIRECTORY}
  email: ops@example.com
  caBundle: /etc/certward/roots.pem
  limits: {{ordersPer3h: 300, certificatesPerRegisteredDomainPer7d: 50, failuresPerHostnamePer1h: 5}}
"""
NOW = worlds.now().replace(microsecond=0)


def config_map(name: str, **data: str) -> Body:
    return {"kind": "ConfigMap", "metadata": {"name": name, "namespace": "certward-system"}, "data": data}


def ledger(**held: int) -> str:
    books, bucket = Books(LIMITS), int(NOW.timestamp()) - 600
    books.put(Subject(Limit.ORDERS), bucket - bucket % 60, 41)
    for number in range(9):
        books.put(Subject(Limit.CERTIFICATES, f"d{number}.example"), bucket - bucket % 3600, number)
    return render(Snapshot(books, {Subject(Limit.ORDERS): at for at in held.values()}, NOW), DIRECTORY)[0]


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with api_server(config_map("certward-config", **{"config.yaml": CONFIG})) as running:
        yield running


@pytest.fixture
def api(server: ApiServer, tmp_path: Path) -> Api:
    return Api(str(server.kubeconfig(tmp_path)), None)


def read(api: Api) -> tuple[Budget, ...] | str:
    return budgets.read(api, "certward-system", NOW)


def test_the_names_that_are_nearest_to_a_limit_are_told(server: ApiServer, api: Api) -> None:
    until = NOW + timedelta(hours=1)
    server.put(config_map("certward-budget-test", **{"ledger.json": ledger(until=int(until.timestamp()))}))
    (told,) = read(api)
    assert told.uses == (
        ("orders in 3 hours", 41, 300),
        *((f"certificates in 7 days for d{number}.example", number, 50) for number in (8, 7, 6, 5, 4)),
    )
    assert told.held_until == until


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1}', '{"version": 1, "directory": "elsewhere"}'])
def test_records_that_cannot_be_read_count_as_none(server: ApiServer, api: Api, text: str) -> None:
    server.put(config_map("certward-budget-test", **{"ledger.json": text}))
    assert read(api) == (Budget("test", DIRECTORY, (("orders in 3 hours", 0, 300),)),)


def test_who_may_not_read_them_is_told_so(server: ApiServer, api: Api) -> None:
    server.may = lambda _, plural, *__: plural != "configmaps"
    told = read(api)
    assert isinstance(told, str)
    assert told.startswith("What the CAs' limits were used for cannot be shown: your account ann has no right to get")
