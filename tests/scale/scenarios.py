"""The scenarios by their names; a name may have a size behind it, such as burst-200."""

from dataclasses import dataclass
from types import ModuleType

from scale import burst, churn, curve, failover, latency, policy, renewal, restart, resting

#: Those that need nothing of an operator but that it obtains certificates.
FOR_ALL = ("latency", "burst")
_MODULES: dict[str, ModuleType] = {
    "latency": latency,
    "burst": burst,
    "renewal": renewal,
    "policy": policy,
    "restart": restart,
    "rest": resting,
    "failover": failover,
    "curve": curve,
    "churn": churn,
}
#: What `make bench` runs: some minutes.
USUAL = ("latency", "burst-50", "burst-200", "failover")
ALL = (
    "latency",
    "burst-50",
    "burst-200",
    "burst-1000",
    "renewal-1000",
    "policy-1000",
    "restart-1000",
    "restart-10000",
    "rest-240",
    "failover",
    "curve-10000",
    "churn-1800",
)


class Unknown(ValueError):
    """There is no such scenario."""


@dataclass(frozen=True)
class Scenario:
    """One that is to be run, with its size."""

    kind: str
    size: int

    @property
    def name(self) -> str:
        """What its results are called."""
        return f"{self.kind}-{self.size}"

    @property
    def module(self) -> ModuleType:
        """What measures and shows it."""
        return _MODULES[self.kind]


def chosen(words: list[str], operator: str) -> list[Scenario]:
    """Return what is named: scenarios with or without a size, `all`, or nothing for the usual ones.

    Raises:
        Unknown: in words for whoever typed it.
    """
    expanded = [name for word in words or USUAL for name in (ALL if word == "all" else (word,))]
    if operator != "certward" and (not words or "all" in words):
        expanded = [name for name in expanded if name.partition("-")[0] in FOR_ALL]
    return list(dict.fromkeys(_one(word, operator) for word in expanded))


def _one(word: str, operator: str) -> Scenario:
    kind, dash, size = word.partition("-")
    if kind not in _MODULES:
        raise Unknown(f"{word}: there is no such scenario; there are {', '.join(_MODULES)}")
    if operator != "certward" and kind not in FOR_ALL:
        raise Unknown(f"{word}: is for certward only; {operator} has {', '.join(FOR_ALL)}")
    module = _MODULES[kind]
    number = int(size) if size.isdecimal() else 0
    if dash and not 1 <= number <= module.MOST:
        raise Unknown(f"{word}: the size must be a number from 1 to {module.MOST}")
    return Scenario(kind, number or module.DEFAULT)


def listing() -> str:
    """Return all scenarios, a line each, with their usual sizes."""
    lines = [f"  {kind:9} {module.ABOUT} (N: {module.DEFAULT})" for kind, module in _MODULES.items()]
    return "\n".join(lines)
