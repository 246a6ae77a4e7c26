"""`call()`: the same as a plain yield of the callee, and to whoever drives it by hand a generator, on both cores."""

import gc
import sys
import traceback
import weakref

import pytest

VALUES = [None, 5, (1, 2), (), ValueError("a value"), StopIteration(7), KeyError]


def give(value):
    """Return the value."""
    return value
    yield


class Watched:
    """Something to refer to weakly."""


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_any_value_arrives(core, value):
    def root():
        return (yield from core.call(give(value)))

    async def native():
        return await core.call(give(value))

    for coroutine in (root(), native()):
        t = core.Trampoline()
        t.add(coroutine)
        assert t.run() is value


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_by_hand_it_is_a_generator(core, value):
    callee = give(1)
    call = core.call(callee)
    with pytest.raises(TypeError, match="just-started"):
        call.send(1)
    assert next(call) is callee
    with pytest.raises(StopIteration) as caught:
        call.send(value)
    assert type(caught.value) is StopIteration
    assert caught.value.value is value
    with pytest.raises(StopIteration) as caught:
        call.send(5)
    assert caught.value.value is None
    assert next(call, "end") == "end"


@pytest.mark.filterwarnings("ignore:the .type, exc, tb. signature")
@pytest.mark.parametrize("steps", [0, 1, 2])
def test_it_ends_by_throw_and_close(core, steps):
    for arguments in ((KeyError("x"),), (KeyError,), (KeyError, "x"), (KeyError, KeyError("x"), None)):
        call = core.call(give(1))
        for _ in range(steps):
            next(call, None)
        with pytest.raises(KeyError):
            call.throw(*arguments)
        assert next(call, "end") == "end"
    call = core.call(give(1))
    for _ in range(steps):
        next(call, None)
    assert call.close() is None
    assert next(call, "end") == "end"


def test_awaited_again_it_has_no_value(core):
    async def root():
        call = core.call(give(5))
        return [await call, await call]

    t = core.Trampoline()
    t.add(root())
    assert t.run() == [5, None]


def test_without_from_it_is_a_coroutine_like_any_other(core):
    def root():
        return (yield core.call(give(5)))

    def tail():
        raise core.TailCall(core.call(give(6)))
        yield

    t = core.Trampoline()
    for coroutine, result in ((root(), 5), (tail(), 6), (core.call(give(7)), 7)):
        p = t.add(coroutine)
        assert t.run() == result == p.result()
    t.add(core.call(42))
    with pytest.raises(TypeError, match=r"call\(\) takes a coroutine"):
        t.run()
    assert "at call>" in repr(t.add(core.call(give(1))))


def test_what_is_over_keeps_nothing(core):
    gone, calls = [], []

    def child():
        value = Watched()
        gone.append(weakref.ref(value))
        return value
        yield

    def root():
        yield from core.call(child())
        calls.append(core.call(child()))
        yield from calls[0]

    t = core.Trampoline()
    t.add(root())
    t.run()
    gc.collect()
    assert [reference() for reference in gone] == [None, None]


def test_cycles_through_it_are_collected(core):
    gone = []

    def child(holder):
        yield holder

    for steps in (0, 1):
        holder = Watched()
        holder.call = core.call(child(holder))
        if steps:
            holder.callee = next(holder.call)
        gone.append(weakref.ref(holder))
        del holder
    gc.collect()
    assert [reference() for reference in gone] == [None, None]


def test_who_traces_sees_the_value_and_may_keep_the_stop(core):
    seen = []

    def trace(frame, event, argument):
        if event == "exception":
            seen.append(argument)
        return trace

    def root():
        values = []
        for i in range(5):
            values.append((yield from core.call(give([i]))))
        return values

    t = core.Trampoline()
    t.add(root())
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        result = t.run()
    finally:
        sys.settrace(before)
    assert result == [[0], [1], [2], [3], [4]]
    assert all(error.value in [*result, result] for _, error, _ in seen if isinstance(error, StopIteration))
    t.add(root())
    assert t.run() == result


def test_errors_through_it_show_the_callers_only(core):
    def fails():
        raise KeyError("x")
        yield

    def caller():
        yield from core.call(fails())

    async def native():
        await core.call(caller())

    t = core.Trampoline()
    t.add(native())
    with pytest.raises(KeyError) as caught:
        t.run()
    names = [entry.name for entry in traceback.extract_tb(caught.value.__traceback__)]
    assert names[-3:] == ["native", "caller", "fails"]
    assert caught.value.__context__ is None
