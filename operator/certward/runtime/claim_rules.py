"""The object `certward` of the kind HostnameRules: who may claim which hostname, as admission policies read it.

The API server judges Domains and everybody's routes by it where the administrator has installed
manifests/admission/hostnames. So the rules are said once, in the operator's configuration.
"""

import logging
from collections.abc import Sequence
from typing import Any, Literal

from certward.config import Config
from certward.errors import Blocked, Rejected
from certward.kube.client import Client, Object
from certward.model.hostnames import HostnameRule, is_wildcard
from certward.names import API_VERSION, LABEL_MANAGED_BY, MANAGED_BY

log = logging.getLogger(__name__)

KIND, NAME = "HostnameRules", "certward"


class ClaimRules:
    """Writes it; only the replica does that which keeps what there is once in the cluster."""

    def __init__(self, config: Config, client: Client) -> None:
        self._client = client
        self._spec = render(config.hostname_rules, config.hostnames_default, config.platform_domain.suffix)

    def publish(self) -> None:
        """Have it say what the configuration says, where the cluster knows the kind.

        Raises:
            Transient: the API server could not be asked.
        """
        try:
            live = self._client.get(KIND, "", NAME)
            if (live or {}).get("spec") != self._spec:
                self._write()
        except Blocked:
            log.debug("no admission policies for hostnames are installed")
        except Rejected as error:
            log.warning("admission goes by other rules about hostnames than the configuration's: %s", error.message)

    def _write(self) -> None:
        meta = {"name": NAME, "labels": {LABEL_MANAGED_BY: MANAGED_BY}}
        written = self._client.apply({"apiVersion": API_VERSION, "kind": KIND, "metadata": meta, "spec": self._spec})
        if added := sorted(_rules(written) - self._spec["rules"].keys()):
            log.warning("%s %s has rules that somebody else has added; delete it: %s", KIND, NAME, ", ".join(added))


def _rules(written: Object | None) -> set[str]:
    return set(((written or {}).get("spec") or {}).get("rules") or ())


def render(rules: Sequence[HostnameRule], default: Literal["allow", "deny"], platform: str) -> dict[str, Any]:
    """The rules as the spec of the object.

    Args:
        rules: in any order; those with the same pattern add up.
        default: what holds where no rule matches.
        platform: the platform's own domain, whose names nobody may claim; empty for none.
    """
    claimants: dict[str, set[str]] = {}
    for rule in rules:
        key = rule.pattern[1:] if is_wildcard(rule.pattern) else rule.pattern
        claimants.setdefault(key, set()).update(rule.namespaces)
    said = {"default": default, "rules": {key: sorted(namespaces) for key, namespaces in claimants.items()}}
    return said | ({"platform": platform} if platform else {})
