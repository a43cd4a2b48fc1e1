"""Imported by Python when it starts: this process's clock is wrong by CLOCK_SKEW seconds, to all Python code in it."""

import datetime as dt
import os
import time

_SKEW = float(os.environ["CLOCK_SKEW"])
_datetime, _time, _time_ns = dt.datetime, time.time, time.time_ns


class _Anything(type):
    """What C code makes are plain datetimes, which count as those of the class below."""

    def __instancecheck__(cls, instance):
        return isinstance(instance, _datetime)


class _Skewed(_datetime, metaclass=_Anything):
    @classmethod
    def now(cls, tz=None):
        return _datetime.now(tz) + dt.timedelta(seconds=_SKEW)


dt.datetime = _Skewed
time.time = lambda: _time() + _SKEW
time.time_ns = lambda: _time_ns() + int(_SKEW * 1e9)
