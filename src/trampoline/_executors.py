"""Futures of concurrent.futures, and so any executor: threads, processes; and a Dask cluster, whose `Client` is one, too.

To yield a future waits for it, which is `Outcome` here. `run_in()` submits one call and waits. What nobody waits for any more is cancelled:
a call that has not begun is never made.
"""

from __future__ import annotations

from concurrent.futures import CancelledError, Future
from functools import partial

from trampoline._base import Suspension, describe, is_future, resumed, thrown
from trampoline._errors import get_context, get_traceback, set_context, set_traceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor
    from typing import Any

    from trampoline._core import core


def future_of(given: Any) -> Future[Any]:
    """Return the future of concurrent.futures for what `submit()` returned."""
    if isinstance(given, Future) or not is_future(given):
        return given  # type: ignore[no-any-return]
    from trampoline._dask import stand_in

    return stand_in(given)


class Outcome(Suspension):
    """Wait for a future: its result or its error arrives at the yield, CancelledError if it was cancelled.

    Whoever waits may be thrown into or closed meanwhile: the future is cancelled then.
    """

    __slots__ = ("_future", "_pseudothread")

    external = True  # it ends on another thread

    def __init__(self, future: Future[Any]) -> None:
        self._future: Future[Any] | None = future
        self._pseudothread: core.Pseudothread[Any] | None = None

    def suspend(self, pseudothread: core.Pseudothread[Any]) -> None:
        future, earlier = self._future, self._pseudothread
        if future is None or earlier is not None and earlier is not pseudothread and earlier.waits_for is self:
            raise RuntimeError(f"this {self!r} was waited for already: make one for each wait, or yield the future itself")
        self._pseudothread = pseudothread
        if future.done():
            self._ready()
        else:
            future.add_done_callback(self._done)
            if pseudothread.waits_for is not self:
                self.withdraw(pseudothread)  # again: another thread, or a signal handler, has thrown into it before

    def withdraw(self, pseudothread: core.Pseudothread[Any]) -> None:
        future, self._future, self._pseudothread = self._future, None, None
        if future is not None:
            future.cancel()

    @property
    def over(self) -> bool:
        """Whether the future is done, or nobody waits for it any more."""
        return self._future is None or self._future.done()

    def cancel(self) -> None:
        """Cancel the future, if that is not over."""
        if self._future is not None:
            self._future.cancel()

    def _done(self, future: Future[Any]) -> None:
        # On the executor's thread: between a look and a resume here the pseudothread might be thrown into there.
        pseudothread = self._pseudothread
        if pseudothread is not None:
            pseudothread.trampoline._post(self._ready)

    def _ready(self) -> None:
        future, pseudothread = self._future, self._pseudothread
        if future is not None and pseudothread is not None:
            error = _error_of(future)
            if error is None:
                resumed(pseudothread, self, future.result())
            else:
                thrown(pseudothread, self, error)
        self._future = self._pseudothread = None  # last: where Ctrl-C strikes before, this is called again

    def __repr__(self) -> str:
        return "the outcome of a future" if self._future is None else f"the outcome of {describe(self._future)}"


def _error_of(future: Future[Any]) -> BaseException | None:
    """Return the error of a future that is done, as it was when it was first asked for here: whoever is given it adds to its traceback."""
    if future.cancelled():
        return CancelledError(f"{describe(future)} was cancelled")
    error = future.exception()
    if error is None:
        return None
    as_it_was = vars(future).setdefault("_as_it_was", (get_traceback(error), get_context(error)))
    set_context(error, as_it_was[1])
    return set_traceback(error, as_it_was[0])


class run_in(Outcome):
    """Call a function on an executor, and wait for it: `thumb = yield run_in(processes, resize, picture)`.

    What it returns or raises arrives at the yield, and so does what `executor.submit()` raises (BrokenProcessPool, say). Whoever waits may
    be thrown into or closed meanwhile: a call that has not begun is dropped then, one that has runs on and its outcome is dropped.
    TypeError if it is no executor or not callable.
    """

    __slots__ = ("_call",)

    def __init__(self, executor: Executor, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:
        check("run_in()", executor, function)
        self._call = partial(executor.submit, function, *args, **kwargs)
        self._future = self._pseudothread = None

    def suspend(self, pseudothread: core.Pseudothread[Any]) -> None:
        if self._pseudothread is not None and self._pseudothread is not pseudothread and self._pseudothread.waits_for is self:
            raise RuntimeError(f"another pseudothread waits for this {self!r} already: make one for each call")
        self._pseudothread = None
        self._future = future_of(self._call())
        super().suspend(pseudothread)

    def __repr__(self) -> str:
        arguments = [*self._call.args, *(f"{name}={describe(value)}" for name, value in self._call.keywords.items())]
        return f"run_in(..., {', '.join(describe(argument) for argument in arguments)})"


def check(where: str, executor: Any, function: Any) -> None:
    """Raise TypeError if that is no executor or no function."""
    if not callable(getattr(executor, "submit", None)):
        raise TypeError(f"{where} takes an executor, which has submit(), not {describe(executor)}")
    if not callable(function):
        raise TypeError(f"{where} takes a function, not {describe(function)}: write {where[:-2]}(executor, f, x), not f(x)")
