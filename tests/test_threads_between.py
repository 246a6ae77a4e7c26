"""One thread between two steps of another: a `suspend()` that fails, an overridden `schedule` that is just shown a pseudothread."""

import contextlib
import sys
import threading

import pytest
from test_threads_signals import in_thread


@contextlib.contextmanager
def standing_still(event, function, reached, on, called=None):
    """Stand still when `function` of the core in Python has that event, until `on` is set. Where the core is in C nothing stands still."""

    def looks(frame, what, argument):
        here = what == event and frame.f_code.co_name == function and not reached.is_set()
        if here and (called is None or argument.__name__ == called):
            reached.set()
            on.wait(10)

    sys.setprofile(looks)
    try:
        yield
    finally:
        sys.setprofile(None)
        reached.set()


@pytest.mark.parametrize("act", ["_wake", "_claim"], ids=["resumes", "closes"])
def test_a_suspend_that_fails_while_another_thread(core, act):
    """Who was resumed gets its error at the yield, and out of run() it comes where there is nobody any more.

    The core in Python took the value that the other thread had for an error, and threw that; or let it run while it was closed.
    """
    taken_out, failed = threading.Event(), threading.Event()

    def interfere(p):
        with standing_still("c_return", act, taken_out, failed, called="pop"):
            p.resume("resumed") if act == "_wake" else p.close()

    class Fails(core.Suspension):
        def suspend(self, pseudothread):
            self.thread, self.errors = in_thread(lambda: interfere(pseudothread))
            taken_out.wait(10)
            raise KeyError("mine")

    def root():
        try:
            yield suspension
        except (KeyError, GeneratorExit) as error:
            got.append(type(error))

    got, suspension, t = [], Fails(), core.Trampoline()
    p = t.add(root())
    with pytest.raises(KeyError) if act == "_claim" else contextlib.nullcontext():
        t.run()
    failed.set()
    suspension.thread.join(10)
    t.run()
    assert suspension.errors == []
    assert p.done
    assert got == [KeyError if act == "_wake" else GeneratorExit]
    assert not t.queue


def test_a_suspend_that_fails_while_another_thread_shows_it_to_schedule(core):
    """Each core threw the value that the other thread had, as if that were the error."""
    shown, failed = threading.Event(), threading.Event()

    class Shows(core.Trampoline):
        def schedule(self, coroutine, stack=(), val=None, *exc):
            if val == "resumed":
                shown.set()
                failed.wait(10)
            return super().schedule(coroutine, stack, val, *exc)

    class Fails(core.Suspension):
        def suspend(self, pseudothread):
            self.thread, self.errors = in_thread(lambda: pseudothread.resume("resumed"))
            shown.wait(10)
            raise KeyError("mine")

    def root():
        try:
            yield suspension
        except KeyError as error:
            return error.args[0]

    suspension, t = Fails(), Shows()
    p = t.add(root())
    t.run()
    failed.set()
    suspension.thread.join(10)
    t.run()
    assert suspension.errors == []
    assert p.result() == "mine"


def test_who_is_queued_by_an_overridden_schedule_is_not_closed_meanwhile(core, park):
    """The core in Python queued what another thread had closed between two of its steps."""
    taken_back, closed = threading.Event(), threading.Event()

    def resume():
        with standing_still("return", "_unhand", taken_back, closed):
            p.resume()

    class Copies(core.Trampoline):
        def schedule(self, coroutine, stack=(), val=None, *exc):
            return super().schedule(coroutine, list(stack), val, *exc)

    def root():
        try:
            yield park
        finally:
            ended.append("root")

    ended, t = [], Copies()
    p = t.add(root())
    t.run()
    thread, errors = in_thread(resume)
    taken_back.wait(10)
    with contextlib.suppress(RuntimeError):  # it is queued already, or will be
        p.close()
    closed.set()
    thread.join(10)
    t.run()
    assert errors == []
    assert ended == ["root"]
    assert p.done
    assert not t.queue


@pytest.mark.parametrize("act", ["resume", "throw", "add"])
def test_a_schedule_that_comes_back_after_the_next_turn(core, act):
    """Another thread's, when run() is showing the next continuation: each core took that for what nobody had taken, and ended it."""
    parked, next_shown, back = threading.Event(), threading.Event(), threading.Event()

    class Late(core.Trampoline):
        def schedule(self, *args):
            if threading.get_ident() == other:
                scheduled = super().schedule(*args)
                assert next_shown.wait(10)
                return scheduled
            if not next_shown.is_set() and parked.is_set():
                next_shown.set()
                assert back.wait(10)
            return super().schedule(*args)

    class Parks(core.Suspension):
        external = True

        def suspend(self, pseudothread):
            self.pseudothread = pseudothread
            parked.set()

    def calls():
        yield callee()
        return "end"

    def callee():
        yield 1

    def root():
        with contextlib.suppress(KeyError):
            yield suspension
        return (yield calls())

    def interfere():
        nonlocal other
        parked.wait(10)
        other = threading.get_ident()
        if act == "add":
            ended.append(t.add(calls()))
        else:
            ended.append(suspension.pseudothread)
            suspension.pseudothread.resume() if act == "resume" else suspension.pseudothread.throw(KeyError)
        back.set()

    t, suspension, other, ended = Late(), Parks(), None, []
    p = t.add(root())
    t.run()
    thread, errors = in_thread(interfere)
    while not back.is_set():
        t.run()
    thread.join(10)
    t.run()
    assert errors == []
    assert ended[0].result() == "end"
    assert not t.queue
    p.close()


def test_a_suspend_that_fails_while_another_thread_is_closing(core):
    """The core in Python ended it by that error, under the hands of who closes it: AttributeError."""
    withdrawing, failed = threading.Event(), threading.Event()

    class Fails(core.Suspension):
        def suspend(self, pseudothread):
            self.thread, self.errors = in_thread(pseudothread.close)
            assert withdrawing.wait(10)
            raise KeyError("mine")

        def withdraw(self, pseudothread):
            withdrawing.set()
            assert failed.wait(10)

    def root():
        try:
            yield suspension
        except GeneratorExit:
            got.append("closed")
            raise

    got, suspension, t = [], Fails(), core.Trampoline()
    p = t.add(root())
    with pytest.raises(KeyError):
        t.run()
    assert p.state == "running"
    failed.set()
    suspension.thread.join(10)
    assert suspension.errors == []
    assert got == ["closed"]
    assert p.done
    assert t.run() is None


def test_close_of_one_that_ends_meanwhile(core):
    """By its last turn, when close() has seen that it goes on: the core in Python closed it once more, which was an AttributeError."""
    seen, ended = threading.Event(), threading.Event()

    def close():
        with standing_still("call", "_claim", seen, ended):
            p.close()

    def root():
        yield 3

    t = core.Trampoline()
    p = t.add(root())
    thread, errors = in_thread(close)
    assert seen.wait(10)
    t.run()
    ended.set()
    thread.join(10)
    assert errors == []
    assert p.done
    assert t.run() is None
