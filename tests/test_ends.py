"""The end of objects at bad moments: a suspension whose `__del__` acts on its pseudothread, an overridden `schedule` that ends its own.

Each was a crash of the C core once.
"""

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
