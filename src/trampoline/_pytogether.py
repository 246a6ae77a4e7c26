"""Who waits for the end of a pseudothread, and what each is given then, for the core in Python; and what `spawn()` starts.

In `_joiners` of a pseudothread stand those that wait for its end, in their order: pseudothreads that are parked for it, and Groups, through
each of which one waits for several. After its end that holds what reports an error that nobody took, if there is such an error.
"""

from __future__ import annotations

import sys
from contextvars import Context
from time import monotonic
from types import CoroutineType, GeneratorType

from trampoline._base import core_types, describe, is_coroutine, no_coroutine, no_result, not_copied, own_name_of, yield_itself
from trampoline._pyresume import IN_CONTEXT, MISSING, OWED, OWN_CODES, THROWING, first_of
from trampoline._waited import cannot_join


def join(p, target):
    """Have `p`, which is parked for `target`, resumed with the outcome of that."""
    if target is p or target._trampoline is not p._trampoline:
        raise cannot_join(p, target)
    if target.done:
        taken(target)
        give(p, target)
    else:
        joiners = target._joiners  # asked once: another thread may close it
        if joiners is None:
            joiners = target._joiners = {}
        joiners[p] = None
        if target.done:  # one has
            joiners.pop(p, None)
            give(p, target)


def hand_out(p):
    """Give the outcome of `p`, which has ended, to all that wait for that. Return whether its error, if it is one, is in good hands."""
    joiners, good, failure = p._joiners, False, None
    while (joiner := first_of(joiners)) is not None:
        good |= type(joiner) is not Group or joiner._open
        try:
            if type(joiner) is Group:
                joiner._count(p)
            else:
                give(joiner, p)
        except Exception as raised:  # a queue or a `schedule` of the user's fails: all others are told
            failure = raised if failure is None else failure
        joiners.pop(joiner, None)  # last: where Ctrl-C strikes before, it is not forgotten
    p._joiners = None
    if p._spawned and not good and p._special & THROWING and not isinstance(p._payload, (KeyboardInterrupt, SystemExit)):
        p._joiners = p._trampoline._untaken(p)
        good = True
    if failure is not None:
        try:
            raise failure
        finally:
            del failure
    return good


def give(joiner, ended):
    """Queue `joiner`, which is parked for `ended`, with the outcome of that."""
    special, value = 0, ended._payload
    if ended._special & THROWING:
        special, value = THROWING | OWED, ended
    elif value is MISSING:
        special, value = THROWING, no_result(ended)
    joiner._trampoline._wake(joiner, value, special, ended)


def taken(p):
    """Tell what reports the error of `p`, which has ended, that somebody took it."""
    reporter = p._joiners
    if reporter is not None and type(reporter) is not dict:  # else another thread is just closing it, and will tell those that wait for it
        p._joiners = None
        reporter.taken()


def check_root(where, coroutine, context):
    """Raise TypeError for what cannot be the root of a pseudothread, or its context."""
    if not is_coroutine(coroutine):
        raise no_coroutine(where, coroutine)
    if context is not None and type(context) is not Context:
        raise TypeError(f"{where} takes a contextvars.Context as its context, not {describe(context)}")


def check_stack(coroutine, stack):
    """Return both, or raise the TypeError that names what is wrong."""
    if not is_coroutine(coroutine):
        raise no_coroutine("schedule()", coroutine)
    rest = stack
    while rest:
        if not issubclass(type(rest), tuple) or len(rest) != 2:
            raise TypeError(f"schedule() takes its stack in nested pairs, (caller, (its caller, ())), not {describe(rest)}")
        if not is_coroutine(rest[0]):
            raise no_coroutine("the stack of schedule()", rest[0])
        rest = rest[1]
    return coroutine, stack or ()


def note_name(p, root):
    """Note the name of a root that may have forgotten it at its end: any but a generator or coroutine of Python's own."""
    if p._name is None and type(root) is not GeneratorType and type(root) is not CoroutineType:
        p._name = own_name_of(root)


def describe_root(p, name, context, frame):
    """Note what `add()` was told of a new pseudothread, and the frame that called it."""
    p._name, p._context = name, context
    if context is not None:
        p._special |= IN_CONTEXT
    p._code, p._instruction, p._moment = frame.f_code, frame.f_lasti, monotonic()


class Group:
    """What waits for several pseudothreads at once: until all have ended, or one failed; if `any`, until one has ended.

    `waiter` is parked for `suspension`, and is resumed with None then, ahead of all others if some are left. `decided` is the pseudothread
    that ended it, `children` has all of them. Until `leave()` their errors are the waiter's to take.
    """

    __slots__ = ("_any", "_left", "_open", "_suspension", "_waiter", "children", "decided")

    def __init__(self, waiter, suspension, any):
        self._waiter, self._suspension, self._any = waiter, suspension, any
        self._left, self._open = set(), True  # to add and to discard is one step, even for two threads
        self.children, self.decided = [], None

    def __init_subclass__(cls, **kwargs):
        raise TypeError("type 'trampoline._pytrampoline.Group' is not an acceptable base type")

    def start(self, coroutines, code, instruction):
        """Start a pseudothread for each, in a copy of the waiter's context if it has one, as added at `instruction` of `code`."""
        trampoline, context = self._waiter._trampoline, self._waiter._context
        for coroutine in coroutines:
            if trampoline._asks and type(coroutine) is not GeneratorType:
                coroutine = trampoline._root(coroutine)
            p = trampoline._make(coroutine, ())
            p._code, p._instruction, p._moment = code, instruction, monotonic()
            if context is not None:
                p._context, p._special = context.copy(), p._special | IN_CONTEXT
            p._joiners = {self: None}
            self._left.add(p)
            self.children.append(p)
            trampoline._launch(p)

    def leave(self):
        """Wait no longer: an error of those that are left goes its own way."""
        self._open = False

    @property
    def left(self):
        """How many have not ended."""
        return len(self._left)

    def _count(self, child):
        """Take the end of one of them."""
        self._left.discard(child)
        failed = child._special & THROWING or child._payload is MISSING
        if self._open and self.decided in (None, child) and (failed or self._any or not self._left):
            self.decided = child
            self._waiter._trampoline._wake(self._waiter, None, 0, self._suspension, bool(self._left))


class Spawning:
    """What `spawn()` returns, to be yielded: it starts a coroutine."""

    __slots__ = ("_code", "_context", "_coroutine", "_instruction", "_name")

    def __init__(self, *args, **kwargs):
        raise TypeError("to start a coroutine write yield spawn(coroutine)")

    def __init_subclass__(cls, **kwargs):
        raise TypeError("type 'trampoline._pytrampoline.Spawning' is not an acceptable base type")

    def __iter__(self):
        return yield_itself(self)

    def __await__(self):
        return yield_itself(self)

    def __repr__(self):
        return f"spawn({describe(self._coroutine)})" if self._coroutine is not None else "spawn() that was yielded already"

    __reduce__ = not_copied

    def start(self, trampoline, spawner):
        coroutine, self._coroutine = self._coroutine, None
        if coroutine is None:
            raise RuntimeError("this spawn() was yielded already: write another one for each coroutine that it shall start")
        if trampoline._asks and type(coroutine) is not GeneratorType:
            coroutine = trampoline._root(coroutine)
        p = trampoline._make(coroutine, ())
        p._spawned = True
        context = self._context
        if context is None and spawner._context is not None:
            context = spawner._context.copy()
        p._name, p._context = self._name, context
        p._code, p._instruction, p._moment = self._code, self._instruction, monotonic()
        if context is not None:
            p._special |= IN_CONTEXT
        return trampoline._launch(p)


def spawn(coroutine, *, name=None, context=None):
    """Start a coroutine as a pseudothread of its own and go on: `p = yield spawn(worker())`, and later `result = yield p`.

    It takes turns with all others, in `context` (a contextvars.Context), else in a copy of the context of who spawns it if that has one.
    What becomes of an error of it is said at `Trampoline.spawn()`. TypeError if it is no coroutine.
    """
    check_root("spawn()", coroutine, context)
    made = object.__new__(Spawning)
    made._coroutine, made._name, made._context = coroutine, name, context
    frame = sys._getframe(1)
    made._code, made._instruction = frame.f_code, frame.f_lasti
    return made


core_types.add(Spawning)
OWN_CODES.update(function.__code__ for function in (join, hand_out, give, Group._count, Spawning.start))
