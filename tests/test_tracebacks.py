"""What an error shows: the user's frames in logical order, outermost caller first, at most one frame of the package, and no `__context__`,
`__cause__` or handled exception that the user's code did not give it."""

import contextlib
import os
import sys
import traceback

import pytest
from conftest import REFERENCE_COUNTS
from coroutines import value

import trampoline
from trampoline._recipe import Mended

PACKAGE = os.path.dirname(trampoline.__file__)


def frames_of(error):
    """Return the functions in the traceback of `error` and how many other frames there are, which are the package's."""
    users, others = [], 0
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.startswith(PACKAGE) or frame.filename.endswith((".pyx", ".pxi")):
            others += 1
        else:
            users.append(frame.name)
    return users, others


def caught(act, *args):
    """Return the error that `act` raises, its traceback without the frame of this function."""
    try:
        act(*args)
    except BaseException as error:
        return error.with_traceback(error.__traceback__.tb_next)
    pytest.fail("no error")


def innermost(error):
    yield value(1)
    helper(error)


def helper(error):
    raise error


def by_yield(error, call):
    yield innermost(error)


def by_yield_from_call(error, call):
    yield from call(innermost(error))


async def by_await_call(error, call):
    await call(innermost(error))


def after_other_calls(error, call):
    yield value(1)
    with contextlib.suppress(KeyError):
        yield innermost(KeyError("another"))
    yield innermost(error)


CALLS = [by_yield, by_yield_from_call, by_await_call, after_other_calls]


@pytest.mark.parametrize("middle", CALLS)
def test_the_frames_are_the_users_in_logical_order(core, middle):
    def outermost():
        yield middle(error, core.call)

    error = ValueError("deep")
    t = core.Trampoline()
    t.add(outermost())
    assert caught(t.run) is error
    assert frames_of(error) == (["outermost", middle.__name__, "innermost", "helper"], 1)
    assert (error.__context__, error.__cause__) == (None, None)


@pytest.mark.parametrize("middle", CALLS)
@pytest.mark.parametrize("foreign", [False, True])
def test_the_same_with_others_in_the_queue_and_in_a_foreign_queue(core, middle, foreign):
    def outermost():
        yield middle(error, core.call)

    error = ValueError("deep")
    t = core.Trampoline()
    if foreign:
        t.queue = type(Mended().queue)()
    t.add(outermost())
    for n in range(3):
        t.add(value(n))
    assert caught(t.run) is error
    assert frames_of(error) == (["outermost", middle.__name__, "innermost", "helper"], 1)
    assert error.__context__ is None


def test_an_overridden_schedule_adds_nothing(core):
    class Own(core.Trampoline):
        def schedule(self, coroutine, stack=(), val=None, *exc):
            return super().schedule(coroutine, stack, val, *exc)

    error = ValueError("deep")
    t = Own()
    t.add(by_yield(error, None))
    assert caught(t.run) is error
    assert frames_of(error) == (["by_yield", "innermost", "helper"], 1)
    assert error.__context__ is None


def test_a_reraised_error_grows_by_the_users_frames_alone(core):
    def again():
        try:
            yield innermost(error)
        except ValueError:
            yield value("between")
            raise

    error = ValueError("deep")
    t = core.Trampoline()
    t.add(again())
    assert caught(t.run) is error
    native = frames_of(error)[0]
    assert native[0] == "again"
    assert [name for name in native if name != "again"] == ["innermost", "helper"]
    assert frames_of(error)[1] == 1


def test_a_context_is_the_one_that_the_users_code_gives(core):
    first, second = KeyError("first"), ValueError("second")

    def middle():
        try:
            yield innermost(first)
        finally:
            raise second

    def outermost():
        try:
            yield middle()
        except ValueError as error:
            raise OSError("third") from error

    t = core.Trampoline()
    t.add(outermost())
    third = caught(t.run)
    assert (third.__cause__, third.__context__) == (second, second)
    assert second.__context__ is first
    assert first.__context__ is None


def test_no_coroutine_is_resumed_while_an_exception_of_ours_is_handled(core, park):
    handled = []

    def look(result):
        handled.append(sys.exc_info()[1])
        yield result

    def root(error):
        try:
            yield innermost(error)
        except ValueError as raised:
            handled.append(sys.exc_info()[1] is raised)
        yield look(1)
        handled.append(sys.exc_info()[1])
        try:
            yield park
        finally:
            handled.append(type(sys.exc_info()[1]))

    t = core.Trampoline()
    t.add(look(2))
    p = t.add(root(ValueError("deep")))
    t.add(look(3))
    t.run()
    p.close()
    assert handled == [None, None, True, None, None, GeneratorExit]


def in_except_block(act):
    """Call `act` while an error is handled and return the error that it raises."""
    try:
        raise LookupError("handled outside")
    except LookupError:
        return caught(act)


def test_run_in_an_except_block_gives_a_thrown_error_the_context_that_a_generators_throw_gives(core, park):
    error = ValueError("made elsewhere")

    def root():
        yield park

    native = root()
    next(native)
    assert in_except_block(lambda: native.throw(error)) is error
    expected = type(error.__context__)
    assert error.__context__ is None or not REFERENCE_COUNTS  # PyPy's generators give one
    error.__context__ = error.__traceback__ = None
    t = core.Trampoline()
    p = t.add(root())
    t.run()
    p.throw(error)
    assert in_except_block(t.run) is error
    assert type(error.__context__) in (expected, type(None))
    assert frames_of(error) == (["root"], 1)


def test_result_in_an_except_block_gives_the_error_no_context(core):
    error = ValueError("of the root")
    t = core.Trampoline()
    p = t.add(innermost(error))
    caught(t.run)
    assert in_except_block(p.result) is error
    assert error.__context__ is None


def test_close_in_an_except_block_gives_the_error_the_context_that_a_generators_close_gives(core, park):
    error = ValueError("of the finally")

    def root():
        with contextlib.suppress(GeneratorExit):
            yield park
        raise error

    native = root()
    next(native)
    assert in_except_block(native.close) is error
    expected = type(error.__context__)
    for close in (lambda t, p: p.close(), lambda t, p: t.close()):
        t = core.Trampoline()
        p = t.add(root())
        t.run()
        error.__context__ = error.__traceback__ = None
        assert in_except_block(lambda: close(t, p)) is error  # noqa: B023
        assert type(error.__context__) is expected or not REFERENCE_COUNTS and error.__context__ is None  # PyPy's generators give one more


@pytest.mark.parametrize("middle", [by_yield_from_call, by_await_call])
def test_an_error_of_close_shows_the_users_frames_alone(core, park, middle):
    def closing():
        try:
            yield park
        finally:
            helper(error)

    def outermost():
        yield from core.call(closing())

    async def awaiting():
        await core.call(closing())

    error = ValueError("while it was closed")
    t = core.Trampoline()
    p = t.add(outermost() if middle is by_yield_from_call else awaiting())
    t.run()
    assert caught(p.close) is error
    users, others = frames_of(error)
    assert [name for name in users if name != "<lambda>"][-3:] == [p.name.split(".")[-1], "closing", "helper"]
    assert others <= 1


def test_calling_an_entry_shows_one_frame_of_ours(core):
    error = ValueError("at once")

    def root():
        helper(error)
        yield

    t = core.Trampoline()
    t.add(root())
    assert caught(t.queue.popleft()) is error
    assert frames_of(error) == (["root", "helper"], 1)


def test_a_callable_in_the_queue_shows_its_own_frame(core):
    error = ValueError("callable")
    t = core.Trampoline()
    t.queue.append(lambda: helper(error))
    assert caught(t.run) is error
    assert frames_of(error) == (["<lambda>", "helper"], 1)


def test_an_error_of_suspend_shows_the_yield_and_the_suspend(core):
    class Fails(core.Suspension):
        def suspend(self, pseudothread):
            helper(error)

    def root():
        yield Fails()

    error = ValueError("suspend")
    t = core.Trampoline()
    t.add(root())
    assert caught(t.run) is error
    assert frames_of(error) == (["root", "suspend", "helper"], 1)
    assert error.__context__ is None


def test_trampoline_shows_its_own_frame_alone(core, monkeypatch):
    def outermost():
        yield by_yield(error, None)

    monkeypatch.setattr("trampoline._trampoline.Trampoline", core.Trampoline)
    error = ValueError("deep")
    assert caught(trampoline.trampoline, outermost()) is error
    assert frames_of(error) == (["outermost", "by_yield", "innermost", "helper"], 1)
    assert error.__context__ is None


def test_an_error_of_what_trampoline_leaves_keeps_its_context(core, park, monkeypatch):
    def root():
        try:
            yield park
        finally:
            raise error

    monkeypatch.setattr("trampoline._trampoline.Trampoline", core.Trampoline)
    error = ValueError("nobody wakes me")
    assert caught(trampoline.trampoline, root()) is error
    assert isinstance(error.__context__, GeneratorExit)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="notes are of CPython 3.11 and newer")
def test_a_note_says_whose_error_it_is(core):
    t = core.Trampoline()
    error = ValueError("noted")
    t.add(innermost(error), name="mine")
    line = sys._getframe().f_lineno - 1
    caught(t.run)
    assert error.__notes__ == [f"in pseudothread 'mine', added at {__file__}:{line}"]
    inside = ValueError("caught inside")

    def catching():
        try:
            yield innermost(inside)
        except ValueError:
            yield "fine"

    t.add(catching())
    t.run()
    assert not hasattr(inside, "__notes__")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="notes are of CPython 3.11 and newer")
@pytest.mark.filterwarnings("error")
def test_an_error_that_takes_no_note_leaves_as_it_is(core):
    class Stubborn(Exception):
        def add_note(self, note):
            raise TypeError("no notes")

    error = Stubborn()
    t = core.Trampoline()
    t.add(innermost(error))
    assert caught(t.run) is error


def raises_in_every_file(core):
    """Return for each error of ours the function that was called and the name in the last entry of its traceback."""

    def root():
        yield

    def shown(called, *arguments):
        with pytest.raises((TypeError, RuntimeError, IndexError, AttributeError)) as caught:
            called(*arguments)
        return called.__name__, traceback.extract_tb(caught.value.__traceback__)[-1].name.rpartition(".")[2]

    t = core.Trampoline()
    p = t.add(root())
    errors = [shown(p.resume), shown(p.throw, 1), shown(p.throw, KeyError), shown(p.result), shown(p.__call__), shown(p.__reduce__)]
    errors += [shown(t.queue.append, p), shown(t.queue.append, 1), shown(t.queue.appendleft, p), shown(t.queue.__reduce__)]
    errors += [shown(t.add, 1), shown(t.schedule, 1), shown(t.schedule, root(), 1), shown(t.__reduce__)]
    t.queue.clear()
    return [*errors, shown(t.queue.popleft)]


def test_an_error_of_ours_is_shown_where_it_was_raised(core):
    for called, shown in raises_in_every_file(core):
        assert shown.strip("_") in (called.strip("_"), "exception_of", "enter", "check_root", "check_stack", "unpark")
