"""An error through a million levels, each of which sees it, out of run()."""

from common import LESS, Mishap, Trampoline, chain


def bottom():
    raise Mishap("at the bottom")
    yield


ended = {}
t = Trampoline()
p = t.add(chain(LESS, bottom, ended))
try:
    t.run()
except Mishap:
    pass
else:
    raise AssertionError("nothing was raised")
assert ended == {"Mishap": LESS + 1}
assert p.done
del p, t
