"""Whether a figure grows with time: a straight line through its samples, and a verdict by a stated limit."""

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

FLAT, GROWING = "flat", "growing"
#: What comes before this part of the run is warming up, and not in the line.
WARM_UP = 0.1
#: Which parts of a run its beginning, middle and end are; of 30 minutes: 3 to 5, 14 to 16, the last 3.
BEGINNING, MIDDLE, END = (WARM_UP, 1 / 6), (14 / 30, 16 / 30), (0.9, 1.0)
#: A slope counts as one when it is more than so many of its standard errors above 0.
ERRORS = 2.0
_BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Trend:
    """A line by least squares, of what comes after the warming up.

    Attributes:
        beginning: mean of the samples there; so are `middle` and `end`.
        slope: growth in a minute.
        error: standard error of the slope, as if samples had nothing to do with each other; they do a little, so the
            true one is larger.
        growth: of the line, from the end of the warming up to the end of the run.
        most: the greatest sample of all.
    """

    beginning: float
    middle: float
    end: float
    slope: float
    error: float
    growth: float
    most: float

    def verdict(self, limit: float) -> str:
        """`growing` where line and means rise by more than the limit and the slope is no noise; else `flat`.

        A line through one step, such as that of a pool of threads which gets its last ones, rises by half more than it.
        """
        is_rising = min(self.growth, self.end - self.beginning) > limit
        return GROWING if is_rising and self.slope > ERRORS * self.error else FLAT


def of(seconds: Sequence[float], values: Sequence[float], length: float) -> Trend:
    """Draw the line.

    Args:
        seconds: when each sample was taken, since the run began; in order.
        values: the samples, as many.
        length: of the run, in seconds.

    Raises:
        ValueError: fewer than three samples are left after the warming up.
    """
    pairs = [(at / 60, value) for at, value in zip(seconds, values, strict=True) if at >= WARM_UP * length]
    if len(pairs) < 3:
        raise ValueError(f"{len(pairs)} samples make no line: the run is too short")
    minutes, kept = [at for at, _ in pairs], [value for _, value in pairs]
    line = statistics.linear_regression(minutes, kept)
    center = statistics.fmean(minutes)
    spread = sum((at - center) ** 2 for at in minutes)
    rest = sum((value - line.intercept - line.slope * at) ** 2 for at, value in pairs)
    return Trend(
        *(_mean(seconds, values, length, part) for part in (BEGINNING, MIDDLE, END)),
        slope=line.slope,
        error=math.sqrt(rest / (len(pairs) - 2) / spread),
        growth=line.slope * (1 - WARM_UP) * length / 60,
        most=max(values),
    )


def _mean(seconds: Sequence[float], values: Sequence[float], length: float, part: tuple[float, float]) -> float:
    """The mean of the samples within a part of the run; where it is too short to have one, of the nearest."""
    first, last = (share * length for share in part)
    within = [value for at, value in zip(seconds, values, strict=True) if first <= at <= last]
    nearest = min(range(len(seconds)), key=lambda number: abs(seconds[number] - (first + last) / 2))
    return statistics.fmean(within or [values[nearest]])


def spark(values: Sequence[float], width: int = 60) -> str:
    """Draw the samples as a line of text: the lowest bar is the least of them, the highest the greatest."""
    count = min(width, len(values))
    if not count:
        return ""
    edges = [round(number * len(values) / count) for number in range(count + 1)]
    means = [statistics.fmean(values[first:last]) for first, last in itertools.pairwise(edges)]
    least, span = min(means), max(means) - min(means)
    steps = len(_BARS) - 1
    return "".join(_BARS[round((value - least) / span * steps) if span else 0] for value in means)
