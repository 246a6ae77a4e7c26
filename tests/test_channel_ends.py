"""Channels that are closed, and what is refused: each who waits is told, and every error says what is wrong."""

import copy
import threading

import pytest
from exchanges import WAYS, gets, iterates, put_by, puts, started

from trampoline import ChannelClosed, Deadlock


@pytest.fixture(params=WAYS)
def way(request):
    return request.param


def outcomes(coroutine, log):
    """Log what the coroutine ends by."""
    try:
        log.append((yield coroutine))
    except ChannelClosed as error:
        log.append(type(error).__name__)


def test_each_who_waits_is_told_that_it_is_closed(core):
    channel, t, log = core.Channel(0), core.Trampoline(), []
    started(t, outcomes(channel.get(), log), outcomes(channel.get("default"), log), outcomes(iterates(channel, log), log))
    channel.close()
    t.run()
    assert log == ["ChannelClosed", "default", None]
    full, log = core.Channel(1), []
    started(t, *(outcomes(full.put(value), log) for value in range(3)))
    full.close()
    t.run()
    assert log == [None, "ChannelClosed", "ChannelClosed"]
    started(t, gets(full, log))
    assert log[3:] == [("got", 0)]


def test_closed_it_takes_nothing_more_and_gives_what_is_left(core, way):
    channel, t, log = core.Channel(2), core.Trampoline(), []
    put, get = put_by(channel, way)
    started(t, puts(channel, [1, 2], []))
    channel.close()
    channel.close()
    for operation in (put(3), get(), get("default"), get("default"), get()):
        started(t, outcomes(operation, log))
    assert log == ["ChannelClosed", 1, 2, "default", "ChannelClosed"]


def test_what_is_given_in_place_of_a_value_is_not_taken_back(core):
    channel, t, log = core.Channel(None), core.Trampoline(), []
    (waiting,) = started(t, gets(channel, log))
    channel.close()
    assert waiting.state == "queued"
    waiting.close()
    assert "0 of any number in it, closed>" in repr(channel)


@pytest.mark.parametrize("value", [NotImplemented, None, StopIteration(1), ChannelClosed()])
def test_any_value_can_be_put(core, value, way):
    channel, t, log = core.Channel(1), core.Trampoline(), []
    put, get = put_by(channel, way)

    def both():
        yield put(value)
        log.append((yield get()))
        log.append((yield get()))
        log.append((yield get(value)))

    started(t, both())
    started(t, puts(channel, [value], []))
    channel.close()
    t.run()
    assert log == [value, value, value]


def test_a_pseudothread_as_a_value_is_left_alone(core, park):
    channel, t = core.Channel(3), core.Trampoline()

    def parks():
        return (yield park)

    queued = t.add(parks())
    t.queue.append(t.queue.popleft())
    started(t, puts(channel, [queued], []))
    park.last.resume("later")
    del channel
    assert queued.state == "queued"
    assert t.run() == "later"


def test_an_error_shows_the_users_frames_alone(core, way):
    channel, t = core.Channel(0), core.Trampoline()
    channel.close()
    put, _ = put_by(channel, way)

    def root():
        yield put(1)

    t.add(root())
    with pytest.raises(ChannelClosed, match=r"cannot put\(\) into <Channel at 0x\w+, 0 of 0 in it, closed>: it is closed") as caught:
        t.run()
    assert [entry.name for entry in caught.traceback if entry.path.parent.name != "tests"] in (
        [],
        ["run"],
        ["trampoline._ctrampoline.BaseTrampoline.run"],
    )
    assert caught.traceback[-1].name == {"yield": "root", "yield from": "put_from", "await": "put"}[way]
    assert caught.value.__context__ is None


def test_what_waits_is_told(core):
    channel, t = core.Channel(0), core.Waiting()
    t.add(puts(channel, ["a value"], []), name="putter")
    t.add(puts(channel, ["another"], []))
    with pytest.raises(Deadlock) as caught:
        t.run()
    assert "putter, parked for put('a value') into <Channel at 0x" in str(caught.value)
    assert "0 of 0 in it, 2 wait to put>" in repr(channel)
    t.close()
    t.add(gets(channel, []), name="getter")
    with pytest.raises(Deadlock, match=r"getter, parked for get\(\) from <Channel at 0x\w+, 0 of 0 in it, 1 waits to get>"):
        t.run()
    t.close()


@pytest.mark.parametrize(
    ("size", "error", "said"),
    [
        (-1, ValueError, "takes a number from 0 on, not -1"),
        ("1", TypeError, "takes a whole number, not '1'"),
        (1.5, TypeError, "takes a whole number, not 1.5"),
        (True, TypeError, "takes a whole number, not True"),
    ],
)
def test_a_wrong_size(core, size, error, said):
    with pytest.raises(error, match=said):
        core.Channel(size)


def test_misuse(core, way):
    channel, t, log = core.Channel(0), core.Trampoline(), []
    with pytest.raises(TypeError):
        channel.get(1, 2)
    with pytest.raises(TypeError):
        core.Channel()
    for what in (channel, channel.get(), channel.put("a value")):
        with pytest.raises(TypeError, match="cannot copy or pickle"):
            copy.copy(what)
    shared = channel.get()

    def waits():
        if way == "yield":
            log.append((yield shared))
        else:
            log.append((yield from shared.__await__()))

    started(t, waits())
    t.add(waits())
    with pytest.raises(RuntimeError, match=r"another pseudothread waits for this get.. from .* already: make one for each"):
        t.run()
    started(t, puts(channel, ["a value"], []))
    started(t, puts(channel, ["again"], []), waits())
    assert log == ["a value", "again"]


def test_in_two_threads_it_is_refused(core, park):
    channel, t, errors = core.Channel(0), core.Waiting(), []

    def other_thread():
        other = core.Waiting()
        other.add(puts(channel, [1], []))
        for attempt in (other.run, channel.close):
            try:
                attempt()
            except RuntimeError as error:
                errors.append(str(error))

    def root():
        thread = threading.Thread(target=other_thread)
        thread.start()
        thread.join()
        yield park

    t.add(gets(channel, []), name="waits")
    t.add(root())
    with pytest.raises(Deadlock):
        t.run()
    assert len(errors) == 2
    assert all("is used in two threads: 'waits' runs in another than this" in error for error in errors)
    t.close()


def test_two_trampolines_of_one_thread_may_share_it(core):
    channel, log = core.Channel(0), []
    outer, inner = core.Waiting(), core.Waiting()

    def nested():
        inner.add(puts(channel, [1, 2], log))
        inner.run()
        return
        yield

    outer.add(gets(channel, log, "first"))
    outer.add(gets(channel, log, "second"))
    outer.add(nested())
    with pytest.raises(Deadlock):
        outer.run()
    outer.close()
    assert log == [("put", 1), ("put", 2), ("first", 1), ("second", 2)]


def test_the_other_cores_channel_is_refused_by_name(core):
    from trampoline import _pytrampoline

    channel, t = core.Channel(0), _pytrampoline.BaseTrampoline()
    t.add(puts(channel, [1], []))
    if core.name == "python":
        t.run()
        assert "1 waits to put" in repr(channel)
        return
    with pytest.raises(TypeError, match=r"is of the core in C, and <Pseudothread 'puts' .* is not"):
        t.run()
