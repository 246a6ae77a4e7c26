"""The queue of a trampoline, for the core in Python: a deque of entries that knows which pseudothreads stand in it."""

from __future__ import annotations

from collections import deque

from trampoline._base import no_copy, no_entry
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
        if self._waker is not None:
            self._waker()

    def appendleft(self, entry):
        """Queue `entry` before all others. TypeError if it is not callable, RuntimeError for a pseudothread that cannot be queued."""
        if type(entry) is Pseudothread or not callable(entry):
            _enter(entry)
        self._mixed = True
        self._entries.appendleft(entry)
        if self._waker is not None:
            self._waker()

    def popleft(self):
        """Remove and return the first entry. IndexError if there is none."""
        if not self._entries:
            raise IndexError("popleft() from an empty queue")
        entry = self._entries.popleft()
        if type(entry) is Pseudothread and entry._state == QUEUED:
            entry._state = TAKEN
        return entry

    def clear(self):
        """Remove all entries."""
        taken, entry = deque(self._entries), None
        self._entries.clear()
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
        return iter(list(self._entries))

    def __repr__(self):
        return f"Queue({list(self._entries)!r})"

    def __reduce__(self):
        raise no_copy(self)


def _enter(entry):
    """Make `entry` one that stands in a Queue, or say why it cannot."""
    if type(entry) is Pseudothread:
        if entry._state != TAKEN:
            raise entry._misuse("queue", "is queued already")
        entry._state = QUEUED
    else:
        raise no_entry(entry)
