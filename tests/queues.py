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


class Counted(deque):
    """A deque that counts what is appended."""

    appended = 0

    def append(self, entry):
        self.appended += 1
        super().append(entry)


class Slow(deque):
    """A deque that takes in Python."""

    def popleft(self):
        return super().popleft()


class Stack(deque):
    """A deque out of which the last comes first."""

    def popleft(self):
        return self.pop()


QUEUES = [None, deque, Counted, Slow, Foreign]


def with_queue(core, kind, cls=None):
    t = (cls or core.Trampoline)()
    if kind is not None:
        t.queue = kind()
    return t
