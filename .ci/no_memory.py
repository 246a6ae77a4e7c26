"""A MemoryError at each allocation of the C core in turn, of small programs that together use all of it: nothing crashes or is confused.

    python .ci/no_memory.py LIBRARY [program ...]    LIBRARY is no_memory.h, compiled: `.ci/proof nomemory` does both

What a program may end by is its result or a MemoryError. After that each pseudothread that says it is queued stands in the queue, once; the
trampoline runs on to its end and is closed; and no error of the core's was lost to `sys.unraisablehook`. It writes what was otherwise.
"""

import contextlib
import contextvars
import ctypes
import gc
import sys
import traceback

import trampoline
from trampoline import Channel, TailCall, VirtualClock, call, first, gather, sleep, spawn, timeout
from trampoline._core import core

lost = []  # what went to sys.unraisablehook
variable = contextvars.ContextVar("variable", default=0)


class Mishap(Exception):
    pass


class Park(trampoline.Suspension):
    def suspend(self, pseudothread):
        self.pseudothread = pseudothread


class Prompt(trampoline.Suspension):
    def at_once(self, pseudothread):
        return 7


def leaf(value):
    yield value


def deep(depth):
    if depth:
        got = yield deep(depth - 1)
        return got
    got = yield leaf("bottom")
    return got


def raises(depth):
    if depth:
        yield raises(depth - 1)
    raise Mishap(depth)
    yield


async def native(depth):
    return await native(depth - 1) if depth else await call(leaf(3))


def calls(t):
    """Calls, results, and native coroutines."""

    def root():
        a = yield deep(12)
        b = yield native(4)
        c = yield from call(deep(3))
        return a, b, c

    p = t.add(root())
    q = t.add(deep(3), name="named")
    t.run()
    assert p.result() == ("bottom", 3, "bottom")
    assert q.result() == "bottom"


def errors(t):
    """Errors that are caught, errors that leave run(), closed and thrown into."""

    def catches():
        try:
            yield raises(5)
        except Mishap:
            return "caught"

    def tail():
        raise TailCall(deep(2))
        yield

    def waits():
        try:
            yield Park()
        finally:
            yield from call(leaf(1)) if False else ()

    p, q, r, s = t.add(catches()), t.add(tail()), t.add(waits()), t.add(waits())
    t.run()
    r.close()
    s.throw(Mishap())
    with contextlib.suppress(Mishap):
        t.run()
    assert p.result() == "caught"
    assert q.result() == "bottom"
    assert repr(p), repr(s)
    for wrong in (p.resume, p, lambda: t.add(3), lambda: t.queue.append(3), lambda: t.schedule(leaf(1), 3)):
        with contextlib.suppress(TypeError, RuntimeError):
            wrong()


def prompt(t):
    """What need not be waited for."""

    def root():
        total = 0
        for _ in range(5):
            total += yield Prompt()
        return total

    p = t.add(root())
    t.run()
    assert p.result() == 35


def channels(t):
    """Channels with room and without, closed, withdrawn and refused."""
    channel, narrow, unlimited = Channel(2), Channel(0), Channel(None)
    got = []

    def puts():
        for number in range(5):
            yield channel.put(number)
            yield narrow.put(number)
            yield unlimited.put(number)
        channel.close()
        narrow.close()
        unlimited.close()
        try:
            yield channel.put(9)
        except trampoline.ChannelClosed:
            got.append("closed")

    def gets():
        for _ in range(5):
            got.append((yield channel.get()))
            got.append((yield narrow.get()))
        got.append((yield narrow.get("default")))

    async def iterates():
        async for value in unlimited:
            got.append(value)

    for root in (puts(), gets(), iterates()):
        t.add(root)
    t.run()
    assert len(got) == 17, got
    assert repr(channel)
    shut = Channel(0)

    def waits():
        yield shut.get()

    p, q = t.add(waits()), t.add(waits())
    t.run()
    p.close()
    assert repr(q.waits_for)
    q.throw(Mishap())
    with contextlib.suppress(Mishap):
        t.run()


def times(t):
    """Sleeps and limits in virtual time."""

    def sleeps(seconds):
        for _ in range(3):
            yield sleep(seconds)
        return seconds

    def limited():
        try:
            yield timeout(1, sleeps(2))
        except TimeoutError as late:
            got = yield timeout(9, sleeps(0.5))
            return str(late), got

    p, others = t.add(limited()), [t.add(sleeps(seconds / 8)) for seconds in range(20)]
    t.run()
    assert p.result()[1] == 0.5
    assert [other.result() for other in others] == [seconds / 8 for seconds in range(20)]


def together(t):
    """Spawned, joined by one and by several, gathered and raced."""

    def both():
        p = yield spawn(deep(1))
        q = yield spawn(raises(1), name="fails")
        a = yield p
        with contextlib.suppress(Mishap):
            yield q
        b = yield gather(deep(1), leaf(2), sleep(0.5))
        c = yield first(sleep(3), leaf(4))
        with contextlib.suppress(Mishap):
            yield gather(raises(1), sleep(1))
        return a, b, c

    def waits():
        yield sleep(1)
        return 5

    def joins(other):
        return (yield other)

    p, other = t.add(both()), t.add(waits())
    joiners = [t.add(joins(other)) for _ in range(3)]
    t.run()
    assert p.result()[0] == "bottom"
    assert [joiner.result() for joiner in joiners] == [5] * 3


def contexts(t):
    """In a context, which who is spawned gets a copy of."""

    def reads():
        yield None
        return variable.get()

    def root():
        variable.set(4)
        child = yield spawn(reads())
        return (yield child), (yield reads())

    p = t.add(root(), context=contextvars.copy_context())
    t.run()
    assert p.result() == (4, 4)


def shown(t):
    """An overridden `schedule`, and a queue of the user's."""
    t.__class__ = Shown
    p = t.add(deep(3))
    q = t.spawn(raises(3))
    t.run()
    t.__class__ = Plain
    assert p.result() == "bottom"
    assert q._error is not None
    t.queue.append(len)
    t.queue.clear()
    t.schedule(leaf(1), (leaf(2), (leaf(3), ())), Mishap, Mishap(), None)
    with contextlib.suppress(Mishap):
        t.run()


def counted(t):
    """With a collector that keeps a timeline."""
    collector = core.Collector(None, timeline=40)
    core.collect(collector)
    try:
        p = t.add(deep(9))
        t.add(deep(2))

        def sleeps():
            yield sleep(1)
            yield deep(4)

        t.add(sleeps())
        t.run()
        collector.settle()
        assert p.result() == "bottom"
        assert collector.timeline
        assert repr(collector.root)
    finally:
        core.collect(None)


PROGRAMS = calls, errors, prompt, channels, times, together, contexts, shown, counted


class Plain(trampoline.Trampoline):
    """One whose run() ends where nobody can wake what is parked."""

    def _wait(self):
        try:
            return super()._wait()
        except trampoline.Deadlock:
            return False


class Shown(Plain):
    def schedule(self, coroutine, stack=(), val=None, *exc):
        return super().schedule(coroutine, stack, val, *exc)


def consistent(t):
    """See that the trampoline is in order, run on to the end, and close it."""
    queued = [p for p in t.queue if type(p) is core.Pseudothread]
    assert len(set(map(id, queued))) == len(queued)
    assert all(p.state == "queued" for p in queued), queued
    assert all(p.state == "parked" for p in t._all_parked())
    assert t.running is False
    for _ in range(100):
        try:
            t.run()
        except (Mishap, MemoryError, trampoline.Deadlock, trampoline.ChannelClosed):
            continue
        except BaseException as error:
            if not isinstance(error, BaseExceptionGroup):  # noqa: F821 -- Python 3.11
                raise
            continue
        break
    else:
        raise AssertionError("run() does not come to an end")
    with contextlib.suppress(Mishap, MemoryError):
        t.close()


def struck(program, number):
    """Run it with the allocation of that number refused. Return how many there were, and whether that was noticed."""
    t = Plain(clock=VirtualClock())
    noticed, total = False, 0
    library.no_memory_at(number)
    try:
        program(t)
    except MemoryError:
        noticed = True
    except BaseExceptionGroup as errors:  # noqa: F821 -- Python 3.11
        noticed = True
        if errors.split((MemoryError, Mishap))[1] is not None:
            raise
    except (AssertionError, RuntimeError) as error:  # a result was lost to it, which the program misses
        total = library.no_memory_ends()
        noticed = True
        if not isinstance(error, AssertionError) and "has no result" not in str(error) and "StopIteration" not in str(error):
            raise
    finally:
        total = total or library.no_memory_ends()
    consistent(t)
    return total, noticed


def survey(program, warm=3):
    """Run `program` with each of its allocations refused in turn. Return how many there were, how many were noticed, what was wrong."""
    wrong, noticed, number = [], 0, 1
    for _ in range(warm):
        total, _ = struck(program, 0)
    while number <= total + 5:
        lost.clear()
        try:
            now, found = struck(program, number)
            noticed, total = noticed + found, max(total, now)
        except BaseException as error:
            wrong.append(f"{program.__name__} {number}: {type(error).__name__}: {error}"[:300])
            if verbose:
                traceback.print_exc()
        for kind, where, message in lost:
            if "_ctrampoline" in where:  # else a coroutine that could not be closed, for which CPython had no memory
                wrong.append(f"{program.__name__} {number}: {kind} was lost in {where} {message}")
        number += 1
        gc.collect()
    return total, noticed, wrong


def main(names):
    sys.unraisablehook = lambda what: lost.append((what.exc_type.__name__, str(what.object), what.err_msg))
    faults, programs, refused = 0, 0, 0
    for program in PROGRAMS:
        if not names or program.__name__ in names:
            total, noticed, wrong = survey(program)
            faults, programs, refused = faults + len(wrong), programs + 1, refused + total
            print(f"{program.__name__}: {total} allocations, {noticed} noticed, {len(wrong)} faults", *wrong, sep="\n  ", flush=True)
            assert noticed, program
    print(f"{programs} programs, {refused} allocations of the core refused in turn: {faults} faults")
    return bool(faults)


library = ctypes.PyDLL(sys.argv[1])
library.no_memory_ends.restype = ctypes.c_long
library.no_memory_at.argtypes = (ctypes.c_long,)
verbose = "-v" in sys.argv
gc.disable()
sys.exit(main([name for name in sys.argv[2:] if name != "-v"]))
