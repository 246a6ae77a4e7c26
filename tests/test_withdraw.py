"""When `withdraw()` of a suspension is called: once for each wait that `throw()` or `close()` ends, whoever calls them, and never else."""

from contextlib import suppress

import pytest

import trampoline


class Told(trampoline.Suspension):
    """Remembers what it is told, with the state of who waits then."""

    def __init__(self, *, fails=None):
        self.log, self.fails, self.pseudothread = [], fails, None

    def suspend(self, pseudothread):
        self.pseudothread = pseudothread
        self.log.append("suspend")

    def withdraw(self, pseudothread):
        assert pseudothread is self.pseudothread
        assert pseudothread.waits_for is None
        self.log.append("withdraw")
        if self.fails is not None:
            raise self.fails


def waits(told):
    try:
        yield told
    except KeyError:
        told.log.append("caught")
    told.log.append("goes on")


def started(core, told):
    t = core.Trampoline()
    p = t.add(waits(told))
    t.run()
    assert told.log == ["suspend"]
    return t, p


ENDS = {
    "resume": (lambda p: p.resume(), ["goes on"]),
    "throw": (lambda p: p.throw(KeyError("mine")), ["withdraw", "caught", "goes on"]),
    "close": (lambda p: p.close(), ["withdraw"]),
    "close of all": (lambda p: p.trampoline.close(), ["withdraw"]),
}


@pytest.mark.parametrize("end", ENDS)
def test_which_ends_call_it(core, end):
    act, log = ENDS[end]
    told = Told()
    t, p = started(core, told)
    act(p)
    t.run()
    assert told.log == ["suspend", *log]
    with pytest.raises(RuntimeError, match="has ended"):
        p.throw(KeyError)
    p.close()
    assert told.log == ["suspend", *log]


@pytest.mark.parametrize("when", ["at once", "later"])
def test_it_is_called_after_the_suspensions_own_throw_too(core, when):
    """The core does not know who calls throw(): a suspension must bear that nothing is left to undo."""

    class Throws(Told):
        def suspend(self, pseudothread):
            super().suspend(pseudothread)
            if when == "at once":
                self.ready()

        def ready(self):
            self.pseudothread.throw(KeyError("its own"))

    told, t = Throws(), core.Trampoline()
    t.add(waits(told))
    t.run()
    if when == "later":
        told.ready()
        t.run()
    assert told.log == ["suspend", "withdraw", "caught", "goes on"]


@pytest.mark.parametrize("end", ["throw", "close", "close of all"])
def test_an_error_of_it_goes_to_whoever_ends_the_wait_and_stops_nothing(core, end):
    told = Told(fails=LookupError("withdraw failed"))
    t, p = started(core, told)
    with pytest.raises(LookupError, match="withdraw failed") as caught:
        ENDS[end][0](p)
    t.run()
    assert p.done
    assert caught.value.__context__ is None
    assert told.log == ["suspend", *ENDS[end][1]]


def test_it_is_not_called_for_one_that_was_dropped(core):
    told = Told()
    t, p = started(core, told)
    told.pseudothread = None
    del t, p
    assert told.log == ["suspend"]


@pytest.mark.parametrize(
    "act",
    [lambda p: p.close(), lambda p: p(), lambda p: p.resume(), lambda p: p.throw(KeyError), lambda p: p.trampoline.queue.append(p)],
    ids=["close", "call", "resume", "throw", "queue"],
)
def test_who_is_being_thrown_into_is_queued_to_it(core, act):
    """Nothing else can be done with it: it crashed the core in C when it was closed here, and had its turn."""

    class Acts(Told):
        def withdraw(self, pseudothread):
            super().withdraw(pseudothread)
            assert pseudothread.state == "queued"
            with pytest.raises(RuntimeError, match=r": it is (queued|in the queue)"):
                act(pseudothread)

    told = Acts()
    t, p = started(core, told)
    p.throw(KeyError("mine"))
    assert list(t.queue) == [p]
    t.run()
    assert told.log == ["suspend", "withdraw", "caught", "goes on"]
    assert p.done


class Runs(Told):
    """Runs the trampoline from within `withdraw()`."""

    def withdraw(self, pseudothread):
        super().withdraw(pseudothread)
        self.log.append(pseudothread.trampoline.run())


def result(value):
    yield value


@pytest.mark.parametrize("kind", ["Trampoline", "Waiting"])
def test_it_may_run_the_trampoline(core, kind):
    """The run() in there does not wait for who is being thrown into: it would for ever."""
    told = Runs()
    t = getattr(core, kind)()
    p = t.add(waits(told))
    with suppress(trampoline.Deadlock):  # which only the one with a reactor knows of
        t.run()
    t.add(result(3))
    p.throw(KeyError)
    assert told.log == ["suspend", "withdraw", 3]
    t.run()
    assert told.log == ["suspend", "withdraw", 3, "caught", "goes on"]
