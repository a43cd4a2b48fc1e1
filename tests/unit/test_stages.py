"""Stages add up: what one within has taken is told of that one only."""

import pytest

from certward import stages
from certward.stages import stage


@pytest.fixture
def told(monkeypatch):
    """What listeners hear, on a clock that goes on by a second each time that it is read."""
    heard: list[tuple[str, float]] = []
    ticks = iter(range(100))
    monkeypatch.setattr(stages.time, "monotonic", lambda: float(next(ticks)))
    monkeypatch.setattr(stages, "_listeners", [lambda name, seconds: heard.append((name, seconds))])
    return heard


def test_what_is_within_is_not_counted_twice(told) -> None:
    with stage("outer"):  # 0 to 5
        with stage("first"):  # 1 to 2
            pass
        with stage("second"):  # 3 to 4
            pass
    assert told == [("first", 1.0), ("second", 1.0), ("outer", 3.0)]


def test_a_function_is_a_stage_each_time(told) -> None:
    @stage("work")
    def work(value: int) -> int:
        return value + 1

    assert (work(1), work(2)) == (2, 3)
    assert told == [("work", 1.0), ("work", 1.0)]


def test_what_fails_is_told_as_well(told) -> None:
    def fail() -> None:
        with stage("outer"), stage("inner"):
            raise KeyError("inner")

    with pytest.raises(KeyError, match="inner"):
        fail()
    assert [name for name, _ in told] == ["inner", "outer"]
    with stage("after"):
        pass
    assert told[-1] == ("after", 1.0)
