"""The log: one line for each decision, for people by default, as JSON on demand; keys and tokens are cut out of it.

Nothing puts keys or tokens into the log. That they are cut out all the same is for what others say: a library's
exception, a server's answer.
"""

import copy
import json
import logging
import re
import sys
import threading
import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Final

from certward.model.resources import Key

_CUT: Final = "[cut out]"
#: What stands before a secret and is kept is the group.
_SECRETS: Final = (
    # PEM, also with its line ends escaped, and also when its end has been cut off.
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    # PEM as the data of a Secret holds it, but for certificates: base64 of "-----BEGIN ".
    re.compile(r"LS0tLS1CRUdJTi(?!BDRVJUSUZJQ0FU)[\w+/-]{8,}=*"),
    # A JSON Web Token or signature: three parts of base64url, of which the first is a JSON object.
    re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]+"),
    re.compile(r"(?i)((?:bearer|basic) )[\w.~+/-]{8,}=*"),
    re.compile(r"(?i)(\b(?:set-)?cookie[\"']?\s*:\s*b?[\"']?)[^\r\n\"']+"),
    # The private parts of a JSON Web Key (RFC 7518, 6.2.2, 6.3.2 and 6.4.1).
    re.compile(r"""(["'](?:d|p|q|dp|dq|qi|k)["']\s*:\s*)["'][\w-]{16,}=*["']"""),
    # Keys of HMACs as Certward, CAs and BIND write them; passwords; tokens in a URL.
    re.compile(r"""(?i)(\b(?:hmac_?key|password)["']?\s*[:=]\s*["']?)[^\s"',;&)}]+"""),
    re.compile(r"""(?i)(\bsecret\s+")[\w+/]{16,}={0,2}(?="\s*;)"""),
    re.compile(r"(?i)(\btoken=)[^\s,;&)]+"),
    re.compile(r"(://)[^\s/@:]+:[^\s/@]+(?=@)"),  # user and password in a URL
)
#: They could change what a terminal shows, or end a line of the log.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


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
        text = pattern.sub(rf"\1{_CUT}" if pattern.groups else _CUT, text)
    return text


def _visible(text: str) -> str:
    """The text in one line, with control characters as JSON and Python write them."""
    return _CONTROL.sub(lambda found: json.dumps(found[0])[1:-1], text)


class TextFormatter(logging.Formatter):
    """Lines for people: time in UTC, level, what is said. What belongs to a line and is more than one is indented."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s.%(msecs)03dZ %(levelname)-7s %(message)s", "%Y-%m-%dT%H:%M:%S")
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        """The line, with the traceback where there is one."""
        shown = copy.copy(record)
        shown.msg, shown.args = _visible(scrub(record.getMessage())), None
        return "\n    ".join(map(_visible, scrub(super().format(shown)).split("\n")))


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
        return _visible(json.dumps(entry, ensure_ascii=False))


def set_up(level: str, style: str) -> None:
    """Log to standard error.

    Args:
        level: debug, info, warning or error.
        style: text or json.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JSONFormatter() if style == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # Python itself would print them as they are.
    sys.excepthook = _ended
    threading.excepthook = _thread_ended
    logging.getLogger("kopf").setLevel(logging.WARNING)
    # It says at each start that signals are ignored in a thread; they are meant to be.
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    logging.getLogger("asyncio").setLevel(logging.WARNING)


def _ended(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("certward").critical("it has ended", exc_info=(kind, error, trace))


def _thread_ended(about: threading.ExceptHookArgs) -> None:
    if about.exc_value is not None and not issubclass(about.exc_type, SystemExit):
        name = about.thread.name if about.thread else "?"
        shown = (about.exc_type, about.exc_value, about.exc_traceback)
        logging.getLogger("certward").error("the thread %s has ended", name, exc_info=shown)
