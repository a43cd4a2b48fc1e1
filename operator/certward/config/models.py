"""What may stand in the operator's configuration file, field by field, with the defaults.

Fields have their camelCase names in the file and snake_case names here. Secrets never stand in the file: it
names Kubernetes Secrets. Rules between fields are in `certward.config`.
"""

from datetime import timedelta
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from certward.config import fields
from certward.model.hostnames import HostnameRule, is_wildcard
from certward.model.profiles import REVISIONS

LETS_ENCRYPT: Final = "https://acme-v02.api.letsencrypt.org/directory"
#: https://letsencrypt.org/docs/rate-limits/, as of 2026-08-05.
LETS_ENCRYPT_LIMITS: Final = {
    "ordersPer3h": 300,
    "certificatesPerRegisteredDomainPer7d": 50,
    "duplicatesPer7d": 5,
    "failuresPerHostnamePer1h": 5,
}


class _Model(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        hide_input_in_errors=True,
        validate_default=False,
    )


class SecretRef(_Model):
    """A key of a Secret in the operator's namespace."""

    name: fields.ObjectName = Field(min_length=1)
    key: fields.Text = Field(min_length=1)


class ExternalAccountBinding(_Model):
    """The binding of the ACME account to one at the CA (RFC 8555, 7.3.4)."""

    key_id: fields.Text = Field(alias="keyID", min_length=1)
    hmac_key_secret_ref: SecretRef


class Limits(_Model):
    """What the CA allows in sliding windows; 0 is no limit."""

    orders_per_3h: fields.Count = Field(default=0, alias="ordersPer3h")
    certificates_per_registered_domain_per_7d: fields.Count = Field(
        default=0, alias="certificatesPerRegisteredDomainPer7d"
    )
    duplicates_per_7d: fields.Count = Field(default=0, alias="duplicatesPer7d")
    failures_per_hostname_per_1h: fields.Count = Field(default=0, alias="failuresPerHostnamePer1h")


class IssuerConfig(_Model):
    """A certification authority that speaks ACME.

    Attributes:
        name: what Apps call it.
        directory: https URL of its directory.
        email: contact of the account; "" for none.
        profile: the ACME profile of certificates, "" for the CA's default.
        ca_bundle: PEM, extra roots for the directory's own TLS; empty for none.
        external_account_binding: where the CA asks for it.
        limits: the CA's rate limits; those left out are 0, but for Let's Encrypt's production directory the
            published ones.
    """

    name: fields.Label
    directory: fields.HttpsUrl
    email: fields.Email = ""
    profile: fields.Text = ""
    ca_bundle: fields.CaBundle = b""
    external_account_binding: ExternalAccountBinding | None = None
    limits: Limits = Limits()

    @model_validator(mode="before")
    @classmethod
    def _published_limits(cls, raw: Any) -> Any:  # noqa: ANN401
        if not isinstance(raw, dict) or raw.get("directory") != LETS_ENCRYPT:
            return raw
        limits = raw.get("limits", {})
        return raw | {"limits": LETS_ENCRYPT_LIMITS | limits} if isinstance(limits, dict) else raw


class Http01(_Model):
    """The answerer of HTTP-01 challenges.

    Attributes:
        address: where it listens; empty for all addresses, of IPv6 and of IPv4.
        port: TCP port that it listens at.
        advertise: IP addresses at which the ingress reaches the replicas; empty for `auto`, which is those of
            the operator's own EndpointSlices.
    """

    address: fields.Address = ""
    port: fields.Port = 8089
    advertise: fields.Advertise = ()


class Rfc2136(_Model):
    """A DNS server that takes dynamic updates signed with TSIG."""

    server: fields.Resolver
    zone: fields.Suffix = Field(min_length=1)
    tsig_secret_ref: SecretRef


class Dns01(_Model):
    """How TXT records for DNS-01 are written; None: not at all."""

    rfc2136: Rfc2136 | None = None


class Challenge(_Model):
    """How control over hostnames is proven to the CA; `dns_persist01` also by records that their owners set."""

    http01: Http01 = Http01()
    dns01: Dns01 = Dns01()
    dns_persist01: fields.Bool = Field(default=False, alias="dnsPersist01")


class Gateway(_Model):
    """A Gateway (Gateway API) that listeners attach to; without a name the only one of the class is used.

    Attributes:
        namespace: its namespace.
        name: its name.
        http_port: port of the listeners for plain HTTP.
        https_port: port of the listeners for HTTPS.
    """

    namespace: fields.ObjectName = ""
    name: fields.ObjectName = ""
    http_port: fields.Port = 80
    https_port: fields.Port = 443


class ClassProbe(_Model):
    """Where handshakes reach the data plane; None: its Service, then the address in status."""

    http_address: fields.OptionalHostPort = None
    https_address: fields.OptionalHostPort = None
    proxy_protocol: fields.Bool = False


class IngressClass(_Model):
    """An ingress class that Apps may use.

    Attributes:
        dialect: one of `DIALECTS`; "" for the one that fits the controller of the IngressClass or GatewayClass.
        gateway: for dialects of the Gateway API.
        dns_target: a hostname or IP addresses, for hostnames of this class instead of `dns.target`.
        probe: where to look at what it serves.
    """

    dialect: fields.Dialect = ""
    gateway: Gateway = Gateway()
    dns_target: fields.Targets = ()
    probe: ClassProbe = ClassProbe()


class Ingress(_Model):
    """The ingress classes of which something is to be said; a single one is the default without being named so."""

    default_class: fields.Text
    classes: dict[fields.ObjectName, IngressClass] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, raw: Any) -> Any:  # noqa: ANN401
        if not isinstance(raw, dict):
            return raw
        if "classes" not in raw:
            default = raw.get("defaultClass", "traefik")
            classes = {"traefik": {"dialect": "traefik"}} if default == "traefik" else {}
            return {"defaultClass": default, "classes": classes} | raw
        classes = raw["classes"]
        single = isinstance(classes, dict) and len(classes) == 1
        return ({"defaultClass": next(iter(classes))} if single else {}) | raw


class Dns(_Model):
    """What hostnames should point at, and how that is checked.

    Attributes:
        target: one hostname, or IP addresses; empty: not known.
        resolvers: DNS servers to ask; empty: those of the system.
        preflight: whether a hostname that points elsewhere keeps the CA from being asked.
    """

    target: fields.Targets = ()
    resolvers: tuple[fields.Resolver, ...] = ()
    preflight: fields.Preflight = "enforce"


class PlatformDomain(_Model):
    """The platform's own domain for built-in hostnames and its wildcard certificate; "" for none."""

    suffix: fields.Suffix = ""
    certificate_secret: fields.ObjectName = ""


class HostnameRuleConfig(_Model):
    """Which namespaces may claim a hostname or the names below it."""

    pattern: fields.HostnamePattern
    namespaces: tuple[fields.Label, ...]


class Floor(_Model):
    """What no profile may go beneath; "" for no floor."""

    min_version: fields.FloorVersion = ""


class Tls(_Model):
    """The revision that new Apps are pinned to, and the floor."""

    default_revision: fields.Revision = REVISIONS[-1]
    floor: Floor = Floor()


class Probe(_Model):
    """How often each hostname is looked at, and how many handshakes a second are made at most."""

    interval: fields.Duration = timedelta(minutes=10)
    per_second: fields.Rate = 2.0


class Config(_Model):
    """The whole configuration. Without issuers only manual certificates are served.

    Attributes:
        shards: into how many parts the work is split, so that as many replicas can work at once.
    """

    issuers: tuple[IssuerConfig, ...] = ()
    challenge: Challenge = Challenge()
    ingress: Ingress = Field(default_factory=lambda: Ingress.model_validate({}))
    dns: Dns = Dns()
    platform_domain: PlatformDomain = PlatformDomain()
    hostnames: tuple[HostnameRuleConfig, ...] = ()
    hostnames_default: fields.AllowDeny = "allow"
    tls: Tls = Tls()
    probe: Probe = Probe()
    shards: fields.Shards = 1

    def issuer(self, name: str) -> IssuerConfig | None:
        """Return the issuer of that name."""
        return next((issuer for issuer in self.issuers if issuer.name == name), None)

    def warnings(self) -> tuple[str, ...]:
        """What the configuration allows though hardly anybody who shares a cluster means it, a sentence each.

        With DNS-01 nobody has to receive a name's traffic to get a certificate for it: whoever may claim a name in
        the zone, such as that of a mail server elsewhere, could then pass for it.
        """
        rfc2136 = self.challenge.dns01.rfc2136
        if rfc2136 is None or self.hostnames_default != "allow":
            return ()
        within = f".{rfc2136.zone}"
        if any(is_wildcard(rule.pattern) and within.endswith(rule.pattern[1:]) for rule in self.hostnames):
            return ()
        sentence = (
            f"Every namespace may claim names in the zone {rfc2136.zone} and gets certificates for them by DNS-01, "
            f"wherever they lead: hostnamesDefault is allow and no rule in hostnames names *.{rfc2136.zone}."
        )
        return (sentence,)

    @property
    def hostname_rules(self) -> tuple[HostnameRule, ...]:
        """The rules about hostnames, as `model.hostnames.claim_allowed` takes them."""
        return tuple(HostnameRule(rule.pattern, rule.namespaces) for rule in self.hostnames)
