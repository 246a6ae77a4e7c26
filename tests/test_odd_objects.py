"""Objects whose classes cannot be looked up, or whose attributes fail: as values, coroutines, suspensions and errors.

Each was once a crash of the C core, or a difference between the two.
"""

import collections.abc

import pytest

import trampoline


class Unhashable(type):
    __hash__ = None


class Fails(type):
    def __hash__(cls):
        raise LookupError("no hash")


class Liar:
    @property
    def __class__(self):
        raise LookupError("no class")


VALUES = [Unhashable("Value", (), {}), Fails("Value", (), {}), Liar]


@pytest.mark.parametrize("value", VALUES)
def test_an_object_that_cannot_be_looked_up_is_a_plain_value(core, value):
    """To the recipe it is one, too."""

    def child():
        yield value()

    def root():
        got = yield child()
        assert type(got) is value
        got = yield core.call(child())
        assert type(got) is value
        yield got

    t = core.Trampoline()
    t.add(root())
    assert type(t.run()) is value
    with pytest.raises(TypeError, match="takes a coroutine"):
        t.add(value())


@pytest.mark.parametrize("kind", [Unhashable, Fails])
@pytest.mark.parametrize("base", [collections.abc.Generator, trampoline.Suspension])
def test_coroutines_and_suspensions_that_cannot_be_looked_up(core, kind, base):
    class Meta(kind, type(base)):
        __hash__ = kind.__hash__

    class Strange(base, metaclass=Meta):
        def send(self, value):
            return 5

        def throw(self, *error):
            raise error[0]

        def suspend(self, pseudothread):
            pseudothread.resume(5)

    def root():
        got = yield Strange()
        return got

    t = core.Trampoline()
    t.add(root())
    assert t.run() == 5


@pytest.mark.parametrize("error", [LookupError, KeyboardInterrupt])
def test_a_coroutine_whose_attributes_fail(core, error):
    """An error of `gi_yieldfrom` is no news: the coroutine has no answer. Ctrl-C in it arrives where the error would have."""

    class Fails(collections.abc.Generator):
        @property
        def gi_yieldfrom(self):
            raise error("asked")

        def send(self, value):
            return child()

        def throw(self, thrown):
            raise thrown

    def child():
        raise ValueError("raised")
        yield

    def root():
        try:
            yield Fails()
        except (ValueError, KeyboardInterrupt) as caught:
            return type(caught)

    t = core.Trampoline()
    p = t.add(root())
    assert t.run() is (KeyboardInterrupt if error is KeyboardInterrupt else ValueError)
    assert "ended" in repr(p)


def test_a_root_without_a_name(core):
    class Nameless(collections.abc.Generator):
        def __getattr__(self, name):
            raise LookupError(name)

        def send(self, value):
            raise KeyError("raised")

        def throw(self, thrown):
            raise thrown

    t = core.Trampoline()
    p = t.add(Nameless())
    assert "Nameless" in repr(p)
    with pytest.raises(KeyError) as raised:
        t.run()
    assert "Nameless" in p.name
    assert raised.value.__context__ is None


def test_the_value_of_a_stop_iteration_of_ones_own(core):
    """The recipe asks the error for its `value`."""

    class Stop(StopIteration):
        value = property(lambda self: 10 // self.args[0])

    class Stops(collections.abc.Generator):
        def __init__(self, by):
            self.by = by

        def send(self, value):
            raise Stop(self.by)

        def throw(self, thrown):
            raise thrown

    def root():
        got = yield Stops(5)
        try:
            yield Stops(0)
        except ZeroDivisionError as error:
            return got, error.__context__

    t = core.Trampoline()
    t.add(root())
    assert t.run() == (2, None)


def test_a_tail_call_that_fails_to_say_what_it_calls(core):
    class Fails(core.TailCall):
        call = property(lambda self: 1 // 0, lambda self, value: None)

    def child():
        raise Fails(child())
        yield

    def root():
        try:
            yield child()
        except ZeroDivisionError as error:
            return error

    t = core.Trampoline()
    t.add(root())
    error = t.run()
    assert error.__context__ is None
    assert error.__traceback__.tb_next.tb_frame.f_code.co_name == "<lambda>"
