"""An error through a million levels to a root that catches it and calls again as deep."""

import contextlib

from common import DEPTH, Mishap, Trampoline, chain


def bad():
    raise Mishap("at the bottom")
    yield


def good():
    yield "good"


def root():
    with contextlib.suppress(Mishap):
        yield chain(DEPTH // 2, bad, ended)
    yield (yield chain(DEPTH // 2, good, ended))


ended = {}
t = Trampoline()
t.add(root())
assert t.run() == "good"
assert ended == {"Mishap": DEPTH // 2 + 1, "result": DEPTH // 2 + 1}
