"""However a `timeout()` ends, nothing is left of it: no deadline, no frame, no object. On a clock that jumps."""

import gc
import sys
import types
import weakref

import pytest
from conftest import REFERENCE_COUNTS, let_go
from coroutines import outcome, value
from simulated import limited, native, sleeper

from trampoline import sleep, timeout

ends = {"close": lambda p: p.close(), "throw": lambda p: p.throw(KeyError("thrown")), "resume": lambda p: p.resume("early")}


@pytest.mark.parametrize("end", ends)
@pytest.mark.parametrize("wrap", [0, 1, 3])
def test_however_it_ends_no_deadline_is_left(t, end, wrap):
    def waits(levels):
        return (yield (timeout(20 + levels, waits(levels - 1)) if levels else sleep(10)))

    p = t.add(waits(wrap))
    t.queue.append(t.stop)
    t.run()
    while p.state == "queued":
        t.queue.popleft()()
    assert t.reactor.waiting
    assert t._limits == wrap
    ends[end](p)
    if end == "throw":
        with pytest.raises(KeyError, match="thrown"):
            t.run()
    else:
        assert t.run() == (None if end == "close" else "early")
    assert p.done
    assert t._limits == 0
    if end != "resume" or wrap:  # whoever resumes a sleeper by hand leaves its deadline, which wakes nobody
        assert t.reactor.waiting is (end == "resume")
    t.reactor.close()


@pytest.mark.parametrize("turns", range(6))
def test_closed_after_any_number_of_turns(t, turns):
    log = []

    def callee():
        try:
            yield sleep(5)
        finally:
            log.append("finally")

    p = t.add(limited(t, 9, callee()))
    for _ in range(turns):
        if t.queue:
            t.queue.popleft()()
    p.close()
    assert log == (["finally"] if turns > 3 else [])
    assert not t.reactor.waiting


def test_a_timeout_that_was_never_begun():
    def drops():
        timeout(1, native(None))
        let_go()

    timeout(1, sleep(1))
    timeout(1, limited(None, 1, sleep(1))).close()
    with pytest.warns(RuntimeWarning, match="never awaited"):
        drops()


@pytest.mark.filterwarnings("ignore:coroutine 'native' was never awaited:RuntimeWarning")
@pytest.mark.parametrize("turns", range(1, 8))
def test_a_trampoline_that_is_dropped_is_collected_with_its_timeouts(core, turns):
    t = core.Waiting()
    alive = [weakref.ref(t.add(limited(t, 900, wait))) for wait in (sleeper(t, 500, []), sleep(500), native(t), timeout(800, sleep(500)))]
    alive.append(weakref.ref(t))
    for _ in range(turns * 4):
        if t.queue:
            t.queue.popleft()()
    if turns > 6:
        alive.append(weakref.ref(t.reactor))
        assert len(t._all_parked()) == 4
    del t
    gc.collect()
    gc.collect()  # what the finalizers let go
    assert [ref() for ref in alive if ref() is not None] == []


def frames(error):
    """Return the names of the functions in the traceback, from the first that is of this file."""
    names, traceback = [], error.__traceback__
    while traceback is not None:
        names.append(traceback.tb_frame.f_code.co_name)
        traceback = traceback.tb_next
    return names


@pytest.mark.parametrize("how", ["yield", "yield from"])
def test_the_traceback_has_no_frame_of_timeout(t, how):
    def fails():
        yield sleep(1)
        raise KeyError("mine")

    def late():
        yield sleep(10)

    def root(callee):
        if how == "yield":
            yield timeout(3, callee)
        else:
            yield from timeout(3, callee)

    for callee, error, names in ((fails(), KeyError, ["root", "fails"]), (late(), TimeoutError, ["root"])):
        p = t.add(root(callee))
        with pytest.raises(error) as caught:
            t.run()
        assert caught.value.__context__ is None
        assert caught.value.__cause__ is None
        with pytest.raises(error) as again:
            p.result()
        if sys.version_info >= (3, 11):  # before that a frame cannot take itself out
            shown = [name for name in frames(again.value) if not name.endswith("result")]
            assert shown == ["test_the_traceback_has_no_frame_of_timeout", *names]


class Token:
    """What can be watched."""


LEFT_BEHIND = (types.GeneratorType, types.CoroutineType, types.FrameType, types.TracebackType)


@pytest.mark.skipif(not REFERENCE_COUNTS, reason="what is freed without a collection is CPython's affair")
@pytest.mark.parametrize("end", ["result", "error", "late", "swallowed", "closed"])
def test_nothing_is_kept_alive_and_there_are_no_cycles(core, t, end):
    watched = []

    def token():
        made = Token()
        watched.append(weakref.ref(made))
        return made

    def callee(kept):
        if end == "swallowed":
            try:
                yield sleep(20)
            except BaseException:
                return token()
        yield sleep(1 if end in ("result", "error") else 20)
        if end == "error":
            raise KeyError(token())
        return token()

    def root():
        try:
            yield timeout(5, callee(token()))
        except (TimeoutError, KeyError) as error:
            caught.append(error)
        yield sleep(1)

    caught = []
    gc.collect()
    gc.disable()
    try:
        p = t.add(root())
        watched.append(weakref.ref(p))
        if end == "closed":
            t.reactor.at(2, p.close)
        t.run()
        assert len(caught) == (end in ("error", "late", "swallowed"))
        if end != "error":  # that has the value, and the frame of the callee
            assert [ref() for ref in watched[:-1] if ref() is not None and ref() is not p] == []
        caught.clear()
        t.queue.append(bool)  # the last turn's value goes with the next entry
        t.run()
        del p
        assert [ref() for ref in watched if ref() is not None] == []
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        assert [
            thing for thing in gc.garbage if isinstance(thing, (Token, BaseException, *LEFT_BEHIND, type(t.add(sleeper(t, 0, [])))))
        ] == []
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def test_cancelled_deadlines_do_not_pile_up(t):
    def many():
        for _ in range(3000):
            yield timeout(1e6, sleep(0))
        return sum(type(thing).__name__ == "Deadline" for thing in gc.get_objects())

    t.add(sleeper(t, 2e6, []))
    assert outcome(t, many()) < 300
    assert t.reactor.now == 2e6


@pytest.mark.parametrize("when", [None, 2, 9])
@pytest.mark.parametrize("which", ["the coroutine", "the timeout() itself"])
def test_a_coroutine_that_somebody_else_closes(t, which, when):
    """As with any callee: its `finally` blocks run at once, and when what it waited for has come its caller is sent None."""

    def callee():
        try:
            yield sleep(5 if when == 2 else 20)
        finally:
            log.append("finally")

    def root(call):
        try:
            got.append((yield call))
        except TimeoutError:
            got.append("late")
        got.append(t.reactor.now)
        yield sleep(100)  # in which nothing interrupts any more

    log, got = [], []
    inner = callee()
    wrapped = timeout(9, inner)
    p = t.add(root(wrapped))
    closed = inner if which == "the coroutine" else wrapped
    if when is None:
        closed.close()
    else:
        t.reactor.at(when, closed.close)  # before the deadline of the same moment
    t.run()
    assert p.done
    assert log == ([] if when is None else ["finally"])
    assert got == {None: [None, 0], 2: [None, 5], 9: ["late", 9] if which == "the coroutine" else [None, 20]}[when]


@pytest.mark.parametrize("first", ["resumed", "timed out"])
@pytest.mark.parametrize("again", ["waits again", "ends"])
def test_resumed_by_hand_and_timed_out_at_the_same_moment(t, park, first, again):
    """What comes first counts: a value that was sent is never lost, and an interruption comes with the next wait or not at all."""

    def callee():
        got.append((yield park))
        if again == "waits again":
            yield park
        return "done"

    def root():
        try:
            got.append((yield timeout(5, callee())))
        except TimeoutError:
            got.append("late")

    def resumes():
        try:
            park.last.resume("a value")
        except RuntimeError:
            got.append("refused")

    got = []
    p = t.add(root())
    t.reactor.at(5 if first == "resumed" else 5.0000001, resumes)
    if first == "timed out":
        t.reactor.at(4, lambda: setattr(t.reactor, "now", 6))  # both are due in the same poll
    t.run()
    assert p.done
    if first == "timed out":
        assert got == ["refused", "late"]
    else:
        assert got == ["a value", "late" if again == "waits again" else "done"]


@pytest.mark.parametrize("waits_again", [False, True])
def test_two_limits_are_up_before_it_waits(core, waits_again):
    """Who makes calls and does not wait is told when it does: of the inner one first, of the outer one if it waits once more."""
    seen, told = [0.0], []

    def busy():
        seen[0] += 5
        for _ in range(10_000):  # in which the clock is looked at
            yield value(1)
        yield sleep(1)

    def inner():
        try:
            yield timeout(2, busy())
        except TimeoutError as error:
            told.append(str(error))
        if waits_again:
            yield sleep(0)
        return "the inner one's"

    def root():
        try:
            return (yield timeout(3, inner()))
        except TimeoutError as error:
            told.append(str(error))
            return "none"

    t = core.Waiting(clock=lambda: seen[0])
    p = t.add(root())
    t.run()
    assert p.result() == ("none" if waits_again else "the inner one's")
    assert told == ["the 2.0 seconds of timeout() were up", "the 3.0 seconds of timeout() were up"][: 1 + waits_again]
