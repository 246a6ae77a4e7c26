"""`gather()` and `first()`, by example: what they give, in which order the others are closed, and whom errors reach."""

import sys
import traceback

import pytest
from conftest import Park
from coroutines import Mishap, outcome, waits

from trampoline import Suspension, first, gather, in_thread, sleep, timeout

GROUPS = sys.version_info >= (3, 11)


class Log(list):
    """What happens. Each coroutine of it says how it ends."""

    def gives(self, value, turns=0):
        try:
            for _ in range(turns):
                yield sleep(0)
            self.append(f"{value} gives")
            return value
        except BaseException as error:
            self.append(f"{value} {type(error).__name__}")
            raise

    def fails(self, word, turns=0):
        for _ in range(turns):
            yield sleep(0)
        self.append(f"{word} fails")
        raise Mishap(word)

    def waits(self, word, on_suspension=None, raises=None):
        try:
            yield Park() if on_suspension is None else on_suspension
        finally:
            self.append(f"{word} is unwound")
            if raises is not None:
                raise raises


@pytest.fixture
def log():
    return Log()


@pytest.fixture
def t(core):
    with core.Waiting() as made:
        yield made


def yields_from(waited):
    return (yield from waited)


async def awaits(waited):
    return await waited


EACH_WAY = pytest.mark.parametrize("way", [waits, yields_from, awaits])
BOTH = pytest.mark.parametrize("together", [gather, first])


@EACH_WAY
def test_gather_gives_the_results_in_order(t, log, way):
    assert outcome(t, way(gather(log.gives(1, 3), log.gives(2), log.gives(3, 1)))) == [1, 2, 3]
    assert log == ["2 gives", "3 gives", "1 gives"]


@EACH_WAY
def test_first_gives_the_first_result_and_closes_the_others(t, log, way):
    assert outcome(t, way(first(log.gives(1, 3), log.gives(2, 1), log.gives(3, 2)))) == 2
    assert log == ["2 gives", "1 GeneratorExit", "3 GeneratorExit"]


def test_of_one(t, log):
    assert outcome(t, waits(gather(log.gives(1)))) == [1]
    assert outcome(t, waits(first(log.gives(1)))) == 1


def test_they_nest(t, log):
    def half(number):
        return (yield gather(log.gives(number), first(log.gives(number + 1, 1), log.waits("parked"))))

    assert outcome(t, waits(gather(half(1), half(3)))) == [[1, 2], [3, 4]]


def test_a_thousand(t):
    def gives(number):
        return number
        yield

    assert outcome(t, waits(gather(*[gives(i) for i in range(1000)]))) == list(range(1000))


async def native(value):
    await sleep(0)
    return value


def test_native_coroutines(t):
    assert outcome(t, waits(gather(native(1), native(2)))) == [1, 2]
    assert outcome(t, waits(first(native(1), native(2)))) == 1


def test_all_that_can_be_waited_for_may_stand_for_a_coroutine(t, log):
    p = t.spawn(log.gives("p", 3))
    assert outcome(t, waits(gather(p, sleep(0), in_thread(len, "abc"), p))) == ["p", None, 3, "p"]
    q = t.spawn(log.gives("q", 5))
    assert outcome(t, waits(first(q, log.gives(1, 1)))) == 1  # q goes on: it was not started here
    t.run()
    assert q.result() == "q"


@BOTH
def test_at_an_error_the_others_are_closed_and_then_it_goes_on(t, log, together):
    def root():
        try:
            yield together(log.gives(1, 5), log.fails(2, 1), log.waits(3), log.gives(4, 5))
        except Mishap as error:
            log.append("caught")
            return error

    error = outcome(t, root())
    assert log == ["2 fails", "1 GeneratorExit", "3 is unwound", "4 GeneratorExit", "caught"]
    assert error.__context__ is None
    names = [entry.name for entry in traceback.extract_tb(error.__traceback__)]
    if GROUPS:  # before CPython 3.11 a frame cannot take itself out
        assert names == ["root", "fails"]


def test_they_are_closed_before_anybody_else_has_a_turn(t, log):
    def bystander():
        for _ in range(10):
            log.append("bystander")
            yield sleep(0)

    t.add(bystander())
    with pytest.raises(Mishap):
        outcome(t, waits(gather(log.gives(1, 5), log.fails(2))))
    assert log[: log.index("1 GeneratorExit")].count("bystander") == log[: log.index("2 fails")].count("bystander")


@BOTH
def test_several_errors_are_a_group(t, log, together):
    angry = together(log.waits(1, raises=KeyError(1)), log.fails(2, 2), log.waits(3, raises=LookupError(3)), log.waits(4))
    with pytest.raises(Exception) as caught:  # noqa: PT011
        outcome(t, waits(angry))
    assert log == ["2 fails", "1 is unwound", "3 is unwound", "4 is unwound"]
    if not GROUPS:
        assert type(caught.value) is Mishap
        return
    assert type(caught.value).__name__ == "ExceptionGroup"
    assert [type(error) for error in caught.value.exceptions] == [Mishap, KeyError, LookupError]
    assert str(caught.value).startswith(f"3 errors in {together.__name__}() of 4")
    for error in caught.value.exceptions:
        assert [entry.name for entry in traceback.extract_tb(error.__traceback__)] in (["fails"], ["waits"])


def test_an_error_of_a_closed_one_goes_on_in_place_of_the_result_of_first(t, log):
    with pytest.raises(KeyError):
        outcome(t, waits(first(log.gives(1, 1), log.waits(2, raises=KeyError(2)))))


@BOTH
@pytest.mark.parametrize("way", ["throw", "close", "timeout", "close all"])
def test_who_waits_may_be_unwound(t, log, together, way):
    def root():
        try:
            yield timeout(0.2 if way == "timeout" else 60, together(log.waits(1, sleep(50)), log.waits(2, sleep(50))))
        except Mishap:
            return "thrown"
        except TimeoutError:
            return "late"

    def look():
        assert p.stack[-1].__name__ == together.__name__
        if way == "throw":
            p.throw(Mishap())
        elif way == "close":
            p.close()
        elif way == "close all":
            t.stop()

    p = t.add(root())
    if way != "timeout":
        t.add(act_after(9, look))
    t.run()
    if way == "close all":
        t.close()
    assert sorted(log) == ["1 is unwound", "2 is unwound"]
    assert not t._all_parked()
    if way in ("throw", "timeout"):
        assert p.result() == {"throw": "thrown", "timeout": "late"}[way]


def act_after(turns, act):
    for _ in range(turns):
        yield sleep(0)
    act()


@pytest.mark.parametrize("kind", [GeneratorExit, KeyError])
def test_what_is_thrown_in_and_what_closing_raises(t, log, kind):
    def root():
        yield gather(log.waits(1, raises=LookupError("in finally")), log.waits(2))

    p = t.spawn(root())
    t.add(act_after(3, lambda: p.throw(kind("thrown"))))
    t.run()
    with pytest.raises(Exception) as caught:  # noqa: PT011
        p.result()
    if kind is GeneratorExit:  # it only unwinds
        assert type(caught.value) is LookupError
    elif GROUPS:
        assert [type(error) for error in caught.value.exceptions] == [KeyError, LookupError]
    else:
        assert type(caught.value) is KeyError


def test_finally_blocks_that_wait_are_an_error_in_a_timeout_too(t):
    """For they are closed, which the callee of a timeout() is not."""

    def waits_in_the_end():
        try:
            yield sleep(10)
        finally:
            yield sleep(1)

    p = t.spawn(timeout(1, gather(waits_in_the_end(), waits_in_the_end())))
    t.run()
    with pytest.raises(Exception, match="2 errors" if GROUPS else "ignored GeneratorExit") as caught:
        p.result()
    for error in caught.value.exceptions if GROUPS else [caught.value]:
        assert "ignored GeneratorExit" in str(error)


def test_an_interruption_of_a_gather_that_has_not_begun_closes_its_coroutines(t, log):
    with pytest.raises(TimeoutError):  # and no warning that a coroutine "was never awaited"
        outcome(t, waits(timeout(0, gather(native(1), log.gives(2)))))
    assert log == []


def test_one_of_them_closes_who_waits_for_it(core, t, log):
    def child():
        yield sleep(0)
        root.close()
        log.append("goes on to the end of its turn")
        try:
            yield sleep(0)
        finally:
            log.append("child is unwound")

    root = t.add(waits(gather(log.waits(1), child())))
    t.run()
    assert log == ["1 is unwound", "goes on to the end of its turn", "child is unwound"]
    assert root.done


def test_one_of_them_is_closed_by_others(t, log):
    class Closes(Suspension):
        def suspend(self, pseudothread):
            pseudothread.close()

    with pytest.raises(RuntimeError, match=r"<Pseudothread '.*waits' ended> was closed before it had a result"):
        outcome(t, waits(gather(log.waits(1), log.waits(2, Closes()))))
    assert log == ["2 is unwound", "1 is unwound"]


def test_who_waits_is_resumed_by_hand(t, log):
    p = t.add(waits(gather(log.waits(1), log.waits(2))))
    t.add(act_after(3, lambda: p.resume("by hand")))
    t.run()
    assert p.result() == "by hand"
    assert log == ["1 is unwound", "2 is unwound"]


def test_a_thread_throws_into_who_waits(t, log):
    p = t.spawn(waits(gather(log.waits(1, sleep(50)), in_thread(lambda: p.throw(Mishap("by a thread"))))))
    t.run()
    with pytest.raises(Mishap, match="by a thread"):
        p.result()
    assert log == ["1 is unwound"]


def test_keyboard_interrupt_in_one_of_them_goes_to_who_waits(t, log):
    def interrupted():
        yield sleep(0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        outcome(t, waits(gather(log.waits(1), interrupted())))
    assert log == ["1 is unwound"]


def test_what_waits_for_it_is_told(t, log):
    p = t.add(waits(gather(log.gives(1), log.waits(2))))
    t.add(act_after(4, t.stop))
    t.run()
    assert repr(p.waits_for) == "gather() of 2, 1 left"
    (child,) = p.waits_for.pseudothreads
    assert child.added[0] == __file__


# What is refused, and of nothing.


def test_of_nothing(t):
    assert outcome(t, waits(gather())) == []
    with pytest.raises(ValueError, match=r"^first\(\) takes at least one coroutine"):
        first()


@BOTH
def test_the_same_coroutine_twice(together, log):
    one, other = log.gives(1), log.gives(2)
    with pytest.raises(ValueError, match=rf"^{together.__name__}\(\) was given <generator .* twice, the second time as number 3"):
        together(one, other, one)
    assert log == []
    assert one.gi_frame.f_lasti == log.gives(3).gi_frame.f_lasti  # not started


@BOTH
@pytest.mark.parametrize("wrong", [None, 5, native, Log.gives, [1]])
def test_what_cannot_be_waited_for(together, log, wrong):
    good = log.gives(1)
    with pytest.raises(TypeError, match=rf"^{together.__name__}\(\) takes a coroutine"):
        together(good, wrong)
    assert good.gi_frame.f_lasti == log.gives(3).gi_frame.f_lasti
