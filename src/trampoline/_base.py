"""What both cores stand on, and what happens on few turns: tail calls, suspensions, and all that is said of values, places and errors.

It is here once, so that both cores say the same; and a class derived from `Suspension` serves both.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from types import TracebackType

VALUE, CALL, TAIL, WAIT, ERROR = range(5)  # what a turn ended with: its outcome
kinds = {}  # type of a yielded object: VALUE, CALL or WAIT
_MOST_KINDS = 256  # a program may make types without end


class TailCall(BaseException):
    """Raise it in a coroutine to replace that by `call`: its caller gets the result, or the error, of `call` instead, at constant depth.

    Source: PyPI `trampoline` 0.1.2.
    """

    def __init__(self, call):
        super().__init__(call)
        self.call = call


class Suspension:
    """Derive from it what a pseudothread can wait for: to yield (or await, or yield from) an instance parks the pseudothread.

    Right after the yield `suspend(pseudothread)` is called. It sees to it that `pseudothread.resume(value)` or `.throw(error)` is called
    later, or at once: the value or the error arrives at the yield.
    """

    __slots__ = ("__weakref__",)

    def suspend(self, pseudothread):
        """Arrange for `pseudothread` to be resumed. An error raised here arrives at the yield."""
        raise NotImplementedError(f"{type(self).__qualname__} does not say how to wait: define suspend(self, pseudothread)")

    def __iter__(self):
        return Call(self)

    def __await__(self):
        return Call(self)


class Call:
    """What `call()` returns: yields its coroutine (or suspension) once, and gives what is sent in then as its value.

    It has no `throw` on purpose: an error that is thrown into the caller is then raised right at its `yield from` or `await`.
    """

    __slots__ = ("_yields", "_used")

    def __init__(self, yields):
        self._yields = yields
        self._used = False

    def __iter__(self):
        if self._used:
            raise RuntimeError(f"this {type(self).__qualname__} object was used already: write call(...) anew for each call")
        self._used = True
        return self

    __await__ = __iter__

    def __next__(self):
        if self._yields is None:
            raise StopIteration
        yields, self._yields = self._yields, None
        return yields

    def send(self, value):
        """Give `value` to the caller, or, where nothing was yielded yet, yield the coroutine."""
        if self._yields is None:
            raise StopIteration(value)
        return self.__next__()


def meaning_of(got):
    """Say what it means to yield `got`, and remember it in `kinds` for its type."""
    kind = type(got)
    meaning = WAIT if isinstance(got, Suspension) else CALL if isinstance(got, (Generator, Coroutine)) else VALUE
    if got.__class__ is kind:  # a proxy's class says nothing of the next proxy
        if len(kinds) >= _MOST_KINDS:
            kinds.clear()
        kinds[kind] = meaning
    return meaning


def no_coroutine(where, value):
    """Return the TypeError for what is no coroutine."""
    flags = getattr(getattr(value, "__code__", None), "co_flags", 0)
    for flag, what in ((0x20, "a generator function"), (0x80, "a coroutine function")):
        if flags & flag:
            name = value.__qualname__
            return TypeError(f"{where} takes a coroutine, but {name} is {what} that was not called: write {name}(...)")
    return TypeError(f"{where} takes a coroutine (a generator, say), not {describe(value)}")


def exception_of(where, kind, value=None, traceback=None):
    """Return the instance that `kind, value, traceback` mean, as in a generator's `throw()`."""
    if isinstance(kind, BaseException):
        if value is not None:
            raise TypeError(f"{where} takes no second value with an exception that is an instance already: {describe(value)}")
        error = kind
    elif not isinstance(kind, type) or not issubclass(kind, BaseException):
        raise TypeError(f"{where} takes an exception, or a class of them, not {describe(kind)}")
    elif isinstance(value, kind):
        error = value
    else:
        error = kind() if value is None else kind(*value) if isinstance(value, tuple) else kind(value)
        if not isinstance(error, BaseException):
            raise TypeError(f"{where} takes an exception, but {describe(kind)} makes {describe(error)}")
    if traceback is None:
        return error
    if not isinstance(traceback, TracebackType):
        raise TypeError(f"{where} takes a traceback as the third part of an error, not {describe(traceback)}")
    return error.with_traceback(traceback)


def describe(value):
    """Return the repr of `value`, or the most of it."""
    try:
        text = repr(value)
    except Exception:
        text = object.__repr__(value)
    return text if len(text) <= 200 else text[:197] + "..."


def name_of(coroutine):
    """Return the qualified name of the function, or else of the class, of `coroutine`."""
    return getattr(coroutine, "__qualname__", None) or type(coroutine).__qualname__


def place_of(coroutine):
    """Say where `coroutine` stands: file, line and function of the innermost frame that it delegates to."""
    inner = coroutine
    while inner is not None:
        coroutine = inner
        inner = getattr(coroutine, "gi_yieldfrom", None) or getattr(coroutine, "cr_await", None)
        if not hasattr(inner, "gi_code") and not hasattr(inner, "cr_code"):
            inner = None
    code = getattr(coroutine, "gi_code", None) or getattr(coroutine, "cr_code", None)
    frame = getattr(coroutine, "gi_frame", None) or getattr(coroutine, "cr_frame", None)
    if code is None:
        return name_of(coroutine)
    return f"{code.co_filename}:{frame.f_lineno if frame is not None else code.co_firstlineno} in {name_of(coroutine)}"


def line_of(code, instruction):
    """Return (file name, line) of the instruction, given in bytes from the start of `code`."""
    for start, end, line in code.co_lines():
        if start <= instruction < end and line is not None:
            return code.co_filename, line
    return code.co_filename, code.co_firstlineno


def misuse(verb, pseudothread, why):
    """Return the RuntimeError for what a pseudothread cannot do in its state."""
    return RuntimeError(f"cannot {verb} {pseudothread!r}: it {why}")


def ignored_exit(coroutine, got):
    """Return the RuntimeError for a coroutine that yields while it is closed."""
    return RuntimeError(
        f"{place_of(coroutine)} ignored GeneratorExit: it yielded {describe(got)}, but a coroutine that is closed must not yield any more"
    )


def note_on(error, name, added):
    """Note on an error that leaves `run()` whose it is, and return it."""
    if added is not None and hasattr(error, "add_note"):  # CPython 3.11 and newer
        error.add_note(f"in pseudothread {name!r}, added at {added[0]}:{added[1]}")
    return error
