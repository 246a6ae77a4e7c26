"""A pseudothread as its user holds it: every state, and every way out of it."""

import contextvars
import gc
import inspect
import weakref

import pytest
from conftest import Park
from coroutines import value

STATES = ["queued", "running", "parked", "ended"]


def waiting(suspension):
    yield (yield suspension)


def parked(core, suspension):
    """Return a trampoline and its one pseudothread, which is parked."""
    t = core.Trampoline()
    p = t.add(waiting(suspension))
    assert t.run() is None
    assert p.state == "parked"
    return t, p


def in_state(core, state):
    """Return a pseudothread in `state`, which is not running."""
    t = core.Trampoline()
    if state == "queued":
        return t.add(value(1))
    p = t.add(waiting(Park()) if state == "parked" else value(1))
    t.run()
    return p


def while_running(core, ask):
    """Call `ask(p)` in the coroutine of `p` itself and return what it returned."""
    t = core.Trampoline()

    def root():
        yield [ask(p)]

    p = t.add(root())
    return t.run()[0]


def ask_in(core, state, ask):
    return while_running(core, ask) if state == "running" else ask(in_state(core, state))


@pytest.mark.parametrize("state", STATES)
def test_state_and_done(core, state):
    assert ask_in(core, state, lambda p: (p.state, p.done)) == (state, state == "ended")


def misuse_of(act):
    def ask(p):
        before = p.state
        with pytest.raises(RuntimeError) as raised:
            act(p)
        assert p.state == before
        return str(raised.value)

    return ask


VERBS = {"resume": lambda p: p.resume(1), "throw into": lambda p: p.throw(KeyError()), "call": lambda p: p()}


@pytest.mark.parametrize("state", ["queued", "running", "ended"])
@pytest.mark.parametrize("verb", VERBS)
def test_only_a_parked_one_is_resumed_and_none_of_these_is_called(core, state, verb):
    text = ask_in(core, state, misuse_of(VERBS[verb]))
    assert text.startswith(f"cannot {verb} <Pseudothread '")
    assert {"queued": "is in the queue" if verb == "call" else "is queued", "running": "is running", "ended": "has ended"}[state] in text


@pytest.mark.parametrize("sent", [None, 0, "text", value])
def test_resume_sends_a_value(core, park, sent):
    t, p = parked(core, park)
    p.resume(sent)
    assert p.state == "queued"
    assert t.run() is sent


@pytest.mark.parametrize("error", [KeyError("it"), KeyError, KeyboardInterrupt("it"), GeneratorExit])
def test_throw_raises_at_the_yield(core, park, error):
    def root():
        try:
            yield park
        except BaseException as caught:
            yield caught

    t = core.Trampoline()
    p = t.add(root())
    t.run()
    p.throw(error)
    caught = t.run()
    assert caught is error if isinstance(error, BaseException) else type(caught) is error


def test_result(core, park):
    t, p = parked(core, park)
    with pytest.raises(RuntimeError, match="has no result yet"):
        p.result()
    p.resume(5)
    with pytest.raises(RuntimeError, match="has no result yet"):
        p.result()
    t.run()
    assert (p.result(), p.result(), p.waits_for, p.stack) == (5, 5, None, ())


def test_result_raises_the_error_and_makes_it_no_longer(core):
    def root():
        yield value(1)
        raise error

    error = KeyError("it")
    t = core.Trampoline()
    p = t.add(root())
    with pytest.raises(KeyError):
        t.run()
    lengths = set()
    for _ in range(3):
        with pytest.raises(KeyError) as raised:
            p.result()
        assert raised.value is error
        lengths.add(len(inspect.getinnerframes(error.__traceback__)))
    assert len(lengths) == 1


def test_stack_name_place_and_repr(core, park):
    def innermost():
        yield from helper()

    def helper():
        yield park

    def middle():
        yield innermost()

    def root():
        yield middle()

    t = core.Trampoline()
    p = t.add(root())
    assert p.name == root.__qualname__
    assert p.added == (__file__, inspect.currentframe().f_lineno - 2)
    assert len(p.stack) == 1
    assert f"queued at {__file__}:{root.__code__.co_firstlineno} in {root.__qualname__}>" in repr(p)
    t.run()
    assert [coroutine.__name__ for coroutine in p.stack] == ["root", "middle", "innermost"]
    assert p.waits_for is park
    assert f"parked for {park!r} at {__file__}:{helper.__code__.co_firstlineno + 1} in {helper.__qualname__}>" in repr(p)
    p.resume()
    t.run()
    assert repr(p) == f"<Pseudothread {root.__qualname__!r} ended>"
    assert p.name == root.__qualname__


def test_one_that_ends_while_it_is_described(core):
    class Ends(core.Suspension):
        def suspend(self, pseudothread):
            self.pseudothread = pseudothread

        def __repr__(self):
            self.pseudothread.close()
            return "Ends()"

    def waits():
        yield Ends()

    t = core.Trampoline()
    p = t.add(waits())
    t.run()
    assert repr(p).startswith("<Pseudothread 'test_one_that_ends_while_it_is_described.<locals>.waits' parked for Ends() at ")
    assert repr(p) == "<Pseudothread 'test_one_that_ends_while_it_is_described.<locals>.waits' ended>"


def test_a_name_of_ones_own(core):
    t = core.Trampoline()
    p = t.add(value(1), name="my own")
    assert repr(p).startswith("<Pseudothread 'my own' queued at ")
    t.run()
    assert (p.name, repr(p)) == ("my own", "<Pseudothread 'my own' ended>")


def unwinding(log, park, name, *callee):
    try:
        if callee:
            yield unwinding(log, park, *callee)
        yield park
    except BaseException as error:
        log.append((name, type(error)))
        raise
    finally:
        log.append(name)


def test_close_unwinds_from_the_innermost_to_the_root(core, park):
    log = []
    t = core.Trampoline()
    p = t.add(unwinding(log, park, "root", "middle", "innermost"))
    t.run()
    p.close()
    assert log == [item for name in ("innermost", "middle", "root") for item in ((name, GeneratorExit), name)]
    assert p.done
    p.close()
    with pytest.raises(RuntimeError, match="closed before it had a result"):
        p.result()


@pytest.mark.parametrize("turns", [0, 1, 2])
def test_close_takes_a_queued_one_out(core, park, turns):
    log = []
    t = core.Trampoline()
    p = t.add(unwinding(log, park, "root", "innermost"))
    for _ in range(turns):
        t.queue.popleft()()
    last = t.add(value("left"))
    p.close()
    assert p.done
    assert log[1::2] == ["innermost", "root"][2 - turns :]
    assert list(t.queue) == [last]
    assert t.run() == "left"


def test_a_callee_may_be_closed_by_another_pseudothread(core, park):
    log = []
    t = core.Trampoline()
    p = t.add(unwinding(log, park, "root", "callee"))
    t.run()

    def closing():
        p.close()
        yield list(log)

    t.add(closing())
    assert t.run() == log
    assert len(log) == 4


def test_trampoline_close_closes_all_that_is_left(core, park):
    log = []
    with core.Trampoline() as t:
        t.add(unwinding(log, park, "parked"))
        t.run()
        t.add(unwinding(log, park, "root", "queued"))
        t.queue.popleft()()
        t.queue.append(lambda: log.append("never called"))
    assert log == [("root", GeneratorExit), "root", ("parked", GeneratorExit), "parked"]
    assert len(t.queue) == 0
    t.add(value("again"))
    assert t.run() == "again"


def test_every_turn_runs_in_the_context(core, park):
    variable = contextvars.ContextVar("variable", default="outside")
    context = contextvars.copy_context()
    context.run(variable.set, "inside")
    seen = []

    def child():
        seen.append(variable.get())
        variable.set("changed")
        yield 1

    def root():
        yield child()
        seen.append(variable.get())
        try:
            seen.append((yield park))
        except KeyError:
            seen.append(variable.get())
        try:
            yield park
        finally:
            seen.append(variable.get())

    t = core.Trampoline()
    p = t.add(root(), context=context)
    t.add(value(seen.append(variable.get())))
    t.run()
    p.throw(KeyError())
    t.run()
    p.close()
    assert seen == ["outside", "inside", "changed", "changed", "changed"]
    assert variable.get() == "outside"
    assert context[variable] == "changed"


def test_nothing_is_kept_of_one_that_was_called_by_hand(core):
    class Result:
        pass

    def root():
        yield Result()

    t = core.Trampoline()
    p = t.add(root())
    t.queue.popleft()
    kept = weakref.ref(p), weakref.ref(p())
    del p
    gc.collect()
    assert [reference() for reference in kept] == [None, None]
