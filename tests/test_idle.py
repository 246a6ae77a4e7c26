"""A `run()` that waits holds nothing of its last turn: a server that is idle for hours must not keep its last client's socket open."""

import contextlib
import gc
import weakref

import pytest
from conftest import REFERENCE_COUNTS
from simulated import Jumping

from trampoline import sleep


class Token:
    """What can be watched."""


@pytest.fixture
def t(core):
    """A trampoline on a clock that jumps, in which one pseudothread waits all the time."""
    reactor = Jumping()
    with core.Waiting(reactor=reactor) as trampoline:
        trampoline.add(sleeps(100))
        yield trampoline
    reactor.close()


def sleeps(seconds):
    yield sleep(seconds)


def run(t, watched):
    """Run, and return what of the watched is alive when nothing is left to do but to wait."""
    alive = []
    t.reactor.at(50, lambda: alive.extend(ref() for ref in watched if ref() is not None))
    collecting = gc.isenabled()
    gc.disable()
    try:
        t.run()
    finally:
        if collecting:
            gc.enable()
    return alive


@pytest.mark.skipif(not REFERENCE_COUNTS, reason="when what was let go is gone is the collector's affair on PyPy")
@pytest.mark.parametrize("end", ["a result by a yield", "a result by a return", "an error that is caught", "a wait", "a sent value"])
def test_what_the_last_turn_let_go_is_gone(t, park, end):
    def token():
        made = Token()
        watched.append(weakref.ref(made))
        return made

    def root(kept):
        if end == "a sent value":
            yield takes()
        elif end == "an error that is caught":
            with contextlib.suppress(KeyError):
                yield fails(token())
            yield None
        elif end == "a wait":
            got = yield park
            del got
            yield park
        elif end == "a result by a yield":
            yield None

    def takes():
        yield callee()
        yield park  # with the value of the callee's in the hands of the last turn but one

    def callee():
        yield token()

    def fails(kept):
        raise KeyError(kept)
        yield

    watched = []
    p = t.add(root(token()))
    if end == "a wait":
        t.reactor.at(1, lambda: p.resume(token()))
    if end in ("a wait", "a sent value"):
        t.reactor.at(60, lambda: p.close())
        mine = watched[0]()  # the root is not at its end, and has it
    alive = run(t, watched)
    assert alive == ([mine] if end in ("a wait", "a sent value") else [])
    assert len(watched) > 1 or end.startswith("a result")


@pytest.mark.skipif(not REFERENCE_COUNTS, reason="when what was let go is gone is the collector's affair on PyPy")
def test_what_is_let_go_then_may_add_and_stop(t):
    class Adding:
        def __del__(self):
            t.add(logs("added"))
            if stops:
                t.stop()

    def logs(word):
        log.append((word, t.reactor.now))
        yield

    def root(kept):
        yield None

    for stops in (False, True):
        log = []
        t.add(root(Adding()))
        gc.collect()
        t.run()
        if stops:
            assert log == []
            t.run()
        assert log == [("added", 0 if not stops else 100)]


def test_run_still_returns_the_last_result(t):
    def root():
        yield "the last result"

    p = t.add(root())
    t.reactor.at(50, lambda: [other.close() for other in t._all_parked()])
    assert t.run() == "the last result"
    assert p.result() == "the last result"
