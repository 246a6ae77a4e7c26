"""When what is let go is let go (C2), timed by what its `finally` sees and does. Nothing here needs the garbage collector."""

import gc

from common import Trampoline

events = []
gc.disable()


def callee(name, t, adds=False):
    try:
        yield name
    finally:
        events.append((f"{name} released", len(t.queue), t.running))
        if adds:
            t.add(callee("late", t))


def caller(t):
    got = yield callee("callee", t, adds=True)
    events.append(f"caller got {got}")
    yield "root's result"


def say(what):
    return lambda: events.append(what)


def seen():
    found = events[:]
    events.clear()
    return found


# An entry stands between: when that has been taken, before it is called. What is added then comes behind the caller.
t = Trampoline()
t.add(caller(t))
t.queue.append(say("before"))
t.queue.append(say("between"))
assert t.run() == "late"
found = seen()
assert found == ["before", "between", ("callee released", 0, True), "caller got callee", ("late released", 0, False)], found

# The root gave its result by a yield: when the next entry has been taken; the last one when run() has ended.
t = Trampoline()
t.add(callee("first", t))
t.queue.append(say("entry"))
t.add(callee("second", t, adds=True))
t.run()
found = seen()
assert found == [("first released", 1, True), "entry", ("second released", 0, False)], found
assert len(t.queue) == 1
t.run()
found = seen()
assert found == [("late released", 0, False)], found

# Stopped: the entry that would be next stays, and what was let go goes at the end of run().
t = Trampoline()
t.add(callee("stopped", t))
t.queue.appendleft(t.stop)
t.queue.append(say("entry"))
t.run()
assert seen() == []
t.queue.append(t.stop)
t.run()
found = seen()
assert found == [("stopped released", 1, True), "entry"], found

# Called by hand: when the call returns.
t = Trampoline()
t.add(callee("by hand", t))
assert t.queue.popleft()() == "by hand"
found = seen()
assert found == [("by hand released", 0, False)], found


# One that is called again is not let go.
def again(shared):
    first = yield shared
    second = yield shared
    events.append((first, second))


def twice():
    try:
        yield 1
        yield 2
    finally:
        events.append("twice released")


t = Trampoline()
t.add(again(twice()))
t.run()
found = seen()
assert found == [(1, 2), "twice released"], found
