"""What a collector counts of a program: the tree of its logical calls, each node with its turns and its times. For the core in Python.

A trampoline owns the logical stack, so it knows by whom each coroutine was called. While it collects, every pseudothread carries its
`Levels` (in `_pylevels.py`): the node of each coroutine on its stack. Here is what they are counted in. The clock is read at each side of
a resume; all time from one reading to the next goes to one account: that of the coroutine that was resumed, or the loop's.
"""

from __future__ import annotations

from _thread import get_ident
from operator import index
from time import monotonic_ns
from weakref import WeakValueDictionary

from trampoline._base import describe, no_copy

RECURSION = 2  # so often a code may occur on the path of a node: then its next call goes to the node of its last occurrence


class Node:
    """A coroutine as called by the node above it: all coroutines of one code with the same logical callers are counted together.

    A code that occurs twice on the path from the root already goes to the node of its last occurrence: recursion folds there. Times are in
    nanoseconds, and those of what is live are as of the collector's last `settle()`.
    """

    __slots__ = (
        "_calls", "_children", "_closed", "_code", "_exceptions", "_known", "_live", "_parent", "_parked", "_partial", "_ready", "_resumes",
        "_self_time", "_span", "__weakref__",
    )  # fmt: skip

    def __init_subclass__(cls, **kwargs):
        raise TypeError("type 'trampoline._pytrampoline.Node' is not an acceptable base type")

    def __new__(cls, *args, **kwargs):
        return _node(None, None)

    def __init__(self, *args, **kwargs):
        raise TypeError("a Node is made by a Collector")

    def __reduce__(self):
        raise no_copy(self, "it belongs to its collector")

    def __repr__(self):
        name = "root" if self._code is None else getattr(self._code, "co_qualname", None) or getattr(self._code, "co_name", None)
        return f"<Node {name or self._code.__qualname__!r}: {self._calls} calls, {self._resumes} resumes, {self._self_time} ns>"

    @property
    def parent(self):
        """The node of the caller; None for the root."""
        return self._parent

    @property
    def code(self):
        """The code object; of a coroutine that has none its class; None for the root."""
        return self._code

    @property
    def children(self):
        """The nodes of what was called from here, as a tuple, in the order of their first calls."""
        return tuple(self._children)

    @property
    def calls(self):
        """How often it was called, or added; and in the place of another, by a TailCall."""
        return self._calls

    @property
    def resumes(self):
        """How many turns it had: in each it was sent a value or thrown an error. Those of `close()` are not among them."""
        return self._resumes

    @property
    def self_time(self):
        """Nanoseconds in its resumes, without those of others that ran meanwhile (by hand, or in another trampoline)."""
        return self._self_time

    @property
    def span(self):
        """Nanoseconds from call to result, of all its calls: those within one another, by recursion, count each."""
        return self._span

    @property
    def ready(self):
        """Nanoseconds that its pseudothread was queued while others ran, with this coroutine on top."""
        return self._ready

    @property
    def parked(self):
        """Nanoseconds that its pseudothread was parked, with this coroutine on top."""
        return self._parked

    @property
    def exceptions(self):
        """How often an error left it. A TailCall is none."""
        return self._exceptions

    @property
    def closed(self):
        """How often it ended early: by `close()`, or let go with its pseudothread."""
        return self._closed

    @property
    def live(self):
        """How many are on a stack now."""
        return self._live

    @property
    def partial(self):
        """How many were on a stack already when it was begun to collect: they are not among the calls."""
        return self._partial


def _node(parent, code):
    node = object.__new__(Node)
    node._parent, node._code, node._children, node._known = parent, code, [], {}
    node._calls = node._resumes = node._self_time = node._span = node._ready = node._parked = 0
    node._exceptions = node._closed = node._live = node._partial = 0
    return node


def callee(node, code):
    """Return the node of what has `code` and is called from `node`."""
    found = node._known.get(id(code))  # its value is costly to compare; and it is kept by the node that has it
    if found is None:
        found = node._known[id(code)] = _folded(node, code) or _node(node, code)
        if found._parent is node and found not in node._children:
            node._children.append(found)
    return found


def _folded(node, code):
    last, times = None, 0
    while node is not None:
        if node._code is code:
            times += 1
            last = last or node
        node = node._parent
    return last if times >= RECURSION else None


class Collector:
    """Counts and times what trampolines do, as a tree of logical calls. `collect()` and `collect_threads()` say which.

    `clock` is called for integer nanoseconds and never goes back; without one it is the system's monotonic clock. With `timeline` the first
    so many events are kept. It serves one thread at a time. What a core does between two resumes is the loop's time, but where the C core
    reads the clock once for both sides, it is the following coroutine's. TypeError, ValueError for another clock or number.
    """

    __slots__ = (
        "_account", "_bound", "_clock", "_epoch", "_events", "_failure", "_inside", "_last", "_live", "_loop", "_number", "_offset",
        "_room", "_root", "_run", "_thread", "_turn", "_dropped", "__weakref__",
    )  # fmt: skip

    def __init_subclass__(cls, **kwargs):
        raise TypeError("type 'trampoline._pytrampoline.Collector' is not an acceptable base type")

    def __new__(cls, clock=None, timeline=0):
        if clock is not None and not callable(clock):
            raise TypeError(f"Collector() takes a clock that is called for integer nanoseconds, not {describe(clock)}")
        room = index(timeline)
        if room < 0:
            raise ValueError(f"Collector() takes how many events its timeline keeps, not {room}")
        self = object.__new__(cls)
        self._clock = monotonic_ns if clock is None else clock
        self._room, self._events, self._dropped = room, [], 0
        self._root, self._loop, self._run = _node(None, None), 0, 0
        self._last = 0  # when the clock was read last: up to then all time is accounted for
        self._account = None  # the node of the coroutine that is being resumed; None: the loop's
        self._inside = 0  # how many run loops, calls by hand and closings it is in
        self._offset = 0  # a reading of the clock, less this, is what `run` is then
        self._turn = self._number = 0  # the numbers of the last resume and of the last pseudothread
        self._live = WeakValueDictionary()  # number: the Levels of a pseudothread
        self._bound, self._epoch = 0, 0  # for how many threads and trampolines it is in use, and since when: a number
        self._thread = None  # the identity of the thread on which it is inside those
        self._failure = None  # the error of the clock, for run()
        return self

    def __reduce__(self):
        raise no_copy(self, "what it counts goes on")

    def __repr__(self):
        return f"<Collector: {self._number} pseudothreads, {self._run} ns>"

    @property
    def root(self):
        """The node above those of the roots of all pseudothreads."""
        return self._root

    @property
    def loop(self):
        """Nanoseconds in run loops outside of resumes: entries of the queue, suspensions, an overridden `schedule`, waiting."""
        return self._loop

    @property
    def run(self):
        """Nanoseconds inside `run()`, and inside a call or a `close()` of a pseudothread by hand. It is `loop` and all self times."""
        return self._run

    @property
    def timeline(self):
        """None, or the events as a list of (kind, pseudothread's number, node, start, duration): 'run' a resume, 'wait' the time before."""
        return list(self._events) if self._room else None

    @property
    def timeline_dropped(self):
        """How many events found no room in the timeline."""
        return self._dropped

    def settle(self):
        """Bring the times of what is live up to now; also while it runs, from that thread. Raises the error of its clock."""
        self._settle()
        self._raise()

    def _settle(self):
        if not self._bound:
            return
        now = self._read()
        if self._inside:
            self._charge(now)
            self._run = now - self._offset
        for levels in list(self._live.values()):
            levels.settle(now)

    def _read(self):
        """Return the time. An error of the clock is kept for run(): here nobody could tell it from the coroutine's."""
        if self._clock is monotonic_ns:
            return monotonic_ns()
        try:
            return index(self._clock())
        except BaseException as error:
            if self._failure is None:
                self._failure = error
            return self._last

    def _raise(self):
        failure, self._failure = self._failure, None
        if failure is not None:
            try:
                raise failure
            finally:
                del self, failure

    def _charge(self, now):
        if self._account is None:
            self._loop += now - self._last
        else:
            self._account._self_time += now - self._last
        self._last = now

    def _elapsed(self, now):
        """Return what `run` is, or was at its end if it has ended."""
        return now - self._offset if self._inside else self._run

    def _last_turn(self):
        """Return the number of the last turn that what is queued now has not waited for."""
        return -1 if self._inside else self._turn

    def _enter(self):
        """A run loop begins. Return what `_leave()` takes."""
        now = self._read()
        if not self._inside:
            self._offset, self._last, self._thread = now - self._run, now, get_ident()
        elif self._thread != get_ident():
            raise self._elsewhere()
        else:
            self._charge(now)
        self._inside += 1
        token = self, self._epoch, self._account
        self._account = None
        return token

    def _leave(self, token):
        _, epoch, account = token
        if epoch == self._epoch and self._inside:
            now = self._read()
            self._charge(now)
            self._account = account
            self._run = now - self._offset
            self._inside -= 1

    def _elsewhere(self):
        return RuntimeError(f"{self!r} counts what runs on another thread: make a Collector for each thread")

    def _note(self, kind, number, node, start, duration):
        if len(self._events) < self._room:
            self._events.append((kind, number, node, start, duration))
        else:
            self._dropped += 1
