"""`Event`, `Lock` and `Semaphore`. Random histories are in `test_synchronising_model.py`."""

import sys
import threading
import weakref

import pytest
from conftest import Park, collect
from exchanges import started
from simulated import Jumping

from trampoline import Deadlock, Event, Lock, Semaphore, sleep, timeout


def has(lock, name, log, park=None):
    """Have it by `with`, for as long as `park` lasts."""
    with (yield lock):
        log.append((name, "has"))
        if park is not None:
            yield park
    log.append((name, "gave"))


async def has_natively(lock, name, log, park=None):
    """The same by `async with`."""
    async with lock:
        log.append((name, "has"))
        if park is not None:
            await park
    log.append((name, "gave"))


@pytest.fixture(params=[Lock, Semaphore])
def lock(request):
    """A lock, or a semaphore that is one."""
    return request.param()


def test_an_event_lets_go_all_that_wait_in_their_order(core):
    event, t, log = Event(), core.Trampoline(), []

    def waits(name):
        log.append((name, (yield event)))

    async def waits_natively(name):
        log.append((name, await event))

    started(t, waits(1), waits_natively(2), waits(3))
    assert (log, event.is_set()) == ([], False)
    event.set()
    event.set()
    assert event.is_set()
    t.run()
    assert log == [(1, True), (2, True), (3, True)]
    started(t, waits(4))
    event.clear()
    started(t, waits(5))
    assert log[3:] == [(4, True)]


def test_who_waited_when_it_was_set_goes_on_though_it_is_cleared(core):
    event, t, log = Event(), core.Trampoline(), []

    def waits():
        log.append((yield from event))

    started(t, waits())
    event.set()
    event.clear()
    t.run()
    assert log == [True]


def test_one_at_a_time_has_a_lock_and_they_have_it_in_turn(core, lock, park):
    t, log = core.Trampoline(), []
    started(t, has(lock, "a", log, park), has_natively(lock, "b", log, park), has(lock, "c", log))
    assert log == [("a", "has")]
    park.last.resume()
    t.run()
    assert log == [("a", "has"), ("a", "gave"), ("b", "has")]
    park.last.resume()
    t.run()
    assert log[3:] == [("b", "gave"), ("c", "has"), ("c", "gave")]


def test_a_free_lock_is_had_without_a_turn(core, lock):
    t, log = core.Trampoline(), []
    started(t, has(lock, "a", log), has_natively(lock, "b", log))
    assert log == [("a", "has"), ("a", "gave"), ("b", "has"), ("b", "gave")]


def test_nobody_overtakes(core, lock):
    """Who gives it back and asks again at once comes behind those that wait."""
    t, log = core.Trampoline(), []

    def again(name):
        for _ in range(3):
            with (yield lock):
                log.append(name)
                yield sleep(0)

    started(t, again("a"), again("b"))
    assert log == ["a", "b"] * 3


def test_a_semaphore_lets_in_so_many(core, park):
    semaphore, t, log = Semaphore(2), core.Trampoline(), []
    assert semaphore.value == 2
    started(t, *(has(semaphore, name, log, park) for name in "abcd"))
    assert [name for name, _ in log] == ["a", "b"]
    assert semaphore.value == 0
    for parked in list(park.parked):
        parked.resume()
    t.run()
    assert [name for name, what in log if what == "has"] == ["a", "b", "c", "d"]


def test_a_semaphore_that_nobody_has_can_be_released_too(core):
    semaphore, t, log = Semaphore(0), core.Trampoline(), []

    def waits(name):
        yield semaphore
        log.append(name)

    started(t, waits("a"), waits("b"))
    semaphore.release()
    t.run()
    assert log == ["a"]
    semaphore.release()
    semaphore.release()
    t.run()
    assert (log, semaphore.value) == (["a", "b"], 1)


@pytest.mark.parametrize("end", ["close", "throw", "resume"])
def test_who_no_longer_waits_is_passed_over(core, lock, park, end):
    t, log = core.Trampoline(), []

    def plain(name):
        yield lock
        log.append(name)

    started(t, has(lock, "a", log, park))
    b, _ = started(t, plain("b"), plain("c"))
    if end == "close":
        b.close()
    elif end == "throw":
        b.throw(KeyError("thrown in"))
        with pytest.raises(KeyError):
            t.run()
    else:
        b.resume()
        t.run()
    park.last.resume()
    t.run()
    assert log == [("a", "has"), *(["b"] if end == "resume" else []), ("a", "gave"), "c"]


def test_one_that_was_given_it_and_is_closed_before_its_turn_passes_it_on(core, lock, park):
    t, log = core.Trampoline(), []
    a, b, _ = started(t, *(has(lock, name, log, park) for name in "abc"))
    park.last.resume()
    assert a.state == "queued"
    t.queue.popleft()()
    assert (b.state, log) == ("queued", [("a", "has"), ("a", "gave")])
    b.close()
    t.run()
    assert log[2:] == [("c", "has")]
    park.last.close()
    assert "free" in repr(lock) or "1 left" in repr(lock)


def test_a_holder_that_is_closed_gives_it_back(core, lock, park):
    t, log = core.Trampoline(), []
    a, _ = started(t, has(lock, "a", log, park), has_natively(lock, "b", log))
    a.close()
    t.run()
    assert log == [("a", "has"), ("b", "has"), ("b", "gave")]


def test_a_holder_that_raises_gives_it_back(core, lock, park):
    t, log = core.Trampoline(), []
    a, _ = started(t, has_natively(lock, "a", log, park), has(lock, "b", log))
    a.throw(KeyError("in the block"))
    with pytest.raises(KeyError):
        t.run()
    t.run()
    assert log == [("a", "has"), ("b", "has"), ("b", "gave")]


def test_a_timeout_loses_nothing(core, lock):
    reactor = Jumping()
    t, log = core.Waiting(reactor=reactor), []

    def hurried():
        try:
            yield timeout(1, lock)
        except TimeoutError:
            log.append("too late")

    started(t, has(lock, "a", log, sleep(2)), hurried(), has(lock, "c", log))
    assert log == [("a", "has"), "too late", ("a", "gave"), ("c", "has"), ("c", "gave")]


def test_closing_the_trampoline_leaves_it_free(core, lock, park):
    t, log = core.Trampoline(), []
    started(t, *(has(lock, name, log, park) for name in "abc"))
    t.close()
    assert log == [("a", "has")]
    assert "free>" in repr(lock) or "1 left>" in repr(lock)


@pytest.mark.parametrize("kind", [Lock, Semaphore])
@pytest.mark.parametrize("how", [has, has_natively])
def test_an_abandoned_holder_is_collected_and_gives_it_back(core, kind, how):
    unraisable, hook = [], sys.unraisablehook
    sys.unraisablehook = lambda found: unraisable.append(found.exc_value)
    try:
        t, lock, log = core.Trampoline(), kind(), []
        watched = [weakref.ref(p) for p in started(t, how(lock, "a", log, Park()), how(lock, "b", log, Park()))]
        watched.append(weakref.ref(lock))
        del t, lock
        collect()
    finally:
        sys.unraisablehook = hook
    assert [ref() for ref in watched] == [None, None, None]
    assert unraisable == []
    assert log == [("a", "has")]


def test_misuse_of_a_lock(core, park):
    lock, t, errors, seen = Lock(), core.Trampoline(), [], []

    def releases():
        try:
            lock.release()
        except RuntimeError as error:
            errors.append(str(error))
        return
        yield

    def twice():
        with (yield lock):
            try:
                yield lock
            except RuntimeError as error:
                errors.append(str(error))
                seen.append((error.__context__, error.__traceback__.tb_next))

    t.add(twice(), name="twice")
    t.run()
    started(t, releases())
    t.add(has(lock, "a", [], park), name="the holder")
    started(t, releases())
    assert lock.holder.name == "the holder"
    twice_over, nobody, another = errors
    assert seen == [(None, None)]
    assert nobody.endswith("free>: nobody has it")
    assert "'twice' asks for <Lock at" in twice_over
    assert "which it has already: it would wait for itself" in twice_over
    assert "held by 'the holder'>: only 'the holder', which has it, can" in another


def test_a_with_without_the_yield_is_refused(lock):
    with pytest.raises((TypeError, AttributeError)), lock:
        pass


@pytest.mark.parametrize(
    ("value", "error", "said"),
    [
        (-1, ValueError, "takes a number from 0 on, not -1"),
        ("1", TypeError, "takes a whole number, not '1'"),
        (None, TypeError, "takes a whole number, not None"),
        (True, TypeError, "takes a whole number, not True"),
        (Lock(), TypeError, "write `yield` before it"),
    ],
)
def test_a_semaphore_of_what_is_no_number(value, error, said):
    with pytest.raises(error, match=said):
        Semaphore(value)


def test_a_deadlock_tells_who_waits_for_which_lock_and_who_has_it(core):
    one, other, t = Lock(), Lock(), core.Waiting()

    def both(first, second):
        with (yield first):
            yield sleep(0)
            with (yield second):
                raise AssertionError("both have both")

    t.add(both(one, other), name="left")
    t.add(both(other, one), name="right")
    with pytest.raises(Deadlock) as caught:
        t.run()
    told = str(caught.value)
    assert f"left, parked for <Lock at {id(other):#x}, held by 'right', 1 waits>" in told
    assert f"right, parked for <Lock at {id(one):#x}, held by 'left', 1 waits>" in told
    t.close()
    assert (one.holder, other.holder) == (None, None)


def test_a_deadlock_tells_that_the_holder_has_ended(core):
    lock, t = Lock(), core.Waiting()

    def keeps():
        yield lock

    t.add(keeps(), name="forgetful")
    t.add(keeps(), name="waits")
    with pytest.raises(Deadlock, match=r"waits, parked for <Lock at 0x[0-9a-f]+, held by 'forgetful', which has ended, 1 waits>"):
        t.run()
    lock.release()
    t.run()
    assert lock.holder.name == "waits"


def test_a_deadlock_tells_of_an_event_and_a_semaphore(core):
    t = core.Waiting()

    def waits(what):
        yield what

    for what in (Event(), Semaphore(0)):
        t.add(waits(what))
    with pytest.raises(Deadlock) as caught:
        t.run()
    assert ", not set, 1 waits>" in str(caught.value)
    assert ", 0 left, 1 waits>" in str(caught.value)
    t.close()


@pytest.mark.parametrize("what", ["event", "semaphore", "lock"])
def test_in_two_threads_it_is_refused(core, what):
    event, semaphore, lock, t, errors = Event(), Semaphore(0), Lock(), core.Waiting(), []

    def waits():
        yield {"event": event, "semaphore": semaphore, "lock": lock}[what]
        yield event

    def asks():
        yield lock

    def other_thread():
        other = core.Waiting()
        other.add(asks())
        try:
            {"event": event.set, "semaphore": semaphore.release, "lock": other.run}[what]()
        except RuntimeError as error:
            errors.append(str(error))

    def root():
        thread = threading.Thread(target=other_thread)
        thread.start()
        thread.join()
        return
        yield

    t.add(waits(), name="waits")
    t.add(root())
    with pytest.raises(Deadlock):
        t.run()
    assert len(errors) == 1
    assert "is used in two threads: 'waits' runs in another than this" in errors[0]
    assert not event.is_set()
    t.close()
