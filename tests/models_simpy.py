"""SimPy's own examples, "Bank renege" and "Machine Shop", with its own idioms: what examples/simulated_*.py are ports of."""

import random

import simpy


def bank(customers, seed):
    """Return what happens: (when, who, what, how long they waited by then)."""

    def customer(name):
        arrived = env.now
        log.append((arrived, name, "arrives", None))
        with counter.request() as request:
            results = yield request | env.timeout(random.uniform(1, 3))
            waited = env.now - arrived
            if request not in results:
                log.append((env.now, name, "leaves", waited))
                return
            log.append((env.now, name, "is served", waited))
            yield env.timeout(random.expovariate(1.0 / 12.0))
            log.append((env.now, name, "is done", None))

    def source():
        for number in range(customers):
            env.process(customer(f"customer {number:02}"))
            yield env.timeout(random.expovariate(1.0 / 10.0))

    random.seed(seed)
    log, env = [], simpy.Environment()
    counter = simpy.Resource(env, capacity=1)
    env.process(source())
    env.run()
    return log


class Machine:
    def __init__(self, env, repairman):
        self.env, self.parts_made, self.broken = env, 0, False
        self.process = env.process(self.working(repairman))
        env.process(self.break_machine())

    def working(self, repairman):
        while True:
            done_in = time_per_part()
            while done_in:
                try:
                    start = self.env.now
                    yield self.env.timeout(done_in)
                    done_in = 0
                except simpy.Interrupt:
                    self.broken = True
                    done_in -= self.env.now - start
                    with repairman.request(priority=1) as request:
                        yield request
                        yield self.env.timeout(30.0)
                    self.broken = False
            self.parts_made += 1

    def break_machine(self):
        while True:
            yield self.env.timeout(random.expovariate(1 / 300.0))
            if not self.broken:
                self.process.interrupt()


def other_jobs(env, repairman):
    while True:
        done_in = 30.0
        while done_in:
            with repairman.request(priority=2) as request:
                yield request
                try:
                    start = env.now
                    yield env.timeout(done_in)
                    done_in = 0
                except simpy.Interrupt:
                    done_in -= env.now - start


def time_per_part():
    minutes = random.normalvariate(10.0, 2.0)
    while minutes <= 0:
        minutes = random.normalvariate(10.0, 2.0)
    return minutes


def shop(weeks, seed):
    """Return how many parts each machine has made."""
    random.seed(seed)
    env = simpy.Environment()
    repairman = simpy.PreemptiveResource(env, capacity=1)
    machines = [Machine(env, repairman) for _ in range(10)]
    env.process(other_jobs(env, repairman))
    env.run(until=weeks * 7 * 24 * 60)
    return [machine.parts_made for machine in machines]
