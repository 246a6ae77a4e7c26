"""`python -m bench.scaling`: what a million of each costs: levels of depth, parked pseudothreads, sleepers; and what a connection costs.

Each is made in a process of its own, and what that process needs more of the system's memory, and of the CPU, is printed. The figures hold
all that there is of it: the coroutine, its frame, and what the trampoline has beside it. `--count N` makes fewer than a million.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import platform
import resource
import socket
import sys
from collections.abc import Callable, Iterator
from time import process_time
from typing import Any

from trampoline import Deadlock, Suspension, Trampoline, accelerated, nonblocking_read, sleep

CONNECTIONS = max(100, min(8_000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2 - 100))  # pairs, as far as there are descriptors


def resident() -> int:
    """Return how many bytes of memory the process has."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Parks(Suspension):
    """Waits for ever."""

    def suspend(self, pseudothread: Any) -> None:
        """Do nothing."""


def levels(count: int) -> Iterator[None]:
    """Call so deep."""

    def child(left: int) -> Any:
        if left:
            yield child(left - 1)
        else:
            yield Parks()

    t = Trampoline()
    t.add(child(count))
    ended(t)
    yield
    t.close()


def parked(count: int) -> Iterator[None]:
    """Park so many."""
    parks = Parks()

    def waits() -> Any:
        yield parks

    t = Trampoline()
    for _ in range(count):
        t.add(waits())
    ended(t)
    yield
    t.close()


def sleepers(count: int) -> Iterator[None]:
    """Have so many sleep."""

    def sleeps() -> Any:
        yield sleep(1000)

    def stops() -> Any:
        t.stop()
        yield

    t = Trampoline()
    for _ in range(count):
        t.add(sleeps())
    t.add(stops())
    t.run()
    yield
    t.close()


def connections(count: int) -> Iterator[None]:
    """Have so many wait for the first byte of a connection. The sockets are there before."""
    pairs = [socket.socketpair() for _ in range(count)]

    def serves(connected: socket.socket) -> Any:
        yield nonblocking_read(connected, 4096)

    def stops() -> Any:
        t.stop()
        yield

    t = Trampoline()
    first, other = socket.socketpair()
    other.send(b"for the reactor to be there")
    t.add(serves(first))
    t.run()
    yield
    for connected, _ in pairs:
        t.add(serves(connected))
    t.add(stops())
    t.run()
    yield
    t.close()


def ended(t: Trampoline) -> None:
    """Run until all wait for ever."""
    with contextlib.suppress(Deadlock):
        t.run()


def measure(name: str, count: int, answer: Any) -> None:
    """Make them, and tell bytes and seconds."""
    makes: Callable[[int], Iterator[None]] = globals()[name]
    making = makes(count)
    if name == "connections":
        next(making)
    before, start = resident(), process_time()
    next(making)
    answer.put((resident() - before, process_time() - start))


def main() -> int:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m bench.scaling", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000, help="how many of each (default: a million)")
    count = parser.parse_args().count
    if not os.path.exists("/proc/self/statm"):
        print("this reads /proc/self/statm, which is Linux's", file=sys.stderr)
        return 2
    print(f"CPython {platform.python_version()}, {'C' if accelerated else 'Python'} core, {platform.machine()}\n")
    print("| | made | bytes each | CPU to make one | a million |")
    print("| --- | ---: | ---: | ---: | ---: |")
    context = multiprocessing.get_context("spawn")
    for name, number in (("levels", count), ("parked", count), ("sleepers", count), ("connections", CONNECTIONS)):
        answer = context.Queue()
        process = context.Process(target=measure, args=(name, number, answer))
        process.start()
        size, seconds = answer.get()
        process.join()
        million = f"{size / 1e6 * 1_000_000 / number:,.0f} MB, {seconds * 1_000_000 / number:.1f} s"
        said = "measured" if number == 1_000_000 else "computed"
        print(f"| {name} | {number:,} | {size / number:,.0f} | {seconds / number * 1e9:,.0f} ns | {million} ({said}) |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
