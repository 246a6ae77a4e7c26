"""A bank with one counter and customers who do not wait for ever: SimPy's example "Bank renege", on a virtual clock.

    python examples/simulated_bank.py [--customers 5] [--seed 42]

Customers arrive at random times, wait in line, and leave without service when their patience is at an end. The same seed gives the same
customers as SimPy's program. Nothing here waits for real: the clock jumps from one event to the next.
"""

import argparse
import random
from collections import deque

from trampoline import Suspension, Trampoline, VirtualClock, sleep, timeout

BETWEEN = 10.0  # a customer comes every ten minutes or so
SERVICE = 12.0
PATIENCE = 1, 3  # the least and the most that a customer waits


class Counter(Suspension):
    """To yield it waits for one's turn; to `release()` it gives the next their turn."""

    def __init__(self):
        self.busy = False
        self.line = deque()

    def suspend(self, pseudothread):
        if self.busy:
            self.line.append(pseudothread)
        else:
            self.busy = True
            pseudothread.resume()

    def withdraw(self, pseudothread):
        if pseudothread in self.line:
            self.line.remove(pseudothread)

    def release(self):
        if self.line:
            self.line.popleft().resume()
        else:
            self.busy = False


def customer(name, clock, counter, log):
    arrived = clock.now
    log.append((arrived, name, "arrives", None))
    try:
        yield timeout(random.uniform(*PATIENCE), counter)
    except TimeoutError:
        log.append((clock.now, name, "leaves", clock.now - arrived))
        return
    log.append((clock.now, name, "is served", clock.now - arrived))
    try:
        yield sleep(random.expovariate(1.0 / SERVICE))
    finally:
        counter.release()
    log.append((clock.now, name, "is done", None))


def source(t, clock, counter, customers, log):
    for number in range(customers):
        t.add(customer(f"customer {number:02}", clock, counter, log))
        yield sleep(random.expovariate(1.0 / BETWEEN))


def bank(customers, seed):
    """Return what happens: (when, who, what, how long they waited by then)."""
    random.seed(seed)
    clock, counter, log = VirtualClock(), Counter(), []
    t = Trampoline(clock=clock)
    t.add(source(t, clock, counter, customers, log))
    t.run()
    return log


def main():
    commands = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands.add_argument("--customers", type=int, default=5)
    commands.add_argument("--seed", type=int, default=42)
    arguments = commands.parse_args()
    for when, who, what, waited in bank(arguments.customers, arguments.seed):
        print(f"{when:9.4f} {who} {what}" + (f" after {waited:.3f}" if waited is not None else ""))


if __name__ == "__main__":
    main()
