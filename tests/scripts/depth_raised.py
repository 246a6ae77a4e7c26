"""An error through a million levels, each of which sees it, out of run()."""

from common import LESS, Mishap, Trampoline, chain, fails


def bottom():
    raise Mishap("at the bottom")
    yield


ended = {}
t = Trampoline()
p = t.add(chain(LESS, bottom, ended))
fails(t)
assert ended == {"Mishap": LESS + 1}
assert p.done
del p, t
