"""`Channel`, through which pseudothreads hand values to one another, for the core in Python.

Values stand in `_items`. Who waits to get does so only while that is empty, who waits to put only while it is full: so a value is handed to
the first of the one or taken from the first of the other, and nobody overtakes. A value that was handed to somebody who is closed before
the turn in which it would arrive is taken back: the next gets it, or it is the first in the channel again.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from types import GenericAlias

from trampoline._base import Suspension, describe, no_copy, own_codes, promptly
from trampoline._pyresume import OWN_CODES
from trampoline._waited import ChannelClosed, check_thread, closed_channel, counted, tell_channel

_MISSING = object()  # in place of a default: ChannelClosed is raised
_LAST = object()  # in place of a default: `async for` ends
_WAIT = object()


class Channel:
    """Hands values from pseudothreads that `put()` to those that `get()`, each to one of them: first in, first out.

    It has room for `size` values, without a limit if that is None; with 0 whoever puts waits for one who gets. `close()` says that no more
    will come. TypeError if `size` is no integer, ValueError if it is below zero.
    """

    __slots__ = ("_closed", "_getters", "_items", "_putters", "_size", "__weakref__")

    __class_getitem__ = classmethod(GenericAlias)

    def __init__(self, size, /):
        self._size = None if size is None else counted("Channel()", size)
        self._closed = False
        self._items = deque()
        self._getters, self._putters = OrderedDict(), OrderedDict()

    @property
    def size(self):
        """For how many values there is room, or None where that has no limit."""
        return self._size

    @property
    def closed(self):
        """Whether it is closed; values may be left to be had."""
        return self._closed

    def put(self, value, /):
        """Put `value` into the channel: `yield channel.put(value)`. It waits while there is no room.

        ChannelClosed if it is closed, or is closed meanwhile: the value is not put then.
        """
        return _Put(self, value)

    def get(self, /, *default):
        """Take the first value out of the channel: `value = yield channel.get()`. It waits while there is none.

        When the channel is closed and empty, or is closed meanwhile, that gives `default`; without one it is ChannelClosed.
        """
        if len(default) > 1:
            raise TypeError(f"get() takes one default, not {len(default)}")
        return _Get(self, default[0] if default else _MISSING)

    def close(self):
        """Close it: what was put can still be had, and nothing more can be put. Whoever waits to put gets ChannelClosed.

        Whoever waits to get is told that it is closed and empty. It may be closed again. RuntimeError from another thread than that of
        those who wait.
        """
        _first(self._putters), _first(self._getters)  # they refuse another thread
        self._closed = True
        while (putter := _first(self._putters)) is not None:
            _taken(self._putters, putter).throw(closed_channel("put() into", self))
        while (getter := _first(self._getters)) is not None:
            pseudothread, default = _taken(self._getters, getter), getter._value
            if default is _MISSING:
                pseudothread.throw(closed_channel("get() from", self))
            elif default is _LAST:
                pseudothread.throw(StopAsyncIteration())
            else:
                pseudothread.resume(default)

    def __aiter__(self):
        return self

    def __anext__(self):
        return _Get(self, _LAST)

    def __reduce__(self):
        raise no_copy(self)

    def __repr__(self):
        putters, getters = (sum(map(_is_waiting, operations)) for operations in (self._putters, self._getters))
        return tell_channel(self, len(self._items), putters, getters)


class _Operation(Suspension):
    """What `put()` and `get()` return: it is done when it is yielded or awaited, once each time."""

    __slots__ = ("_channel", "_pseudothread", "_value")

    def __init__(self, channel, value):
        self._channel, self._value = channel, value
        self._pseudothread = None  # who waits for it, or was handed a value and has not been sent it yet

    def suspend(self, pseudothread):
        """Do it, or wait."""
        waiter = self._pseudothread
        if waiter is not pseudothread and _is_waiting(self):
            raise RuntimeError(f"another pseudothread waits for this {self!r} already: make one for each")
        self._waiters().pop(self, None)  # it was resumed before its time
        self._pseudothread = pseudothread
        got = self._do()
        if got is _WAIT:
            self._waiters()[self] = None
        else:
            pseudothread.resume(got)

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

    def __reduce__(self):
        raise no_copy(self)

    def withdraw(self, pseudothread):
        """Wait no more."""
        self._waiters().pop(self, None)
        self._pseudothread = None

    def at_once(self, pseudothread):
        """Do it if nobody has to be waited for."""
        got = self._do()
        return NotImplemented if got is _WAIT else got


class _Put(_Operation):
    """To yield it puts a value into the channel."""

    __slots__ = ()

    def _waiters(self):
        return self._channel._putters

    def _do(self):
        channel = self._channel
        if channel._closed:
            raise closed_channel("put() into", channel)
        getter = _first(channel._getters)
        if getter is not None:
            _hand(channel._getters, getter, self._value)
        elif channel._size is None or len(channel._items) < channel._size:
            channel._items.append(self._value)
        else:
            return _WAIT
        return None

    def __repr__(self):
        return f"put({describe(self._value)}) into {self._channel!r}"


class _Get(_Operation):
    """To yield it takes a value out of the channel."""

    __slots__ = ()

    def _waiters(self):
        return self._channel._getters

    def _do(self):
        channel, default = self._channel, self._value
        items, putter = channel._items, _first(channel._putters)
        if items:
            if putter is not None and len(items) <= channel._size:  # a value that was taken back may be one too many
                items.append(putter._value)
                _hand(channel._putters, putter, None)
            return items.popleft()
        if putter is not None:
            _hand(channel._putters, putter, None)
            return putter._value
        if not channel._closed:
            return _WAIT
        self._pseudothread = None  # nothing to be taken back
        if default is _MISSING:
            raise closed_channel("get() from", channel)
        if default is _LAST:
            raise StopAsyncIteration
        return default

    def at_once(self, pseudothread):
        """Do it if nobody has to be waited for. NotImplemented as a value goes by way of suspend()."""
        items, putter = self._channel._items, _first(self._channel._putters)
        following = items[0] if items else self._value if putter is None else putter._value
        return NotImplemented if following is NotImplemented else super().at_once(pseudothread)

    def take_back(self, pseudothread, value):
        """Give the value to the next, or put it where it was."""
        if self._pseudothread is not pseudothread:
            return
        self._pseudothread = None
        getter = _first(self._channel._getters)
        if getter is None:
            self._channel._items.appendleft(value)
        else:
            _hand(self._channel._getters, getter, value)

    def __repr__(self):
        return f"get() from {self._channel!r}"


def _first(waiters):
    """Return the first operation that somebody still waits for, or None. RuntimeError if it does so in another thread."""
    while waiters:
        operation = next(iter(waiters))
        if _is_waiting(operation):
            check_thread(operation._channel, operation._pseudothread)
            return operation
        waiters.pop(operation, None)  # somebody else has resumed it
    return None


def _is_waiting(operation):
    """Return whether somebody still waits for `operation`."""
    pseudothread = operation._pseudothread
    return pseudothread is not None and pseudothread.waits_for is operation


def _hand(waiters, operation, value):
    """Resume who waits for `operation`."""
    waiters.pop(operation, None)
    operation._pseudothread.resume(value)


def _taken(waiters, operation):
    """Take the operation from those that are waited for. Return who waits for it."""
    waiters.pop(operation, None)
    pseudothread, operation._pseudothread = operation._pseudothread, None
    return pseudothread


own_codes.add(_Operation.__iter__.__code__)
OWN_CODES.update(
    function.__code__ for function in (_Operation.suspend, _Operation.at_once, _Get.at_once, _Get._do, _Put._do, _first, check_thread)
)
