"""One resume of a coroutine, and what it means that it raises, for the core in Python."""

from __future__ import annotations

from types import GeneratorType

from trampoline._base import ERROR, TAIL, VALUE, TailCall, end_of_call, is_coroutine, no_coroutine
from trampoline._errors import get_context, get_traceback, set_context, set_traceback
from trampoline._pylevels import COLLECTED, resume_collected

QUEUED, TAKEN, RUNNING, PARKED, ENDED, LEAVING = range(6)  # LEAVING: parked no more, and not queued yet
THROWING, IN_CONTEXT = 1, 2  # what can be special about a pseudothread's next turn
PROMPTLY = 8  # parked for a suspension with at_once(), or resumed: then with a pair, what it is to be sent and who may take that back
OWED = 32  # it joined another, whose error is to be thrown: it has that other in the place of the error
MISSING = object()  # in the place of a result
OWN_CODES = set()  # of the functions that can stand in a traceback between run() and the user's coroutine


def resume_specially(p, top, value):
    """Make a turn that is not a plain `send`: throw, do it in the context of `p`, send what was owed or may be taken back, collect."""
    if p._special & COLLECTED:
        try:
            return resume_collected(p, top, value, resume_specially)
        finally:
            del p, top, value
    throwing = p._special & THROWING
    if p._special & OWED:
        value = error_of(value)
    elif p._special & PROMPTLY:
        value = value[0]
    if throwing and (type(top) is not GeneratorType or top.gi_yieldfrom is not None):
        end_of_call(top)
    p._special &= ~(THROWING | OWED | PROMPTLY)  # by this who is struck by Ctrl-C knows that it is resumed
    resume = top.throw if throwing else top.send
    trampoline, context = p._trampoline, p._context
    outer = trampoline._entered
    try:
        if context is None or context is outer:
            return resume(value)
        trampoline._entered = context
        return context.run(resume, value)
    finally:
        trampoline._entered = outer
        del p, top, value, resume  # the frames of a traceback hold those that called them


def error_of(ended):
    """Return the error that left the root of `ended`, as it was then: whoever was given it has added to its traceback and its context."""
    error = ended._payload
    traceback, context = ended._stack
    set_context(error, context)
    return set_traceback(error, traceback)


def first_of(waiting):
    """Return the first key of a dict, or None if there is none: another thread may take some out meanwhile."""
    while waiting:
        try:
            return next(iter(waiting))
        except (RuntimeError, StopIteration):
            pass
    return None


def behind(traceback):
    """Return what is left of a traceback when its first entry and all others of ours that follow it are cut off."""
    traceback = traceback and traceback.tb_next  # where there was no memory for an entry there are fewer
    while traceback is not None and traceback.tb_frame.f_code in OWN_CODES:
        traceback = traceback.tb_next
    return traceback


def without_ours(error):
    """Cut our own frames off the front of its traceback."""
    set_traceback(error, behind(get_traceback(error)))


def caught(error):
    """Cut our own frames off the traceback. Return what the error means, and the error or the coroutine of a TailCall."""
    without_ours(error)
    if not isinstance(error, TailCall):
        return ERROR, error
    try:
        callee = error.call
        return (TAIL, callee) if is_coroutine(callee) else (ERROR, no_coroutine("TailCall()", callee))
    except BaseException as raised:
        return ERROR, _without(raised, error)


def returned(stop):
    """Return the same for a StopIteration of the user's class, whose value may be anything."""
    try:
        return VALUE, stop.value
    except BaseException as raised:
        return ERROR, _without(raised, stop)


def _without(raised, error):
    """Return what was raised while `error` was handled, by us and not by the user, without that."""
    without_ours(raised)
    if get_context(raised) is error:
        set_context(raised, None)
    return raised


OWN_CODES.update((resume_specially.__code__, resume_collected.__code__))
