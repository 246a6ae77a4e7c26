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


class Refused(Exception):
    pass


class Failing:
    """A queue whose append fails at those times. It cannot be looked through."""

    def __init__(self, *fails):
        self.entries, self.fails, self.times = deque(), fails, 0

    def append(self, entry):
        self.times += 1
        if self.times in self.fails:
            raise Refused(self.times)
        self.entries.append(entry)

    def popleft(self):
        return self.entries.popleft()

    def __len__(self):
        return len(self.entries)


class Shown(Failing):
    """One that can be looked through."""

    def __iter__(self):
        return iter(self.entries)


class TooLate(Shown):
    """One that fails when it has appended."""

    def append(self, entry):
        self.times += 1
        self.entries.append(entry)
        if self.times in self.fails:
            raise Refused(self.times)


class FailingDeque(deque):
    """One out of which the run loop of the core in Python takes by itself."""

    def __init__(self, *fails):
        super().__init__()
        self.fails, self.times = fails, 0

    def append(self, entry):
        self.times += 1
        if self.times in self.fails:
            raise Refused(self.times)
        super().append(entry)


QUEUES = [None, deque, Counted, Slow, Foreign]
FAILING = [Failing, Shown, FailingDeque]


def with_queue(core, kind, cls=None):
    t = (cls or core.Trampoline)()
    if kind is not None:
        t.queue = kind()
    return t


def failing(core, queue, *fails):
    """Return a trampoline with a queue whose append fails at those times."""
    t = core.Trampoline()
    t.queue = queue(*fails)
    return t


def fail_next(t, times=1):
    """Have its next append fail, or several."""
    t.queue.fails = range(t.queue.times + 1, t.queue.times + 1 + times)
