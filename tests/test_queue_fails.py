"""A queue of the user's that fails.

Whoever stands nowhere afterwards has ended, as where an overridden `schedule` fails, or is parked as before.

The error goes to whoever queued: out of `run()` where that was the run loop. Nobody else is lost.
"""

import traceback

import pytest
from coroutines import value
from queues import FAILING, Failing, Refused, TooLate, fail_next, failing


def worker(name, log, t, turns=2):
    try:
        for turn in range(turns):
            log.append((name, (yield value(turn))))
        yield name
    finally:
        log.append((name, "finally", t.running))


def outcome(make_trampoline, log):
    """Run three until all have ended. Return what happened."""
    t = make_trampoline()
    ps = [t.add(worker(name, log, t), name=name) for name in "abc"]
    joiner = t.add(joins(ps[0], log), name="joiner")
    for _ in range(4):
        try:
            log.append(t.run())
        except Refused as error:
            log.append(("run", error.args, error.__context__, t.running))
    log += [(p.name, p.state, p.stack, p.waits_for) for p in (*ps, joiner)]
    for p in ps:
        try:
            log.append(p.result())
        except RuntimeError as error:
            log.append(str(error))
    return log


def joins(p, log):
    try:
        log.append((yield p))
    except RuntimeError as error:
        log.append(str(error))


@pytest.mark.parametrize("queue", FAILING)
@pytest.mark.parametrize("turn", range(5, 18))
def test_it_ends_as_where_an_overridden_schedule_fails(core, queue, turn):
    class Scheduling(core.Trampoline):
        times = 0

        def schedule(self, *continuation):
            self.times += 1
            if self.times == turn:
                del continuation  # the traceback has this frame
                raise Refused(turn)
            return super().schedule(*continuation)

    log, other = [], []
    outcome(lambda: failing(core, queue, turn), log)
    outcome(Scheduling, other)
    assert log == other
    assert ("run", (turn,), None, False) in log


@pytest.mark.parametrize("queue", FAILING)
@pytest.mark.parametrize("turns", [0, 1, 2])
def test_what_is_left_goes_on(core, queue, turns):
    """After the call, after its result, and after a call from a deeper level."""

    def root():
        yield nested(turns)

    def nested(level):
        yield nested(level - 1) if level else value(0)
        yield 1

    log = []
    t = failing(core, queue)
    p, left = t.add(root()), t.add(worker("left", log, t))
    t.queue.fails = [3 + 2 * turns]
    with pytest.raises(Refused) as raised:
        t.run()
    frames = traceback.extract_tb(raised.tb)
    assert len(frames) == 3, "this test, run() and append()"
    assert frames[-1].name == "append"
    assert raised.value.__context__ is None
    assert p.done
    assert t.run() == left.result() == "left"
    with pytest.raises(RuntimeError, match="was closed before"):
        p.result()


@pytest.mark.parametrize("turn", range(4, 10))
def test_what_stands_there_all_the_same_goes_on(core, turn):
    log = []
    t = failing(core, TooLate, turn)
    ps = [t.add(worker(name, log, t)) for name in "abc"]
    with pytest.raises(Refused):
        t.run()
    assert t.run() == "c"
    assert [p.result() for p in ps] == ["a", "b", "c"]


@pytest.mark.parametrize("queue", FAILING)
def test_a_turn_by_hand(core, queue):
    t = failing(core, queue, 2)
    p = t.add(worker("a", [], t))
    assert t.queue.popleft() is p
    with pytest.raises(Refused):
        p()
    assert p.done


@pytest.mark.parametrize("queue", [*FAILING, TooLate])
@pytest.mark.parametrize("overridden", [False, True])
@pytest.mark.parametrize("how", ["add", "spawn", "schedule"])
def test_add_may_be_called_again(core, queue, overridden, how):
    class Scheduling(core.Trampoline):
        def schedule(self, *continuation):
            return super().schedule(*continuation)

    log = []
    t = Scheduling() if overridden else core.Trampoline()
    t.queue = queue(1)
    coroutine = worker("a", log, t)
    with pytest.raises(Refused):
        getattr(t, how)(coroutine)
    if queue is TooLate:
        assert len(t.queue) == 1
    else:
        assert len(t.queue) == 0
        p = getattr(t, how)(coroutine)
        assert p.stack == (coroutine,)
    assert t.run() == "a"
    assert log[:2] == [("a", 0), ("a", 1)]


@pytest.mark.parametrize("queue", FAILING)
def test_a_schedule_that_passes_it_on_leaves_nothing_in_hand(core, queue):
    """It may catch the error and pass the same on again, else the pseudothread ends."""

    class Scheduling(core.Trampoline):
        again = True

        def schedule(self, *continuation):
            try:
                return super().schedule(*continuation)
            except Refused:
                if not self.again:
                    raise
                return super().schedule(*continuation)

    t = Scheduling()
    t.queue = queue()
    p = t.add(worker("a", [], t), name="a")
    fail_next(t)
    assert t.run() == p.result() == "a"
    p, q = t.add(worker("b", [], t)), t.add(worker("c", [], t))
    t.again = False
    fail_next(t)
    with pytest.raises(Refused):
        t.run()
    assert p.done
    assert t.run() == q.result() == "c"


@pytest.mark.parametrize("queue", FAILING)
@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("how", ["resume", "throw"])
@pytest.mark.parametrize("prompt", [False, True])
def test_it_is_parked_as_before_where_resume_or_throw_fail(core, queue, inside, how, prompt):
    class Park(core.Suspension):
        if prompt:

            def at_once(self, pseudothread):
                return NotImplemented

            def take_back(self, pseudothread, got):
                log.append(("taken back", got))

        def suspend(self, pseudothread):
            pass

        def withdraw(self, pseudothread):
            log.append("withdrawn")

    def waits():
        try:
            log.append((yield park))
        except KeyError as error:
            log.append(error.args)
        return "end"

    def resumes(p):
        if how == "resume":
            p.resume("value")
        else:
            p.throw(KeyError("thrown"))

    log, park = [], Park()
    t = failing(core, queue)
    p = t.add(waits())
    t.run()
    fail_next(t)
    if inside:
        t.queue.fails = [t.queue.times + 2]
        t.queue.append(lambda: resumes(p))
    with pytest.raises(Refused) as raised:
        t.run() if inside else resumes(p)
    assert raised.value.__context__ is None
    assert (p.state, p.waits_for, list(t._all_parked())) == ("parked", park, [p])
    assert len(t.queue) == 0
    resumes(p)
    assert t.run() == p.result() == "end"
    assert log == (["value"] if how == "resume" else ["withdrawn", "withdrawn", ("thrown",)])
    again = t.add(waits())
    t.run()
    fail_next(t)
    with pytest.raises(Refused):
        resumes(again)
    log.clear()
    again.resume("again")
    again.close()
    assert log == ([("taken back", "again")] if prompt else [])


def test_it_still_joins_where_resume_fails(core):
    def root():
        return (yield target)

    t = failing(core, Failing)
    target, park = t.add(parks(core)), None
    p = t.add(root())
    t.run()
    fail_next(t)
    with pytest.raises(Refused):
        p.resume(park)
    assert p.waits_for is target
    target.resume("given")
    assert t.run() == p.result() == "given"


def parks(core):
    class Park(core.Suspension):
        def suspend(self, pseudothread):
            pass

    return (yield Park())


@pytest.mark.parametrize("queue", FAILING)
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("how", ["resume", "throw"])
def test_a_suspension_that_resumes_at_once(core, queue, times, how):
    """The error is thrown in at its yield; where that cannot be queued either it ends."""

    class AtOnce(core.Suspension):
        def suspend(self, pseudothread):
            fail_next(t, times)
            getattr(pseudothread, how)(KeyError("given"))

    def root():
        try:
            yield AtOnce()
        except Refused as error:
            log.append((error.args, error.__context__))
        yield "end"

    log = []
    t = failing(core, queue)
    p, left = t.add(root()), t.add(worker("left", [], t))
    if times == 1:
        t.run()
        assert (log, p.result()) == ([((3,), None)], "end")
    else:
        with pytest.raises(Refused):
            t.run()
        assert p.done
        assert log == []
        t.run()
    assert left.result() == "left"


def test_what_wakes_it_has_done_its_part(core):
    """A sleep whose end finds no room: it sleeps on, and may be resumed."""

    def root():
        return (yield core.module.sleep(1))

    t = core.Waiting(clock=core.module.VirtualClock())
    t.queue = Failing(2)
    p = t.add(root())
    with pytest.raises(Refused):
        t.run()
    assert p.state == "parked"
    p.resume("by hand")
    assert t.run() == p.result() == "by hand"


@pytest.mark.parametrize("queue", FAILING)
def test_all_who_join_are_told(core, queue):
    """Of whom the first cannot be queued: it ends, and the error leaves run()."""

    def root(target):
        return (yield target)

    t = failing(core, queue)
    target = t.add(parks(core))
    ps = [t.add(root(target)) for _ in range(3)]
    ps.append(t.add(root(ps[0])))
    t.run()
    target.resume("given")
    fail_next(t)
    with pytest.raises(Refused):
        t.run()
    with pytest.raises(RuntimeError, match="was closed before"):
        t.run()
    t.run()
    assert [p.state for p in ps] == ["ended"] * 4
    assert [p.result() for p in ps[1:3]] == ["given"] * 2


@pytest.mark.parametrize(("size", "turn"), [(0, 4), (1, 5)])
def test_a_value_in_a_channel_is_not_lost(core, size, turn):
    """Whoever gets it is told that the one who put it cannot be queued; it stays to be had."""

    def putter():
        for n in range(size + 1):
            yield channel.put(n)

    def getter():
        for _ in range(size + 2):
            try:
                log.append((yield channel.get()))
            except Refused:
                log.append("refused")

    log, channel = [], core.Channel(size)
    t = failing(core, Failing)
    p, q = t.add(putter()), t.add(getter())
    fail_next(t)
    t.run()
    assert log == ["refused", *range(size + 1)]
    assert p.done
    assert q.done


@pytest.mark.parametrize("method", ["popleft", "__len__", "__bool__"])
@pytest.mark.parametrize("turn", range(6))
def test_nothing_is_lost_where_the_queue_cannot_be_asked(core, method, turn):
    def fails(self):
        nonlocal left
        left -= 1
        if left == 0:
            raise Refused(method)
        return asked(self)

    left = 0
    asked = {"popleft": Failing.popleft, "__len__": Failing.__len__, "__bool__": Failing.__len__}[method]
    queue = type("Broken", (Failing,), {method: fails if method != "__bool__" else lambda self: bool(fails(self))})
    t = failing(core, queue)
    ps = [t.add(worker(name, [], t)) for name in "ab"]
    left = turn + 1
    with pytest.raises(Refused):
        t.run()
    t.run()
    assert [p.result() for p in ps] == ["a", "b"]
