"""Looks into a Python process from within, when it is sent SIGUSR2: what it still knows of what is gone.

The file `look-ask.json` beside the process's kubeconfig says what is looked for and where the answer goes. Until then
this costs nothing. It runs inside of the operator, so it needs the standard library only.
"""

import ctypes
import gc
import json
import os
import signal
import sys
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ASK = "look-ask.json"
_ROOM = "certward."
_CONTAINERS = (dict, set, frozenset, list, deque)
_MOST_TYPES = 40


def install() -> None:
    """Look whenever SIGUSR2 comes."""
    signal.signal(signal.SIGUSR2, lambda *_: _answer())


def _answer() -> None:
    question = json.loads(Path(os.environ["KUBECONFIG"]).with_name(ASK).read_text())
    answer = Path(question["answer"])
    try:
        told = look(question["mark"])
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        # It must not come up in the midst of what the process was doing.
        told = {"error": repr(error)}
    unfinished = answer.with_name(f"{answer.name}.new")
    unfinished.write_text(json.dumps(told))
    unfinished.rename(answer)


def look(mark: str) -> dict[str, Any]:
    """What lives, and what of it names the mark.

    Returns:
        `blocks`: of memory that Python has given out, texts and numbers included; `malloc`: what the C library has
        given out and what it keeps; `objects`: how many there are, `by_type`: of which types most; `holders`:
        Class.attribute of the operator's own classes: how many entries of it name the mark; `strings`: texts anywhere
        that hold it, `bytes` in all, and `in_types`: what refers to them.
    """
    gc.collect()
    blocks, memory = sys.getallocatedblocks(), _malloc()
    alive = gc.get_objects()
    types = Counter(_name(each) for each in alive)
    # At first: looking at attributes makes dictionaries that were not among what is followed.
    strings, size, referring = _strings(alive, mark)
    holders: Counter[str] = Counter()
    for each in alive:
        if _name(each).startswith(_ROOM):
            for attribute, value in _attributes(each):
                if isinstance(value, _CONTAINERS) and (found := _entries(value, mark)):
                    holders[f"{_name(each)}.{attribute}"] += found
    return {
        "blocks": blocks,
        "malloc": memory,
        "objects": len(alive),
        "by_type": dict(types.most_common(_MOST_TYPES)),
        "holders": dict(holders.most_common()),
        "strings": strings,
        "bytes": size,
        "in_types": dict(referring.most_common(_MOST_TYPES)),
    }


class _MallInfo(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


def _malloc() -> dict[str, int]:
    """Bytes in all arenas of glibc (mallinfo2(3), since 2.33); empty with another C library."""
    try:
        ask = ctypes.CDLL(None).mallinfo2
    except AttributeError:
        return {}
    ask.restype = _MallInfo
    told = ask()
    return {"in_use": told.uordblks, "free": told.fordblks, "mapped": told.hblkhd}


def _name(one: object) -> str:
    return f"{type(one).__module__}.{type(one).__qualname__}"


def _attributes(one: object) -> Iterator[tuple[str, Any]]:
    slots = (name for kind in type(one).__mro__ for name in getattr(kind, "__slots__", ()) if isinstance(name, str))
    for name in {*slots, *getattr(one, "__dict__", ())}:
        yield name, getattr(one, name, None)


def _entries(container: Any, mark: str) -> int:
    """How many entries name the mark; of those that are containers themselves, theirs are counted."""
    count = 0
    for entry in _copy(container):
        key, value = entry if isinstance(container, dict) else (None, entry)
        is_nested = isinstance(value, _CONTAINERS) and mark not in repr(key)
        count += _entries(value, mark) if is_nested else mark in repr(entry)
    return count


def _copy(container: Any) -> list[Any]:
    """Other threads go on meanwhile, so a container may change while it is copied."""
    for _ in range(100):
        try:
            return list(container.items() if isinstance(container, dict) else container)
        except RuntimeError:
            continue
    return []


def _strings(alive: list[Any], mark: str) -> tuple[int, int, Counter[str]]:
    """Each text once, by what refers to it first; what the collector does not follow is followed here."""
    seen: set[int] = {id(mark)}
    referring: Counter[str] = Counter()
    count = size = 0
    raw = mark.encode()
    for holder in alive:
        if holder is alive:
            continue
        waiting = [holder]
        while waiting:
            for one in gc.get_referents(waiting.pop()):
                if id(one) in seen or gc.is_tracked(one):
                    continue
                seen.add(id(one))
                if (isinstance(one, str) and mark in one) or (isinstance(one, bytes) and raw in one):
                    count, size = count + 1, size + len(one)
                    referring[_name(holder)] += 1
                elif isinstance(one, (tuple, dict)):
                    waiting.append(one)
    return count, size, referring
