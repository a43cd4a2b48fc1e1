"""Copies of parsed JSON that share equal strings, for what is kept of ten thousand objects.

A decoder makes a new string for each "True" and each "lastTransitionTime"; and the memory of a body is given back only
when nothing of what lies in it is kept, not even a name.
"""

import sys
from typing import Any

#: Longer strings are seldom equal.
_LONGEST = 200


def shared(value: Any) -> Any:  # noqa: ANN401 - whatever JSON has
    """A deep copy of parsed JSON whose equal strings are one."""
    if isinstance(value, dict):
        return {shared(key): shared(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shared(each) for each in value]
    if isinstance(value, str):
        copied = value[:1] + value[1:]
        return sys.intern(copied) if len(copied) <= _LONGEST else copied
    return value
