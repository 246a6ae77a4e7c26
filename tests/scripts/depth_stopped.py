"""A million levels left standing by stop(): the stack is seen, then goes on to its end."""

from common import DEPTH, stopped


def bottom(t):
    t.stop()
    yield "bottom"


ended = {}
t, p = stopped(bottom, ended)
assert len(p.stack) == DEPTH + 1
assert p.state == "queued"
assert repr(p).startswith("<Pseudothread 'chain' queued")
assert t.run() == "bottom"
assert ended == {"result": DEPTH + 1}
