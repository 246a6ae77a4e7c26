"""What `pseudothreads()`, `snapshot()` and `print_stacks()` show to who looks amid a turn: from a `finally`, or `suspend()`."""

import io
from collections.abc import Generator

import pytest
from conftest import REFERENCE_COUNTS
from coroutines import value


def names(t):
    """Return the names, as each of the three ways tells them: they must be the same."""
    told, file = [p.name for p in t.pseudothreads()], io.StringIO()
    t.print_stacks(file)
    assert [shot.name for shot in t.snapshot()] == told
    assert [line.partition(",")[0] for line in file.getvalue().splitlines() if ", added at " in line] == told
    return told


class Looks:
    """What is let go when the next entry has been taken and not yet called."""

    def __init__(self, t, log):
        self.t, self.log = t, log

    def __del__(self):
        self.log.append((names(self.t), [(p.name, p.state) for p in self.t.pseudothreads()]))


@pytest.mark.skipif(not REFERENCE_COUNTS, reason="PyPy's collector decides when it is let go")
def test_who_was_taken_from_the_queue_and_has_not_begun_is_there(core):
    def gives(log):
        yield Looks(t, log)

    def looks(log):
        yield gives(log)
        yield Park()

    def goes_on():
        yield value(1)
        yield value(2)

    class Park(core.Suspension):
        def suspend(self, pseudothread):
            pass

    t, log = core.Trampoline(), []
    t.add(looks(log), name="A")
    t.add(goes_on(), name="B")
    t.add(goes_on(), name="C")
    t.run()
    t.close()
    assert log == [(["B", "C", "A"], [("B", "running"), ("C", "queued"), ("A", "parked")])]


def test_in_suspend_it_is_parked_already_and_the_last(core):
    log = []

    class Looks(core.Suspension):
        def suspend(self, pseudothread):
            log.append((names(t), pseudothread.state))
            pseudothread.resume()

    class Park(core.Suspension):
        def suspend(self, pseudothread):
            pass

    def yields(suspension):
        yield suspension

    t = core.Trampoline()
    t.add(yields(Park()), name="B")
    t.add(yields(Looks()), name="A")
    t.add(yields(Looks()), name="C")
    t.run()
    t.close()
    assert log == [(["C", "B", "A"], "parked"), (["A", "B", "C"], "parked")]


def test_by_hand_it_is_the_same(core):
    log = []

    class Looks(core.Suspension):
        def suspend(self, pseudothread):
            log.append(names(t))

    def root():
        log.append(names(t))
        yield Looks()

    t = core.Trampoline()
    t.add(root(), name="A")
    t.add(value(1), name="B")
    t.queue.popleft()()
    assert log == [["A", "B"], ["B", "A"]]
    t.close()


def test_code_without_line_numbers_tells_the_line_of_its_function(core):
    """As a tool makes it that strips them."""

    def adds():
        return t.add(waits())

    def waits():
        yield

    t = core.Trampoline()
    first = adds.__code__.co_firstlineno
    adds.__code__ = adds.__code__.replace(co_linetable=b"")
    assert adds().added == (__file__, first)
    t.close()


def test_a_coroutine_whose_frame_cannot_be_asked_for_is_told_without_one(core):
    class Odd(Generator):
        gi_code = value.__code__

        @property
        def gi_frame(self):
            raise LookupError("no frame")

        def send(self, value): ...

        def throw(self, *error): ...

    t = core.Trampoline()
    t.add(Odd(), name="odd")
    written = io.StringIO()
    t.print_stacks(written)
    _, first, second = written.getvalue().splitlines()[:3]
    assert first.startswith("odd, queued, added at ")
    assert f'coroutines.py", line {value.__code__.co_firstlineno}, in ' in second
    t.queue.clear()
