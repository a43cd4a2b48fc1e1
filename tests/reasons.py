"""The reasons that the code can produce, found in its sources, and those that docs/reasons.md explains.

A reason is a string in CamelCase. Where one stands in a place for reasons (an error, a condition, a verdict) it is one
without doubt. Elsewhere (a tuple, a comparison) it cannot be told from other such words by its place. So every word in
CamelCase of the rooms that decide has to be either explained on the page or named in OTHER_WORDS below; a word that is
in neither is news, and so is one in OTHER_WORDS that stands in a place for reasons.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
PACKAGE = CHECKOUT / "operator" / "certward"
PAGE = CHECKOUT / "docs" / "reasons.md"

#: Where statuses come about. What dialects and the API client hold besides reasons are words of manifests and HTTP.
DECIDING = ("errors.py", "model", "plan", "acme", "nameserver", "probe", "runtime")
RAISING = (*DECIDING, "kube", "render")

_CAMEL = re.compile(r"[A-Z][a-z]*[A-Za-z0-9]*[a-z][A-Za-z0-9]*")
_ERRORS = frozenset(
    {
        *("OperatorError", "InvalidSpec", "Blocked", "Rejected", "IssuerUnusable", "ChallengeFailed"),
        *("Retryable", "Transient", "Conflict", "RateLimited"),
    }
)
#: Which argument of a call is a reason; Verdict is both that of a Domain (state, reason) and that of a handshake.
_SECOND = frozenset({"yes", "no", "unknown", "Verdict", "_Verdict", "_blocked"})
_EVENTS = frozenset({"Event"})

#: Words in CamelCase that are no reasons, by what they are.
OTHER_WORDS = frozenset(
    {
        # kinds and columns of the Kubernetes API
        *("App", "Domain", "TLSPolicy", "Namespace", "Builtin", "Secret", "Service", "EndpointSlice", "ConfigMap"),
        "HostnameRules",
        *("Lease", "Gateway", "GatewayClass", "IngressClass", "Ingress", "Event", "Opaque", "None", "ListenerSet"),
        "HTTPProxy",
        # states of a Domain that always have a reason beside them, sources of certificates
        *("Waiting", "Failing", "Failed", "Automatic"),
        # types of conditions and their statuses
        *("Ready", "CertificateIssued", "PolicyEnforced", "RenewalOverdue", "Reconciling", "Stalled"),
        *("HostnameServed", "True", "False", "Unknown"),
        # Events: types, reasons and actions
        *("Normal", "Warning", "Renewed", "Revoked", "Switched", "ServedAgain", "Moved", "TLSProfileChanged"),
        *("PolicyNotEnforced", "Renew", "Revoke", "Route", "Configure", "Accept", "Enforce", "Issue", "Prove"),
        # why a new certificate is wanted, which only the log tells
        *("Missing", "Unusable", "RenewalDue", "KeyTypeChanged", "IssuerChanged", "Refresh"),
        # beginnings and ends of other words, and the names of types in quotes
        *("Challenge", "TLSv", "TLSv1", "PublicKey", "KeyExchange", "Authentication"),
        # names of HTTP headers and of networks' operators
        *("Accept", "Date", "Host", "Location", "Server", "Allow", "Connection"),
        *("Akamai", "Cloudflare", "Fastly", "Gcore", "Imperva", "KeyCDN", "Sucuri"),
    }
)


def explained() -> list[str]:
    """The entries of docs/reasons.md, in their order."""
    return re.findall(r"^### (\S+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)


@cache
def certain() -> dict[str, str]:
    """Reasons that stand in a place for reasons, with one place where each does."""
    return {word: place for path in _sources(RAISING) for word, place in _in_places(path)}


def computed() -> list[str]:
    """Places for reasons in which one is put together, so that it cannot be found in the sources."""
    return [place for path in _sources(RAISING) for place in _computed(path)]


@cache
def words() -> dict[str, str]:
    """Every word in CamelCase of the rooms that decide, with one place where it stands."""
    return {word: place for path in _sources(DECIDING) for word, place in _all(path)}


def _sources(rooms: tuple[str, ...]) -> Iterator[Path]:
    for room in rooms:
        place = PACKAGE / room
        yield from [place] if place.is_file() else sorted(place.rglob("*.py"))


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _at(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(CHECKOUT)}:{getattr(node, 'lineno', 0)}"


def _in_places(path: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Call):
            for argument in _places(node):
                for constant in ast.walk(argument):
                    if isinstance(constant, ast.Constant) and _is_word(constant.value):
                        yield constant.value, _at(path, constant)


def _computed(path: Path) -> Iterator[str]:
    for node in ast.walk(_tree(path)):
        for argument in _places(node) if isinstance(node, ast.Call) else ():
            if any(isinstance(each, ast.JoinedStr | ast.BinOp) for each in ast.walk(argument)):
                yield _at(path, argument)


def _places(call: ast.Call) -> Iterator[ast.expr]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in _ERRORS:
        yield from call.args[:1]
    if name in _SECOND:
        yield from call.args[:1] if name == "_blocked" else call.args[1:2]
    yield from (each.value for each in call.keywords if each.arg == "reason" and name not in _EVENTS)


def _all(path: Path) -> Iterator[tuple[str, str]]:
    tree = _tree(path)
    exports = {id(each) for node in tree.body if _is_exports(node) for each in ast.walk(node)}
    # A name in quotes that stands for a type is no string of the program.
    types = {id(each) for node in ast.walk(tree) for hint in _hints(node) for each in ast.walk(hint)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in exports | types and _is_word(node.value):
            yield str(node.value), _at(path, node)


def _is_exports(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and any(getattr(target, "id", "") == "__all__" for target in node.targets)


def _hints(node: ast.AST) -> Iterator[ast.expr]:
    for field in ("annotation", "returns"):
        hint = getattr(node, field, None)
        if isinstance(hint, ast.expr):
            yield hint


def _is_word(value: object) -> bool:
    return isinstance(value, str) and bool(_CAMEL.fullmatch(value))
