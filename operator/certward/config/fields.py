"""The kinds of values in the operator's configuration: how each is written, and the words for what is wrong.

Validators raise ValueError with a clause that follows the field's path ("must be ..."). They never repeat
what was written, since a secret may have been put into the wrong field.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from cryptography import x509
from pydantic import AfterValidator, BeforeValidator, Field, Strict, ValidationInfo, WithJsonSchema

from certward.model import hostnames
from certward.model.profiles import REVISIONS
from certward.model.suites import VERSIONS
from certward.plan.shards import MOST_SHARDS

#: The ingress controllers whose objects and settings the operator can write.
DIALECTS: Final = ("traefik", "envoy-gateway", "contour", "ingress-nginx", "haproxy-ingress", "generic")

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_HIGHEST_PORT = 65535


@dataclass(frozen=True)
class HostPort:
    """A host, name or IP address without brackets, and a TCP or UDP port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _label(text: str) -> str:
    if not re.fullmatch(_LABEL, text):
        raise ValueError("must be a DNS label: 1 to 63 lower case letters, digits and inner hyphens")
    return text


def _object_name(text: str) -> str:
    if text and not _is_name(text):
        raise ValueError("must be the name of a Kubernetes object: DNS labels joined by dots")
    return text


def _hostname_pattern(text: str) -> str:
    if re.fullmatch(rf"\*\.({_LABEL}\.)*(?=[a-z]){_LABEL}", text) and len(text) <= hostnames.MAX_LENGTH:
        return text  # unlike a hostname, also `*.test`, all names of a zone
    if problem := hostnames.problem(text):
        raise ValueError(f"must be a hostname, or `*.` and one for every name below it. {problem}")
    return text


def _suffix(text: str) -> str:
    problem = hostnames.problem(text)
    if text and (problem or hostnames.is_wildcard(text)):
        raise ValueError(f"must be a hostname without a wildcard, such as apps.example.net. {problem}".rstrip())
    return text


def _email(text: str) -> str:
    if text and not re.fullmatch(r"[^@\s]+@[^@\s]+", text):
        raise ValueError("must be an e-mail address, or left out")
    return text


def _https_url(text: str) -> str:
    try:
        url = urlsplit(text)
        usable = bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        usable = False
    if not usable or url.scheme != "https":
        raise ValueError("must be an https:// URL: ACME asks for HTTPS (RFC 8555, 6.1)")
    if url.username is not None or url.password is not None or url.fragment:
        raise ValueError("must be a URL without user, password and fragment")
    return text


def _address(text: str) -> str:
    if text and not _is_address(text):
        raise ValueError('must be an IP address, such as 192.0.2.1, or "" for all of both families')
    return text


def _duration(value: object) -> timedelta:
    found = re.fullmatch(r"([0-9]{1,6})([smhd])", value) if isinstance(value, str) else None
    if not found or not int(found[1]):
        raise ValueError("must be a whole number and a unit, such as 30s, 10m or 6h")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _advertise(value: object) -> tuple[str, ...]:
    words = "must be auto, or IP addresses at which the ingress reaches the replicas"
    if value == "auto":
        return ()
    addresses = _list(value, words)
    if not addresses or not all(_is_address(text) for text in addresses):
        raise ValueError(words)
    parsed = [ip_address(text) for text in addresses]
    if any(a.is_loopback or a.is_link_local or a.is_unspecified or a.is_multicast for a in parsed):
        # The API server refuses these in an EndpointSlice.
        raise ValueError(f"{words}; loopback, link-local, multicast and unspecified ones cannot be")
    return tuple(str(address) for address in parsed)


def _targets(value: object) -> tuple[str, ...]:
    words = "must be one hostname, or IP addresses"
    targets = _list(value, words) if value else ()
    if all(_is_address(text) for text in targets):
        return tuple(str(ip_address(text)) for text in targets)
    if len(targets) > 1 or not _is_name(targets[0]) or hostnames.problem(targets[0]):
        raise ValueError(words)
    return targets


def _host_port(value: object, default_port: int = 0) -> HostPort:
    words = "must be host:port" + (f", or a host, whose port is then {default_port}" if default_port else "")
    if not isinstance(value, str):
        raise ValueError(words)  # noqa: TRY004  (pydantic collects ValueError only)
    found = re.fullmatch(r"(\[(?P<v6>[^\]]+)\]|(?P<host>[^\[\]:]+))(:(?P<port>[0-9]{1,5}))?", value)
    host, port = (found["v6"] or found["host"], found["port"]) if found else (value, None)
    number = int(port) if port else default_port
    if not (_is_address(host) or _is_name(host.lower())) or not 0 < number <= _HIGHEST_PORT:
        raise ValueError(words)
    return HostPort(host, number)


def _optional_host_port(value: object) -> HostPort | None:
    return _host_port(value) if value != "" else None


def _ca_bundle(value: object, info: ValidationInfo) -> bytes:
    """Return PEM with at least one certificate: the text itself, or what the file of that name holds."""
    if not isinstance(value, str):
        raise ValueError("must be PEM text or the path of a file")  # noqa: TRY004
    if not value:
        return b""
    pem = value.encode()
    if "-----BEGIN " not in value:
        try:
            pem = (Path((info.context or {}).get("base", ".")) / value).read_bytes()
        except (OSError, ValueError) as error:
            why = (isinstance(error, OSError) and error.strerror) or "not a path"
            raise ValueError(f"must be PEM text or the path of a file that can be read ({why})") from None
    if b"PRIVATE KEY-----" in pem:
        raise ValueError("must hold certificates only; there is a private key among them")
    try:
        x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise ValueError("must hold at least one certificate, and only readable ones, as PEM") from None
    return pem


def _list(value: object, words: str) -> tuple[str, ...]:
    """Read a list of strings, or a string with commas between them."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(words)
    return tuple(item.strip() for item in value)


def _is_name(text: str) -> bool:
    return len(text) <= hostnames.MAX_LENGTH and bool(re.fullmatch(rf"{_LABEL}(\.{_LABEL})*", text))


def _is_address(text: str) -> bool:
    try:
        return "%" not in str(ip_address(text))
    except ValueError:
        return False


def _matches(pattern: str) -> WithJsonSchema:
    """What a JSON schema can say of a text whose rules are in a validator."""
    return WithJsonSchema({"type": "string", "pattern": pattern})


def _among(allowed: tuple[str, ...]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "enum": list(allowed)})


def _one_of(allowed: tuple[str, ...], *, also_empty: bool = False) -> AfterValidator:
    def check(text: str) -> str:
        if text not in allowed and not (also_empty and not text):
            raise ValueError(f"must be one of {', '.join(allowed)}" + (' or ""' if also_empty else ""))
        return text

    return AfterValidator(check)


#: A list of texts, or one text with commas between them.
_TEXTS: Final = WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}})

# Strict, so that 5 is no text, "5" is no number and neither is true.
Text = Annotated[str, Strict()]
Bool = Annotated[bool, Strict()]
Port = Annotated[int, Strict(), Field(ge=1, le=_HIGHEST_PORT)]
Count = Annotated[int, Strict(), Field(ge=0)]
Shards = Annotated[int, Strict(), Field(ge=1, le=MOST_SHARDS)]
Rate = Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False)]
Label = Annotated[Text, AfterValidator(_label), _matches(f"^{_LABEL}$")]
ObjectName = Annotated[Text, AfterValidator(_object_name)]
HostnamePattern = Annotated[Text, AfterValidator(_hostname_pattern)]
Suffix = Annotated[Text, AfterValidator(_suffix)]
Email = Annotated[Text, AfterValidator(_email), _matches(r"^([^@\s]+@[^@\s]+)?$")]
HttpsUrl = Annotated[Text, AfterValidator(_https_url), _matches("^https://.")]
Address = Annotated[Text, AfterValidator(_address)]
Dialect = Annotated[Text, _one_of(DIALECTS, also_empty=True), _among((*DIALECTS, ""))]
Revision = Annotated[Text, _one_of(REVISIONS), _among(REVISIONS)]
FloorVersion = Annotated[Text, _one_of(VERSIONS, also_empty=True), _among((*VERSIONS, ""))]
Preflight = Literal["enforce", "warn", "off"]
AllowDeny = Literal["allow", "deny"]
Duration = Annotated[timedelta, BeforeValidator(_duration), _matches("^[0-9]{1,6}[smhd]$")]
Advertise = Annotated[tuple[str, ...], BeforeValidator(_advertise), _TEXTS]
Targets = Annotated[tuple[str, ...], BeforeValidator(_targets), _TEXTS]
Resolver = Annotated[HostPort, BeforeValidator(lambda value: _host_port(value, 53)), WithJsonSchema({"type": "string"})]
OptionalHostPort = Annotated[HostPort | None, BeforeValidator(_optional_host_port), WithJsonSchema({"type": "string"})]
CaBundle = Annotated[bytes, BeforeValidator(_ca_bundle), WithJsonSchema({"type": "string"})]


_WORDS = {
    "missing": "is required",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "float_type": "must be a number",
    "finite_number": "must be a number",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "dict_type": "must be a mapping",
    "tuple_type": "must be a list",
    "string_too_short": "must not be empty",
    "too_short": "must have at least one entry",
    "invalid_key": "has a name that is not text; put it in quotes",
}


def in_words(kind: str, context: dict[str, Any]) -> str:
    """Say what pydantic's error of that kind means to somebody who wrote a configuration file."""
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return f"must be one of {context['expected'].replace(chr(39), '').replace(' or ', ', ')}"
    if kind in {"greater_than_equal", "greater_than", "less_than_equal"}:
        bound = next(context[key] for key in ("ge", "gt", "le") if key in context)
        how = {"ge": "at least {}", "gt": "more than {}", "le": "at most {}"}
        return "must be " + next(how[key] for key in how if key in context).format(bound)
    return _WORDS.get(kind, "is not valid here")
