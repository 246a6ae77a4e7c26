"""Futures of concurrent.futures, and so any executor: threads, processes; and a Dask cluster, whose `Client` is one, too.

To yield a future waits for it, which is `Outcome` here. `run_in()` submits one call and waits; `map_in()` keeps so many calls under way and
gives their results in order. What nobody waits for any more is cancelled: a call that has not begun is never made.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import CancelledError, Future
from functools import partial
from operator import index
from typing import Generic, TypeVar

from trampoline._base import Suspension, describe, is_future, not_yielded, resumed, thrown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor
    from types import TracebackType
    from typing import Any

    from typing_extensions import Self

    from trampoline._base import Called
    from trampoline._core import core

T = TypeVar("T")
R = TypeVar("R")


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
    as_it_was = vars(future).setdefault("_as_it_was", (error.__traceback__, error.__context__))
    error.__traceback__, error.__context__ = as_it_was
    return error


class run_in(Outcome):
    """Call a function on an executor, and wait for it: `thumb = yield run_in(processes, resize, picture)`.

    What it returns or raises arrives at the yield, and so does what `executor.submit()` raises (BrokenProcessPool, say). Whoever waits may
    be thrown into or closed meanwhile: a call that has not begun is dropped then, one that has runs on and its outcome is dropped.
    TypeError if it is no executor or not callable.
    """

    __slots__ = ("_call",)

    def __init__(self, executor: Executor, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:
        _check("run_in()", executor, function)
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


class map_in(Generic[R]):
    """Call `function` with each of `items` on an executor, at most `limit` calls at a time. Iterate: what it gives is to be yielded.

        for result in map_in(processes, resize, pictures, 8):
            thumb = yield result

    In an `async def` write `async for thumb in map_in(...)`. The results come in the order of the items. A call whose result was not taken
    yet counts for the limit, so that `items` may be endless: the next one is asked for when there is room. An error, of a call or of
    `items` itself, arrives at its yield, behind the results before it; after that of a call the iteration may go on. When it is left, by
    `close()`, at the end of a `with` block, or because nobody has it any more, the calls that are under way are cancelled.

    TypeError if it is no executor, not callable, not iterable or the limit no number; ValueError if that is below 1.
    """

    def __init__(self, executor: Executor, function: Callable[[T], R], items: Iterable[T], limit: int) -> None:
        self._under_way: deque[Future[R]] = deque()
        self._given: list[Outcome] = []  # those that nobody has waited for to the end
        _check("map_in()", executor, function)
        try:
            self._limit = index(limit)
        except TypeError:
            raise TypeError(f"map_in() takes as its limit a number of calls, not {describe(limit)}") from None
        if self._limit < 1:
            raise ValueError(f"map_in() takes a limit from 1 on, not {limit!r}: with that no call is ever made")
        iterable = hasattr(type(items), "__iter__") or hasattr(type(items), "__getitem__")
        if not iterable or issubclass(type(items), Suspension):
            raise TypeError(f"map_in() takes items that can be iterated over, not {describe(items)}{not_yielded(items)}")
        self._executor, self._function = executor, function
        self._items: Iterator[Any] | None = iter(items)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Called[R]:
        self._given = [outcome for outcome in self._given if not outcome.over]
        while self._items is not None and len(self._under_way) + len(self._given) < self._limit:
            self._go_on(self._items)
        if not self._under_way:
            if self._items is None:
                raise StopIteration
            raise RuntimeError(
                f"map_in() gave {len(self._given)} results that were not waited for, and its limit is {self._limit}: write `yield result` "
                "for each before the next"
            )
        outcome = Outcome(self._under_way.popleft())
        self._given.append(outcome)
        return outcome

    def _go_on(self, items: Iterator[Any]) -> None:
        """Submit one more call. What `items` or the executor raises is an outcome too, behind those before it."""
        self._items = None  # in the end, by an error too, there are no more
        try:
            item = next(items)
            self._items = items
            self._under_way.append(future_of(self._executor.submit(self._function, item)))
        except StopIteration:
            pass
        except Exception as error:
            error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
            failed: Future[R] = Future()
            failed.set_exception(error)
            self._under_way.append(failed)

    def close(self) -> None:
        """Cancel the calls that are under way. The iteration is at its end."""
        self._items = None
        while self._under_way:
            self._under_way.pop().cancel()
        while self._given:
            self._given.pop().cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        if "_given" in vars(self):
            self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> R:
        try:
            result = next(self)
        except StopIteration:
            raise StopAsyncIteration from None
        return await result


def _check(where: str, executor: Any, function: Any) -> None:
    if not callable(getattr(executor, "submit", None)):
        raise TypeError(f"{where} takes an executor, which has submit(), not {describe(executor)}")
    if not callable(function):
        raise TypeError(f"{where} takes a function, not {describe(function)}: write {where[:-2]}(executor, f, x), not f(x)")
