"""A workshop whose machines break down: SimPy's example "Machine Shop", on a virtual clock.

    python examples/simulated_machine_shop.py [--weeks 4] [--seed 42]

Ten machines make parts and break down at random times. One repairman mends them; whenever he has nothing to mend he does other jobs,
from which a broken machine calls him away. The same seed gives the same parts as SimPy's program. What is SimPy's process and its
`interrupt()` is here a pseudothread and its `throw()`.
"""

import argparse
import random
from bisect import insort
from itertools import count

from trampoline import Suspension, Trampoline, VirtualClock, sleep

MINUTES_A_PART = 10.0, 2.0  # mean and standard deviation
MEAN_TIME_TO_FAILURE = 300.0
REPAIR_TIME = JOB_DURATION = 30.0
MACHINES = 10


class Interrupt(Exception):
    """What ends somebody's work before its time."""


class Repairman:
    """Works for one at a time. Who comes with a lower priority number than the present one's takes his place."""

    def __init__(self):
        self.present = None
        self.waiting = []
        self.numbers = count()

    def request(self, priority):
        """Return what is yielded to have him, in a `with` that lets him go."""
        return Request(self, priority)


class Request(Suspension):
    def __init__(self, repairman, priority):
        self.repairman, self.priority = repairman, priority

    def suspend(self, pseudothread):
        man, present = self.repairman, self.repairman.present
        self.pseudothread = pseudothread
        if present is None or self.priority < present.priority:
            man.present = self
            if present is not None:
                present.pseudothread.throw(Interrupt())
            pseudothread.resume()
        else:
            insort(man.waiting, (self.priority, next(man.numbers), self))

    def withdraw(self, pseudothread):
        self.repairman.waiting = [entry for entry in self.repairman.waiting if entry[2] is not self]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        man = self.repairman
        if man.present is self:
            man.present = man.waiting.pop(0)[2] if man.waiting else None
            if man.present is not None:
                man.present.pseudothread.resume()


class Machine:
    def __init__(self, t, clock, repairman):
        self.clock, self.repairman = clock, repairman
        self.parts_made, self.broken = 0, False
        self.work = t.add(self.working())
        t.add(self.breaking())

    def working(self):
        while True:
            left = minutes_for_a_part()
            while left:
                started = self.clock.now
                try:
                    yield sleep(left)
                    left = 0
                except Interrupt:
                    self.broken = True
                    left -= self.clock.now - started
                    with self.repairman.request(priority=1) as request:
                        yield request
                        yield sleep(REPAIR_TIME)
                    self.broken = False
            self.parts_made += 1

    def breaking(self):
        while True:
            yield sleep(random.expovariate(1.0 / MEAN_TIME_TO_FAILURE))
            if not self.broken:
                self.work.throw(Interrupt())


def other_jobs(clock, repairman):
    while True:
        left = JOB_DURATION
        while left:
            with repairman.request(priority=2) as request:
                yield request
                started = clock.now
                try:
                    yield sleep(left)
                    left = 0
                except Interrupt:
                    left -= clock.now - started


def minutes_for_a_part():
    minutes = 0
    while minutes <= 0:  # the normal distribution has no lower end
        minutes = random.normalvariate(*MINUTES_A_PART)
    return minutes


def closing_time(t, minutes):
    yield sleep(minutes)
    t.stop()


def shop(weeks, seed):
    """Return how many parts each machine has made."""
    random.seed(seed)
    clock, repairman = VirtualClock(), Repairman()
    with Trampoline(clock=clock) as t:
        t.add(closing_time(t, weeks * 7 * 24 * 60))
        machines = [Machine(t, clock, repairman) for _ in range(MACHINES)]
        t.add(other_jobs(clock, repairman))
        t.run()
        return [machine.parts_made for machine in machines]


def main():
    commands = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands.add_argument("--weeks", type=int, default=4)
    commands.add_argument("--seed", type=int, default=42)
    arguments = commands.parse_args()
    for number, parts in enumerate(shop(arguments.weeks, arguments.seed)):
        print(f"machine {number} made {parts} parts")


if __name__ == "__main__":
    main()
