"""Class Trampoline: the thin layer over the core with what does not happen on every turn."""

from __future__ import annotations

import sys

from trampoline._base import no_coroutine
from trampoline._core import core


class _Running:
    """`running`: a class attribute that is False, and on an instance whether its `run()` goes on. To set it False is `stop()`."""

    def __get__(self, trampoline, owner=None):
        return trampoline is not None and trampoline._running

    def __set__(self, trampoline, value):
        if value:
            trampoline._running = True
        else:
            core.BaseTrampoline.stop(trampoline)


class Trampoline(core.BaseTrampoline):
    """A scheduler that drives coroutines which call one another by yielding: PEP 342's `Trampoline`.

    To yield a coroutine calls it: the callee's result, or its error, arrives at the yield. To yield a `Suspension` waits for it. To yield
    anything else, or to return, gives a result to the caller. `add()` starts a stack of coroutines, a pseudothread; all of them take turns,
    first in first out, in `run()`. Source: PEP 342, example 3, with its faults mended.
    """

    running = _Running()

    def close(self):
        """Close every pseudothread that is left, queued ones first, and empty the queue: all `finally` blocks run.

        Each is closed whatever the others do; then the error that came out is raised (several: a BaseExceptionGroup of them where Python has
        it, else the first). The trampoline may be used again. RuntimeError inside `run()`.
        """
        if self._thread is not None:
            raise RuntimeError(f"cannot close {self!r} inside run(): stop() it first")
        errors = []
        while (left := self._take_one()) is not None:
            try:
                left.close()
            except BaseException as error:
                errors.append(error)
        if len(errors) > 1 and sys.version_info >= (3, 11):
            raise BaseExceptionGroup(f"errors while {len(errors)} pseudothreads were closed", errors)
        if errors:
            raise errors[0]

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()


def trampoline(coroutine):
    """Run one call tree to its end, whatever its depth, and return its value or raise its error.

    TypeError if it is no coroutine. What is left when it ends (added by the tree itself) is closed. Source: PyPI `trampoline` 0.1.2.
    """
    if not core.is_coroutine(coroutine):
        raise no_coroutine("trampoline()", coroutine)
    with Trampoline() as runner:
        root = runner.schedule(coroutine)
        try:
            runner.run()
        except BaseException as error:
            traceback = error.__traceback__.tb_next
            raise error.with_traceback(traceback and traceback.tb_next)  # this frame and the user's, not the one of run()
        return root.result()
