"""How long the ingress takes to follow a change, so that it is not looked at over and over before it can have."""

import threading

#: How much the last time counts among those before.
_WEIGHT = 0.1
#: A look is due at this part of the usual time: were it later, none would ever be found to take less.
_PART = 0.85
_MOST_SECONDS = 2.0
#: Where it usually takes longer, a change is not looked at at once when there is something else to do, in seconds.
_SLOW_SECONDS = 0.4


class TakeUp:
    """Learns from when a change was seen to be in force. For many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._usual = 0.0

    def took(self, seconds: float) -> None:
        """A change was in force when it was looked at after so long, in seconds."""
        with self._lock:
            self._usual += _WEIGHT * (min(max(seconds, 0.0), _MOST_SECONDS) - self._usual)

    def is_slow(self) -> bool:
        """Whether a look right after a change would have come for nothing, as a rule."""
        with self._lock:
            return self._usual > _SLOW_SECONDS

    def pause(self, waited: float, least: float) -> float:
        """How long to let go of a change that was not in force yet, in seconds.

        Args:
            waited: how long it has been waited for, in seconds.
            least: seconds.
        """
        with self._lock:
            return max(least, waited / 4, self._usual * _PART - waited)
