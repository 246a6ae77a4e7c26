"""What a collector should have counted, counted by others: by the mended recipe, and by a subclass that overrides `schedule`.

`rows()` makes a plain dict of a collector's tree: path of names -> numbers. The counters here fold recursion by the same rule as the
collector (a name that occurs twice on a path already goes to the node of its last occurrence), and are otherwise none of its code.
"""

import contextlib
import sys
from collections import Counter

from inhabitants import Recipe

from trampoline import _recipe

TIMES = ("self_time", "span", "ready", "parked")
COUNTS = ("calls", "resumes", "exceptions", "closed", "live", "partial")
RECURSION = 2


class Clock:
    """A clock that goes on only when it is told to."""

    def __init__(self):
        self.now = 1000

    def __call__(self):
        return self.now


def takes(clock, before, callee=None, after=0):
    """Take some time, call, and take some more."""
    clock.now += before
    got = (yield callee) if callee is not None else None
    clock.now += after
    return got


@contextlib.contextmanager
def collecting(core, collector):
    """Collect on this thread."""
    before = core.module.collect(collector)
    try:
        yield collector
    finally:
        assert core.module.collect(before) is collector


def nodes(collector):
    """Return every node below the root, each after its parent."""
    found, left = [], [*collector.root.children]
    while left:
        found.append(left.pop(0))
        left[:0] = found[-1].children
    return found


def name(code):
    return code.co_name if hasattr(code, "co_name") else code.__qualname__


def path(node):
    names = []
    while node.parent is not None:
        names.append(name(node.code))
        node = node.parent
    return "/".join(reversed(names))


def rows(collector, *attributes):
    """Return path: numbers, for the attributes that are named, or for all; numbers that are 0 are left out."""
    attributes = attributes or COUNTS + TIMES
    found = {}
    for node in nodes(collector):
        numbers = {attribute: getattr(node, attribute) for attribute in attributes if getattr(node, attribute)}
        assert path(node) not in found
        found[path(node)] = numbers
    return found


def check_laws(collector):
    """Hold what is always true: the times sum up, nothing is negative, and what is below a node is not more than it has."""
    everywhere = nodes(collector)
    assert sum(node.self_time for node in everywhere) + collector.loop == collector.run
    for node in everywhere:
        numbers = [getattr(node, attribute) for attribute in COUNTS + TIMES]
        assert all(type(number) is int and number >= 0 for number in numbers), (path(node), numbers)
        assert all(child.parent is node for child in node.children)
        assert cumulative(node) >= sum(cumulative(child) for child in node.children)
        assert node.calls + node.partial >= node.live + node.closed
    assert collector.root.parent is None
    assert collector.root.code is None
    assert rows(collector) is not None  # no path is there twice


def cumulative(node):
    return node.self_time + sum(cumulative(child) for child in node.children)


def folded(names):
    """Return the path of the node to which the last of `names` goes, each of which was called by the one before."""
    at = []
    for one in names:
        if at.count(one) >= RECURSION:
            while at[-1] != one:
                at.pop()
        else:
            at.append(one)
    return "/".join(at)


class Counts:
    """Calls, resumes and exceptions for each path."""

    def __init__(self):
        self.calls, self.resumes, self.exceptions = Counter(), Counter(), Counter()

    def rows(self):
        found = {}
        for attribute in ("calls", "resumes", "exceptions"):
            for where, number in getattr(self, attribute).items():
                if number:
                    found.setdefault(where, {})[attribute] = number
        return found


def code_name(coroutine):
    for attribute in ("gi_code", "cr_code"):
        if hasattr(coroutine, attribute):
            return getattr(coroutine, attribute).co_name
    return type(coroutine).__qualname__


def lined_up(coroutine, stack):
    """Return the coroutines, the root first."""
    found = [coroutine]
    while stack:
        found.insert(0, stack[0])
        stack = stack[1]
    return found


def where(coroutines):
    return folded([code_name(coroutine) for coroutine in coroutines])


def counting_recipe(counts):
    """Return the mended recipe with a `schedule` that counts."""

    class CountingRecipe(Recipe):
        turn = None

        def schedule(self, coroutine, stack=(), val=None, *exc):
            super().schedule(coroutine, stack, val, *exc)
            line, before = lined_up(coroutine, stack), self.turn
            if sys._getframe(1).f_code.co_filename != _recipe.__file__ or sys._getframe(1).f_code.co_name == "add":
                for level in range(len(line)):
                    counts.calls[where(line[: level + 1])] += 1
            elif len(line) > len(before):
                counts.calls[where(line)] += 1
            elif exc:
                counts.exceptions[where(before)] += 1
            resume = self.queue.pop()

            def turn():
                before, self.turn = self.turn, line
                counts.resumes[where(line)] += 1
                try:
                    return resume()
                except BaseException:
                    counts.exceptions[where(line)] += 1
                    raise
                finally:
                    self.turn = before

            self.queue.append(turn)

    return CountingRecipe


def counting_schedule(base, counts, added):
    """Return a class derived from a core's trampoline whose `schedule` counts. `added` gets each pseudothread, with its last coroutines."""

    class Counting(base):
        def schedule(self, coroutine, stack=(), val=None, *exc):
            p = super().schedule(coroutine, stack, val, *exc)
            line, before = lined_up(coroutine, stack), added.get(p)
            if before is None:
                for level in range(len(line)):
                    counts.calls[where(line[: level + 1])] += 1
            elif len(line) > len(before) or len(line) == len(before) and line[-1] is not before[-1]:
                counts.calls[where(line)] += 1
            elif len(line) < len(before) and exc:
                counts.exceptions[where(before)] += 1
            counts.resumes[where(line)] += 1
            added[p] = line
            return p

    return Counting
