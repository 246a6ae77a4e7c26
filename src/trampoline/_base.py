"""What both cores stand on, and what happens on few turns: tail calls, suspensions, and all that is said of values, places and errors.

It is here once, so that both cores say the same; and a class derived from `Suspension` serves both.
"""

from __future__ import annotations

import sys
from _thread import get_ident
from collections.abc import Coroutine, Generator
from functools import partial, wraps
from types import (
    AsyncGeneratorType,
    CodeType,
    CoroutineType,
    FunctionType,
    GeneratorType,
    GetSetDescriptorType,
    MemberDescriptorType,
    coroutine,
)

from trampoline._frames import frame_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator
    from types import FrameType
    from typing import Any, NoReturn, Protocol, TypeAlias, TypeVar

    from trampoline._core import core

    T = TypeVar("T")
    T_co = TypeVar("T_co", covariant=True)
    AnyCoroutine: TypeAlias = Generator[Any, Any, T] | Coroutine[Any, Any, T]

    class Called(Awaitable[T_co], Iterable[Any], Protocol[T_co]):
        """What `call()` returns: for `yield from` or `await`, whose value is that of the callee."""

        def __iter__(self) -> Generator[Any, Any, T_co]: ...


CALL, VALUE, TAIL, WAIT, ERROR, ADAPT, PROMPT, GIVE = range(8)  # what a turn ended with, its outcome; ADAPT and PROMPT are looked at again
FREE_THREADED = not getattr(sys, "_is_gil_enabled", lambda: True)()  # two threads may then be between any two steps
MOST_PROMPT = 100  # waits that were none, in a row, until others have their turns
promptly = [0]  # how many more there may be in this turn, for the core in Python
kinds: dict[type, int] = {}  # type of a yielded object: VALUE, CALL, WAIT, ADAPT or PROMPT
core_types: set[type] = set()  # the classes of both cores that are yielded to the trampoline of that core
_MOST_KINDS = 256  # a program may make types without end


class TailCall(BaseException):
    """Raise it in a coroutine to replace that by `call`: its caller gets the result, or the error, of `call` instead, at constant depth.

    Source: PyPI `trampoline` 0.1.2.
    """

    def __init__(self, call: AnyCoroutine[Any]) -> None:
        super().__init__(call)
        self.call = call


class Suspension:
    """Derive from it what a pseudothread can wait for: to yield (or await, or yield from) an instance parks the pseudothread.

    Right after the yield `suspend(pseudothread)` is called. It sees to it that `pseudothread.resume(value)` or `.throw(error)` is called
    later, or at once: the value or the error arrives at the yield. `withdraw(pseudothread)` is called when `throw()` or `close()` ends the
    waiting, whoever calls them, the suspension itself too.

    A class whose instances often need not be waited for defines `at_once(pseudothread)` too, which is asked first.
    """

    __slots__ = ("__weakref__",)

    external = False  # whether another thread, a signal handler or a foreign loop will resume it: run() then waits, and sees no Deadlock

    def suspend(self, pseudothread: core.Pseudothread[Any]) -> object:
        """Arrange for `pseudothread` to be resumed. An error raised here arrives at the yield."""
        raise NotImplementedError(f"{type(self).__qualname__} does not say how to wait: define suspend(self, pseudothread)")

    def withdraw(self, pseudothread: core.Pseudothread[Any]) -> object:
        """Undo what `suspend()` arranged, if anything is left of it: `pseudothread`, which waited for it, is thrown into or closed.

        On the thread that does so. An error raised here goes to whoever calls `throw()` or `close()`; neither is given up for that.
        """

    def at_once(self, pseudothread: core.Pseudothread[Any]) -> Any:
        """Return what `pseudothread` gets without waiting, or NotImplemented: it is parked then, and `suspend()` called.

        With what this returns it goes on in the same turn. An error raised here arrives at the yield. After 100 times in a row this is
        not asked, so that others have their turns: `suspend()` must do the same then, by `pseudothread.resume(value)`.
        """
        return NotImplemented

    def take_back(self, pseudothread: core.Pseudothread[Any], value: Any) -> object:
        """Have `value` back: `pseudothread` was resumed with it, and closed before its turn. Asked of a class with `at_once()` only."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not callable(cls.suspend) and not hasattr(cls.suspend, "__get__"):
            raise TypeError(f"suspend of {cls.__qualname__} is called with a pseudothread, but {describe(cls.suspend)} is not callable")

    def __iter__(self) -> Generator[Any, Any, Any]:
        return (yield self)

    __await__ = __iter__


yield_itself: Callable[[Any], Generator[Any, Any, Any]] = Suspension.__iter__  # for all else that is yielded itself when it is awaited


if TYPE_CHECKING:

    class Awaited(Suspension, Awaitable[T_co], Iterable[Any]):
        """A suspension whose value is known, for `yield from` or `await`."""

        def __iter__(self) -> Generator[Any, Any, T_co]: ...

        __await__ = __iter__

    def call(callee: AnyCoroutine[T], /) -> Called[T]:
        """Call a coroutine with its type known."""
        raise NotImplementedError
else:

    @coroutine
    def call(callee, /):
        """Call a coroutine with its type known: `value = yield from call(child())` or `value = await call(child())`.

        The same as `value = yield child()`, at any depth. TypeError if it is no coroutine.
        """
        if type(callee) is not GeneratorType and not is_coroutine(callee):
            raise no_coroutine("call()", callee)
        # This frame must not keep the callee: of a million calls each would keep the next, and the last to go would take all with it.
        return (yield (callee, callee := None)[0])


own_codes: set[CodeType] = {call.__code__, Suspension.__iter__.__code__}


def end_of_call(caller: object) -> None:
    """End the `call()` at which `caller` stands, if it does, before an error is thrown in: else the traceback would show it."""
    inner = _inner(caller)
    while inner is not None:
        if _ask(inner, "gi_code") in own_codes:
            inner.close()
            return
        inner = _inner(inner)


def _inner(coroutine: object) -> Any:
    # First whether it runs, and nothing in between: of a coroutine that another thread has begun to run CPython 3.11 and 3.12 look for what
    # it delegates to in the wrong place, and crash.
    if type(coroutine) is GeneratorType:
        return None if coroutine.gi_running else coroutine.gi_yieldfrom
    if type(coroutine) is CoroutineType:
        return None if coroutine.cr_running else coroutine.cr_await
    return _ask(coroutine, "gi_yieldfrom") or _ask(coroutine, "cr_await")


def _ask(coroutine: object, attribute: str) -> Any:
    try:
        return getattr(coroutine, attribute, None)
    except Exception:  # a class of the user's that has no answer
        return None


def is_coroutine(value: object) -> bool:
    """Return whether `value` is what a trampoline resumes: a generator, a native coroutine, or one of collections.abc's classes."""
    kind = type(value)
    return kind is GeneratorType or kind is CoroutineType or meaning_of(value) == CALL


def is_future(value: object) -> bool:
    """Return whether `value` is a future of concurrent.futures or of Dask."""
    for name in ("concurrent.futures", "distributed"):
        kind = getattr(sys.modules.get(name), "Future", None)  # where nobody has imported it nobody has one
        if kind is not None and issubclass(type(value), kind):
            return True
    return False


def meaning_of(got: object) -> int:
    """Say what it means to yield `got`, and remember it in `kinds` for its type."""
    kind = type(got)
    try:
        if isinstance(got, Suspension):
            meaning = WAIT if getattr(kind, "at_once", Suspension.at_once) is Suspension.at_once else PROMPT
        else:
            meaning = CALL if isinstance(got, (Generator, Coroutine)) else VALUE
        if meaning == VALUE and (hasattr(kind, "__await__") or is_future(got) or issubclass(kind, TailCall)):
            meaning = ADAPT
        if got.__class__ is kind:  # a proxy's class says nothing of the next proxy
            if len(kinds) >= _MOST_KINDS:
                kinds.clear()
            kinds[kind] = meaning
        return meaning
    except Exception:  # a class that cannot be hashed, or an object that does not tell its class
        for base in type.mro(kind):
            if base is Suspension or base is Generator or base is Coroutine:
                return WAIT if base is Suspension else CALL
        return VALUE


def no_coroutine(where: str, value: Any) -> TypeError:
    """Return the TypeError for what is no coroutine."""
    function: Any = value
    while type(function) is partial:
        function = function.func
    wrapped = _ask(function, "__wrapped__")  # that of a consumer, too
    flags = _ask(_ask(function if wrapped is None else wrapped, "__code__"), "co_flags")
    flags = flags if type(flags) is int else 0  # an object may answer whatever it is asked, and with anything
    if flags & 0x200 or type(value) is AsyncGeneratorType:
        return TypeError(f"{where} takes a coroutine, and an async generator is none: `async for` it in one, not {describe(value)}")
    for flag, what in ((0x20, "a generator function"), (0x80, "a coroutine function")):
        if flags & flag:
            name = own_name_of(function) if function is value else None
            call_it = "call it" if name is None else f"write {name}(...)"
            return TypeError(f"{where} takes a coroutine, but {name or describe(value)} is {what} that was not called: {call_it}")
    waits = issubclass(type(value), Suspension) or any(type(value) is kind for kind in core_types) or is_future(value)
    hint = f": write it in a coroutine, yield {describe(value)}" if waits else ""
    if flags:
        hint = ": call it, if it returns one"
    if type(value) is type and issubclass(value, Suspension):
        hint = f": call it, {value.__name__}(...)"
    if value is None:
        hint = ": is there no `yield` in the function that returned it?"
    return TypeError(f"{where} takes a coroutine (a generator, say), not {describe(value)}{hint}")


def no_entry(value: object, _: object = None) -> TypeError:
    """Return the TypeError for what cannot be an entry of the queue."""
    return TypeError(f"an entry of the queue is called without arguments, but {describe(value)} is not callable: add() takes coroutines")


def not_yielded(value: object) -> str:
    """Return what to add to the refusal of `value`, where it is what a forgotten `yield` leaves."""
    return ": write `yield` before it where it is made" if issubclass(type(value), Suspension) or is_coroutine(value) else ""


def describe(value: object) -> str:
    """Return the repr of `value`, or the most of it."""
    try:
        text = repr(value)
    except Exception:
        text = object.__repr__(value)
    return text if len(text) <= 200 else text[:197] + "..."


def named(name: str, function: Any) -> Any:
    """Return a coroutine function of ours under the name by which the user knows it: stacks and profiles show that."""
    names = {"co_name": name, "co_qualname": name} if sys.version_info >= (3, 11) else {"co_name": name}
    return coroutine(FunctionType(function.__code__.replace(**names), function.__globals__, name))


def name_of(coroutine: object) -> str:
    """Return the qualified name of the function, or else of the class, of `coroutine`."""
    return _ask(coroutine, "__qualname__") or type(coroutine).__qualname__


def own_name_of(coroutine: object) -> str | None:
    """Return the name that is the coroutine's own, not its class's, or None. One made by Cython forgets it at its end."""
    name = _ask(coroutine, "__qualname__")
    return name if isinstance(name, str) and name else None


def place_of(coroutine: object, trampoline: Any = None) -> str:
    """Say where it stands: file, line, function; without the GIL, of what another thread runs, where it begins: 3.13t may crash."""
    elsewhere = FREE_THREADED and trampoline is not None and trampoline._thread != get_ident()
    if elsewhere and (_ask(coroutine, "gi_running") or _ask(coroutine, "cr_running")):
        return f"{(code := _code_of(coroutine)).co_filename}:{code.co_firstlineno} in {name_of(coroutine)}"
    file, line, function = "", 0, name_of(coroutine)
    for code, frame, name in frames_of(coroutine):
        file, line, function = code.co_filename, frame.f_lineno if frame is not None else code.co_firstlineno, name
    return f"{file}:{line} in {function}" if file else function


def frames_of(coroutine: object) -> Iterator[tuple[CodeType, FrameType | None, str]]:
    """Give code, frame and name of `coroutine` and of all that it delegates to; nothing if it has no code."""
    while (code := _code_of(coroutine)) is not None and code not in own_codes:
        yield code, frame_of(coroutine, "gi_frame") or frame_of(coroutine, "cr_frame"), name_of(coroutine)
        coroutine = _inner(coroutine)


def _code_of(coroutine: object) -> Any:
    return _ask(coroutine, "gi_code") or _ask(coroutine, "cr_code")


def code_of(coroutine: object) -> CodeType | type:
    """Return the code object of `coroutine`, or its class if it has none. No line of the user's runs."""
    kind = type(coroutine)
    if isinstance(coroutine, GeneratorType):  # nobody can derive from it
        return coroutine.gi_code
    for attribute in ("gi_code", "cr_code"):
        for base in type.mro(kind):
            found = base.__dict__.get(attribute)
            if isinstance(found, (GetSetDescriptorType, MemberDescriptorType)):
                code = found.__get__(coroutine, kind)
                if isinstance(code, CodeType):
                    return code
    return kind


def has_begun(coroutine: object) -> bool:
    """Return whether `coroutine` may have been resumed ever: of a class of the user's nobody knows."""
    kind = type(coroutine)
    if kind is not GeneratorType and kind is not CoroutineType:
        return True
    it: Any = coroutine
    if it.gi_running if kind is GeneratorType else it.cr_running:
        return True
    if sys.version_info >= (3, 11) and (it.gi_suspended if kind is GeneratorType else it.cr_suspended):
        return True
    frame = frame_of(it, "gi_frame" if kind is GeneratorType else "cr_frame")
    return frame is None or (sys.version_info < (3, 11) and frame.f_lasti != -1)


def line_of(code: CodeType, instruction: int) -> tuple[str, int]:
    """Return (file name, line) of the instruction, given in bytes from the start of `code`."""
    for start, end, line in code.co_lines():
        if start <= instruction < end and line is not None:
            return code.co_filename, line
    return code.co_filename, code.co_firstlineno


def no_result(pseudothread: object) -> RuntimeError:
    """Return the RuntimeError for who wants the result of a pseudothread that was closed."""
    return RuntimeError(f"{pseudothread!r} was closed before it had a result")


def checked(init: Any, good: Callable[[Any, Any], bool], wrong: Callable[[], TypeError]) -> Any:
    """Return an `__init__()` that raises `wrong()` if its positional arguments and its keywords are not `good`, as the core in C does."""

    @wraps(init)
    def __init__(self: object, /, *given: object, **keywords: object) -> None:
        if not good(given, keywords):
            raise wrong()
        init(self, *given, **keywords)

    return __init__


def known_as(name: str, cls: type) -> None:
    """Have the methods of `cls` say in errors that they are those of the class that its user knows."""
    for method in vars(cls).values():
        if type(method) is FunctionType:
            method.__qualname__ = f"{name}.{method.__name__}"


def no_copy(what: object, why: str = "coroutines are not copied") -> TypeError:
    """Return the TypeError for copy() and pickle."""
    return TypeError(f"cannot copy or pickle {describe(what)}: {why}")


def not_copied(self: object) -> NoReturn:
    """Raise that: the `__reduce__()` of what cannot be copied."""
    raise no_copy(self)


def misuse(verb: str, pseudothread: object, why: str) -> RuntimeError:
    """Return the RuntimeError for what a pseudothread cannot do in its state."""
    error = RuntimeError(f"cannot {verb} {pseudothread!r}: it {why}")
    error.refused = id(pseudothread)  # type: ignore[attr-defined]  # so that resumed() knows it from one of the user's
    return error


def resumed(pseudothread: core.Pseudothread[Any], suspension: object, value: object = None) -> bool:
    """Resume `pseudothread` if it waits for `suspension`. Return False if not: another thread, or a signal handler, was quicker."""
    if pseudothread.waits_for is not suspension:
        return False
    try:
        pseudothread.resume(value)
    except RuntimeError as error:
        if getattr(error, "refused", None) != id(pseudothread):
            raise
        return False
    return True


def thrown(pseudothread: core.Pseudothread[Any], suspension: object, error: BaseException) -> bool:
    """Throw into `pseudothread` if it waits for `suspension`. Return False if not, as `resumed()`."""
    if pseudothread.waits_for is not suspension:
        return False
    try:
        pseudothread.throw(error)
    except RuntimeError as raised:
        if getattr(raised, "refused", None) != id(pseudothread):
            raise
        return False
    return True


def ignored_exit(coroutine: object, got: object) -> RuntimeError:
    """Return the RuntimeError for a coroutine that yields while it is closed."""
    return RuntimeError(
        f"{place_of(coroutine)} ignored GeneratorExit: it yielded {describe(got)}, but a coroutine that is closed must not yield any more"
    )
