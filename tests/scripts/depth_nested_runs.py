"""Trampolines that run one another without end: a RecursionError, not a crash; and they are freed."""

from common import Trampoline

innermost = t = Trampoline()
for _ in range(200_000):
    outer = Trampoline()
    outer.queue.append(t.run)
    t = outer
try:
    t.run()
except RecursionError:
    pass
else:
    raise AssertionError("nothing was raised")
del t, outer, innermost
