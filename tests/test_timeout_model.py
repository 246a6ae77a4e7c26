"""Random trees of sleeps and timeouts, compared with a model of a few lines. On a clock that jumps."""

import contextlib

import pytest
from conftest import CORES, load
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated import Jumping

from trampoline import sleep, timeout

# A tree: (word, ...). It is run by `tree()`, and `model()` says when and how it ends, in whole seconds, if it begins at `now`.
trees = st.recursive(
    st.one_of(st.tuples(st.just("sleep"), st.integers(1, 40)), st.tuples(st.just("fail"))),
    lambda inner: st.one_of(
        st.tuples(st.just("timeout"), st.integers(1, 40), inner),
        st.tuples(st.just("then"), inner, inner),
        st.tuples(st.just("finally"), inner, inner),
        st.tuples(st.just("catch"), inner, inner),
    ),
    max_leaves=8,
)


class Up(Exception):
    """In the model: the time of the timeout with this number is up."""


def tree(t, log, word, *parts):
    """Run a tree. A timeout has half a second more than a number of whole ones."""
    log.append((word, t.reactor.now))
    if word == "sleep":
        yield sleep(parts[0])
    elif word == "fail":
        raise KeyError("failed")
    elif word == "timeout":
        yield timeout(parts[0] + 0.5, tree(t, log, *parts[1]))
    elif word == "then":
        yield tree(t, log, *parts[0])
        yield tree(t, log, *parts[1])
    elif word == "finally":
        try:
            yield tree(t, log, *parts[0])
        finally:
            yield tree(t, log, *parts[1])
    else:
        try:
            yield tree(t, log, *parts[0])
        except (KeyError, TimeoutError):
            yield tree(t, log, *parts[1])
    log.append((word, "ended", t.reactor.now))


def model(log, now, limits, word, *parts):
    """Return when that ends if it begins at `now`, or raise (KeyError or TimeoutError, when) or Up(limit, when). `limits`: [when, told]."""
    log.append((word, now[0]))
    if word == "sleep":
        due = [limit for limit in limits if not limit[1] and limit[0] <= now[0] + parts[0]]
        if due:
            first = min(due, key=lambda limit: limit[0])
            now[0], first[1] = max(now[0], first[0]), True
            raise Up(first)
        now[0] += parts[0]
    elif word == "fail":
        raise KeyError
    elif word == "timeout":
        pending = [limit for limit in limits if not limit[1] and limit[0] <= now[0]]
        if pending:
            first = min(pending, key=lambda limit: limit[0])
            first[1] = True
            raise Up(first)
        mine = [now[0] + parts[0] + 0.5, False]
        try:
            model(log, now, [*limits, mine], *parts[1])
        except Up as up:
            if up.args[0] is not mine:
                raise
        if mine[1]:
            raise TimeoutError
    elif word == "then":
        model(log, now, limits, *parts[0])
        model(log, now, limits, *parts[1])
    elif word == "finally":
        try:
            model(log, now, limits, *parts[0])
        finally:
            model(log, now, limits, *parts[1])
    else:
        try:
            model(log, now, limits, *parts[0])
        except (KeyError, TimeoutError):
            model(log, now, limits, *parts[1])
    log.append((word, "ended", now[0]))


def told(log, act):
    try:
        act()
    except (KeyError, TimeoutError) as error:
        log.append(type(error).__name__)
    return log


@pytest.mark.parametrize("name", CORES)
@settings(max_examples=150, deadline=None, derandomize=True)
@given(programs=st.lists(trees, min_size=1, max_size=3))
def test_random_trees_of_sleeps_and_timeouts_end_when_the_model_says(name, programs):
    reactor = Jumping()
    t = load(name).Waiting(reactor=reactor)
    logs = [[] for _ in programs]
    for log, program in zip(logs, programs, strict=True):
        t.add(tree(t, log, *program), name=str(len(logs)))
    ps = list(t.queue)
    while not all(p.done for p in ps):
        with contextlib.suppress(KeyError, TimeoutError):
            t.run()
    for log, p in zip(logs, ps, strict=True):
        told(log, p.result)
    assert logs == [told(log, lambda: model(log, [0], [], *program)) for program in programs for log in [[]]]  # noqa: B023 -- called at once
    assert not reactor.waiting
    reactor.close()
