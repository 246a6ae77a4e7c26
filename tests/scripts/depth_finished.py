"""Recursion to a million and back: every level gets the result."""

from common import DEPTH, Trampoline, chain


def bottom():
    yield 42


ended = {}
t = Trampoline()
p = t.add(chain(DEPTH, bottom, ended))
assert t.run() == 42
assert p.result() == 42
assert ended == {"result": DEPTH + 1}
