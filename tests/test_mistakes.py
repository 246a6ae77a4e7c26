"""Mistakes that those make who come from another library: each is named, with what to write instead, on both cores."""

import asyncio
import copy
import inspect
import pickle
import re
import subprocess
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import AsyncMock

import pytest
from coroutines import value

import trampoline
from trampoline import (
    Event,
    Lock,
    Semaphore,
    Trampoline,
    VirtualClock,
    first,
    gather,
    listening_socket,
    map_in,
    nonblocking_connect,
    sleep,
    timeout,
)


def gives(value):
    yield sleep(0)
    return value


def yields(what):
    return (yield what)


async def awaits(what):
    return await what


def failure(t, coroutine):
    """Run it and return the error that leaves it."""
    t.add(coroutine)
    with pytest.raises(TypeError) as caught:
        t.run()
    return caught.value


@pytest.mark.parametrize("together", [gather, first])
@pytest.mark.parametrize("many", [list, tuple, set, iter], ids=["list", "tuple", "set", "generator"])
def test_coroutines_all_in_one(together, many):
    made = [gives(1), gives(2)]
    given = (each for each in made) if many is iter else many(made)
    name = together.__name__
    with pytest.raises(TypeError, match=rf"^{name}\(\) takes its coroutines one by one, not .*: write {name}\(\*\.\.\.\)"):
        together(given)
    assert [inspect.getgeneratorstate(each) for each in made] == ["GEN_CREATED"] * 2


def test_a_generator_expression_beside_others_is_the_coroutine_that_it_is(core):
    t = core.Trampoline()
    t.add(yields(gather((each for each in [gives(1)]), gives(2))))
    assert t.run() == [None, 2]


@pytest.mark.parametrize("lock", [Lock(), Semaphore()], ids=repr)
def test_with_a_lock_that_is_not_waited_for(lock):
    before = repr(lock)
    with pytest.raises(TypeError, match=r"^`with` does not wait for <.*>: write `with \(yield lock\):`, or `async with lock:`"), lock:
        raise AssertionError
    assert repr(lock) == before


@pytest.mark.parametrize("made", [Lock, Semaphore, Event])
@pytest.mark.parametrize("act", [copy.copy, copy.deepcopy, pickle.dumps])
def test_no_copies(made, act):
    with pytest.raises(TypeError, match=f"^cannot copy or pickle <{made.__name__} at "):
        act(made())


@pytest.mark.parametrize("act", [copy.copy, copy.deepcopy, pickle.dumps])
@pytest.mark.parametrize("what", ["sleep", "spawn"])
def test_no_copies_of_what_is_waited_for_once(core, act, what):
    made = core.module.sleep(1) if what == "sleep" else core.spawn(gives(1))
    with pytest.raises(TypeError, match=f"^cannot copy or pickle {what}\\(.*\\): coroutines are not copied$"):
        act(made)


class AnswersItself:
    def __getattr__(self, name):
        return self


class FailsToAnswer:
    def __getattr__(self, name):
        raise LookupError(name)


@pytest.mark.parametrize("add", ["add", "spawn", "schedule", "call", "yield spawn"])
@pytest.mark.parametrize("kind", [AnswersItself, FailsToAnswer, AsyncMock])
def test_an_object_that_answers_to_any_attribute_is_named(core, kind, add):
    t, wrong = core.Trampoline(), kind()
    adders = {"add": t.add, "spawn": t.spawn, "schedule": t.schedule, "call": lambda what: list(core.call(what)), "yield spawn": core.spawn}
    known = f"but {wrong!r} is a coroutine function that was not called: call it" if kind is AsyncMock else f"not {wrong!r}"
    with pytest.raises(TypeError) as caught:
        adders[add](wrong)
    assert str(caught.value).startswith(f"{add.removeprefix('yield ')}() takes a coroutine")
    assert str(caught.value).endswith(known)
    assert not t.queue


@pytest.mark.parametrize("how", [yields, awaits, lambda what: timeout(5, what), lambda what: gather(what, gives(1))])
def test_a_map_in_that_is_yielded_as_a_whole(core, how):
    with ThreadPoolExecutor(1) as executor:
        error = failure(core.Trampoline(), how(map_in(executor, len, ["a"], 1)))
    assert str(error).startswith("map_in() gives one result after the other and is not to be yielded itself: write `for result in map_in(")
    assert not any("_mapped" in frame.filename for frame in traceback.extract_tb(error.__traceback__))


def test_a_class_for_a_clock(core):
    with pytest.raises(TypeError, match=r"^Trampoline\(\) takes a clock .*, not <class .*VirtualClock'>: write clock=VirtualClock\(\)"):
        core.Trampoline(clock=VirtualClock)


NOT_CALLED = {"accelerated", "Reactor", "dump_on_signal"}  # one is no function, the others would open descriptors and set a handler
TAKE_ANYTHING = {"ConnectionLost", "ChannelClosed"}  # as exceptions do
CALLED = [name for name in trampoline.__all__ if name not in NOT_CALLED | TAKE_ANYTHING]


@pytest.mark.parametrize("name", CALLED)
def test_wrong_arguments_are_refused_by_the_public_name(core, name):
    made = getattr(core, name, None) or getattr(core.module, name, None) or getattr(trampoline, name)
    texts = []
    for given, keywords in ((), {}), (range(12), {}), ((), {"nonsense": 1}), (range(12), {"nonsense": 1}):
        try:
            made(*given, **keywords)
        except (TypeError, ValueError) as error:
            texts.append(str(error))
    assert len(texts) >= 2
    for text in texts:
        assert re.search(rf"\b{name}\b", text)
        assert not re.search(r"\b(?<!\.)_|__cinit__|Layer|Base|_ctrampoline", text)


def test_a_trampoline_takes_only_keywords(core):
    class Mine(core.Waiting):
        pass

    for made, name in (core.Waiting, "Trampoline"), (Mine, "Mine"):
        only = rf"^{name}\(\) takes only keywords, reactor, clock and profile, not "
        with pytest.raises(TypeError, match=only + "5$"):
            made(5)
        with pytest.raises(TypeError, match=only + "<generator .*>: add\\(\\) takes coroutines$"):
            made(value(1), clock=None)
        with pytest.raises(TypeError, match=only + "timeout=\\.\\.\\.$"):
            made(clock=None, timeout=5)
    assert str(inspect.signature(trampoline.Trampoline)).startswith("(*, reactor: ")


@pytest.mark.parametrize("method", ["add", "schedule", "spawn", "stop", "close", "step", "snapshot", "print_stacks", "fileno"])
def test_methods_are_refused_by_the_name_of_the_class_or_their_own(core, method):
    with pytest.raises(TypeError, match=rf"^(Trampoline\.)?{method}\(\) "):
        getattr(core.Waiting(), method)(nonsense=1)


@pytest.mark.parametrize("made", ["coroutine", "future"])
def test_what_is_asyncios_under_a_trampoline_of_ones_own_inside_a_running_loop(core, made):
    async def wants():
        await (asyncio.sleep(1) if made == "coroutine" else asyncio.get_running_loop().create_future())

    def root():
        try:
            yield wants()
        except RuntimeError as error:
            return str(error)

    async def main():
        with core.Trampoline() as t:
            t.add(root())
            return t.run()

    said = asyncio.run(main())
    assert said.startswith(("<Future pending", "<PyodideFuture pending"))
    assert said.endswith("was awaited under a trampoline that asyncio does not know of: run it by `await trampoline.aio.run(...)`")


def test_a_future_of_asyncios_that_is_only_yielded_is_a_result(core):
    async def main():
        future = asyncio.get_running_loop().create_future()
        t = core.Trampoline()
        t.add(yields(gives(future)))
        assert t.run() is future

    asyncio.run(main())


def test_the_whole_package_has_aio():
    asked = "import trampoline; print(trampoline.aio.run.__name__, 'aio' in dir(trampoline))"
    told = subprocess.run([sys.executable, "-W", "error", "-c", asked], capture_output=True, text=True, check=True)
    assert told.stdout == "run True\n"


@pytest.mark.parametrize("opens", [listening_socket, lambda host: Trampoline().add(nonblocking_connect(host)).trampoline.run()])
@pytest.mark.parametrize("host", ["localhost", b"localhost", "", "127.0.0.1"])
def test_a_service_that_was_forgotten(opens, host, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=f"takes a service, too: {host!r} alone would be the path"):
        opens(host)
    assert not list(tmp_path.iterdir())


def test_a_pseudothread_that_was_never_added(core):
    bare = core.Pseudothread.__new__(core.Pseudothread)
    with pytest.raises(RuntimeError, match="cannot resume <Pseudothread None ended>: it has ended"):
        bare.resume()
    with pytest.raises(RuntimeError, match="cannot throw into <Pseudothread None ended>: it has ended"):
        bare.throw(KeyError())
    bare.close()


@pytest.mark.parametrize("operation", [lambda channel: channel.get(), lambda channel: channel.put(1)])
def test_an_operation_is_suspended_for_what_is_no_pseudothread(core, operation):
    for who in (3, None):
        with pytest.raises(TypeError, match=rf"<Channel at .*> is of the core in .*, and {who} is not"):
            operation(core.Channel(1)).suspend(who)
