"""How programs take part in the scheduling: `schedule` overridden, or a queue of their own. For the workload `overridden`."""

from __future__ import annotations

import collections
import sys
import types
from collections.abc import Callable
from typing import Any

Made = Callable[[], Any]


def passing(base: Any) -> Made:
    """Override `schedule` by what passes everything on."""

    class Passing(base):  # type: ignore[misc]
        def schedule(self, coroutine: Any, stack: Any = (), val: Any = None, *exc: Any) -> Any:
            return super().schedule(coroutine, stack, val, *exc)

    return Passing


def counting(base: Any) -> Made:
    """Override it by what counts, and passes on whatever it was given."""

    class Counting(base):  # type: ignore[misc]
        count = 0

        def schedule(self, *arguments: Any) -> Any:
            self.count += 1
            return super().schedule(*arguments)

    return Counting


def closures(base: Any) -> Made:
    """Override it as PEP 342 has it, so that nothing is left for the base class to do but to call what is in the queue."""

    class Closures(base):  # type: ignore[misc]
        def schedule(self, coroutine: Any, stack: Any = (), val: Any = None, *exc: Any) -> None:
            def resume() -> Any:
                value = val
                try:
                    value = coroutine.throw(exc[0]) if exc else coroutine.send(value)
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

    return Closures


def with_deque(base: Any) -> Made:
    """Put a deque in the place of the queue."""

    class WithDeque(base):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.queue = collections.deque()

    return WithDeque


def with_subclass(base: Any) -> Made:
    """Put a deque there that counts what is appended."""

    class Counted(collections.deque):  # type: ignore[type-arg]
        count = 0

        def append(self, entry: Any) -> None:
            self.count += 1
            super().append(entry)

    class WithSubclass(base):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.queue = Counted()

    return WithSubclass


IDIOMS: dict[str, Callable[[Any], Made]] = {
    "schedule": passing,
    "counting": counting,
    "closures": closures,
    "queue": with_deque,
    "own append": with_subclass,
}
