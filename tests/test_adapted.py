"""What a trampoline does with an awaitable or a future that is yielded: it asks `_adapt()`, and without an answer it is a result."""

from concurrent.futures import Future

import pytest


class Awaitable:
    """Can be awaited, and is no coroutine."""

    def __await__(self):
        yield self


@pytest.mark.parametrize("kind", [Awaitable, Future])
def test_what_it_is_adapted_to_decides(core, park, kind):
    def callee():
        yield "from the callee"

    class Adapts(core.Trampoline):
        answers = None

        def _adapt(self, got):
            return self.answers.pop(0)

    def asks():
        got.append((yield kind()))

    trampoline, got = Adapts(), []
    trampoline.answers = [callee(), "a result"]
    trampoline.add(asks())
    assert trampoline.run() is None
    assert got == ["from the callee"]
    trampoline.add(asks())
    assert trampoline.run() == "a result"
    trampoline.answers = [park]
    waiting = trampoline.add(asks())
    trampoline.run()
    assert waiting.waits_for is park
    waiting.resume("resumed")
    trampoline.run()
    assert got == ["from the callee", "resumed"]


def test_what_it_raises_goes_to_the_caller(core):
    class Adapts(core.Trampoline):
        def _adapt(self, got):
            raise ValueError("no")

    def child():
        yield Awaitable()

    def root():
        try:
            yield child()
        except ValueError as error:
            yield str(error)

    trampoline = Adapts()
    trampoline.add(root())
    assert trampoline.run() == "no"


def test_a_stop_iteration_that_it_raises_is_a_return(core):
    """As everywhere where one leaves what stands for a coroutine."""

    class Adapts(core.Trampoline):
        def _adapt(self, got):
            raise StopIteration("returned")

    def child():
        yield Awaitable()

    def root():
        yield (yield child())

    trampoline = Adapts()
    trampoline.add(root())
    assert trampoline.run() == "returned"


def test_without_an_answer_it_is_a_result(core):
    awaitable = Awaitable()

    def child():
        yield awaitable

    def root():
        yield (yield child())

    trampoline = core.Trampoline()
    trampoline.add(root())
    assert trampoline.run() is awaitable
