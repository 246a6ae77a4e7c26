"""A reactor whose time passes only when nothing else is left to do: then its clock shows the next deadline at once.

`Jumping` is the package's own with such a clock; `ByHand` is written from the protocol alone.
"""

import threading

from trampoline import Reactor, sleep, timeout


class Jumping(Reactor):
    """The package's reactor; in place of waiting for a deadline it sets the clock to it."""

    def __init__(self):
        self.now = 0
        self.polls = 0
        super().__init__(lambda: self.now)

    def poll(self, timeout=None):
        self.polls += 1
        if timeout is None and not self._due:
            left = self.left()
            assert left is not None, "run() would wait for ever"
            self.now += max(0, left)
        return super().poll(0)


class ByHand:
    """The least that `Trampoline(reactor=...)` takes: no files, deadlines in a list. It counts what it is asked."""

    def __init__(self):
        self.now = 100.0
        self.deadlines = []
        self.asked = []
        self.event = threading.Event()

    def clock(self):
        return self.now

    @property
    def waiting(self):
        self.asked.append("waiting")
        return bool(self.deadlines)

    def watch(self, file, writing, ready):
        raise NotImplementedError("no files here")

    def unwatch(self, watched, writing):
        raise NotImplementedError("no files here")

    def at(self, when, ready):
        self.asked.append("at")
        self.deadlines.append((when, ready))
        return self.deadlines[-1]

    def cancel(self, deadline):
        self.asked.append("cancel")
        if deadline in self.deadlines:
            self.deadlines.remove(deadline)

    def poll(self, timeout=None):
        self.asked.append(f"poll {timeout}")
        if timeout is None:
            if self.deadlines:
                self.now = max(self.now, min(when for when, _ in self.deadlines))
            else:
                assert self.event.wait(20), "nobody knocked"
        self.event.clear()
        return "events"

    def dispatch(self, events):
        assert events == "events"
        self.asked.append("dispatch")
        for deadline in sorted(self.deadlines, key=lambda deadline: deadline[0]):
            if deadline[0] <= self.now and deadline in self.deadlines:
                self.deadlines.remove(deadline)
                deadline[1]()

    def knock(self):
        self.asked.append("knock")
        self.event.set()

    def close(self):
        self.asked.append("close")


def sleeper(t, seconds, log, name=None):
    yield sleep(seconds)
    log.append((seconds if name is None else name, t.reactor.now))
    return name


def limited(t, seconds, coroutine):
    """Return what `timeout()` gives, and when."""
    try:
        got = yield timeout(seconds, coroutine)
    except TimeoutError as error:
        return str(error), t.reactor.now
    return got, t.reactor.now


def up(seconds):
    return f"the {float(seconds)!r} seconds of timeout() were up"


async def native(t):
    await sleep(2)
    return t.reactor.now
