"""A trampoline in a game's loop: sixty frames a second, drawn by the loop, and who moves on the field is a pseudothread each.

    python examples/in_a_game.py [--frames 300] [--draw]

What a guard does in the course of time is written down as that, a coroutine that sleeps between its steps, not as a state that is looked at
in every frame. The rest of a frame is waited for in `step()`, so a guard moves when it is time, and nobody is woken for nothing.
"""

import argparse
import time

from trampoline import Trampoline, sleep

FRAME = 1 / 60
WIDTH = 40


class Field:
    def __init__(self):
        self.at = {}
        self.moves = 0

    def guard(self, name, pace):
        """Walk to the other end and back, one place in `pace` seconds."""
        while True:
            for place in (*range(WIDTH), *range(WIDTH - 2, 0, -1)):
                self.at[name] = place
                self.moves += 1
                yield sleep(pace)

    def reinforcements(self, t):
        """A guard more every half second, three of them."""
        for name in "CDE":
            yield sleep(0.5)
            t.add(self.guard(name, 0.07))

    def drawn(self):
        line = ["."] * WIDTH
        for name, place in self.at.items():
            line[place] = name
        return "".join(line)


def play(t, field, frames, draw):
    """Be the loop of the game. Return how many steps it made."""
    steps = 0
    due = time.monotonic()
    for _ in range(frames):
        if draw:
            print("\r" + field.drawn(), end="", flush=True)
        due += FRAME
        while (rest := due - time.monotonic()) > 0:
            steps += 1
            if t.step(rest) is None:  # nothing is left: it would not wait
                time.sleep(rest)
    return steps


def main():
    commands = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands.add_argument("--frames", type=int, default=300)
    commands.add_argument("--draw", action="store_true", help="show the field")
    arguments = commands.parse_args()
    field = Field()
    with Trampoline() as t:
        t.add(field.guard("A", 0.05))
        t.add(field.guard("B", 0.11))
        t.add(field.reinforcements(t))
        steps = play(t, field, arguments.frames, arguments.draw)
    print(f"{arguments.frames} frames, {field.moves} moves, {steps} steps")


if __name__ == "__main__":
    main()
