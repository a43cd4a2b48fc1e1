"""How the C library hands out memory to many threads."""

import contextlib
import ctypes
from typing import Final

#: mallopt(3), <malloc.h> of glibc.
_M_ARENA_MAX: Final = -8
_ARENAS: Final = 2


def share_arenas() -> None:
    """Have all threads allocate from two arenas, where the C library is glibc; nothing elsewhere.

    It would open eight for each core, each of which keeps what its threads have freed. What arenas are for, threads
    that allocate at the same moment, hardly occurs under the interpreter's lock.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)
