"""Class Trampoline: the thin layer over the core with what does not happen on every turn."""

from __future__ import annotations

import sys

from trampoline._base import no_coroutine
from trampoline._core import core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import TypeVar

    from typing_extensions import Self

    from trampoline._base import AnyCoroutine

    T = TypeVar("T")
    Base = core.BaseTrampoline
else:
    Base = object


class _Running:
    """`running`: a class attribute that is False, and on an instance whether its `run()` goes on. To set it False is `stop()`."""

    def __get__(self, trampoline: Layer | None, owner: type[Layer] | None = None) -> bool:
        return trampoline is not None and trampoline._running

    def __set__(self, trampoline: Layer, value: object) -> None:
        if value:
            trampoline._running = True
        else:
            super(Layer, trampoline).stop()


class Layer(Base):
    """What `Trampoline` adds to the core. A class of its own, so that it can be put on either core."""

    running = _Running()

    def close(self) -> None:
        """Close every pseudothread that is left, queued ones first, and empty the queue: all `finally` blocks run.

        Each is closed whatever the others do; then the error that came out is raised (several: a BaseExceptionGroup of them where Python
        has it, else the first). The trampoline may be used again. RuntimeError inside `run()`.
        """
        if self._thread is not None:
            raise RuntimeError(f"cannot close {self!r} inside run(): stop() it first")
        errors: list[BaseException] = []
        while (left := self._take_one()) is not None:
            try:
                left.close()
            except BaseException as raised:
                errors.append(raised)
        if len(errors) > 1 and sys.version_info >= (3, 11):
            raise BaseExceptionGroup(  # noqa: F821 -- Python 3.11
                f"errors while {len(errors)} pseudothreads were closed", errors
            )
        if errors:
            error = errors.pop(0)
            context = error.__context__
            try:
                raise error
            finally:
                error.__context__ = context  # raised in an `except` block of the user's it would have got one
                del error, context, errors

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()


class Trampoline(Layer, core.BaseTrampoline):
    """A scheduler that drives coroutines which call one another by yielding: PEP 342's `Trampoline`.

    To yield a coroutine calls it: the callee's result, or its error, arrives at the yield. To yield a `Suspension` waits for it. To yield
    anything else, or to return, gives a result to the caller. `add()` starts a stack of coroutines, a pseudothread; all of them take turns,
    first in first out, in `run()`. Source: PEP 342, example 3, with its faults mended.
    """


def trampoline(coroutine: AnyCoroutine[T]) -> T:
    """Run one call tree to its end, whatever its depth, and return its value or raise its error.

    TypeError if it is no coroutine. What is left when it ends (added by the tree itself) is closed. Source: PyPI `trampoline` 0.1.2.
    """
    if not core.is_coroutine(coroutine):
        raise no_coroutine("trampoline()", coroutine)
    runner = Trampoline()
    root = runner.schedule(coroutine)
    failure = None
    try:
        runner.run()
    except BaseException as error:
        failure = error
    stuck = None if root.done or failure is not None else RuntimeError(f"nothing is left that could resume {root!r}")
    runner.close()
    if stuck is not None:
        raise stuck
    if failure is None:
        value: T = root.result()
        return value
    context, traceback = failure.__context__, failure.__traceback__
    for _ in range(2):  # this frame, which comes again, and the one of run()
        traceback = traceback and traceback.tb_next
    try:
        raise failure.with_traceback(traceback)
    finally:
        failure.__context__ = context
        del failure, traceback, context, root, runner
