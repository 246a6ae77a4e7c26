"""The decorator of PEP 342's example: a generator function whose generators are ready to be sent to."""

from contextlib import suppress
from functools import wraps

from trampoline._base import describe


def consumer(function):
    """Make the generators of `function` ready for `send()`: each is run to its first yield before the caller gets it.

    Name, docstring, attributes and signature stay, `__wrapped__` is the function itself; classmethods and staticmethods may be decorated
    too, below or above. RuntimeError if a generator finishes before its first yield; TypeError if what `function` returns is no generator;
    an error that it raises before its first yield gets a note that says so. Source: PEP 342, example 1.
    """
    if isinstance(function, (classmethod, staticmethod)):
        return type(function)(consumer(function.__func__))
    if not callable(function):
        raise TypeError(f"consumer() decorates a generator function, not {describe(function)}")

    @wraps(function)
    def primed(*args, **kwargs):
        generator = function(*args, **kwargs)
        if not hasattr(generator, "send") or not hasattr(generator, "__next__"):
            raise TypeError(f"consumer() decorates a generator function, but {_name(function)}() returned {describe(generator)}")
        try:
            next(generator)
            return generator
        except StopIteration:
            pass  # told outside: the error that follows from it is not its consequence
        except BaseException as error:
            with suppress(Exception):  # before CPython 3.11 there are no notes, and a class of the user's may refuse them
                error.add_note(f"while the consumer {_name(function)}() was run to its first yield")
            raise
        raise RuntimeError(f"the consumer {_name(function)}() finished before its first yield: it has no place to receive what is sent")

    return primed


def _name(function):
    return getattr(function, "__qualname__", None) or describe(function)
