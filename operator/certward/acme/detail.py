"""A CA's own words, made fit for a status that changes only when something changes."""

import re

#: How much of a CA's own words is shown, in characters.
DETAIL_LENGTH = 300
# How much of them is looked at.
_READ_LENGTH = 1500

_STRIPPED = (
    (
        re.compile(r"(https?://[^\s/\"'?#\\]+)(?:[^\s\"',;>\]]*[^\s\"',;>\]:.])?"),
        r"\1",
    ),  # path, query and token
    (re.compile(r"\S+:\d+->"), ""),  # the source port of a connection
    (re.compile(r",?\s*(?:please )?(?:retry|try again) after [^:,;]*\d{2}:\d{2}(?::\d{2})?(?: ?UTC|Z)?"), ""),
    (re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2})?(?:\.\d+)?(?: ?UTC|Z|[+-]\d{2}:\d{2})?"), ""),
    (re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"), ""),  # UUID
    (re.compile(r"\b(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{16,}\b"), ""),  # hash or serial number
    (
        re.compile(r"(?<![\w-])(?=[\w-]*[A-Z])(?=[\w-]*[a-z])(?=[\w-]*[\d_-])[\w-]{16,}(?:\.[\w-]{16,})*"),
        "",
    ),  # token
    (re.compile(r"\b\d{7,}\b"), ""),  # the number of an order or account
    (re.compile(r"[\x00-\x1f\x7f]+|\\[rnt]"), " "),
    (re.compile(r"\"\s*\"|\[\s*\]|\(\s*\)"), ""),
    (re.compile(r"\s+([:,;.])"), r"\1"),
    (re.compile(r"([:,;])(?:\s*[:,;])+"), r"\1"),
    (re.compile(r"\s{2,}"), " "),
)


def shown_detail(detail: str) -> str:
    """The words without what differs from one time to the next, at most DETAIL_LENGTH characters.

    Taken out are tokens, identifiers, moments, source ports, and of URLs all but scheme and host.
    """
    for pattern, replacement in _STRIPPED:
        detail = pattern.sub(replacement, detail[:_READ_LENGTH])
    detail = detail.strip(" :,;")
    return detail if len(detail) <= DETAIL_LENGTH else f"{detail[: DETAIL_LENGTH - 1]}…"
