"""A million tail calls: the depth stays one."""

from common import DEPTH, Trampoline, trampoline


def count(n):
    if n:
        raise trampoline.TailCall(count(n - 1))
    assert len(p.stack) == 2
    yield "end"


def root():
    return (yield count(DEPTH))


t = Trampoline()
p = t.add(root())
t.run()
assert p.result() == "end"
