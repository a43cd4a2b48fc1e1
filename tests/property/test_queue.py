"""The work queue, held against a model: when each key is due, and which are being worked on."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from certward.model.resources import Key
from certward.runtime.queue import WorkQueue

KEYS = st.sampled_from([Key("Domain", namespace, name) for namespace in ("a", "b", "c") for name in ("x", "y")])
PAUSES = st.sampled_from([-1.0, 0.0, 1.0, 5.0, 60.0])


class QueueMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.now = 1000.0
        self.queue = WorkQueue(clock=lambda: self.now)
        self.due: dict[Key, float] = {}
        self.working: set[Key] = set()
        self.passed_over: dict[str, int] = {}

    def _add(self, key, after):
        due = self.now + max(after, 0.0)
        self.due[key] = min(due, self.due.get(key, due))

    @rule(key=KEYS, after=PAUSES)
    def add(self, key, after):
        self.queue.add(key, after)
        self._add(key, after)

    @rule(keys=st.sets(KEYS), after=PAUSES)
    def add_all(self, keys, after):
        self.queue.add_all(keys, after)
        for key in keys:
            self._add(key, after)

    @rule(seconds=st.sampled_from([0.5, 1.0, 4.0, 60.0]))
    def time_passes(self, seconds):
        self.now += seconds

    @rule()
    def take(self):
        ready = {key for key, due in self.due.items() if due <= self.now and key not in self.working}
        taken = self.queue.take(timeout=0.0)
        if not ready:
            assert taken is None
            return
        assert taken in ready, "not due, or worked on already"
        self.working.add(taken)
        del self.due[taken]
        waiting = {key.namespace for key in ready} - {taken.namespace}
        self.passed_over = {namespace: self.passed_over.get(namespace, 0) + 1 for namespace in waiting}
        assert max(self.passed_over.values(), default=0) <= 2, "three namespaces take turns"

    @precondition(lambda self: self.working)
    @rule(data=st.data())
    def done(self, data):
        key = data.draw(st.sampled_from(sorted(self.working)))
        self.queue.done(key)
        self.working.discard(key)

    @rule()
    def clear(self):
        self.queue.drop(lambda _: True)
        self.due.clear()
        self.passed_over.clear()

    @invariant()
    def depth_is_right(self):
        idle = {key: due for key, due in self.due.items() if key not in self.working}
        ready = [due for due in idle.values() if due <= self.now]
        count, waiting, age = self.queue.depth()
        assert (count, waiting) == (len(ready), len(idle) - len(ready))
        assert age == self.now - min(ready, default=self.now)


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
