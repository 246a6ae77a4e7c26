"""What lives in the world of a random program: values, suspensions, entries of the queue, trampolines; and the recipe, levelled out."""

import collections
import contextlib
import gc
import sys
import types
import weakref

import trampoline
from trampoline import _recipe


class Fault(BaseException):
    """An error that `except Exception` does not catch."""


class Noisy:
    """A value that logs its end, and may add a coroutine then."""

    def __init__(self, world, name, adds=None):
        self.world, self.name, self.adds = world, name, adds

    def __del__(self):
        self.world.log("del", self.name)
        if self.adds is not None:
            self.world.do(("add", self.adds))


class Object(collections.abc.Generator):
    """A coroutine that is neither a generator nor native."""

    def __init__(self, generator):
        self.generator = generator

    def send(self, value):
        return self.generator.send(value)

    def throw(self, *error):
        return self.generator.throw(*error)


class Parking(trampoline.Suspension):
    """A suspension that does `what` in suspend(); where that is nothing, the program resumes the pseudothread later, or nobody does."""

    def __init__(self, world, what, kind):
        self.world, self.what, self.kind = world, what, kind

    def suspend(self, pseudothread):
        w = self.world
        w.log("suspend", self.what, pseudothread.state)
        w.waiting.append(weakref.ref(pseudothread))
        for word in self.what.split(", "):
            if word in ("resume", "twice", "step"):
                pseudothread.resume(w.value(self.kind))
            if word == "twice":
                pseudothread.resume()
            elif word == "step":
                w.do(("pop",))
            elif word == "throw":
                pseudothread.throw(ValueError("thrown by suspend"))
            elif word == "close":
                pseudothread.close()
            elif word == "raise":
                raise KeyError("raised by suspend")


class Prompt(Parking):
    """The same, but it does so in at_once() if `what` begins with "at once", else it must wait; it logs what comes back."""

    def at_once(self, pseudothread):
        self.world.log("at once", self.what, pseudothread.state)
        if not self.what.startswith("at once"):
            return NotImplemented
        if "step" in self.what:
            self.world.do(("pop",))
        if "raise" in self.what:
            raise KeyError("raised by at_once")
        return self.world.value(self.kind)

    def take_back(self, pseudothread, value):
        self.world.log("back", self.world.show(value), pseudothread.state)


class Entry:
    """An entry of the queue that is no pseudothread."""

    def __init__(self, world, what, index, number):
        self.world, self.what, self.index, self.number = world, what, index, number

    def __call__(self):
        self.world.log("entry", self.what, self.number)
        if self.what == "raise":
            raise LookupError("raised by an entry")
        if self.what in ("add", "stop", "pop"):
            self.world.do((self.what, self.index)[: 2 if self.what == "add" else 1])
        return self.number


def nothing():
    """Return at once: what a program calls when its fuel is used up."""
    return
    yield


def overriding(how, base, world):
    """Return the trampoline's class, with `schedule` overridden if the program says so."""
    if how in ("own", "deque"):
        return base

    class Overriding(base):
        def schedule(self, coroutine, stack=(), val=None, *exc):
            world.log("schedule", depth_of(stack), world.show(exc[0] if exc and exc[0] is not None else val))
            if how == "dropping" and stack and len(world.events) % 7 == 0:
                return None
            if how == "own frames" and stack:
                stack = (stack[0], stack[1])
            return super().schedule(coroutine, stack, val, *exc)

    return Overriding


def depth_of(stack):
    depth = 0
    while stack:
        depth, stack = depth + 1, stack[1]
    return depth


class TakenFrom(collections.deque):
    """A queue that remembers the frame of the recipe's run()."""

    frame = None

    def popleft(self):
        caller = sys._getframe(1)
        if caller.f_code is _recipe.Verbatim.run.__code__:
            self.frame = caller
        return super().popleft()


class Recipe(_recipe.Mended):
    """The recipe, with the frame of its run() cleared at the end: a queued error's traceback would keep it, and the last entry in it."""

    def __init__(self):
        self.queue = TakenFrom()

    def run(self):
        try:
            return super().run()
        finally:
            if self.queue.frame is not None:
                self.queue.frame.clear()
                self.queue.frame = None


class Levelled(Recipe):
    """The recipe with an object in place of its closure, so that no traceback keeps what the closure held."""

    def schedule(self, coroutine, stack=(), val=None, *exc):
        self.queue.append(Closure(self, val, stack, exc, coroutine))


class Closure:
    """What the recipe's `resume` does. What it holds is let go in alphabetical order, which is the closure's."""

    __slots__ = ("a_val", "b_stack", "c_trampoline", "d_exc", "e_coroutine")

    def __init__(self, *held):
        self.c_trampoline, self.a_val, self.b_stack, self.d_exc, self.e_coroutine = held

    def __call__(self):
        stack, value = self.b_stack, None
        try:
            try:
                value = self.e_coroutine.throw(self.d_exc[0]) if self.d_exc else self.e_coroutine.send(self.a_val)
            except StopIteration as stop:
                if not stack:
                    return stop.value
                self.c_trampoline.schedule(*stack, stop.value)
                return None
            except BaseException as error:
                if not stack:
                    raise
                error.__traceback__ = error.__traceback__.tb_next
                self.c_trampoline.schedule(*stack, type(error), error, error.__traceback__)
                return None
            if isinstance(value, types.GeneratorType):
                self.c_trampoline.schedule(value, (self.e_coroutine, stack))
            elif stack:
                self.c_trampoline.schedule(*stack, value)
            else:
                return value
            return None
        finally:
            self = stack = value = None  # the frames of a traceback hold those that called them


def empty(frame):
    """Clear a frame that has ended, and the cells of its function."""
    frame.clear()
    for function in gc.get_referents(frame):
        for cell in getattr(function, "__closure__", None) or ():
            with contextlib.suppress(ValueError):  # it is empty
                del cell.cell_contents
