"""The operator's configuration where something else keeps it: a Helm release, git, server-side apply. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from certward.cli import gitops
from certward.cli.api import Object
from certward.cli.gitops import Keeper
from certward.cli.words import listed

#: The operator's configuration in its namespace: a ConfigMap and the key in it.
CONFIG_MAP, CONFIG_KEY = "certward-config", "config.yaml"


class OperatorConfiguration(NamedTuple):
    """The operator's ConfigMap, or why it could not be read; either is empty."""

    body: Object
    trouble: str = ""

    @property
    def text(self) -> str:
        """The configuration as it is written there."""
        return str((self.body.get("data") or {}).get(CONFIG_KEY) or "")

    @property
    def keeper(self) -> Keeper | None:
        """Who would undo a change made in the cluster."""
        return gitops.keeper_of(self.body, CONFIG_KEY)


def place_of(keeper: Keeper) -> str:
    """Where a change of the operator's configuration belongs."""
    if keeper.is_release:
        return "config.issuers in the values of the release" + (", in git" if keeper.is_git else "")
    if keeper.is_git:
        return f"the operator's configuration in git ({CONFIG_KEY} of the overlay, or config.issuers of the values)"
    return f"{CONFIG_KEY} of ConfigMap {CONFIG_MAP} in the overlay or manifest that is applied"


def way_there(keeper: Keeper, issuers: Sequence[str]) -> str:
    """What to do so that the operator gets new issuers, as the title of a step."""
    apply = "Apply it; the chart restarts the operator." if keeper.is_release else "Apply it and restart the operator."
    return (
        f"Add {listed(issuers)} to {place_of(keeper)}, behind the issuers that are there; --apply and -o yaml print "
        f"what to add. A change in the cluster would be undone, since {keeper.name} keeps that ConfigMap. {apply}"
    )
