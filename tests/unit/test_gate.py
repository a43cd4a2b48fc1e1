"""The gate before an account: nobody inside while its key is changed, nobody kept waiting."""

import threading

from certward.runtime.gate import Gate


def test_many_may_be_inside_and_a_closed_gate_sends_away():
    gate = Gate()
    with gate.using() as first, gate.using() as second:
        assert (first, second) == (True, True)
        assert not gate.close()
        with gate.using() as third:
            assert not third
    assert gate.close()
    gate.open()
    with gate.using() as again:
        assert again


def test_closing_waits_for_those_inside():
    gate, inside, leave = Gate(), threading.Event(), threading.Event()

    def work():
        with gate.using():
            inside.set()
            leave.wait(10)

    worker = threading.Thread(target=work)
    worker.start()
    inside.wait(10)
    assert not gate.close(0.01)
    leave.set()
    assert gate.close(10)
    worker.join()


def test_it_may_open_a_while_later_and_opening_an_open_one_changes_nothing():
    gate = Gate()
    gate.close()
    gate.open(after=3600)
    gate.open()
    with gate.using() as is_free:
        assert not is_free
