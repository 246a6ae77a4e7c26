"""The world in which a program of `programs` runs: the trampoline, what a program can do with it, and the log of all that happens.

Every step of a coroutine and every value, error, `finally` and `__del__` is logged, so two trampolines did the same, turn by turn, exactly
when the two logs are equal. One thing that the recipe does, and that is no part of what it promises, is levelled out in plain programs: the
tracebacks of its errors have its own frames, which keep alive what it let go and the value that was sent last, and stand in cycles with the
errors. They are cleared when an error is seen; and once there was an error the `__del__` of plain values is not logged in its place.
"""

import builtins
import collections
import contextlib
import contextvars
import gc
import re
import sys
import types
import warnings
import weakref

from conftest import REFERENCE_COUNTS
from inhabitants import Entry, Fault, Noisy, Object, Parking, Prompt, empty, nothing, overriding
from programs import SLOTS, source

import trampoline
from trampoline import _recipe

FUEL = 40  # coroutines that a program may make
RUNS = 30  # calls of run() until what is still queued is dropped


class World:
    """What a program sees: the trampoline `t`, its slots, and the log. Every word of `main` and every quiet one is `do((word, ...))`."""

    TailCall, call = trampoline.TailCall, staticmethod(trampoline.call)
    setting = contextvars.ContextVar("setting", default="unset")

    def __init__(self, program, new_trampoline):
        self.events, self.slots, self.alive, self.threads, self.waiting = [], [None] * SLOTS, {}, [], []
        self.level, self.bodies, self.weak = program["level"], program["bodies"], program["weak"]
        self.new_trampoline = overriding(program["trampoline"], new_trampoline, self)
        self.depth = self.values = 0
        self.ended = self.failed = False
        self.t = self.new_trampoline()
        self.first_queue = self.t.queue
        if program["trampoline"] == "deque" and not isinstance(self.first_queue, collections.deque):
            self.t.queue = collections.deque()
        self.functions = {"Fault": Fault}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # from 3.14 on for a `return` in a `finally`, which is just what is tried
            exec(compile(source(program), "<program>", "exec"), self.functions)

    def log(self, *what):
        self.events.append(what)

    def show(self, value):
        if isinstance(value, BaseException):
            return f"{type(value).__name__}({self.plain(str(value))})"
        if value is None or type(value) in (int, str):
            return repr(value)
        return value.name if isinstance(value, Noisy) else type(value).__name__

    def plain(self, text):
        return re.sub(r"0x[0-9a-f]+", "0x", text)

    def received(self, name, value):
        self.log(name, "got", self.show(value), None if self.level == "plain" else self.setting.get())

    def caught(self, name, error):
        self.clear_recipe(error)
        self.log(name, "caught", self.show(error))
        if self.level != "plain":
            self.log_error(error)

    def passing(self, name, what):
        self.clear_recipe(sys.exc_info()[1])
        self.log(name, what)

    def clear_recipe(self, error):
        """Clear the recipe's frames in the traceback: they keep what it let go, and the error itself, until garbage is collected."""
        self.failed = self.failed or error is not None
        while self.level == "plain" and error is not None:
            traceback, error = error.__traceback__, error.__context__
            while traceback is not None:
                frame, traceback = traceback.tb_frame, traceback.tb_next
                if frame.f_code.co_filename == _recipe.__file__:
                    with contextlib.suppress(RuntimeError):  # run() goes on
                        empty(frame)

    def without_values(self):
        """Return the log, with the ends of the values behind it if an error may have kept them."""
        if self.level != "plain" or not self.failed:
            return self.events
        ends = [event for event in self.events if event[0] == "del"]
        return [event for event in self.events if event[0] != "del"] + sorted(ends)

    def log_error(self, error):
        """Log the program's functions in its traceback, its context and its notes."""
        names, traceback = [], error.__traceback__
        while traceback is not None:
            code, traceback = traceback.tb_frame.f_code, traceback.tb_next
            if code.co_filename == "<program>":
                names.append(code.co_name)
        notes = [self.plain(note) for note in getattr(error, "__notes__", ())]
        self.log("error", names, type(error.__context__).__name__, type(error.__cause__).__name__, notes)

    def make(self, index):
        """Make a coroutine of the body `index`; an empty one if the fuel is used up."""
        self.values += 1
        name = f"body{index}.{self.values}"
        if len(self.alive) >= FUEL:
            return nothing()
        coroutine = self.functions[f"body{index}"](self, name)
        if self.bodies[index]["flavour"] == "object":
            coroutine = Object(coroutine)
        self.alive[name] = weakref.ref(coroutine)
        return coroutine

    def coroutine(self, name):
        return self.alive[name]()

    def value(self, kind):
        self.values += 1
        if kind in ("noisy", "adder"):
            return Noisy(self, f"{kind}{self.values}", 0 if kind == "adder" and self.level != "plain" else None)
        if kind == "pseudothread":
            return self.thread(0)
        made = {"none": None, "number": self.values, "text": "text", "list": [1], "iterator": iter(()), "class": dict}
        return KeyError("a value") if kind == "error" else made.get(kind, len)

    def error(self, kind):
        self.values += 1
        return (Fault if kind == "Fault" else getattr(builtins, kind))(f"{kind}{self.values}")

    @types.coroutine
    def wait(self, target):
        return (yield target)

    def park(self):
        return Parking(self, "", None)

    def suspension(self, what, kind):
        return (Prompt if what.startswith(("at once", "later")) else Parking)(self, what, kind)

    def thread(self, number):
        """Return one of the pseudothreads that were added, or None."""
        alive = [p for p in (p() if self.weak else p for p in self.threads) if p is not None]
        return alive[number % len(alive)] if alive else None

    def remember(self, pseudothread):
        if self.level != "plain":
            self.threads.append(weakref.ref(pseudothread) if self.weak else pseudothread)

    def do(self, what):
        """Do one quiet thing. Its error goes on, but not so deep that entries which take entries use up Python's stack."""
        word, *arguments = what
        if self.depth > 8 or self.ended:
            return
        self.depth += 1
        try:
            getattr(self, "do_" + word)(*arguments)
        finally:
            self.depth -= 1

    def do_add(self, index):
        self.remember(self.t.add(self.make(index)))

    def do_add_slot(self, number):
        if self.slots[number] is not None:
            self.remember(self.t.add(self.slots[number]))

    def do_keep(self, number, index):
        self.slots[number] = self.make(index)

    def do_drop(self, number):
        self.slots[number] = None

    def do_look(self):
        self.log("queue", len(self.t.queue), bool(self.t.running))

    def do_stop(self):
        self.t.stop()

    def do_append(self, what, index):
        self.values += 1
        (self.t.queue.appendleft if what == "left" else self.t.queue.append)(Entry(self, what, index, self.values))

    def do_schedule(self, index, caller, how, kind):
        coroutine, stack = self.make(index), (self.make(caller), ())
        if how == "primed":
            with contextlib.suppress(StopIteration, Exception):
                coroutine.send(None)
        self.failed = self.failed or how in ("error", "value")
        if how == "error":
            self.remember(self.t.schedule(coroutine, stack, ValueError, ValueError("scheduled"), None))
        else:
            self.remember(self.t.schedule(coroutine, stack, None if how == "start" else self.value(kind)))

    def do_rotate(self):
        if self.t.queue:
            self.t.queue.append(self.t.queue.popleft())

    def do_pop(self):
        if self.t.queue:
            self.log("popped gave", self.show(self.t.queue.popleft()()))

    def do_run(self):
        self.log("run gave", self.show(self.t.run()))

    def do_resume(self, number, kind):
        pseudothread, value = self.thread(number), self.value(kind)
        if pseudothread is not None:
            pseudothread.resume(value)

    def do_throw(self, number, kind):
        pseudothread = self.thread(number)
        if pseudothread is not None:
            pseudothread.throw(self.error(kind))

    def do_close(self, number):
        pseudothread = self.thread(number)
        if pseudothread is not None:
            pseudothread.close()

    def do_report(self, number):
        p = self.thread(number)
        if p is not None:
            self.log("report", self.plain(repr(p)), p.state, p.done, p.name, len(p.stack), type(p.waits_for).__name__, p.added)
            self.log("result", self.show(p.result()))

    def do_context(self, index):
        context = contextvars.copy_context()
        self.remember(self.t.add(self.make(index), context=context, name=f"in a context {self.values}"))

    def do_set(self, number):
        self.setting.set(number)

    def do_collect(self):
        gc.collect()

    def do_close_coroutine(self, number):
        alive = [found for found in (ref() for ref in self.alive.values()) if found is not None]
        alive[number % len(alive)].close()

    def do_queue(self, how):
        t = self.t
        if how == "clear":
            t.queue.clear()
        elif how == "back":
            t.queue = self.first_queue
        elif how in ("deque", "swap"):
            old, t.queue = t.queue, collections.deque() if how == "deque" else type(self.first_queue)()
            for entry in list(old):
                t.queue.append(entry)
        elif len(t.queue) < 1000:  # doubled: what stands in the queue stands there twice; not so often that no memory is left
            old, t.queue = t.queue, collections.deque(list(t.queue) * 2)
            for entry in list(old):
                old.append(entry)

    def do_other(self, number):
        """Run another trampoline on the same queue."""
        other = self.new_trampoline()
        other.queue = self.t.queue
        other.add(self.make(number % len(self.bodies)))
        other.run()

    def attempt(self, what):
        """Do one thing of the main program, and log its error."""
        try:
            self.do(what)
        except BaseException as error:
            self.clear_recipe(error)
            self.log("main", what[0], self.show(error))
            if self.level != "plain":
                self.log_error(error)
        if self.failed:
            self.collect()  # the recipe's errors stand in cycles, and so do those of frames in Python

    def collect(self, count=None):
        """Collect garbage; in what order the collector goes is its own affair: level out what was logged from `count` on."""
        count = len(self.events) if count is None else count
        gc.collect()
        self.events[count:] = sorted(self.events[count:], key=repr)

    def run_collector(self):
        """Collect garbage. PyPy ends what holds others before those, a link a run: there until three runs have ended nothing more."""
        gc.collect()
        found = 0 if REFERENCE_COUNTS else 3
        for _ in range(FUEL):
            if not found:
                break
            before = len(self.events), self.living()
            gc.collect()
            found = found - 1 if before == (len(self.events), self.living()) else 3

    def living(self):
        """Return the names of the coroutines that are still alive."""
        return [name for name, ref in self.alive.items() if ref() is not None]

    def end(self):
        """Let go of everything, and log which coroutines are then still alive."""
        self.attempt(("look",))
        count = len(self.events)
        self.t.queue.clear()
        if self.level == "plain" and self.failed:
            self.collect(count)  # an error that was queued
        self.log("cleared")
        self.slots[:] = [None] * SLOTS
        for index in range(len(self.threads)):
            self.attempt(("report", index))
        self.threads.clear()
        count = len(self.events)
        self.ended = self.level != "nasty"  # what one did by its `finally` would depend on which the collector ends first
        self.t, self.first_queue = self.new_trampoline(), None
        gc.collect()
        self.ended, self.t, self.threads, self.slots = True, None, [], []
        self.run_collector()
        self.collect(count)
        self.log("alive", self.living())


def play(program, new_trampoline):
    """Run a program and return its log."""
    hook, collecting = sys.unraisablehook, gc.isenabled()
    gc.disable()  # the cores make different numbers of objects
    if sys.implementation.name == "cpython":
        gc.freeze()  # what there was before the program is none of its garbage
    world = World(program, new_trampoline)
    sys.unraisablehook = lambda unraisable: world.log("unraisable", world.show(unraisable.exc_value))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            contextvars.Context().run(steps, world, program["main"])
    finally:
        sys.unraisablehook = hook
        if sys.implementation.name == "cpython":
            gc.unfreeze()
        if collecting:
            gc.enable()
    return world.without_values()


def steps(world, main):
    for what in main:
        world.attempt(what)
    for _ in range(RUNS):
        world.attempt(("run",))
        if not world.t.queue:
            break
    world.end()
