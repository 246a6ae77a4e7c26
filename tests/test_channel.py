"""Channels: what goes in comes out, once, in its order, whoever ends meanwhile. Random histories are in `test_synchronising_model.py`."""

import copy
import threading

import pytest
from simulated import Jumping

from trampoline import ChannelClosed, Deadlock, sleep, timeout

SIZES = [0, 1, 3, 100, None]


def puts(channel, values, log):
    for value in values:
        yield channel.put(value)
        log.append(("put", value))


def gets(channel, log, name="got"):
    """Get until the channel is closed, in the way of generators."""
    while (value := (yield channel.get(None))) is not None:
        log.append((name, value))


async def iterates(channel, log, name="got"):
    async for value in channel:
        log.append((name, value))


def put_by(channel, way):
    """Return a function that makes a coroutine which puts, and one which gets, by `yield`, `yield from` or `await`."""

    async def put(value):
        return await channel.put(value)

    async def get(*default):
        return await channel.get(*default)

    def put_from(value):
        return (yield from channel.put(value))

    def get_from(*default):
        return (yield from channel.get(*default))

    return {"yield": (channel.put, channel.get), "yield from": (put_from, get_from), "await": (put, get)}[way]


def named(log, kind):
    return [what for name, what in log if name == kind]


def started(t, *coroutines):
    """Add the coroutines and run as far as they go."""
    added = [t.add(coroutine) for coroutine in coroutines]
    t.run()
    return added


@pytest.fixture(params=["yield", "yield from", "await"])
def way(request):
    return request.param


@pytest.mark.parametrize("size", SIZES)
def test_values_come_out_in_the_order_in_which_they_went_in(core, size, way):
    channel, t, got = core.Channel(size), core.Waiting(), []
    put, get = put_by(channel, way)

    def producer():
        for value in range(500):
            assert (yield put(value)) is None
        channel.close()

    def consumer():
        while (value := (yield get(None))) is not None:
            got.append(value)

    t.add(producer())
    t.add(consumer())
    t.run()
    assert got == list(range(500))
    assert channel.closed
    assert channel.size == size


@pytest.mark.parametrize("size", SIZES)
def test_async_for_ends_when_the_channel_is_closed_and_empty(core, size):
    channel, t, log = core.Channel(size), core.Waiting(), []

    def producer():
        yield from puts(channel, range(250), log)
        channel.close()

    started(t, iterates(channel, log), producer(), iterates(channel, log))
    assert sorted(named(log, "got")) == list(range(250))


def test_those_that_wait_to_get_are_served_in_turn(core):
    channel, t, log = core.Channel(0), core.Trampoline(), []

    def one(name):
        log.append((name, (yield channel.get())))

    started(t, *(one(name) for name in "abcde"))
    started(t, puts(channel, range(5), []))
    assert log == list(zip("abcde", range(5), strict=True))


def test_those_that_wait_to_put_are_served_in_turn(core):
    channel, t, log = core.Channel(1), core.Trampoline(), []
    started(t, *(puts(channel, [value], log) for value in range(5)))
    assert log == [("put", 0)]
    got = []
    started(t, gets(channel, got))
    assert named(got, "got") == list(range(5))
    assert sorted(named(log, "put")) == list(range(5))


def test_without_room_it_waits_for_who_gets(core):
    channel, t, log = core.Channel(0), core.Trampoline(), []
    (putter,) = started(t, puts(channel, ["first"], log))
    assert (putter.state, log) == ("parked", [])
    started(t, gets(channel, log))
    assert log == [("got", "first"), ("put", "first")]


def test_what_need_not_wait_takes_no_turn_of_others(core, way):
    channel, t, log = core.Channel(3), core.Trampoline(), []
    put, get = put_by(channel, way)

    def busy():
        yield from call(put(1), way)
        yield from call(put(2), way)
        log.append(("busy", (yield from call(get(), way))))

    def other():
        log.append(("other", None))
        return
        yield

    started(t, busy(), other())
    assert log == [("busy", 1), ("other", None)]


def call(what, way):
    """Delegate to it, which takes no turn."""
    return (yield from (what.__await__() if way == "await" else what))


def test_but_others_have_their_turns_after_a_hundred(core, way):
    channel, t, log = core.Channel(None), core.Trampoline(), []

    def busy():
        for value in range(150):
            yield channel.put(value)
            log.append(value)

    def busy_by_delegation():
        for value in range(150):
            yield from call(channel.put(value), way)
            log.append(value)

    def other():
        log.append("other")
        return
        yield

    started(t, busy() if way == "yield" else busy_by_delegation(), other())
    assert log == [*range(100), "other", *range(100, 150)]


@pytest.mark.parametrize("end", ["close", "throw", "resume"])
def test_who_no_longer_waits_to_get_takes_nothing_with_it(core, end):
    channel, t, log = core.Channel(0), core.Trampoline(), []
    first, _ = started(t, gets(channel, log, "first"), gets(channel, log, "second"))
    if end == "close":
        first.close()
    elif end == "throw":
        first.throw(KeyError("thrown in"))
        with pytest.raises(KeyError, match="thrown in"):
            t.run()
    else:
        first.resume(None)
    started(t, puts(channel, [1], []))
    assert log == [("second", 1)]


@pytest.mark.parametrize("end", ["close", "throw", "resume"])
def test_who_no_longer_waits_to_put_puts_nothing(core, end):
    channel, t, log = core.Channel(0), core.Trampoline(), []
    first, _ = started(t, puts(channel, ["first"], []), puts(channel, ["second"], []))
    if end == "close":
        first.close()
    elif end == "throw":
        first.throw(KeyError("thrown in"))
        with pytest.raises(KeyError, match="thrown in"):
            t.run()
    else:
        first.resume(None)
        t.run()
    started(t, gets(channel, log))
    assert log == [("got", "second")]


def handed(core, size, *coroutines):
    """Return a channel, its trampoline and a pseudothread that was handed 1, in the turn before that in which it would be sent it."""
    channel, t, log = core.Channel(size), core.Trampoline(), []
    waiting, *_ = started(t, gets(channel, log, "first"), *(gets(channel, log, name) for name in coroutines))
    t.add(puts(channel, [1], log))
    t.queue.popleft()()
    assert waiting.state == "queued"
    return channel, t, waiting, log


def test_what_was_handed_to_one_that_is_closed_before_its_turn_goes_to_the_next(core):
    _, t, waiting, log = handed(core, 0, "second")
    waiting.close()
    t.run()
    assert log == [("put", 1), ("second", 1)]


@pytest.mark.parametrize("size", [0, 1, None])
def test_or_back_to_the_front(core, size):
    channel, t, waiting, log = handed(core, size)
    t.add(puts(channel, [2, 3], log))
    t.queue.append(t.queue.popleft())
    t.queue.popleft()()  # the others are put, as far as there is room, before the first comes back
    waiting.close()
    t.run()
    assert named(log, "put") == ([1] if size == 0 else [1, 2] if size == 1 else [1, 2, 3])
    started(t, gets(channel, log))
    assert named(log, "got") == [1, 2, 3]
    assert named(log, "put") == [1, 2, 3]


def test_one_that_was_handed_a_value_and_popped_from_the_queue_may_be_closed_too(core):
    channel, t, waiting, log = handed(core, 0)
    assert t.queue.popleft() is waiting
    waiting.close()
    started(t, gets(channel, log))
    assert named(log, "got") == [1]


def test_where_schedule_is_overridden_it_is_shown_the_value(core):
    seen = []

    class Overriding(core.Trampoline):
        def schedule(self, coroutine, stack=(), val=None, *exc):
            seen.append(val)
            return super().schedule(coroutine, stack, val, *exc)

    channel, t, log = core.Channel(0), Overriding(), []
    started(t, gets(channel, log))
    started(t, puts(channel, ["a value"], log))
    assert log == [("put", "a value"), ("got", "a value")]
    assert "a value" in seen


def test_a_timeout_loses_nothing(core):
    reactor = Jumping()
    channel, t, log = core.Channel(0), core.Waiting(reactor=reactor), []

    def hurried():
        try:
            yield timeout(1, channel.get())
        except TimeoutError:
            log.append("too late")

    def slow():
        yield sleep(2)
        yield channel.put("kept")

    def patient():
        yield sleep(3)
        log.append((yield channel.get()))

    started(t, hurried(), slow(), patient())
    assert log == ["too late", "kept"]


def test_a_value_that_comes_in_the_moment_in_which_the_time_is_up_is_given(core):
    reactor = Jumping()
    channel, t, log = core.Channel(0), core.Waiting(reactor=reactor), []

    def hurried():
        log.append((yield timeout(1, channel.get())))
        try:
            yield sleep(1)
        except TimeoutError:
            log.append("of another wait")

    def putter():
        yield channel.put("in time")
        reactor.now = 9
        t._look()

    started(t, hurried(), putter())
    assert log == ["in time"]


def test_with_no_time_at_all_it_gets_what_is_there(core):
    channel, t, log = core.Channel(1), core.Waiting(), []

    def tries():
        yield channel.put("there")
        for _ in range(2):
            try:
                log.append((yield timeout(0, channel.get())))
            except TimeoutError:
                log.append("nothing")

    started(t, tries())
    assert log == ["there", "nothing"]


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
