"""Channels: what goes in comes out, once, in its order, whoever ends meanwhile. Random histories are in `test_synchronising_model.py`."""

import pytest
from exchanges import WAYS, gets, iterates, named, put_by, puts, started
from simulated import Jumping

from trampoline import sleep, timeout

SIZES = [0, 1, 3, 100, None]


@pytest.fixture(params=WAYS)
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
