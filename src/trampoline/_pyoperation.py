"""What `put()` and `get()` of a channel return, for the core in Python: suspensions that often need not be waited for."""

from __future__ import annotations

from trampoline._base import Suspension, describe, not_copied, own_codes, promptly
from trampoline._pypseudothread import Pseudothread
from trampoline._pyresume import OWN_CODES, first_of
from trampoline._waited import ChannelClosed, check_thread, closed_channel

MISSING = object()  # in place of a default: ChannelClosed is raised
LAST = object()  # in place of a default: `async for` ends
_WAIT = object()


class Operation(Suspension):
    """What `put()` and `get()` return: it is done when it is yielded or awaited, once each time."""

    __slots__ = ("_channel", "_pseudothread", "_value")

    def __init__(self, channel, value):
        self._channel, self._value = channel, value
        self._pseudothread = None  # who waits for it, or was handed a value and has not been sent it yet

    def suspend(self, pseudothread):
        """Do it, or wait."""
        if type(pseudothread) is not Pseudothread:
            raise TypeError(f"{self._channel!r} is of the core in Python, and {pseudothread!r} is not")
        if pseudothread._trampoline is None:
            return
        waiter = self._pseudothread
        if waiter is not pseudothread and is_waiting(self):
            raise RuntimeError(f"another pseudothread waits for this {self!r} already: make one for each")
        self._waiters().pop(self, None)  # it was resumed before its time
        self._pseudothread = pseudothread
        parked = pseudothread._trampoline._parked
        waits_for = parked.pop(pseudothread, None)  # so that no other thread throws into it meanwhile: nothing would be undone
        if waits_for is None:
            return  # one has, or closes it
        got = _WAIT
        try:
            got = self._do()
            if got is _WAIT:
                self._waiters()[self] = None
        finally:
            parked[pseudothread] = waits_for
        woken = waits_for
        try:
            if got is not _WAIT:
                woken = None
                woken = pseudothread._trampoline._wake(pseudothread, got, 0, waits_for)
        finally:
            if woken is None:  # another thread has just thrown into it, or Ctrl-C struck, which it gets now
                self.take_back(pseudothread, got)

    def __iter__(self):
        if promptly[0] > 0:
            try:
                got = self._do()
            except (ChannelClosed, StopAsyncIteration, RuntimeError):
                pass  # the core asks again, and throws it
            else:
                if got is not _WAIT:
                    promptly[0] -= 1
                    return got
        return (yield self)

    __await__ = __iter__

    __reduce__ = not_copied

    def withdraw(self, pseudothread):
        """Wait no more."""
        self._waiters().pop(self, None)
        self._pseudothread = None

    def at_once(self, pseudothread):
        """Do it if nobody has to be waited for."""
        got = self._do()
        return NotImplemented if got is _WAIT else got


class Put(Operation):
    """To yield it puts a value into the channel."""

    __slots__ = ()

    def _waiters(self):
        return self._channel._putters

    def _do(self):
        channel = self._channel
        if channel._closed:
            raise closed_channel("put() into", channel)
        if channel._getters and hand(channel._getters, self._value) is not None:
            pass
        elif channel._size is None or len(channel._items) < channel._size:
            channel._items.append(self._value)
        else:
            return _WAIT
        return None

    def at_once(self, pseudothread):
        """Do it if nobody has to be waited for: most often there is room, and nobody waits to get."""
        channel = self._channel
        if channel._size is not None or channel._getters or channel._closed:
            return super().at_once(pseudothread)
        channel._items.append(self._value)
        return None

    def __repr__(self):
        return f"put({describe(self._value)}) into {self._channel!r}"


class Get(Operation):
    """To yield it takes a value out of the channel."""

    __slots__ = ()

    def _waiters(self):
        return self._channel._getters

    def _do(self):
        channel, default = self._channel, self._value
        items = channel._items
        if items:
            if channel._putters and len(items) <= channel._size:  # a value that was taken back may be one too many
                putter = hand(channel._putters, None)
                if putter is not None:
                    items.append(putter._value)
            return items.popleft()
        putter = hand(channel._putters, None) if channel._putters else None
        if putter is not None:
            return putter._value
        if not channel._closed:
            return _WAIT
        self._pseudothread = None  # nothing to be taken back
        if default is MISSING:
            raise closed_channel("get() from", channel)
        if default is LAST:
            raise StopAsyncIteration
        return default

    def at_once(self, pseudothread):
        """Do it if nobody has to be waited for. NotImplemented as a value goes by way of suspend()."""
        items, putters = self._channel._items, self._channel._putters
        if items and not putters and items[0] is not NotImplemented:
            return items.popleft()
        putter = first(putters)
        following = items[0] if items else self._value if putter is None else putter._value
        return NotImplemented if following is NotImplemented else super().at_once(pseudothread)

    def take_back(self, pseudothread, value):
        """Give the value to the next, or put it where it was."""
        if self._pseudothread is not pseudothread:
            return
        self._pseudothread = None
        if hand(self._channel._getters, value) is None:
            self._channel._items.appendleft(value)

    def __repr__(self):
        return f"get() from {self._channel!r}"


def first(waiters):
    """Return the first operation that somebody still waits for, or None. RuntimeError if it does so in another thread."""
    while (operation := first_of(waiters)) is not None:
        pseudothread = operation._pseudothread
        if pseudothread is not None and pseudothread.waits_for is operation:
            check_thread(operation._channel, pseudothread)
            return operation
        waiters.pop(operation, None)  # somebody else has resumed it
    return None


def is_waiting(operation):
    """Return whether somebody still waits for `operation`."""
    pseudothread = operation._pseudothread
    return pseudothread is not None and pseudothread.waits_for is operation


def hand(waiters, value):
    """Resume the first who still waits. Return the operation, or None if there is none."""
    while (operation := first(waiters)) is not None:
        pseudothread = operation._pseudothread
        woken = None
        try:
            if pseudothread is not None:
                woken = pseudothread._trampoline._wake(pseudothread, value, 0, operation)
        except BaseException:
            if type(operation) is Put and not is_waiting(operation):  # whoever wanted it gets the error: it stays to be had
                operation._channel._items.append(operation._value)
            raise
        if woken is not None:  # else another thread has it
            waiters.pop(operation, None)  # last: where Ctrl-C strikes before, it is not forgotten
            return operation
    return None


def all_of(waiters):
    """Take out one operation after the other that somebody still waits for. Give who, and that."""
    while (operation := first(waiters)) is not None:
        waiters.pop(operation, None)
        pseudothread, operation._pseudothread = operation._pseudothread, None
        if pseudothread is not None:
            yield pseudothread, operation


own_codes.add(Operation.__iter__.__code__)
OWN_CODES.update(
    function.__code__
    for function in (Operation.suspend, Operation.at_once, Put.at_once, Get.at_once, Get._do, Put._do, all_of, first, hand, check_thread)
)
