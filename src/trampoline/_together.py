"""Several coroutines at once: `gather()` and `first()`.

To start one pseudothread and to join it is the core's: `spawn()`, and `yield pseudothread`. Both functions here start a pseudothread for
each coroutine and wait for all of them, or for the first. However the waiting ends, none of them is left running: the generator that
waits closes them when it is thrown into or closed itself, so that it can be called, limited by `timeout()` and unwound as any callee.
"""

from __future__ import annotations

import sys
from types import CoroutineType, GeneratorType, coroutine

from trampoline._base import VALUE, Suspension, describe, is_coroutine, meaning_of, named, no_coroutine, no_result
from trampoline._base import yield_itself as wait_for
from trampoline._errors import get_context, get_traceback, set_context, set_traceback, without_frames
from trampoline._traces import users

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from concurrent.futures import Future
    from typing import Any, TypeAlias, TypeVar

    from trampoline._base import AnyCoroutine, Called
    from trampoline._core import core

    T = TypeVar("T")
    Waited: TypeAlias = AnyCoroutine[T] | Suspension | core.Pseudothread[T] | Future[T]


class Together(Suspension):
    """What the generator of `gather()` or `first()` waits for. It starts the coroutines."""

    __slots__ = ("_code", "_coroutines", "_count", "_group", "_instruction", "_name", "any")

    def __init__(self, name: str, coroutines: Sequence[Any], any: bool) -> None:
        self._name, self.any = name, any
        self._coroutines = coroutines  # those that are not started
        self._count = len(coroutines)
        self._group: core.Group | None = None
        frame = sys._getframe(2)
        self._code, self._instruction = frame.f_code, frame.f_lasti

    def suspend(self, pseudothread: core.Pseudothread[Any]) -> None:
        group = self._group = pseudothread.trampoline._group(pseudothread, self, self.any)
        coroutines, self._coroutines = self._coroutines, ()
        group.start(coroutines, self._code, self._instruction)

    @property
    def pseudothreads(self) -> list[core.Pseudothread[Any]]:
        """Those that have not ended."""
        return [] if self._group is None else [child for child in self._group.children if not child.done]

    def end(self) -> tuple[core.Pseudothread[Any] | None, list[core.Pseudothread[Any]], list[BaseException]]:
        """Close those that have not ended. Return the one that ended the waiting if one did, all, and their errors, its first."""
        for unstarted in self._coroutines:
            if type(unstarted) is CoroutineType:  # Python would warn of it
                unstarted.close()
        group, self._group, self._coroutines = self._group, None, ()  # it holds us
        if group is None:
            return None, [], []
        group.leave()
        decided: core.Pseudothread[Any] | None = group.decided
        errors = [] if decided is None or decided._error is None else [decided._error]
        for child in group.children:
            if child is decided:
                continue
            error = child._error if child.done else _closed(child)
            if error is not None:
                errors.append(error)
        for error in errors:
            set_traceback(error, users(get_traceback(error)))
        return decided, group.children, errors

    def __repr__(self) -> str:
        left = "" if self._group is None else f", {self._group.left} left"
        return f"{self._name} of {self._count}{left}"


def _closed(child: core.Pseudothread[Any]) -> BaseException | None:
    """Close a pseudothread. Return the error that it leaves."""
    if child.state == "running":  # it closes whoever waits for it: it is closed itself when its turn is over
        child.trampoline.queue.append(child.close)
        return None
    try:
        child.close()
    except BaseException as raised:
        return raised
    return None


def _waiting(together: Together) -> Generator[Any, Any, Any]:
    thrown: BaseException | None = None
    value = None
    try:
        value = yield together
    except BaseException as error:
        without_frames(error)  # without this frame
        thrown = error
    # Nothing is being handled here: what the `finally` blocks raise gets no context of ours.
    decided, children, errors = together.end()
    if thrown is not None and (not errors or isinstance(thrown, (Exception, KeyboardInterrupt, SystemExit))):
        errors.insert(0, thrown)
    if not errors and decided is None:
        return value  # somebody resumed it by hand
    if not errors and decided is not None:
        try:
            return decided.result() if together.any else [child.result() for child in children]
        except RuntimeError:
            errors.append(no_result(decided))
    failure = errors[0]
    if len(errors) > 1 and sys.version_info >= (3, 11):
        failure = BaseExceptionGroup(f"{len(errors)} errors in {together!r}", errors)  # noqa: F821 -- Python 3.11
    context, traceback = get_context(failure), get_traceback(failure)
    try:
        raise failure
    except BaseException as raised:
        set_context(raised, context)
        set_traceback(raised, traceback)  # without this frame, from CPython 3.11 on
        raise
    finally:
        del failure, context, traceback, thrown, errors, decided, children, together


_gather, _first = named("gather", _waiting), named("first", _waiting)


if TYPE_CHECKING:

    def gather(*coroutines: Waited[T]) -> Called[list[T]]:
        """Run coroutines together and wait for all."""
        raise NotImplementedError

    def first(*coroutines: Waited[T]) -> Called[T]:
        """Run coroutines together and wait for the first that ends."""
        raise NotImplementedError
else:

    def gather(*coroutines):
        """Run coroutines together and wait for all: `a, b = yield gather(one(), two())` has their results in a list, in order.

        Each is a pseudothread of its own meanwhile. At the first error the others are closed: their `finally` blocks run (and must not
        wait), then the error goes on. If some of them raise, too, it is an ExceptionGroup of all errors where Python has it, else the
        first. Whoever waits may be thrown into or closed: then all are closed. What else can be waited for may stand for a coroutine: a
        suspension, a pseudothread (which goes on when it is waited for no longer), a future. Of nothing it is an empty list.

        TypeError for what cannot be waited for, ValueError for the same coroutine twice; nothing is started then.
        """
        return _gather(Together("gather()", _roots("gather()", coroutines), False)) if coroutines else _nothing()

    def first(*coroutines):
        """Run coroutines together and wait for the first that ends: `reply = yield first(ask(one), ask(two))` has its result or its error.

        Each is a pseudothread of its own meanwhile. The others are closed: their `finally` blocks run (and must not wait); an error that
        one raises then goes on in place of the result, or with the error in an ExceptionGroup where Python has it. All else is as in
        `gather()`.

        TypeError for what cannot be waited for, ValueError for nothing at all or the same coroutine twice; nothing is started then.
        """
        if not coroutines:
            raise ValueError("first() takes at least one coroutine: of nothing no first one ever ends")
        return _first(Together("first()", _roots("first()", coroutines), True))


@coroutine
def _nothing() -> Generator[Any, Any, list[Any]]:
    return []
    yield


def _roots(where: str, coroutines: Sequence[Any]) -> list[Any]:
    """Return a coroutine for each, or raise the error that names what is wrong."""
    roots = []
    known = set()
    if len(coroutines) == 1 and _are_many(coroutines[0]):
        raise TypeError(f"{where} takes its coroutines one by one, not {describe(coroutines[0])}: write {where[:-1]}*...) with a star")
    for number, given in enumerate(coroutines, 1):
        if is_coroutine(given):
            if id(given) in known:
                raise ValueError(
                    f"{where} was given {describe(given)} twice, the second time as number {number}: call its function for each"
                )
            known.add(id(given))
            roots.append(given)
        elif meaning_of(given) == VALUE:
            raise no_coroutine(where, given)
        else:
            root: Any = wait_for(given)
            root.__qualname__ = f"join of {given.name}" if hasattr(given, "waits_for") else type(given).__qualname__
            roots.append(root)
    return roots


def _are_many(given: Any) -> bool:
    """Return whether it is a list of what it takes, or makes such: as other libraries take them."""
    if type(given) is GeneratorType:
        return given.gi_code.co_name == "<genexpr>"
    return isinstance(given, (list, tuple, set, frozenset)) and all(is_coroutine(each) or meaning_of(each) != VALUE for each in given)
