"""A host loop and what it steps, for the tests of `step()` and `fileno()`."""

import collections
import select
import time

from coroutines import returned
from wires import LIMIT


def spins(log=None):
    while True:
        yield returned(None)
        if log is not None:
            log.append(1)


def fails(error):
    yield returned(None)
    raise error


class Host:
    """A loop that steps when it has been told to by the step before or by the descriptor, and counts why."""

    def __init__(self, t):
        self.t, self.number = t, t.fileno()
        self.reasons = collections.Counter()

    def run(self):
        """Be the loop, until nothing is left."""
        end = time.monotonic() + LIMIT
        while (left := self.t.step()) is not None:
            assert time.monotonic() < end, "the host was not woken"
            ready = select.select([self.t], [], [], min(left, LIMIT))[0]
            self.reasons["file" if ready else "more" if left == 0 else "deadline"] += 1
