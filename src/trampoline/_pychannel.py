"""`Channel`, through which pseudothreads hand values to one another, for the core in Python.

Values stand in `_items`. Who waits to get does so only while that is empty, who waits to put only while it is full: so a value is handed to
the first of the one or taken from the first of the other, and nobody overtakes. A value that was handed to somebody who is closed before
the turn in which it would arrive is taken back: the next gets it, or it is the first in the channel again.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from types import GenericAlias

from trampoline._base import checked, not_copied, resumed, thrown
from trampoline._pyoperation import LAST, MISSING, Get, Put, all_of, first, is_waiting
from trampoline._waited import closed_channel, counted, tell_channel, wrong_size


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

    __init__ = checked(__init__, lambda given, keywords: len(given) == 1 and not keywords, wrong_size)

    @property
    def size(self):
        """For how many values there is room, or None where that has no limit."""
        return self._size

    @property
    def closed(self):
        """Whether it is closed; values may be left to be had."""
        return self._closed

    def __init_subclass__(cls, **kwargs):
        raise TypeError("type 'trampoline._pytrampoline.Channel' is not an acceptable base type")

    def put(self, value, /):
        """Put `value` into the channel: `yield channel.put(value)`. It waits while there is no room.

        ChannelClosed if it is closed, or is closed meanwhile: the value is not put then.
        """
        return Put(self, value)

    def get(self, /, *default):
        """Take the first value out of the channel: `value = yield channel.get()`. It waits while there is none.

        When the channel is closed and empty, or is closed meanwhile, that gives `default`; without one it is ChannelClosed.
        """
        if len(default) > 1:
            raise TypeError(f"get() takes one default, not {len(default)}")
        return Get(self, default[0] if default else MISSING)

    def close(self):
        """Close it: what was put can still be had, and nothing more can be put. Whoever waits to put gets ChannelClosed.

        Whoever waits to get is told that it is closed and empty. It may be closed again. RuntimeError from another thread than that of
        those who wait.
        """
        first(self._putters), first(self._getters)  # they refuse another thread
        self._closed = True
        for pseudothread, putter in all_of(self._putters):
            thrown(pseudothread, putter, closed_channel("put() into", self))
        for pseudothread, getter in all_of(self._getters):
            default = getter._value
            if default is MISSING:
                thrown(pseudothread, getter, closed_channel("get() from", self))
            elif default is LAST:
                thrown(pseudothread, getter, StopAsyncIteration())
            else:
                resumed(pseudothread, getter, default)

    def __aiter__(self):
        return self

    def __anext__(self):
        return Get(self, LAST)

    __reduce__ = not_copied

    def __repr__(self):
        putters, getters = (sum(map(is_waiting, operations)) for operations in (self._putters, self._getters))
        return tell_channel(self, len(self._items), putters, getters)
