"""What needs an interpreter of its own: memory, and the time of an import. Other end: `python -m bench._subprocess NAME KIND HOW COUNT`.

Memory is the difference between two readings in one process, less the same for as many started coroutines in another process. A reading
is the resident memory (the kernel's figure, pages) or what tracemalloc sees (exact, but blind to memory taken from malloc directly).
"""

from __future__ import annotations

import functools
import gc
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from bench import _programs, _registry
from bench._implementation import Implementation
from bench._measure import SkippedError, Unit

ROOT = Path(__file__).resolve().parent.parent


def run(arguments: list[str], environment: dict[str, str] | None = None) -> str:
    """Run this Python with the arguments and return what it printed. SkippedError with its last words if it fails."""
    command = [sys.executable, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise SkippedError(f"failed in its own process: {last[:200]}")
    return done.stdout


def memory_unit(implementation: Implementation, kind: str, how: str, count: int) -> Unit:
    """Return the unit of the `memory` workload: bytes for each parked one, or for each level."""
    count = min(count, implementation.levels) if kind == "level" else count

    def unit(loops: int) -> float:
        taken = _ask(implementation.name, kind, how, count)
        return loops * (taken - _bare(f"{kind} {implementation.coroutines}", how, count)) / count

    return unit


def _ask(name: str, kind: str, how: str, count: int) -> float:
    answer = json.loads(run(["-m", "bench._subprocess", name, kind, how, str(count)]))
    if "skipped" in answer:
        raise SkippedError(answer["skipped"])
    return float(answer["bytes"])


@functools.cache
def _bare(kind: str, how: str, count: int) -> float:
    return _ask("bare", kind, how, count)


def import_unit(implementation: Implementation) -> Unit:
    """Return the unit of the `import` workload: CPU seconds of the import in a fresh interpreter."""
    path = [*implementation.path(), *sys.path]
    statement = "; ".join(f"import {module}" for module in implementation.imports)
    script = (
        f"import sys; sys.path[:] = {path!r}; import os, types, time; start = time.process_time(); {statement}; "
        "print(time.process_time() - start)"
    )
    environment = {**os.environ, **implementation.environment}
    run(["-I", "-S", "-c", script], environment)  # writes the byte code
    return lambda loops: sum(float(run(["-I", "-S", "-c", script], environment)) for _ in range(loops))


class Readings:
    """Two readings of the memory in use. The second prints the difference and ends the process: what is parked need not be unwound."""

    def __init__(self, how: str) -> None:
        self.take = traced if how == "traced" else resident
        self.before: int | None = None

    def __call__(self) -> None:
        """Take a reading."""
        gc.collect()
        now = self.take()
        if self.before is None:
            self.before = now
            return
        answer({"bytes": now - self.before})


def answer(found: dict[str, Any]) -> NoReturn:
    """Print the answer for the other end and end the process."""
    print(json.dumps(found))
    sys.stdout.flush()
    os._exit(0)


def resident() -> int:
    """Return the bytes of resident memory. SkippedError where the kernel does not tell."""
    try:
        text = Path("/proc/self/smaps_rollup").read_text(encoding="ascii")
    except OSError as error:
        raise SkippedError(f"the resident memory is read from /proc, which is not there: {error}") from error
    found = re.search(r"Rss:\s+(\d+) kB", text)
    assert found
    return int(found[1]) * 1024


def traced() -> int:
    """Return the bytes that tracemalloc has seen allocated since it was first asked. SkippedError where there is no tracemalloc."""
    try:
        import tracemalloc
    except ImportError as error:
        raise SkippedError(f"this Python has no tracemalloc: {error}") from error
    if not tracemalloc.is_tracing():
        tracemalloc.start()
    return tracemalloc.get_traced_memory()[0]


def bare(kind: str, count: int, read: Callable[[], None]) -> None:
    """Create, start and hold `count` coroutines of the kind."""
    held: list[Any] = [None] * count
    programs = _programs.by_yield()
    makers: dict[str, Callable[[int], Any]] = {
        "parked generators": lambda i: _programs.parked(None),
        "parked coroutines": lambda i: _programs.awaiting(_programs.bare_switch()),
        "level generators": lambda i: programs.deepen(i + 1, read),
    }
    if kind.endswith(" nothing"):
        read()
        read()
    make = makers[kind]
    read()
    for i in range(count):
        held[i] = make(i)
        held[i].send(None)
    read()


def main(name: str, kind: str, how: str, count: int) -> NoReturn:
    """Print the bytes that `count` of the kind take, as JSON, or why that cannot be told."""
    try:
        gc.disable()
        measured = functools.partial(bare, kind) if name == "bare" else getattr(_registry.load(name), f"memory_{kind}")
        measured(count, Readings(how))
    except SkippedError as skipped:
        answer({"skipped": str(skipped)})
    except RecursionError:
        answer({"skipped": "RecursionError: every call is a native call"})
    raise RuntimeError(f"{name} did not take a second reading of {kind}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
