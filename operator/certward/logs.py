"""The log: one line for each decision, for people by default, as JSON on demand; keys and tokens are cut out of it.

Nothing puts keys or tokens into the log. That they are cut out all the same is for what others say: a library's
exception, a server's answer.
"""

import json
import logging
import re
import sys
import time
from datetime import UTC, datetime
from typing import Final

from certward.model.resources import Key

_CUT: Final = "[cut out]"
_SECRETS: Final = (
    # PEM, also with its line ends escaped, and also when its end has been cut off.
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    # A JSON Web Token or signature: three parts of base64url, of which the first is a JSON object.
    re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]+"),
    re.compile(r"(?<=bearer )[\w.~+/-]{8,}=*", re.IGNORECASE),
    re.compile(r"(?<=basic )[\w+/-]{8,}=*", re.IGNORECASE),
    # The private parts of a JSON Web Key (RFC 7518, 6.2.2 and 6.3.2; 6.4.1), keys of HMACs, passwords.
    re.compile(
        r"""(?<=["'](?:d|p|q|k)["']: )["'][\w-]{16,}["']"""
        r"""|(?<=["'](?:d|p|q|k)["']:)["'][\w-]{16,}["']"""
    ),
    re.compile(r"(?i)(?:(?<=hmackey: )|(?<=hmac_key=)|(?<=password=)|(?<=token=))[^\s,;&)]+"),
    re.compile(r"(?<=://)[^\s/@:]+:[^\s/@]+(?=@)"),  # user and password in a URL
)


def say(log: logging.Logger, level: int, key: Key, words: object, *, hostname: str = "", **fields: str) -> None:
    """Log one line about an object.

    Args:
        log: the caller's.
        level: logging.INFO or the like.
        key: the object.
        words: what is said of it.
        hostname: of a Domain.
        fields: shown as fields of their own in JSON, such as state, reason, issuer. None may hold a secret.
    """
    about = {"kind": key.kind, "namespace": key.namespace, "name": key.name, "hostname": hostname, **fields}
    shown = {"fields": {field: value for field, value in about.items() if value}}
    # One line, whatever users and CAs have written: with an end of line in it, it would pass for two.
    told = " ".join(str(words).split())
    log.log(level, "%s%s: %s", key, f" ({hostname})" if hostname else "", told, extra=shown)


def scrub(text: str) -> str:
    """The text without private keys, tokens and passwords."""
    for pattern in _SECRETS:
        text = pattern.sub(_CUT, text)
    return text


class TextFormatter(logging.Formatter):
    """Lines for people: time in UTC, level, what is said."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s.%(msecs)03dZ %(levelname)-7s %(message)s", "%Y-%m-%dT%H:%M:%S")
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        """The line, with the traceback where there is one."""
        return scrub(super().format(record))


class JSONFormatter(logging.Formatter):
    """One JSON object a line, for log collectors: time, level, logger, message, and what it is about."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        entry: dict[str, str] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": scrub(record.getMessage()),
        }
        for field, value in getattr(record, "fields", {}).items():
            entry.setdefault(field, scrub(str(value)))
        if record.exc_info:
            entry["traceback"] = scrub(self.formatException(record.exc_info))
        return json.dumps(entry, ensure_ascii=False)


def set_up(level: str, style: str) -> None:
    """Log to standard error.

    Args:
        level: debug, info, warning or error.
        style: text or json.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JSONFormatter() if style == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("kopf").setLevel(logging.WARNING)
    # It says at each start that signals are ignored in a thread; they are meant to be.
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
