"""`python -m bench.threads`: how much more two threads do than one, each with a trampoline of its own.

The ratio by the clock is that of the quickest rounds of each: 2 is all that two cores can give, and only where nobody else wants them.
The ratio by CPU time tells what the threads cost one another where others run, too: 2 is nothing. It does not see a thread that waits, for
the lock of the interpreter say. `--rounds N` makes more of them.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import threading
from collections.abc import Iterator
from time import perf_counter, process_time
from typing import Any

from trampoline import Trampoline, accelerated


def fib(n: int) -> Iterator[Any]:
    """Call much: a pseudothread alone."""
    if n < 2:
        yield n
    yield (yield fib(n - 1)) + (yield fib(n - 2))


def leaf() -> Iterator[int]:
    """Return at once."""
    yield 1


def calls(count: int) -> Iterator[Any]:
    """Call so often: for many that take turns."""
    for _ in range(count):
        yield leaf()


def work(times: int) -> None:
    """Do both."""
    for _ in range(times):
        t = Trampoline()
        t.add(fib(20))
        t.run()
        for _ in range(100):
            t.add(calls(200))
        t.run()


def timed(threads: int, times: int) -> tuple[float, float]:
    """Return the seconds and the CPU seconds that so many threads need."""
    started = [threading.Thread(target=work, args=(times,)) for _ in range(threads)]
    clock, cpu = perf_counter(), process_time()
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    return perf_counter() - clock, process_time() - cpu


def main() -> int:
    """Print both ratios, and what they were got from."""
    parser = argparse.ArgumentParser(prog="python -m bench.threads", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="how often (default: 10)")
    parser.add_argument("--times", type=int, default=20, help="how much each thread does (default: 20 of its pieces)")
    told = parser.parse_args()
    work(1)
    rounds = [(timed(1, told.times), timed(2, told.times)) for _ in range(told.rounds)]
    clock = 2 * min(one[0] for one, _ in rounds) / min(two[0] for _, two in rounds)
    middle = sorted(2 * one[0] / two[0] for one, two in rounds)[len(rounds) // 2]
    cpu = sorted(4 * one[1] / two[1] for one, two in rounds)[len(rounds) // 2]
    lock = "with" if getattr(sys, "_is_gil_enabled", lambda: True)() else "without"
    core = "C" if accelerated else "Python"
    print(f"CPython {platform.python_version()}, {lock} the lock of the interpreter, {core} core, {os.cpu_count()} cores")
    by_clock = f"by the clock {clock:.2f} (quickest round of each; {middle:.2f} in the middle)"
    print(f"two threads do, of what one does, {by_clock}; by CPU time {cpu:.2f}")
    print("load of the machine in the last minute: " + (f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "not known"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
