"""The work queue: turns between namespaces, and threads that wait."""

import threading

from certward.model.resources import Key
from certward.runtime.queue import WorkQueue


def key(name: str, namespace: str = "a") -> Key:
    return Key("Domain", namespace, name)


def test_a_namespace_with_one_key_is_not_kept_waiting_by_one_with_a_thousand():
    queue = WorkQueue(clock=lambda: 0.0)
    queue.add_all(key(f"x{number}") for number in range(1000))
    for _ in range(10):
        queue.take(0.0)
    queue.add(key("only", "b"))
    assert key("only", "b") in [queue.take(0.0), queue.take(0.0)]


def test_namespaces_take_turns():
    queue = WorkQueue(clock=lambda: 0.0)
    queue.add_all([key("1"), key("2"), key("3"), key("1", "b"), key("2", "b"), key("1", "c")])
    taken = [queue.take(0.0) for _ in range(6)]
    assert [one and one.namespace for one in taken] == ["a", "b", "c", "a", "b", "a"]
    assert queue.take(0.0) is None


def test_a_key_that_is_added_while_it_is_worked_on_comes_again_and_not_before():
    queue = WorkQueue(clock=lambda: 0.0)
    queue.add(key("x"))
    assert queue.take(0.0) == key("x")
    queue.add(key("x"), 60.0)
    queue.add(key("x"))
    queue.add(key("x"), 30.0)  # the earlier time wins here too
    assert queue.take(0.0) is None
    queue.done(key("x"))
    assert queue.take(0.0) == key("x")
    queue.done(key("x"))
    assert queue.depth() == (0, 0, 0.0)


def test_the_earlier_time_wins():
    now = [0.0]
    queue = WorkQueue(clock=lambda: now[0])
    queue.add(key("x"), 60.0)
    queue.add(key("x"), 5.0)
    queue.add(key("x"), 30.0)
    now[0] = 5.0
    assert queue.take(0.0) == key("x")
    queue.done(key("x"))
    now[0] = 100.0
    assert queue.take(0.0) is None


def test_it_is_told_whether_keys_wait_for_a_worker():
    now = 0.0
    queue = WorkQueue(clock=lambda: now)
    queue.add(key("later"), 5.0)
    assert not queue.is_waited_for()
    now = 5.0
    assert queue.is_waited_for()
    queue.take(0.0)
    assert not queue.is_waited_for()


def test_closing_wakes_all_that_wait():
    queue, woken = WorkQueue(), []
    takers = [threading.Thread(target=lambda: woken.append(queue.take(30.0))) for _ in range(4)]
    for taker in takers:
        taker.start()
    queue.close()
    for taker in takers:
        taker.join(timeout=10)
    assert woken == [None] * 4
    queue.add(key("x"))
    assert queue.take(0.0) is None


def test_adding_wakes_one_that_waits():
    queue, taken = WorkQueue(), []
    taker = threading.Thread(target=lambda: taken.append(queue.take(30.0)))
    taker.start()
    queue.add(key("x"))
    taker.join(timeout=10)
    assert taken == [key("x")]


def test_news_goes_before_looks_that_are_taken_again():
    queue = WorkQueue(clock=lambda: 0.0)
    for number in range(8):
        queue.add(key(f"again-{number}"), is_news=False)
    for number in range(4):
        queue.add(key(f"news-{number}"))
    taken = [(queue.take(0) or key("nothing")).name for _ in range(12)]
    # Each fourth one is the oldest of those that wait, so that they are not forgotten.
    assert taken[:5] == ["news-0", "news-1", "news-2", "again-0", "news-3"]
    assert taken[5:] == [f"again-{number}" for number in range(1, 8)]
    assert queue.take(0) is None


def test_what_has_been_begun_is_ended_before_the_next_is_begun():
    now = [0.0]
    queue = WorkQueue(clock=lambda: now[0])
    queue.add(key("old"), is_news=False)
    queue.add_all(key(f"new-{number}") for number in range(5))
    assert queue.take(0.0) == key("new-0")
    queue.add(key("new-0"), 0.1, is_news=False)
    queue.done(key("new-0"))
    assert queue.take(0.0) == key("new-1"), "the first one waits for something, and the worker does not"
    now[0] = 0.1
    assert queue.take(0.0) == key("new-0")
    assert queue.take(0.0) == key("old"), "every fourth"
    queue.add(key("new-0"), 11.0, is_news=False)
    queue.done(key("new-0"))
    now[0] = 12.0
    assert [queue.take(0.0) for _ in range(4)] == [key("new-2"), key("new-3"), key("new-4"), key("new-0")]


def test_a_look_that_becomes_news_is_taken_once_and_earlier():
    queue = WorkQueue(clock=lambda: 0.0)
    queue.add(key("a"), is_news=False)
    queue.add(key("b"), is_news=False)
    assert queue.depth()[0] == 2
    queue.add(key("b"))
    assert [queue.take(0), queue.take(0), queue.take(0)] == [key("b"), key("a"), None]
    queue.done(key("b"))
    queue.add(key("b"), is_news=False)
    assert queue.is_waited_for()
    assert queue.take(0) == key("b")


def test_of_what_is_gone_nothing_is_kept_but_for_a_while():
    now = [0.0]
    queue = WorkQueue(clock=lambda: now[0])
    for number in range(1000):
        now[0] += 0.1
        queue.add(key(str(number)))
        taken = queue.take(0.0)
        assert taken == key(str(number))
        queue.done(taken)
        assert len(queue._begun) <= 101, "what was begun within 10 s"
    now[0] += 10.1
    assert queue.take(0.0) is None
    assert queue._begun == {}


def test_a_key_that_is_begun_again_is_begun_for_as_long_as_any_other():
    now = [0.0]
    queue = WorkQueue(clock=lambda: now[0])
    for at in (0.0, 8.0):
        now[0] = at
        queue.add(key("a"))
        assert queue.take(0.0) == key("a")
        queue.done(key("a"))
    now[0] = 12.0
    queue.add(key("a"), is_news=False)
    queue.add(key("b"))
    assert queue.take(0.0) == key("a"), "it goes before news, 4 s after it was begun"


def test_times_that_have_been_overtaken_do_not_pile_up():
    queue = WorkQueue(clock=lambda: 0.0)
    for _ in range(1000):
        queue.add(key("x"), 3600.0, is_news=False)
        queue.add(key("x"))
        assert queue.take(0.0) == key("x")
        queue.done(key("x"))
        assert len(queue._heap) <= 70
    queue.add(key("x"), 3600.0, is_news=False)
    assert queue.depth() == (0, 1, 0.0)


def test_many_threads_never_work_on_one_key_at_once():
    queue, busy, seen = WorkQueue(), set(), []
    guard = threading.Lock()

    def work():
        while (one := queue.take(5.0)) is not None:
            with guard:
                assert one not in busy
                busy.add(one)
                seen.append(one)
                is_last = len(seen) == 400
            if not is_last:
                queue.add(one)
            with guard:
                busy.discard(one)
            queue.done(one)
            if len(seen) >= 400:
                queue.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    queue.add_all(key(str(number), str(number % 3)) for number in range(6))
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=20)
    assert not any(worker.is_alive() for worker in workers)
    assert {one.name for one in seen} == {"0", "1", "2", "3", "4", "5"}
