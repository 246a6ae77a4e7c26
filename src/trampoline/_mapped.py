"""`map_in()`: one function called with many items on an executor, so many calls at a time, their results in order."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from operator import index
from typing import Generic, TypeVar

from trampoline._base import Suspension, describe, not_yielded
from trampoline._errors import without_frames
from trampoline._executors import Outcome, check, future_of

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


class map_in(Suspension, Generic[R]):
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
        check("map_in()", executor, function)
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

    def suspend(self, pseudothread: core.Pseudothread[Any]) -> None:
        error = TypeError(
            "map_in() gives one result after the other and is not to be yielded itself: write "
            "`for result in map_in(...): value = yield result`, or `async for value in map_in(...)`"
        )
        pseudothread.throw(error)  # and not raised: its traceback has the user's frames alone

    def __iter__(self) -> Self:  # type: ignore[override]
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
            without_frames(error)
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
