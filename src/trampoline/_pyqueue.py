"""The queue of a trampoline, for the core in Python: a deque of entries that knows which pseudothreads stand in it."""

from __future__ import annotations

from collections import deque

from trampoline._base import FREE_THREADED, no_entry, not_copied
from trampoline._pypseudothread import Pseudothread
from trampoline._pyresume import QUEUED, TAKEN


class Queue:
    """The entries that wait for their turn: callables without arguments, pseudothreads mostly. A deque to its user."""

    __slots__ = ("_entries", "_mixed", "_waker", "__weakref__")

    def __new__(cls):
        self = object.__new__(cls)
        self._entries, self._waker = deque(), None
        self._mixed = False  # whether there ever was anything in it but pseudothreads that its own trampoline queued
        return self

    def __init_subclass__(cls, **kwargs):
        raise TypeError("type 'trampoline._pytrampoline.Queue' is not an acceptable base type")

    def append(self, entry):
        """Queue `entry` behind all others. TypeError if it is not callable, RuntimeError for a pseudothread that cannot be queued."""
        if type(entry) is Pseudothread or not callable(entry):
            _enter(entry)
        self._mixed = True
        self._entries.append(entry)
        waker = self._waker  # asked once: another thread may take it away
        if waker is not None:
            waker()

    def appendleft(self, entry):
        """Queue `entry` before all others. TypeError if it is not callable, RuntimeError for a pseudothread that cannot be queued."""
        if type(entry) is Pseudothread or not callable(entry):
            _enter(entry)
        self._mixed = True
        self._entries.appendleft(entry)
        waker = self._waker
        if waker is not None:
            waker()

    def popleft(self):
        """Remove and return the first entry. IndexError if there is none."""
        try:
            entry = self._entries.popleft()
        except IndexError:
            entry = None  # the error is raised outside: it is not the consequence of this one
        if entry is None:
            raise IndexError("popleft() from an empty queue")
        if type(entry) is Pseudothread and entry._state == QUEUED:
            entry._state = TAKEN
        return entry

    def clear(self):
        """Remove all entries."""
        taken, entry = deque(), None
        while self._entries:
            try:
                taken.append(self._entries.popleft())
            except IndexError:  # another thread was quicker
                break
        for entry in taken:
            if type(entry) is Pseudothread and entry._state == QUEUED:
                entry._state = TAKEN
        del entry
        while taken:  # the first goes first
            taken.popleft()

    def __len__(self):
        return len(self._entries)

    def __bool__(self):
        return bool(self._entries)

    def __iter__(self):
        return iter(_all_of(self._entries))

    def __repr__(self):
        return f"Queue({_all_of(self._entries)!r})"

    __reduce__ = not_copied


def _all_of(entries):
    for _ in range(100 if FREE_THREADED else 0):
        try:
            return list(entries)
        except RuntimeError:  # another thread has put something in or taken something out meanwhile
            pass
    return list(entries) if not FREE_THREADED else [entry for index in range(len(entries)) for entry in (_at(entries, index),) if entry]


def _at(entries, index):
    try:
        return entries[index]
    except IndexError:
        return None


def _enter(entry):
    """Make `entry` one that stands in a Queue, or say why it cannot."""
    if type(entry) is Pseudothread:
        if entry._state != TAKEN:
            raise entry._misuse("queue", "is queued already")
        entry._state = QUEUED
    else:
        raise no_entry(entry)
