"""Queues of each kind, for the tests of what is queued."""

from collections import deque

from coroutines import value


def two_turns(result):
    got = yield value(result)
    yield got


class Foreign:
    """A queue with the methods of a deque and nothing else; it counts what is taken."""

    def __init__(self, entries=()):
        self.entries, self.taken = deque(entries), 0

    def append(self, entry):
        self.entries.append(entry)

    def appendleft(self, entry):
        self.entries.appendleft(entry)

    def popleft(self):
        self.taken += 1
        return self.entries.popleft()

    def clear(self):
        self.entries.clear()

    def __len__(self):
        return len(self.entries)

    def __iter__(self):
        return iter(self.entries)


QUEUES = [None, deque, Foreign]


def with_queue(core, kind, cls=None):
    t = (cls or core.Trampoline)()
    if kind is not None:
        t.queue = kind()
    return t
