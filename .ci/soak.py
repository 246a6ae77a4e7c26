"""Mixed work for so many minutes: memory, descriptors and threads are as many at the end as after the first tenth.

    python .ci/soak.py 60

Each round has a trampoline of its own with a clock that jumps, a second one that stays from round to round, and a socket pair, a thread and
a profile now and then. It prints a line a minute.
"""

import contextlib
import gc
import os
import socket
import sys
import threading
import time

import trampoline
from trampoline import Channel, Trampoline, VirtualClock, first, gather, in_thread, sleep, spawn, timeout
from trampoline._core import core


class Mishap(Exception):
    pass


def deep(depth):
    got = yield (deep(depth - 1) if depth else 1)
    return got


def fails(depth):
    if depth:
        yield fails(depth - 1)
    raise Mishap(depth)
    yield


def work(number):
    """Use all: calls, errors, channels, limits, joins, what is closed and what is let go."""
    channel = Channel(number % 3)

    def puts():
        for value in range(20):
            yield channel.put(value)
            yield sleep(number % 7 / 10)
        channel.close()

    def gets():
        total = 0
        while (got := (yield channel.get(None))) is not None:
            total += got
        return total

    p, q = (yield spawn(puts())), (yield spawn(gets()))
    yield spawn(fails(2))  # whose error nobody takes
    with contextlib.suppress(TimeoutError):
        yield timeout(0.1, sleep(5))
    with contextlib.suppress(Mishap):
        yield gather(deep(20), fails(9), sleep(2))
    yield first(sleep(1), deep(3))
    yield p
    assert (yield q) == 190


def forever():
    try:
        yield sleep(1e9)
    finally:
        yield from ()


def one_round(number, lasting):
    t = Trampoline(clock=VirtualClock())
    for each in range(5):
        t.add(work(each))
    t.add(forever()).name  # noqa: B018
    if number % 10 == 0:
        core.collect(core.Collector(None, timeline=100))
    t.queue.append(lambda: None)
    lasting.add(work(number))
    t.add(work(9))
    closing = t.add(forever())

    def ends():
        yield sleep(1e6)
        t.stop()

    t.add(ends())
    t.run()
    core.collect(None)
    closing.close()
    if number % 3 == 0:
        t.close()
    lasting.run()
    if number % 20 == 0:
        real = Trampoline()
        ours, theirs = socket.socketpair()

        def talks():
            yield trampoline.nonblocking_write(ours, b"x" * 1000)
            return (yield trampoline.nonblocking_read(theirs, 1000))

        def computes():
            return (yield in_thread(time.time))

        p, q = real.add(talks()), real.add(computes())
        real.run()
        assert p.result()
        assert q.done
        real.close()
        ours.close()
        theirs.close()


def measured():
    """Return KiB of memory in use, open descriptors, threads, and blocks of Python's allocator."""
    gc.collect()
    with open("/proc/self/statm") as file:
        memory = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024
    return memory, len(os.listdir("/proc/self/fd")), threading.active_count(), sys.getallocatedblocks()


def shown(figures):
    """Return them as text."""
    return ", ".join(f"{figure} {what}" for figure, what in zip(figures, ("KiB", "descriptors", "threads", "blocks"), strict=True))


def main(minutes):
    sys.unraisablehook = lambda what: None  # the errors that nobody took
    lasting = Trampoline(clock=VirtualClock())
    began = told = time.monotonic()
    number, base = 0, None
    while time.monotonic() - began < minutes * 60:
        one_round(number, lasting)
        number += 1
        now = time.monotonic()
        if base is None and now - began > minutes * 6:
            base = measured()
        if now - told >= 60 or number == 1:
            told = now
            print(f"{(now - began) / 60:6.1f} min, {number} rounds:", shown(measured()), flush=True)
    last = measured()
    print("after the first tenth:", shown(base))
    print(f"at the end, {number} rounds:", shown(last))
    assert last[0] - base[0] < 4096, "memory grows"
    assert last[1] <= base[1], "descriptors are left open"
    assert last[2] <= base[2] + 5, "threads are left"  # those of the pool of in_thread()
    assert last[3] - base[3] < 2000, "blocks of memory are left"


main(float(sys.argv[1]))
