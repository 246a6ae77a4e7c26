"""Random programs of spawn, join, gather, first, timeout, close and throw, against a model that knows nothing but when each part ends.

A program is a tree of nested tuples. Each of its waits lasts a power of two of its own, on a clock that jumps from deadline to deadline,
so that no two things ever happen at once: when each part ends, how, and what is closed meanwhile follows by arithmetic.
"""

import gc
import sys
from itertools import count
from math import inf

import pytest
from conftest import CORES, load
from coroutines import Mishap
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated import Jumping

from trampoline import first, gather, sleep, timeout

# The programs. `numbered()` gives each leaf, and each wait of its own, a number: it lasts 2 ** number seconds.

leaf = st.sampled_from([("give",), ("give",), ("fail",)])
tree = st.recursive(
    leaf,
    lambda node: st.one_of(
        st.tuples(st.sampled_from(["gather", "first", "after", "spawned"]), st.lists(node, min_size=1, max_size=3)),
        st.tuples(st.sampled_from(["timeout", "closes", "throws"]), node),
    ),
    max_leaves=8,
)


def numbered(node, numbers):
    """Return the program with its numbers."""
    what = node[0]
    if what in ("give", "fail"):
        return what, next(numbers)
    if what in ("timeout", "closes", "throws"):
        return what, next(numbers), numbered(node[1], numbers)
    return what, [numbered(child, numbers) for child in node[1]]


def shuffled(node):
    """Let the numbers be no hint at the order: those of a tree of n leaves come in another one."""
    numbers = list(range(40))
    return numbered(node, iter(numbers[1::2][::-1][8:] + numbers[::2]))


# The model.


def outcome(node, start):
    """Return when a part that begins at `start` ends if it is left alone, and what it gives then."""
    what, rest = node[0], node[1:]
    if what == "give":
        return start + 2 ** rest[0], ("gave", rest[0])
    if what == "fail":
        return start + 2 ** rest[0], ("failed", f"{rest[0]}")
    if what in ("timeout", "closes", "throws"):
        end, given = outcome(rest[1], start)
        limit = start + 2 ** rest[0]
        early = {"timeout": "the time was up", "closes": "closed", "throws": "thrown"}[what]
        if what == "timeout":
            return (end, given) if end < limit else (limit, ("failed", early))
        return (max(end, limit), given) if end < limit else (limit, ("failed", early))
    if what == "after":
        results = []
        for child in rest[0]:
            start, (how, result) = outcome(child, start)
            if how == "failed":
                return start, (how, result)
            results.append(result)
        return start, ("gave", results)
    ends = [outcome(child, start) for child in rest[0]]
    if what == "spawned":
        return max(end for end, _ in ends), ("gave", [given for _, given in ends])
    failed = [end for end in ends if end[1][0] == "failed"]
    if what == "first" or failed:
        return min(ends if what == "first" else failed, key=lambda end: end[0])
    return max(end for end, _ in ends), ("gave", [given[1] for _, given in ends])


def record(node, start, until, log, untaken):
    """Note how each leaf ends when the part begins at `start` and is unwound at `until`, and which errors nobody takes."""
    what, rest = node[0], node[1:]
    if start >= until:
        return
    end = outcome(node, start)[0]
    if what in ("give", "fail"):
        log.append((rest[0], ("gave" if what == "give" else "failed") if end < until else "unwound", min(end, until)))
    elif what == "timeout":
        record(rest[1], start, min(until, start + 2 ** rest[0]), log, untaken)
    elif what in ("closes", "throws"):
        limit = start + 2 ** rest[0]
        record(rest[1], start, limit if limit < until else inf, log, untaken)
        child_end, (how, word) = outcome(rest[1], start)
        if until <= limit or until <= child_end < limit:
            note(how, word, untaken)
    elif what == "after":
        for child in rest[0]:
            record(child, start, until, log, untaken)
            start, (how, _) = outcome(child, start)
            if how == "failed":
                break
    elif what == "spawned":
        taken = start
        for child in rest[0]:
            record(child, start, inf, log, untaken)
            child_end, (how, word) = outcome(child, start)
            taken = max(taken, child_end)
            if taken >= until:
                note(how, word, untaken)
    else:
        for child in rest[0]:
            decides = outcome(child, start)[0] == end
            record(child, start, until if decides else min(until, end), log, untaken)


def note(how, word, untaken):
    if how == "failed":
        untaken.append(word)


# The same with the package.


def made(node, names, clock, log):
    """Return the coroutine of a part."""
    what, rest = node[0], node[1:]
    if what in ("give", "fail"):
        return leaf_of(what, rest[0], clock, log)
    if what == "timeout":
        return limited(2 ** rest[0], made(rest[1], names, clock, log))
    if what in ("closes", "throws"):
        return ends(what, 2 ** rest[0], made(rest[1], names, clock, log), names)
    if what == "after":
        return after([lambda child=child: made(child, names, clock, log) for child in rest[0]])
    coroutines = [made(child, names, clock, log) for child in rest[0]]
    if what == "spawned":
        return spawned(coroutines, names)
    return gather(*coroutines) if what == "gather" else first(*coroutines)


def leaf_of(what, number, clock, log):
    how = "unwound"
    try:
        yield sleep(2**number)
        how = "gave" if what == "give" else "failed"
        if what == "fail":
            raise Mishap(f"{number}")
        return number
    finally:
        log.append((number, how, clock()))


def limited(seconds, coroutine):
    try:
        return (yield timeout(seconds, coroutine))
    except TimeoutError:
        raise Mishap("the time was up") from None


def ends(what, seconds, coroutine, names):
    p = yield names.spawn(coroutine)
    yield sleep(seconds)
    if what == "closes":
        p.close()
    elif not p.done:
        p.throw(Mishap("thrown"))
    try:
        return (yield p)
    except RuntimeError:
        raise Mishap("closed") from None


def after(makers):
    results = []
    for make in makers:
        results.append((yield make()))
    return results


def spawned(coroutines, names):
    started, given = [], []
    for coroutine in coroutines:
        started.append((yield names.spawn(coroutine)))
    for p in started:
        try:
            given.append(("gave", (yield p)))
        except Mishap as error:
            if not p.done:
                raise
            given.append(("failed", str(error)))
    return given


def played(core, program):
    """Return what the root gave, how the leaves ended, and the errors that nobody took."""
    names, reactor, log, untaken = load(core), Jumping(), [], []
    before, sys.unraisablehook = sys.unraisablehook, lambda told: untaken.append(str(told.exc_value))
    try:
        t = names.Waiting(reactor=reactor)
        p = t.spawn(made(program, names, reactor.clock, log))
        t.run()
        assert not t._all_parked()
        assert not t.queue
        try:
            given = "gave", p.result()
        except Mishap as error:
            given = "failed", str(error)
        del p
        t.close()
        gc.collect()
    finally:
        sys.unraisablehook = before
        reactor.close()
    return given, log, sorted(untaken)


@pytest.mark.parametrize("core", CORES)
@settings(max_examples=120, deadline=None)
@given(node=tree)
def test_random_programs_do_what_the_model_says(core, node):
    program = shuffled(node)
    log, untaken = [], []
    record(program, 0, inf, log, untaken)
    given, ended, reported = played(core, program)
    assert given == outcome(program, 0)[1]
    assert sorted(ended) == sorted(log)
    assert [when for _, _, when in ended] == sorted(when for _, _, when in ended)
    assert reported == sorted(untaken)


def test_the_model_is_not_trivial():
    program = numbered(("first", [("gather", [("give",), ("fail",)]), ("after", [("give",), ("give",)])]), count())
    log = []
    record(program, 0, inf, log, [])
    assert outcome(program, 0) == (2, ("failed", "1"))
    assert log == [(0, "gave", 1), (1, "failed", 2), (2, "unwound", 2)]
