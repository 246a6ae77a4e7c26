"""The end of objects at bad moments: a suspension whose `__del__` acts on its pseudothread, an overridden `schedule` that ends its own.

Each was once a crash of the C core, or a difference between the two.
"""

import contextlib
import gc

import pytest


def waits(suspension, log):
    log.append((yield suspension()))
    return "end"


@pytest.mark.parametrize("act", ["close", "call"])
@pytest.mark.parametrize("go_on", ["resume", "throw", "close"])
def test_a_suspension_whose_end_acts_on_its_pseudothread(core, act, go_on):
    class Acts(core.Suspension):
        def suspend(self, pseudothread):
            self.pseudothread = pseudothread

        def __del__(self):
            try:
                self.pseudothread.close() if act == "close" else self.pseudothread()
            except RuntimeError as error:
                refused.append(str(error))

    log, refused = [], []
    t = core.Trampoline()
    p = t.add(waits(Acts, log))
    other = t.add(waits(list, log))
    t.run()
    if go_on == "resume":
        p.resume(3)
    elif go_on == "throw":
        p.throw(KeyError("thrown"))
    else:
        p.close()
    try:
        t.run()
    except KeyError:
        assert go_on == "throw"
    assert p.done
    assert other.result() is not None
    assert log in ([], [3])


@pytest.mark.parametrize("how", ["close", "close and go on"])
def test_a_schedule_that_ends_its_own_pseudothread(core, how):
    class Ends(core.Trampoline):
        def schedule(self, coroutine, stack=(), val=None, *exc):
            if stack:
                made[0].close()
                if how == "close":
                    return None
            return super().schedule(coroutine, stack, val, *exc)

    def child():
        yield 1

    def root():
        yield child()

    t = Ends()
    made = [t.add(root())]
    assert t.run() in (None, 1)
    assert made[0].done
    assert not t.queue


def test_a_class_that_refuses_to_be_looked_up_is_an_error_for_who_called(core):
    class Refuses(type):
        __hash__ = None

    class Value(metaclass=Refuses):
        pass

    def child():
        yield Value()

    def root():
        try:
            yield child()
        except TypeError as error:
            return str(error)

    t = core.Trampoline()
    t.add(root())
    assert "unhashable" in t.run()


def test_run_gives_no_result_where_a_schedule_made_the_last_turn_by_hand(core):
    """The recipe: the entry that called `schedule` returned None, whatever the turn within it returned."""

    class ByHand(core.Trampoline):
        def schedule(self, coroutine, stack=(), val=None, *exc):
            made = super().schedule(coroutine, stack, val, *exc)
            if val is not None:
                given.append(self.queue.popleft()())
            return made

    def child():
        yield 1

    def root():
        got = yield child()
        return got + 1

    given = []
    t = ByHand()
    t.add(root())
    assert t.run() is None
    assert given == [2]


@pytest.mark.parametrize("after", ["raise", "run"])
def test_an_error_of_suspend_keeps_the_suspension_no_longer_than_itself(core, after):
    class Resumes(core.Suspension):
        def __del__(self):
            events.append("gone")

        def suspend(self, pseudothread):
            pseudothread.resume(1)
            if after == "raise":
                raise KeyError(1)
            with contextlib.suppress(RuntimeError):
                t.run()

    def root():
        with contextlib.suppress(KeyError):
            yield Resumes()
        events.append("next turn")
        yield

    events = []
    t = core.Trampoline()
    t.add(root())
    gc.collect()
    gc.disable()
    try:
        t.run()
    finally:
        gc.enable()
    assert sorted(events) == ["gone", "next turn"]
