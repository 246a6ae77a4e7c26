"""`trampoline(coroutine)` runs one call tree to its end; `TailCall` replaces a running coroutine at constant depth.

Both are held against the loop of PyPI's `trampoline` 0.1.2: they are a superset of it, so programs written for it must not see a
difference.
"""

import gc
import sys

import pytest
from coroutines import value as giving

import trampoline as package

ON_CPYTHON = sys.implementation.name == "cpython"


@pytest.fixture
def trampoline(core, monkeypatch):
    """The function, on the core of this test."""
    monkeypatch.setattr("trampoline._trampoline.Trampoline", core.Waiting)
    monkeypatch.setattr("trampoline._trampoline.core", core.module)
    return package.trampoline


class PypiTailCall(BaseException):
    def __init__(self, call):
        self.call = call


def pypi_trampoline(call):
    """The loop of PyPI's trampoline 0.1.2 with its TailCall."""
    stack, result, failure = [call], None, None
    while stack:
        try:
            if failure is not None:
                thrown, failure = failure, None
                callee = stack[-1].throw(thrown)
            elif result is None:
                callee = next(stack[-1])
            else:
                sent, result = result, None
                callee = stack[-1].send(sent)
            stack.append(callee)
        except StopIteration as stop:
            stack.pop()
            result = stop.value
        except PypiTailCall as tail:
            stack[-1] = tail.call
        except BaseException as error:
            stack.pop()
            failure = error
    if failure is not None:
        raise failure
    return result


def plain(tail, log):
    return 42
    yield


def nothing(tail, log):
    if log is None:
        yield


def factorial(tail, log, n=10):
    if n < 2:
        return 1
    return n * (yield factorial(tail, log, n - 1))


def falsy_results(tail, log):
    for result in (None, 0, "", False, []):
        log.append((yield give(result)))
    return 0


def give(result):
    return result
    yield


def tail_factorial(tail, log, n=10, product=1):
    if n < 2:
        return product
    raise tail(tail_factorial(tail, log, n - 1, product * n))
    yield


def tail_call_below_a_caller(tail, log):
    got = yield tail_factorial(tail, log)
    log.append(got)
    raise tail(give(got + 1))


def failing(error):
    raise error
    yield


def an_error_reaches_the_caller(tail, log):
    try:
        yield failing(KeyError("one"))
    except KeyError as error:
        log.append(error.args)
    got = yield give("goes on")
    log.append(got)
    yield failing(ValueError("out"))


def an_error_of_a_tail_call_reaches_the_caller(tail, log):
    def replaced():
        try:
            raise tail(failing(KeyError("behind")))
            yield
        finally:
            log.append("replaced")

    try:
        yield replaced()
    except KeyError as error:
        log.append(error.args)
        raise


def finally_in_order(tail, log):
    def level(n):
        try:
            if n == 3:
                raise OSError(n)
            return (yield level(n + 1))
        finally:
            log.append(n)

    yield level(0)


def system_exit_travels(tail, log):
    try:
        yield failing(SystemExit(3))
    except SystemExit as error:
        log.append(error.code)
        raise KeyboardInterrupt from None


def a_finished_one_is_called_again(tail, log):
    callee = give(1)
    log.append((yield callee))
    log.append((yield callee))
    return "end"


PROGRAMS = [
    plain,
    nothing,
    factorial,
    falsy_results,
    tail_factorial,
    tail_call_below_a_caller,
    an_error_reaches_the_caller,
    an_error_of_a_tail_call_reaches_the_caller,
    finally_in_order,
    system_exit_travels,
    a_finished_one_is_called_again,
]


def record(run, program, tail):
    log = []
    try:
        log.append(("returned", run(program(tail, log))))
    except BaseException as error:
        log.append(("raised", type(error), error.args, type(error.__context__), type(error.__cause__)))
    return log


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_same_as_pypis(trampoline, core, program):
    assert record(trampoline, program, core.TailCall) == record(pypi_trampoline, program, PypiTailCall)


def test_a_superset_of_pypis(trampoline, core):
    async def native():
        return 20

    def root():
        first = yield give(10)
        second = yield native()
        third = yield from core.call(give(30))
        fourth = yield by_yield()
        return [first, second, third, fourth]

    def by_yield():
        yield 40

    assert trampoline(root()) == [10, 20, 30, 40]
    assert trampoline(native()) == 20
    assert trampoline(by_yield()) == 40


@pytest.mark.parametrize("value", [None, 42, give, "text", iter([])])
def test_what_is_no_coroutine_is_refused(trampoline, value):
    with pytest.raises(TypeError, match=r"^trampoline\(\) takes a coroutine") as raised:
        trampoline(value)
    assert ("give is a generator function that was not called: write give(...)" if value is give else repr(value)) in str(raised.value)


def test_depth_has_no_limit(trampoline):
    def level(n):
        return 1 + (yield level(n - 1)) if n else 0

    assert trampoline(level(100_000)) == 100_000


def test_a_tail_call_of_a_native_coroutine(trampoline, core):
    async def native(n):
        if n:
            raise core.TailCall(native(n - 1))
        return "end"

    def root():
        return (yield native(5))

    assert trampoline(root()) == "end"
    assert trampoline(native(5)) == "end"


def test_tail_calls_keep_the_depth(trampoline, core):
    alive = most = 0

    class Token:
        def __init__(self):
            nonlocal alive, most
            alive += 1
            most = max(most, alive)

        def __del__(self):
            nonlocal alive
            alive -= 1

    def count(n, token):
        if not n:
            return "counted"
        if n % 1000 == 0:
            gc.collect()
        raise core.TailCall(count(n - 1, Token()))
        yield

    def root():
        return (yield count(20_000, Token()))

    assert trampoline(root()) == "counted"
    assert 0 < most <= (5 if ON_CPYTHON else 5000)


def test_a_hundred_thousand_tail_calls(trampoline, core):
    def count(n):
        if n:
            raise core.TailCall(count(n - 1))
        return "counted"
        yield

    assert trampoline(count(100_000)) == "counted"


def test_the_stack_shows_the_replacement_alone(core, park):
    def waits():
        yield park

    def replaced():
        raise core.TailCall(waits())
        yield

    def root():
        yield replaced()

    t = core.Trampoline()
    p = t.add(root())
    t.run()
    assert [coroutine.__name__ for coroutine in p.stack] == ["root", "waits"]


@pytest.mark.parametrize("value", [None, 42, give])
def test_a_tail_call_of_what_is_no_coroutine_is_an_error_in_the_caller(trampoline, core, value):
    def replaced():
        raise core.TailCall(value)
        yield

    def root():
        with pytest.raises(TypeError, match=r"^TailCall\(\) takes a coroutine"):
            yield replaced()
        return "caught"

    assert trampoline(root()) == "caught"
    with pytest.raises(TypeError, match=r"^TailCall\(\) takes a coroutine"):
        trampoline(replaced())


def test_tail_call_keeps_its_coroutine():
    coroutine = give(1)
    error = package.TailCall(coroutine)
    assert isinstance(error, BaseException)
    assert not isinstance(error, Exception)
    assert error.call is coroutine


def test_calls_of_trampoline_may_be_nested(trampoline):
    def inner(n):
        return n * (yield give(2))

    def outer():
        got = yield give(5)
        return trampoline(inner(got))

    assert trampoline(outer()) == 10


def test_what_nobody_can_resume_is_closed_and_said(trampoline, park):
    log = []

    def root():
        try:
            yield park
        finally:
            log.append("closed")

    with pytest.raises(package.Deadlock, match=r"^1 pseudothread waits for what nothing can wake any more\n.*root, parked for "):
        trampoline(root())
    assert log == ["closed"]


def test_a_tail_call_that_is_yielded_is_an_error_at_the_yield(trampoline, core):
    """It was a result, and what it was to call never ran."""
    replacement = giving(3)

    def root():
        with pytest.raises(TypeError, match="was yielded, but is to be raised"):
            yield core.TailCall(replacement)
        return (yield replacement)

    assert trampoline(root()) == 3
