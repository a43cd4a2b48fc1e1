"""Every annotation that may stand on a rendered object, with what it may say for one host; all others are violations.

To the controllers the values of annotations are code and configuration. So each has a form of its own, and nothing that
a tenant writes freely fits into any of them.
"""

from collections.abc import Mapping

from builders import app, domain
from certward.model.hostnames import is_wildcard
from certward.plan.observed import Routes
from certward.render.dialects import Host
from certward.render.dialects.haproxy_ingress import HAProxyIngress
from property.fields import Rule, exactly, is_own_hostname, is_own_range, like
from property.names import reference

_ALL_RANGES = ("0.0.0.0/0", "::/0")


def _ranges(host: Host, found: str) -> bool:
    listed = found.split(",")
    return listed == [*_ALL_RANGES] or all(is_own_range(host, each) for each in listed)


def _guard() -> str:
    """The only snippet that there is: what a host without anything unusual is rendered with."""
    routes = Routes(challenge=False, secret_name="", redirect=False, profile=None)
    host = Host(domain=domain(), app=app(), routes=routes, class_name="haproxy", challenge_port=1)
    (made,) = HAProxyIngress().render(host).own
    return str(made["metadata"]["annotations"]["haproxy-ingress.github.io/config-backend"])


_SWITCH = exactly("true", "false")
_TRAEFIK, _NGINX, _HAPROXY = (
    "traefik.ingress.kubernetes.io/router",
    "nginx.ingress.kubernetes.io",
    "haproxy-ingress.github.io",
)
#: The annotations of Ingresses, the same for all dialects.
ANNOTATIONS: Mapping[str, Rule] = {
    f"{_TRAEFIK}.entrypoints": exactly("web", "websecure"),
    f"{_TRAEFIK}.tls": exactly("true"),
    f"{_TRAEFIK}.tls.options": lambda host, found: found == reference(host.domain, "https", is_flat=False),
    f"{_TRAEFIK}.middlewares": lambda host, found: (
        found in [reference(host.app, role, is_flat=True) for role in ("http", "https", "redirect")]
    ),
    f"{_TRAEFIK}.priority": lambda host, found: is_wildcard(host.domain.hostname) and found in "1234",
    f"{_NGINX}/ssl-redirect": _SWITCH,
    f"{_NGINX}/force-ssl-redirect": _SWITCH,
    f"{_NGINX}/ssl-prefer-server-ciphers": _SWITCH,
    f"{_NGINX}/ssl-ciphers": like(r"[A-Z0-9-]+(:[A-Z0-9-]+)*(:@SECLEVEL=0)?"),
    f"{_NGINX}/whitelist-source-range": _ranges,
    f"{_HAPROXY}/ssl-redirect": _SWITCH,
    f"{_HAPROXY}/hsts": _SWITCH,
    f"{_HAPROXY}/hsts-max-age": like(r"-?[0-9]{1,10}"),
    f"{_HAPROXY}/hsts-include-subdomains": _SWITCH,
    f"{_HAPROXY}/hsts-preload": _SWITCH,
    f"{_HAPROXY}/allowlist-source-range": _ranges,
    f"{_HAPROXY}/config-backend": exactly(_guard()),
    f"{_HAPROXY}/ssl-options-host": like(r"ssl-min-ver TLSv1\.[0-3] ssl-max-ver TLSv1\.[0-3]"),
    f"{_HAPROXY}/ssl-ciphers": like(r"[A-Z0-9-]+(:[A-Z0-9-]+)*(:@SECLEVEL=0)?"),
    f"{_HAPROXY}/ssl-cipher-suites": like(r"[A-Z0-9_]+(:[A-Z0-9_]+)*"),
}
#: On a Secret. The last two are a tenant's own words, in his own Secret; no controller knows them.
SECRET_ANNOTATIONS: Mapping[str, Rule] = {
    "certward.dev/issuer": exactly("main"),
    "certward.dev/hostname": is_own_hostname,
    "certward.dev/refresh": lambda host, found: found == host.domain.meta.annotations["certward.dev/refresh"],
    "certward.dev/revoke": lambda host, found: found == host.domain.meta.annotations["certward.dev/revoke"],
}
