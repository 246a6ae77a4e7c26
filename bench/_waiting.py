"""The workloads that wait, `echo`, `idle`, `sleep`, `wake` and `fairness`: one process for each run, and here the end that starts it.

A run has several figures (CPU and wall time, median and maximum), which are columns of the table: the n-th round of each column is taken
from the same run. The server, or the loop, is bound to the first core that this process may use, and the client to the second.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bench import _loops, _registry, _servers
from bench._implementation import Implementation
from bench._measure import SkippedError, Unit
from bench._subprocess import ROOT, run

WORKLOADS = ("echo", "idle", "sleep", "wake", "fairness")
SERVED = ("echo", "idle")
REDIS = "redis-benchmark"
REQUEST = b"*1\r\n$4\r\nPING\r\n"
CORES: tuple[int, ...] = tuple(sorted(os.sched_getaffinity(0))[:2]) if hasattr(os, "sched_getaffinity") else ()
LONGEST = 55.0  # seconds, below the workloads' limit, to tell which of the two ends does not answer
Figures = Mapping[str, float]


def is_offered(workload: str, implementation: str) -> bool:
    """Whether there is a program for it."""
    return implementation in (_servers.SERVERS if workload in SERVED else _loops.PROGRAMS)


def means(workload: str) -> str:
    """Return which client, and which cores, the figures were taken with."""
    if workload not in WORKLOADS:
        return ""
    cores = f"server on core {CORES[0]}, client on core {CORES[1]}" if len(CORES) > 1 else "no core for each end"
    if workload == "echo":
        return f"Client: {client()}; {cores}."
    if workload == "wake" or not CORES:
        return ""
    return f"On core {CORES[0]}."


@functools.cache
def client() -> str:
    """Return the name and version of the client of `echo`."""
    if not shutil.which(REDIS):
        return f"one of our own, in Python (no {REDIS} on PATH): it sends a request on each connection, then reads each reply"
    found = subprocess.run([REDIS, "--version"], capture_output=True, text=True, check=False)
    return found.stdout.strip() or REDIS


def unit(workload: str, implementation: Implementation, figure: str, *arguments: Any) -> Unit:
    """Return the unit of one column: the figure of that name, of the next run."""
    runs = _runs(workload, implementation.name, arguments)
    return lambda loops: loops * runs.take(figure)


class Runs:
    """The runs so far; each figure is taken once from each of them, and whoever comes first makes the next."""

    def __init__(self, make: Callable[[], Figures]) -> None:
        self.make = make
        self.made: list[Figures] = []
        self.taken: collections.Counter[str] = collections.Counter()

    def take(self, figure: str) -> float:
        """Return the figure of the next run."""
        if self.taken[figure] == len(self.made):
            self.made.append(self.make())
        found = self.made[self.taken[figure]][figure]
        self.taken[figure] += 1
        return found


@functools.cache
def _runs(workload: str, implementation: str, arguments: tuple[Any, ...]) -> Runs:
    if workload == "echo":
        return Runs(lambda: echo(implementation, *arguments))
    if workload == "idle":
        return Runs(lambda: idle(implementation, *arguments))
    return Runs(lambda: loop(workload, implementation, arguments))


@contextlib.contextmanager
def bound(which: int) -> Iterator[None]:
    """Bind to a core what is started meanwhile, where there are two."""
    if len(CORES) < 2:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {CORES[which]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Server:
    """A server in a process of its own."""

    def __init__(self, name: str) -> None:
        # a pipe that nobody reads would fill up and stop the server
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        with bound(0):
            self.process = subprocess.Popen(
                [sys.executable, "-m", "bench._servers", name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.errors,
                text=True,
                cwd=ROOT,
                env=_environment(name),
            )

    def __enter__(self) -> Server:
        try:
            self.port = int(self.read()["port"])
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.end()

    def end(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()
        self.errors.close()

    def read(self) -> dict[str, Any]:
        """Return the next thing that it says. SkippedError with its last words if there is none."""
        assert self.process.stdout
        if line := self.process.stdout.readline():
            found: dict[str, Any] = json.loads(line)
            return found
        self.process.wait()
        self.errors.seek(0)
        last = (self.errors.read().strip().splitlines() or ["no message"])[-1]
        raise SkippedError(f"failed in its own process: {last[:200]}")

    def ask(self, what: str) -> float:
        """Return its CPU seconds or its resident bytes."""
        assert self.process.stdin
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        return float(self.read()[what])


def echo(name: str, connections: int, requests: int) -> Figures:
    """Return the CPU and the wall seconds of one request."""
    with Server(name) as server:
        before = server.ask("cpu")
        wall = (by_redis if shutil.which(REDIS) else by_our_own)(server.port, connections, requests)
        return {"cpu": (server.ask("cpu") - before) / requests, "wall": wall / requests}


def by_redis(port: int, connections: int, requests: int) -> float:
    """Return the seconds that redis-benchmark says it took. It asks the server's configuration before, in vain."""
    command = [REDIS, "-h", _servers.HOST, "-p", str(port), "-c", str(connections), "-n", str(requests), "-q", "PING"]
    with bound(1):
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=False)
    found = re.search(r"([\d.]+) requests per second", done.stdout)
    if done.returncode or not found:
        raise SkippedError(f"failed: {REDIS} said {(done.stdout + done.stderr).strip()[-200:]!r}")
    return requests / float(found[1])


def by_our_own(port: int, connections: int, requests: int) -> float:
    """Return the seconds that a client of our own took, in a process of its own."""
    with bound(1):
        return float(run(["-m", "bench._waiting", str(port), str(connections), str(requests)]))


def connect(port: int) -> socket.socket:
    """Return a connection that has had its first reply, and that ends by a reset, so as to leave no port in use."""
    sock = socket.create_connection((_servers.HOST, port), timeout=LONGEST)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.sendall(REQUEST)
    receive(sock)
    return sock


def receive(sock: socket.socket) -> None:
    """Read one reply."""
    reply = b""
    while len(reply) < len(REQUEST):
        more = sock.recv(len(REQUEST) - len(reply))
        if not more:
            raise ConnectionError("the server closed the connection")
        reply += more
    if reply != REQUEST:
        raise ValueError(f"no echo: {reply!r}")


def idle(name: str, connections: int, seconds: float) -> Figures:
    """Return the bytes of each idle connection, and the CPU seconds of a second of all of them."""
    taken, cpu = _idle(name, connections, seconds)
    return {"memory": (taken - _held(connections)) / connections, "cpu": cpu / seconds}


@functools.cache
def _held(connections: int) -> float:
    return _idle(_servers.BARE, connections, 0.0)[0]


def _idle(name: str, connections: int, seconds: float) -> tuple[float, float]:
    with files(connections + 100), Server(name) as server, contextlib.ExitStack() as held:
        connect(server.port).close()  # what is made once for the first connection is not counted
        before = server.ask("memory")
        for _ in range(connections):
            held.enter_context(connect(server.port))
        taken = server.ask("memory") - before
        time.sleep(0.2)
        start = server.ask("cpu")
        time.sleep(seconds)
        return taken, server.ask("cpu") - start


@contextlib.contextmanager
def files(count: int) -> Iterator[None]:
    """Let this process, and what it starts, have so many open files. SkippedError if it may not."""
    try:
        import resource
    except ImportError as error:
        raise SkippedError(f"there is no way to ask for {count:,} open files: {error}") from error
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= hard < count:
        raise SkippedError(f"{count:,} open files are more than the {hard:,} that `ulimit -Hn` allows")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def loop(workload: str, name: str, arguments: tuple[Any, ...]) -> Figures:
    """Return the figures of one run of a program of `_loops.py`."""
    with bound(0) if workload != "wake" else contextlib.nullcontext():
        found: dict[str, float] = json.loads(run(["-m", "bench._loops", workload, name, *map(str, arguments)], _environment(name)))
    return found


def _environment(name: str) -> dict[str, str]:
    kind = {} if name == _servers.BARE else _registry.kind_of(name).environment
    return {**os.environ, **kind}


def main(port: int, connections: int, requests: int) -> None:
    """Be the client: print the seconds that the requests took."""
    held = [connect(port) for _ in range(connections)]
    start = time.perf_counter()
    left = requests
    while left > 0:
        used = held[:left]
        for sock in used:
            sock.sendall(REQUEST)
        for sock in used:
            receive(sock)
        left -= len(used)
    print(time.perf_counter() - start)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
