"""The recipe of PEP 342, as a yardstick: `python -m trampoline demo`, the tests and the benchmarks run it beside the package.

`Verbatim` is the class as the PEP prints it (example 3, "A simple co-routine scheduler or 'trampoline'"). `Mended` is the same with its
four faults mended, which are the only differences:

1. after it sent an error to the caller it returns, instead of falling through and resuming the caller a second time;
2. a callee that finishes hands its return value to its caller, instead of a StopIteration;
3. a root that finishes ends its pseudothread quietly, instead of raising StopIteration out of `run()`;
4. the last turn of a pseudothread returns the value that it ended with, so that `run()` has a result to return.
"""

from __future__ import annotations

import collections
import sys
import types
from typing import Any


class Verbatim:
    """Schedule coroutines as PEP 342 prints it, faults included."""

    running: bool = False

    def __init__(self) -> None:
        self.queue: collections.deque[Any] = collections.deque()

    def add(self, coroutine: Any) -> None:
        """Request that a coroutine be executed."""
        self.schedule(coroutine)

    def run(self) -> Any:
        """Run until the queue is empty or `stop()` is called."""
        result = None
        self.running = True
        try:
            while self.running and self.queue:
                func = self.queue.popleft()
                result = func()
            return result
        finally:
            self.running = False

    def stop(self) -> None:
        """End `run()` after the current turn."""
        self.running = False

    def schedule(self, coroutine: Any, stack: Any = (), val: Any = None, *exc: Any) -> None:
        """Queue one turn of `coroutine`, whose callers are the nested pairs of `stack`."""

        def resume() -> Any:
            value = val
            try:
                if exc:
                    value = coroutine.throw(value, *exc)
                else:
                    value = coroutine.send(value)
            except BaseException:
                if stack:
                    self.schedule(stack[0], stack[1], *sys.exc_info())
                else:
                    raise

            if isinstance(value, types.GeneratorType):
                self.schedule(value, (coroutine, stack))
            elif stack:
                self.schedule(stack[0], stack[1], value)

        self.queue.append(resume)


class Mended(Verbatim):
    """Schedule coroutines as PEP 342 means it."""

    def schedule(self, coroutine: Any, stack: Any = (), val: Any = None, *exc: Any) -> None:
        """Queue one turn of `coroutine`, whose callers are the nested pairs of `stack`."""

        def resume() -> Any:
            value = val
            try:
                if exc:
                    value = coroutine.throw(value, *exc) if sys.version_info < (3, 12) else coroutine.throw(exc[0])
                else:
                    value = coroutine.send(value)
            except StopIteration as stop:
                if not stack:
                    return stop.value
                self.schedule(stack[0], stack[1], stop.value)
                return None
            except BaseException:
                if not stack:
                    raise
                self.schedule(stack[0], stack[1], *sys.exc_info())
                return None
            if isinstance(value, types.GeneratorType):
                self.schedule(value, (coroutine, stack))
            elif stack:
                self.schedule(stack[0], stack[1], value)
            else:
                return value
            return None

        self.queue.append(resume)
