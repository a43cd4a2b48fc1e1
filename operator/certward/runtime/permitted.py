"""Which Domains may have their hostnames at all, as the configuration says."""

from certward.config import Config
from certward.model import hostnames
from certward.model.resources import Domain
from certward.names import PLATFORM


class Permitted:
    """Judges Domains by hostname, namespace and name; what it says of one never changes while the process runs.

    Args:
        config: names the platform's domain, and who may claim what.
        namespace: the operator's own.
    """

    def __init__(self, config: Config, namespace: str) -> None:
        self._config = config
        self._namespace = namespace

    def may(self, domain: Domain) -> bool:
        """Whether a Domain may have its hostname."""
        return self.refusal(domain) is None

    def refusal(self, domain: Domain) -> tuple[str, str] | None:
        """(reason, sentence) why a Domain may not have its hostname; None when it may."""
        suffix = self._config.platform_domain.suffix
        if self.is_platform(domain.meta.namespace, domain.meta.name):
            return None
        if suffix and (domain.hostname.endswith(f".{suffix}") or domain.hostname == suffix):
            sentence = (
                f"Names under {suffix} belong to the platform, which gives each App one; choose another hostname."
            )
            return "HostnameReserved", sentence
        allowed = hostnames.claim_allowed(
            domain.hostname,
            domain.meta.namespace,
            self._config.hostname_rules,
            self._config.hostnames_default,
        )
        if allowed:
            return None
        sentence = (
            f"Namespace {domain.meta.namespace} may not claim {domain.hostname}; ask the administrator for a rule in "
            "the configuration's hostnames."
        )
        return "HostnameNotAllowed", sentence

    def is_platform(self, namespace: str, name: str) -> bool:
        """Whether an App or Domain of that name is the platform's own."""
        return bool(self._config.platform_domain.suffix) and (namespace, name) == (self._namespace, PLATFORM)
