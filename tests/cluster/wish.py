"""What is wished for: stated as a whole each time, so that the same wish twice changes nothing."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cluster import dataplanes
from cluster.dataplane import DataPlane
from cluster.errors import WishInvalid

# Each replica's EndpointSlice address is one of 192.0.2.10 and on, its answerer shares one port: this is plenty.
_MOST_OPERATORS = 5


@dataclass(frozen=True)
class Wish:
    """How many operators, which data planes, what is different in the operator's configuration."""

    operators: int = 1
    ingress: str = "traefik"
    patch: Mapping[str, Any] = field(default_factory=dict)
    pebble_sleeps: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.operators <= _MOST_OPERATORS:
            raise WishInvalid(f"OPERATORS={self.operators}: must be from 0 to {_MOST_OPERATORS}")
        dataplanes.chosen(self.ingress)

    @property
    def planes(self) -> tuple[DataPlane, ...]:
        """The data planes, the one of the default class first."""
        return dataplanes.chosen(self.ingress)


def from_environment(environ: Mapping[str, str] = os.environ) -> Wish:
    """Return the wish that OPERATORS, INGRESS, CLUSTER_OPERATOR_CONFIG_PATCH and CLUSTER_PEBBLE_SLEEP state.

    What is unset or empty has its default. Raises WishInvalid.
    """
    operators = environ.get("OPERATORS") or "1"
    if not operators.isdecimal():
        raise WishInvalid(f"OPERATORS={operators}: must be a number")
    patch_file = environ.get("CLUSTER_OPERATOR_CONFIG_PATCH")
    return Wish(
        operators=int(operators),
        ingress=environ.get("INGRESS") or "traefik",
        patch=read_patch(Path(patch_file)) if patch_file else {},
        pebble_sleeps=environ.get("CLUSTER_PEBBLE_SLEEP") == "1",
    )


def read_patch(file: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file; raises WishInvalid when there is none."""
    try:
        content = yaml.safe_load(file.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise WishInvalid(f"CLUSTER_OPERATOR_CONFIG_PATCH={file}: cannot be read: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise WishInvalid(f"CLUSTER_OPERATOR_CONFIG_PATCH={file}: must hold a mapping, as the operator's configuration")
    return content
