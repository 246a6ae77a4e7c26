"""Which collector counts what a trampoline does, and the begin and the end of that. For the core in Python."""

from __future__ import annotations

from _thread import _local, get_ident
from itertools import count

from trampoline._base import describe
from trampoline._pycollector import Collector
from trampoline._pylevels import COLLECTED, NOT, PARKED, Era, Levels, see, turned

_numbers = count(1)  # of epochs


class _Here(_local):
    """What this thread collects."""

    def __init__(self):
        self.collector = None
        self.running = []  # the trampolines that are inside run() or turns by hand, the innermost last


class Everywhere:
    """What holds for all threads."""

    used = False  # whether there was any collector in use: else nobody need ask further
    make = None  # what collect_threads() was given


_here = _Here()


def made(t, p):
    """`p` was added to `t`: count its root in, and since when it is queued."""
    if t._thread is None:
        refresh(t)
    era = t._era
    if era is None or not era.goes_on():
        return
    collector = era.collector
    now = collector._read()
    if collector._failure is not None and not collector._inside:
        collector._raise()
    if t._thread is not None and t._thread != get_ident():
        p._levels = Levels(era, now)
        p._special |= COLLECTED
        return
    for shown in ([t._showing], *t._handing):  # an overridden `schedule` that gives the same stack in pairs of its own
        other = shown[0]
        if other is not None and other._levels is not None and other._levels._era is era and _same(other.stack, p.stack):
            p._levels, other._levels = other._levels, None
            p._special |= COLLECTED
            return
    see(p, now, new=True)


def _same(stack, other):
    return len(stack) == len(other) and all(one is two for one, two in zip(stack, other, strict=True))


def between_turns(t):
    """The run loop of `t` is about to take an entry. Raises the error of the clock."""
    if t._straddling is not None:
        turned(t)
    t._era.collector._raise()


def begins_here(t):
    """Return whether turns by hand begin on this thread: `t` does not run there. Asked first, so that Ctrl-C leaves nothing behind."""
    return t not in _here.running


def turns_begin(t):
    """A run loop of `t` begins on this thread, or turns by hand where it does not run."""
    running = _here.running
    if t in running:
        return
    if _here.collector is None and Everywhere.make is not None and t._own_collector is None:
        collect(_checked(Everywhere.make(), "the function that collect_threads() was given returned"))
    if Everywhere.used:
        refresh(t)
        if t._era is not None:
            t._token = t._era.collector._enter()
    running += (t,)  # no call, behind which Ctrl-C could strike


def turns_end(t):
    """It ends."""
    if t in _here.running:
        _here.running.remove(t)
    if t._straddling is not None:
        turned(t)
    if t._token is not None:
        leave(t)


def leave(t):
    """Its collector has done with it, for now."""
    token = t._token
    if token is not None:
        token[0]._leave(token)
        t._token = None  # last: where Ctrl-C strikes before, it is not forgotten


def refresh(t):
    """Have `t` use the collector that is in effect for it: its own, else this thread's."""
    if _changes(t):
        leave(t)
        _take_up(t)


def _changes(t):
    collector, era = _in_effect(t), t._era
    return era is not None if collector is None else era is None or era.collector is not collector or not era.goes_on()


def _in_effect(t):
    return _here.collector if t._own_collector is None else t._own_collector


def _refresh_all():
    """The same for all that run on this thread: the innermost is the first to let go, and the last to take up."""
    changed = [t for t in _here.running if _changes(t)]
    for t in reversed(changed):
        leave(t)
    for t in changed:
        _take_up(t)


def _take_up(t):
    if t._era is not None:
        t._era.over = True
    collector = _in_effect(t)
    t._era, t._alone, t._straddling = None if collector is None else Era(collector), False, None
    if collector is None:
        return
    running = t in _here.running
    if running:
        t._token = collector._enter()
    now = collector._read()
    for p in (*t._all_parked(), *t._own_entries()):
        levels = see(p, now)
        if p.state == "parked":
            levels._waiting = PARKED
    p = t._turn if running else None
    if p is not None and p._trampoline is t:
        levels = see(p, now)
        levels._waiting = NOT
        levels.unsure(p)
        t._straddling, collector._account = levels, levels._nodes[-1]


def _checked(collector, what="collect() takes"):
    if collector is not None and type(collector) is not Collector:
        raise TypeError(f"{what} a Collector or None, not {describe(collector)}")
    return collector


def bind(collector):
    """Count that `collector` is in use once more. RuntimeError if it counts on another thread just now."""
    if collector is not None:
        if collector._inside and collector._thread != get_ident():
            raise collector._elsewhere()
        Everywhere.used = True
        if not collector._bound:
            collector._epoch = next(_numbers)
        collector._bound += 1


def unbind(collector):
    """Count that it is in use once less. When it is not any more, its times stand still."""
    if collector is not None:
        collector._bound -= 1
        if not collector._bound:
            collector._inside, collector._account, collector._epoch = 0, None, next(_numbers)


def collect(collector):
    """Have every trampoline that runs on this thread from now on, and one that is running, counted by `collector`; by None no more.

    Return the one that did before, or None. A trampoline's own collector comes first. TypeError if it is neither, RuntimeError if it counts
    on another thread just now.
    """
    old, new = _here.collector, _checked(collector)
    if new is not old:
        _exchange(old, new, lambda: setattr(_here, "collector", new))
    return old


def set_own(t, collector):
    """Set the collector of `t`, which comes before the thread's."""
    old, new = t._own_collector, _checked(collector, "the collector of a trampoline is")
    if new is not old:
        _exchange(old, new, lambda: setattr(t, "_own_collector", new))


def _exchange(old, new, put):
    if old is not None:
        old._settle()
    bind(new)
    put()
    _refresh_all()
    unbind(old)


def collect_threads(make):
    """Have each thread that runs a trampoline from now on, and has no collector, use what `make()` returns; None ends it.

    What a thread has already it keeps. TypeError if it is not callable.
    """
    if make is not None and not callable(make):
        raise TypeError(f"collect_threads() takes a function that returns a Collector, or None, not {describe(make)}")
    Everywhere.make = make
