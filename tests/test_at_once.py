"""A suspension that is asked whether it must be waited for at all, and has back what it gave to one that was closed before its turn."""

import contextvars

from exchanges import started

import trampoline
from trampoline import Lock


class Counter(trampoline.Suspension):
    """Gives numbers at once, up to a limit, and is told what becomes of the rest."""

    def __init__(self, most, log):
        self.count, self.most, self.log = 0, most, log

    def at_once(self, pseudothread):
        self.log.append(pseudothread.state)
        if self.count == self.most:
            return NotImplemented
        self.count += 1
        if self.count == 3:
            raise KeyError(3)
        return self.count

    def suspend(self, pseudothread):
        self.log.append("suspend")
        pseudothread.resume("by the queue")

    def take_back(self, pseudothread, value):
        self.log.append(("back", value, pseudothread.state))


def test_a_suspension_of_ones_own_that_is_done_at_once(core):
    log, t = [], core.Trampoline()
    counter = Counter(4, log)

    def counts():
        got = []
        for _ in range(5):
            try:
                got.append((yield counter))
            except KeyError as error:
                got.append((error.args, error.__traceback__.tb_next.tb_frame.f_code))
        log.append(got)

    def other():
        log.append("other")
        return
        yield

    started(t, counts(), other())
    assert log == [*["running"] * 5, "suspend", "other", [1, 2, ((3,), Counter.at_once.__code__), 4, "by the queue"]]


def test_what_it_gave_by_the_queue_may_come_back(core):
    log, t = [], core.Trampoline()
    counter = Counter(0, log)

    def counts():
        yield counter

    p = t.add(counts())
    t.queue.popleft()()
    p.close()
    assert log == ["running", "suspend", ("back", "by the queue", "running")]
    p = t.add(counts())
    t.run()
    p.close()
    assert len(log) == 5


def test_an_error_of_take_back_goes_into_the_coroutine(core):
    class Bad(Counter):
        def take_back(self, pseudothread, value):
            raise LookupError("of take_back")

    log, t = [], core.Trampoline()

    def counts():
        try:
            yield Bad(0, [])
        except LookupError as error:
            log.append(str(error))

    p = t.add(counts())
    t.queue.popleft()()
    p.close()
    assert log == ["of take_back"]


def test_in_a_context_it_is_done_at_once_too(core):
    lock, t, log = Lock(), core.Trampoline(), []
    variable = contextvars.ContextVar("variable", default="outside")
    context = contextvars.copy_context()
    context.run(variable.set, "inside")

    def counts():
        with (yield lock):
            log.append(variable.get())

    t.add(counts(), context=context)
    t.run()
    assert log == ["inside"]
    assert variable.get() == "outside"


def holds(lock, log):
    with (yield lock):
        log.append("has it")


def test_it_ends_no_turn_that_is_called_by_hand(core):
    lock, t, log = Lock(), core.Trampoline(), []
    t.add(holds(lock, log))
    t.queue.popleft()()
    assert log == ["has it"]
    assert not t.queue
