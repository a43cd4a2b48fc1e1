"""Imported by Python when an operator of the chaos suite starts: its clock and its log's disk are in others' hands.

CHAOS_CONTROL names a file of 16 bytes that may change at any time: by how many seconds the clock is wrong (a double),
and whether the disk of the log is full (a byte). CHAOS_MUTATION names a mistake that is made on purpose.
"""

import datetime as dt
import mmap
import os
import struct
import time
from pathlib import Path

_datetime, _time, _time_ns = dt.datetime, time.time, time.time_ns
with Path(os.environ["CHAOS_CONTROL"]).open("rb") as _file:
    _control = mmap.mmap(_file.fileno(), 16, access=mmap.ACCESS_READ)
_own = {number: os.dup(number) for number in (1, 2)}
_is_full = [False]


def _skew() -> float:
    """By how much the clock is wrong now. Whoever logs asks for the time, so this is where the disk fills up."""
    skew, is_full = struct.unpack_from("<d?", _control)
    if is_full != _is_full[0]:
        _is_full[0] = is_full
        full = os.open("/dev/full", os.O_WRONLY)
        for number, own in _own.items():
            os.dup2(full if is_full else own, number)
        os.close(full)
    return skew


class _Anything(type):
    """What C code makes are plain datetimes, which count as those of the class below."""

    def __instancecheck__(cls, instance):
        return isinstance(instance, _datetime)


class _Skewed(_datetime, metaclass=_Anything):
    @classmethod
    def now(cls, tz=None):
        return _datetime.now(tz) + dt.timedelta(seconds=_skew())


dt.datetime = _Skewed
time.time = lambda: _time() + _skew()
time.time_ns = lambda: _time_ns() + int(_skew() * 1e9)

if _mutation := os.environ.get("CHAOS_MUTATION"):
    import mutations

    mutations.make(_mutation)
