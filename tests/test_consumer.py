"""The decorator `consumer`: its generators are ready to be sent to; what it decorates keeps all that it had; what goes wrong is said."""

import inspect
import sys

import pytest

from trampoline import consumer


@consumer
def averager(start: float = 0.0, *, scale=1) -> object:
    """Average what is sent."""
    total, count, average = start, 0, None
    while True:
        total += (yield average) * scale
        count += 1
        average = total / count


def test_it_is_ready_to_be_sent_to():
    average = averager()
    assert inspect.getgeneratorstate(average) == inspect.GEN_SUSPENDED
    assert [average.send(number) for number in (10, 20, 30)] == [10, 15, 20]
    assert averager(2.0, scale=2).send(5) == 12


def test_it_keeps_name_doc_attributes_and_signature():
    def original(first, *rest, second=2, **more) -> int:
        """Document it."""
        yield

    original.attribute = object()
    made = consumer(original)
    assert made.__wrapped__ is original
    assert (made.__name__, made.__qualname__, made.__module__) == (original.__name__, original.__qualname__, original.__module__)
    assert (made.__doc__, made.attribute) == (original.__doc__, original.attribute)
    assert inspect.signature(made) == inspect.signature(original)
    assert made.__annotations__ == original.__annotations__


class Base:
    log: list

    def __init__(self):
        self.log = []

    @consumer
    def method(self, name):
        """Document the method."""
        while True:
            self.log.append((name, (yield)))

    @classmethod
    @consumer
    def class_above(cls, log):
        log.append((cls, (yield)))
        yield

    @consumer
    @classmethod
    def class_below(cls, log):
        log.append((cls, (yield)))
        yield

    @staticmethod
    @consumer
    def static_above(log):
        log.append((yield))
        yield

    @consumer
    @staticmethod
    def static_below(log):
        log.append((yield))
        yield


class Derived(Base):
    pass


def test_methods():
    base = Base()
    base.method("a").send(1)
    Base.method(base, "b").send(2)
    assert base.log == [("a", 1), ("b", 2)]
    assert Base.method.__doc__ == "Document the method."
    assert list(inspect.signature(base.method).parameters) == ["name"]


@pytest.mark.parametrize("holder", [Derived, Derived()])
def test_classmethods_and_staticmethods(holder):
    log = []
    holder.class_above(log).send(1)
    holder.class_below(log).send(2)
    holder.static_above(log).send(3)
    holder.static_below(log).send(4)
    assert log == [(Derived, 1), (Derived, 2), 3, 4]


def test_a_pipeline():
    seen = []

    @consumer
    def last():
        while True:
            seen.append((yield))

    @consumer
    def doubled(target):
        while True:
            target.send((yield) * 2)

    first = doubled(doubled(last()))
    for number in range(3):
        first.send(number)
    assert seen == [0, 4, 8]


def test_it_may_be_added_and_called(core):
    def root():
        average = averager()
        yield average.send(4)

    t = core.Trampoline()
    t.add(root())
    assert t.run() == 4


def test_one_that_finishes_while_it_is_primed():
    @consumer
    def finishes(go_on):
        if go_on:
            yield

    with pytest.raises(RuntimeError, match=r"the consumer .*finishes\(\) finished before its first yield: it has no place") as raised:
        finishes(False)
    assert raised.value.__context__ is None
    assert finishes(True) is not None


def test_one_that_fails_while_it_is_primed():
    error = ValueError("early")

    @consumer
    def fails():
        raise error
        yield

    with pytest.raises(ValueError, match="early") as raised:
        fails()
    assert raised.value is error
    assert error.__context__ is None
    if sys.version_info >= (3, 11):
        (note,) = error.__notes__
        assert note.endswith("fails() was run to its first yield")


def test_what_is_no_generator_function():
    @consumer
    def plain():
        return 5

    with pytest.raises(TypeError, match=r"plain\(\) returned 5"):
        plain()
    with pytest.raises(TypeError, match=r"consumer\(\) decorates a generator function, not 42"):
        consumer(42)


def test_arguments_that_do_not_fit():
    with pytest.raises(TypeError, match="unexpected keyword argument 'wrong'"):
        averager(wrong=1)
