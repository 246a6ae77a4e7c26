"""Ctrl-C at random moments, as it comes: nobody is lost, and it comes out of `run()`."""

import signal

import pytest
from conftest import REFERENCE_COUNTS
from wires import run_script

SIGNALS = """
import random, signal

class Own(core.Trampoline):
    def schedule(self, coroutine, stack=(), val=None, *exc):
        return super().schedule(coroutine, stack, val, *exc)
class AtOnce(core.Suspension):
    def suspend(self, pseudothread):
        pseudothread.resume(1)
def strike(number, frame):
    global struck
    while frame is not None and frame.f_code is not run.__code__:
        frame = frame.f_back
    if frame is not None:  # else it comes a moment too late
        struck += 1
        raise KeyboardInterrupt
def value(result):
    yield result
def root():
    for n in range(20):
        yield core.module.sleep(0)
        yield AtOnce()
        yield (yield core.spawn(value(n)))
    return "end"

def run(t):  # not in the `try` itself: CPython 3.13 lets Ctrl-C out of one at a loop's jump back
    signal.setitimer(signal.ITIMER_REAL, moments.uniform(1e-5, 1e-3))
    t.run()

signal.signal(signal.SIGALRM, strike)
moments, wrong = random.Random(1), []
for attempt in range(300):
    struck, came = 0, 0
    t = core.Waiting() if attempt % 2 else Own()
    ps = [t.add(root()) for _ in range(3)]
    before = -1
    while came > before:
        before = came
        try:
            run(t)
        except KeyboardInterrupt:
            came += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
    if came < struck or t.running or t.pseudothreads() or not all(p.done for p in ps):
        wrong.append((attempt, struck, came, ps))
    t.close()
print(len(wrong), *wrong[:3])
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer that sends a signal")
@pytest.mark.skipif(not REFERENCE_COUNTS, reason="on PyPy a signal comes between any two steps: docs/waiting.md")
def test_signals_at_random_moments(core):
    status, out, err = run_script(core, SIGNALS)
    assert (status, out.split()[:1]) == (0, ["0"]), (out, err)
