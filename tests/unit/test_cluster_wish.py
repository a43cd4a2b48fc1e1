from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster import operator_process, wish
from cluster.errors import WishInvalid
from cluster.paths import State
from cluster.pki import Pki
from cluster.ports import Ports
from cluster.wish import Wish


def test_nothing_said_means_the_defaults() -> None:
    assert wish.from_environment({}) == Wish(operators=1, ingress="traefik", patch={}, pebble_sleeps=False)


def test_empty_variables_mean_the_defaults() -> None:
    empty = {"OPERATORS": "", "INGRESS": "", "CLUSTER_OPERATOR_CONFIG_PATCH": "", "CLUSTER_PEBBLE_SLEEP": ""}

    assert wish.from_environment(empty) == Wish()


def test_everything_said(tmp_path: Path) -> None:
    patch = tmp_path / "patch.yaml"
    patch.write_text("probe: {interval: 5s}\n")
    environ = {
        "OPERATORS": "2",
        "INGRESS": "none",
        "CLUSTER_OPERATOR_CONFIG_PATCH": str(patch),
        "CLUSTER_PEBBLE_SLEEP": "1",
    }

    expected = Wish(operators=2, ingress="none", patch={"probe": {"interval": "5s"}}, pebble_sleeps=True)
    assert wish.from_environment(environ) == expected


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        pytest.param({"OPERATORS": "-1"}, "must be a number", id="negative"),
        pytest.param({"OPERATORS": "many"}, "must be a number", id="a word"),
        pytest.param({"OPERATORS": "9"}, "from 0 to 5", id="too many"),
        pytest.param(
            {"INGRESS": "nginx"}, "nginx is not supported; supported: contour, .*none, traefik", id="unknown data plane"
        ),
        pytest.param({"INGRESS": "traefik,nginx"}, "nginx is not supported", id="one of two is unknown"),
        pytest.param({"INGRESS": "traefik,"}, "is not supported", id="an empty name"),
        pytest.param({"INGRESS": "traefik,none"}, "none is not supported", id="one and none"),
        pytest.param({"INGRESS": "contour, contour"}, "each data plane runs once", id="twice the same"),
        pytest.param({"CLUSTER_OPERATOR_CONFIG_PATCH": "/no/such/file"}, "cannot be read", id="no patch"),
    ],
)
def test_a_wish_that_makes_no_sense_says_what_would(environ: Mapping[str, str], message: str) -> None:
    with pytest.raises(WishInvalid, match=message):
        wish.from_environment(environ)


@pytest.mark.parametrize(
    ("ingress", "names"),
    [
        pytest.param("none", [], id="none"),
        pytest.param("contour", ["contour"], id="one"),
        pytest.param("contour, traefik", ["contour", "traefik"], id="two, in their order"),
    ],
)
def test_the_data_planes_of_a_wish(ingress: str, names: list[str]) -> None:
    assert [plane.name for plane in Wish(ingress=ingress).planes] == names


def test_a_patch_must_be_a_mapping(tmp_path: Path) -> None:
    patch = tmp_path / "patch.yaml"
    patch.write_text("- a\n")

    with pytest.raises(WishInvalid, match="must hold a mapping"):
        wish.read_patch(patch)


@pytest.mark.parametrize(
    ("base", "patch", "expected"),
    [
        pytest.param({"a": 1}, {}, {"a": 1}, id="nothing"),
        pytest.param({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}, {"a": {"b": 3, "c": 2}}, id="recursive"),
        pytest.param({"a": [1, 2]}, {"a": [3]}, {"a": [3]}, id="lists are replaced"),
        pytest.param({"a": {"b": 1}}, {"a": 2}, {"a": 2}, id="a value over a mapping"),
        pytest.param({"a": 1}, {"a": {"b": 2}}, {"a": {"b": 2}}, id="a mapping over a value"),
        pytest.param({"a": 1}, {"a": None, "z": 0}, {"a": None, "z": 0}, id="null and new keys"),
    ],
)
def test_merging(base: dict[str, Any], patch: dict[str, Any], expected: dict[str, Any]) -> None:
    before = yaml.safe_dump(base)

    assert operator_process.merged(base, patch) == expected
    assert yaml.safe_dump(base) == before


def test_the_operator_gets_the_cluster_as_its_configuration_with_the_patch(tmp_path: Path) -> None:
    ports = Ports(tmp_path / "ports.json")
    told = operator_process.configuration(Wish(patch={"dns": {"preflight": "off"}}), ports, Pki(State(tmp_path).pki))

    assert told["dns"] == {
        "target": "127.0.0.1",
        "resolvers": [f"127.0.0.1:{ports.get('dns')}"],
        "preflight": "off",
    }
    assert told["challenge"]["http01"]["port"] == ports.get("http01")
    assert set(told["issuers"][0]["limits"].values()) == {0}
    assert told["ingress"]["defaultClass"] == "traefik"
    assert told["tls"] == {"defaultRevision": "2026-11"}
    assert told["probe"] == {"interval": "30s", "perSecond": 50}


def test_the_operator_is_told_of_every_class_that_runs(tmp_path: Path) -> None:
    ports = Ports(tmp_path / "ports.json")
    told = operator_process.configuration(Wish(ingress="contour,traefik"), ports, Pki(State(tmp_path).pki))["ingress"]

    web, tls = ports.get("web"), ports.get("websecure")
    assert told == {
        "defaultClass": "contour",
        "classes": {
            "contour": {
                "dialect": "contour",
                "probe": {"httpAddress": f"127.0.0.1:{web}", "httpsAddress": f"127.0.0.1:{tls}"},
            },
            "traefik": {
                "dialect": "traefik",
                "dnsTarget": "127.0.0.2",
                "probe": {"httpAddress": f"127.0.0.2:{web}", "httpsAddress": f"127.0.0.2:{tls}"},
            },
        },
    }


@pytest.mark.parametrize("ingress", ["none", "traefik"])
def test_a_class_is_there_even_when_nothing_serves_it(ingress: str, tmp_path: Path) -> None:
    ports = Ports(tmp_path / "ports.json")
    told = operator_process.configuration(Wish(ingress=ingress), ports, Pki(State(tmp_path).pki))["ingress"]

    assert (told["defaultClass"], list(told["classes"])) == ("traefik", ["traefik"])
