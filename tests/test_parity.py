"""Both cores do the same: names, signatures, docstrings, public attributes, error types and texts. Whoever sees a difference sees a fault.

These tests compare the two cores with each other, so they do not run where there is only one.
"""

import copy
import inspect
import pickle
import re
import types
from collections import deque

import pytest
from conftest import CORES, Park, load
from coroutines import value

import trampoline

if len(CORES) < 2:
    pytest.skip("only one core is tested", allow_module_level=True)

CLASSES = ["Pseudothread", "Queue", "BaseTrampoline", "Collector", "Node"]
FUNCTIONS = ["call", "is_coroutine", "collect", "collect_threads", "spawn"]
LEFT_TO_THE_LANGUAGE = {"__init__", "__new__", "__repr__", "__call__", "__len__", "__bool__", "__iter__"}  # slots have no signature of ours
PUBLIC_NAMES = {
    *("Pseudothread", "Suspension", "TailCall", "Trampoline", "accelerated", "call", "consumer", "trampoline"),
    *(
        "ConnectionLost",
        "Deadlock",
        "Reactor",
        "VirtualClock",
        "dump_on_signal",
        "in_thread",
        "sleep",
        "timeout",
        "readable",
        "writable",
        "listening_socket",
    ),
    *("nonblocking_accept", "nonblocking_connect", "nonblocking_handshake", "nonblocking_read", "nonblocking_recvfrom"),
    *("nonblocking_sendto", "nonblocking_write", "Channel", "ChannelClosed", "Event", "Lock", "Semaphore"),
    *("first", "gather", "map_in", "run_in", "spawn", "Profile", "profile"),
}


def both(name):
    return [getattr(load(core).module, name) for core in ("c", "python")]


def public(cls):
    return {name for name in vars(cls) if not name.startswith("_")}


def test_all_is_exactly_the_public_names():
    assert set(trampoline.__all__) == PUBLIC_NAMES
    assert len(trampoline.__all__) == len(PUBLIC_NAMES)
    for name in PUBLIC_NAMES:  # some are imported when they are first asked for
        assert getattr(trampoline, name) is not None
    assert set(dir(trampoline)) >= PUBLIC_NAMES
    found = {name for name, what in vars(trampoline).items() if not name.startswith("_") and not isinstance(what, types.ModuleType)}
    assert found == PUBLIC_NAMES


def test_the_cores_export_the_same():
    c, python = load("c").module, load("python").module
    assert c.__all__ == python.__all__
    assert trampoline.Pseudothread in (c.Pseudothread, python.Pseudothread)
    assert issubclass(trampoline.Trampoline, (c.BaseTrampoline, python.BaseTrampoline))


@pytest.mark.parametrize("name", CLASSES)
def test_classes_have_the_same_names_and_docstrings(name):
    c, python = both(name)
    assert (c.__name__, c.__qualname__) == (python.__name__, python.__qualname__) == (name, name)
    assert inspect.getdoc(c) == inspect.getdoc(python)
    assert public(c) == public(python)
    for attribute in sorted(public(c)):
        documented = inspect.getdoc(getattr(c, attribute))  # CPython 3.13 takes the indentation away as it compiles
        assert documented, f"{attribute} has no docstring"
        assert documented == inspect.getdoc(getattr(python, attribute)), attribute
        assert callable(getattr(c, attribute)) == callable(getattr(python, attribute)), attribute


@pytest.mark.parametrize("name", CLASSES)
def test_methods_have_the_same_signatures(name):
    c, python = both(name)
    compared = 0
    for attribute in sorted(public(c)):
        if callable(getattr(c, attribute)):
            ours, theirs = inspect.signature(getattr(c, attribute)), inspect.signature(getattr(python, attribute))
            assert str(ours) == str(theirs), attribute
            compared += 1
    assert compared >= {"Collector": 1, "Node": 0}.get(name, 3)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_have_the_same_signatures_and_docstrings(name):
    c, python = both(name)
    assert str(inspect.signature(c)) == str(inspect.signature(python))
    assert inspect.getdoc(c) == inspect.getdoc(python)


@pytest.mark.parametrize("name", CLASSES)
def test_special_methods_of_both(name):
    c, python = both(name)
    for special in LEFT_TO_THE_LANGUAGE:
        assert hasattr(c, special) == hasattr(python, special), special


@pytest.mark.parametrize("name", ["Pseudothread", "Queue", "Collector", "Node"])
def test_neither_core_lets_them_be_subclassed(name):
    refused = []
    for cls in both(name):
        try:
            type("Derived", (cls,), {})
        except TypeError:
            refused.append(cls.__module__)
    assert len(refused) in (0, 2), f"only {refused} refuses"


@pytest.mark.parametrize("name", CLASSES)
def test_both_are_referenced_weakly(name):
    assert [hasattr(cls, "__weakref__") or cls.__weakrefoffset__ != 0 for cls in both(name)] == [True, True]


def waiting(suspension):
    yield (yield suspension)


async def native():
    return 1


def stubborn():
    try:
        yield Park()
    except GeneratorExit:
        yield "still here"


class NoSuspend(trampoline.Suspension):
    pass


class Twice(trampoline.Suspension):
    def suspend(self, pseudothread):
        pseudothread.resume(1)
        pseudothread.resume(2)


def parked(t, coroutine=None):
    p = t.add(coroutine or waiting(Park()), name="p")
    t.run()
    return p


def ended(t):
    p = t.add(value(1))
    t.run()
    return p


def closed(t):
    p = t.add(value(1))
    p.close()
    return p


def run_with(t, coroutine):
    t.add(coroutine)
    return t.run()


def inside(t, act):
    def root():
        act()
        yield

    return run_with(t, root())


def with_queue(t, queue):
    t.queue = queue
    return t


def doubly_queued(t):
    p = t.add(value(1))
    t.queue.append(p)


def tail(call):
    raise trampoline.TailCall(call)
    yield


def joins_itself(t):
    def root():
        yield found[0]

    found = [t.add(root())]
    t.run()


# Each is called with a new trampoline and the names of its core.
MISUSES = [
    *(lambda t, c, wrong=wrong: t.add(wrong) for wrong in (42, None, "text", value, native, len, [1], object(), Park, {1: 2})),
    *(lambda t, c, wrong=wrong: t.schedule(wrong) for wrong in (42, value, native)),
    *(lambda t, c, wrong=wrong: t.schedule(value(1), wrong) for wrong in (5, (1,), (1, ()), (value(1), 7), [value(1), ()], (value, ()))),
    *(lambda t, c, wrong=wrong: t.schedule(value(1), (), *wrong) for wrong in ((1, 2), (KeyError, 1, 2, 3), (KeyError, 1, 2))),
    lambda t, c: t.schedule(value(1), "ab"),
    lambda t, c: t.schedule(value(1), (), KeyError(1), 5),
    lambda t, c: t.schedule(value(1), (), int, 5),
    lambda t, c: t.schedule(value(1), (), UnicodeDecodeError, None),
    lambda t, c: t.add(value(1), context=5),
    lambda t, c: setattr(t, "queue", None),
    lambda t, c: setattr(t, "queue", []),
    lambda t, c: t.queue.append(3),
    lambda t, c: t.queue.append(value(1)),
    lambda t, c: t.queue.appendleft(None),
    lambda t, c: t.queue.popleft(),
    lambda t, c: doubly_queued(t),
    lambda t, c: t.queue.append(ended(t)),
    lambda t, c: t.queue.append(parked(t)),
    lambda t, c: t.add(value(1))(),
    lambda t, c: t.add(value(1)).resume(),
    lambda t, c: t.add(value(1)).throw(KeyError),
    lambda t, c: t.add(value(1)).result(),
    lambda t, c: ended(t)(),
    lambda t, c: ended(t).resume(),
    lambda t, c: ended(t).throw(KeyError()),
    lambda t, c: closed(t).result(),
    lambda t, c: closed(t).resume(),
    lambda t, c: parked(t)(),
    lambda t, c: parked(t).result(),
    lambda t, c: parked(t).throw("text"),
    lambda t, c: parked(t).throw(int),
    lambda t, c: parked(t).throw(UnicodeDecodeError),
    lambda t, c: parked(t, stubborn()).close(),
    lambda t, c: inside(t, t.run),
    lambda t, c: inside(t, t.close),
    lambda t, c: run_with(t, waiting(NoSuspend())),
    lambda t, c: run_with(t, waiting(Twice())),
    lambda t, c: run_with(t, tail(5)),
    lambda t, c: run_with(t, tail(value)),
    lambda t, c: with_queue(t, deque([5])).run(),
    *(lambda t, c, wrong=wrong: t.spawn(wrong) for wrong in (42, None, value, native, Park())),
    *(lambda t, c, wrong=wrong: c.spawn(wrong) for wrong in (42, None, value, native, Park())),
    lambda t, c: c.spawn(value(1), context=5),
    lambda t, c: t.spawn(value(1), context=5),
    lambda t, c: t.add(c.spawn(value(1))),
    lambda t, c: run_with(t, waiting(c.Pseudothread.__new__(c.Pseudothread))),
    lambda t, c: run_with(t, waiting(ended(c.Trampoline()))),
    lambda t, c: run_with(t, waiting(closed(t))),
    lambda t, c: joins_itself(t),
    lambda t, c: c.Pseudothread(),
    *(lambda t, c, given=given: c.module.Channel(*given) for given in ((), (1, 2))),
    *(lambda t, c, given=given: c.module.Channel(**given) for given in ({"size": 1}, {"nonsense": 1})),
    *(lambda t, c, given=given: c.module.VirtualClock(*given) for given in ((1, 2), ("text",))),
    *(lambda t, c, given=given: c.module.VirtualClock(**given) for given in ({"nonsense": 1}, {"patience": -1})),
    lambda t, c: c.module.VirtualClock(1, start=2),
    lambda t, c: c.Trampoline(5),
    lambda t, c: c.Trampoline(value(1)),
    lambda t, c: c.Trampoline(nonsense=1, reactor=None),
    lambda t, c: type("Mine", (c.Trampoline,), {})(5),
    lambda t, c: c.Pseudothread(1, two=2),
    *(
        lambda t, c, act=act, what=what: act(what(t))
        for act in (copy.copy, copy.deepcopy, lambda x: pickle.dumps(x, 0), pickle.dumps)
        for what in (parked, lambda t: t.queue, lambda t: t)
    ),
    lambda t, c: delattr(t, "queue"),
    lambda t, c: c.module.collect(5),
    lambda t, c: c.module.collect_threads(5),
    lambda t, c: setattr(t, "_collector", 5),
    lambda t, c: c.module.Collector(5),
    lambda t, c: c.module.Collector(timeline=-1),
    lambda t, c: c.module.Collector(timeline="many"),
    lambda t, c: c.module.Node(),
    lambda t, c: pickle.dumps(c.module.Collector()),
    lambda t, c: copy.copy(c.module.Collector().root),
]


def said(core, act):
    """Return the type and the text of the error of `act`, addresses masked."""
    names = load(core)
    try:
        act(names.Trampoline(), names)
    except BaseException as error:
        return type(error), re.sub(r"0x[0-9a-fA-F]+", "0x...", str(error))
    return None


@pytest.mark.parametrize("number", range(len(MISUSES)))
def test_errors_have_the_same_type_and_text(number):
    c, python = said("c", MISUSES[number]), said("python", MISUSES[number])
    assert c is not None
    assert c == python


@pytest.mark.parametrize("core", CORES)
def test_the_attributes_of_a_trampoline_are_the_users(core):
    t = load(core).Trampoline()
    assert vars(t) == {}
    t.add(value(1))
    t.__dict__ = {"mine": 1}
    assert t.run() == 1
    assert vars(t) == {"mine": 1}
    bare = load(core).module.BaseTrampoline()
    bare.add(value(2))
    assert bare.run() == 2
    with pytest.raises(AttributeError):
        bare.mine = 1


def test_a_queue_takes_no_arguments():
    for queue in both("Queue"):
        with pytest.raises(TypeError):
            queue([int])
        made = queue()
        made.append(int)
        made.__init__()
        assert list(made) == [int]


SIGHTS = [
    lambda t, c: (t.add(value(1)), t.queue),
    lambda t, c: parked(t),
    lambda t, c: (ended(t), closed(t)),
    lambda t, c: (t.running, type(t).running, t.queue),
    lambda t, c: (parked(t).waits_for, parked(t).added[1], parked(t).stack),
    lambda t, c: t.schedule(value(1), (value(2), ())).stack,
    lambda t, c: t.schedule(value(1)).added,
    lambda t, c: c.Pseudothread.__new__(c.Pseudothread),
    lambda t, c: c.Pseudothread.__new__(c.Pseudothread).state,
    lambda t, c: c.module.Collector().root,
    lambda t, c: c.module.Node.__new__(c.module.Node),
    lambda t, c: (c.module.Collector(timeline=5).timeline, c.module.Collector().timeline_dropped),
    lambda t, c: t._collector,
    lambda t, c: c.module.Collector(),
    lambda t, c: c.spawn(value(1)),
    lambda t, c: (t.add(waiting(parked(t)), name="joins"), t.run())[0],
]


def seen(core, look):
    names = load(core)
    try:
        return re.sub(r"0x[0-9a-fA-F]+", "0x...", repr(look(names.Trampoline(), names)))
    except BaseException as error:
        return type(error), re.sub(r"0x[0-9a-fA-F]+", "0x...", str(error))


@pytest.mark.parametrize("number", range(len(SIGHTS)))
def test_both_look_the_same(number):
    assert seen("c", SIGHTS[number]) == seen("python", SIGHTS[number])
