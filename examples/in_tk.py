"""A trampoline in Tk's loop: a window that ticks and shows what comes in at a port, while its buttons go on working.

    python examples/in_tk.py [--port 7009]

Try `nc localhost 7009`: each line that is sent appears in the window and is answered, "quit" closes it. The trampoline has no `run()` here:
`Driver` makes a step when the descriptor can be read, when a deadline has come, and at no other time. In the end it prints how often.
"""

import argparse
import tkinter

from trampoline import ConnectionLost, Trampoline, listening_socket, nonblocking_accept, nonblocking_read, nonblocking_write, sleep

POLL = 10  # milliseconds between two steps where Tk cannot watch a descriptor: on Windows


class Driver:
    """Makes the steps of the trampoline `t` from the loop of `root`."""

    def __init__(self, root, t):
        self.root, self.t = root, t
        self.later = None
        self.steps = 0
        self.watches = hasattr(root, "createfilehandler")
        if self.watches:
            root.createfilehandler(t.fileno(), tkinter.READABLE, self.step)
        self.step()

    def step(self, *event):
        self.steps += 1
        if self.later is not None:
            self.root.after_cancel(self.later)
        left = 0  # to come back at once if an error leaves the step: Tk reports it
        try:
            left = self.t.step()
        finally:
            self.later = None
            if left is not None and not self.watches:
                self.later = self.root.after(POLL if left else 1, self.step)
            elif left is not None and left < 86400:
                self.later = self.root.after(int(left * 1000) + 1, self.step)  # Tk counts in whole milliseconds


class Window:
    def __init__(self, root, t):
        self.root, self.t = root, t
        self.ticks = self.lines = 0
        self.label = tkinter.Label(root, width=40)
        self.label.pack()
        tkinter.Button(root, text="faster", command=lambda: t.add(self.tick(0.03))).pack()

    def tick(self, seconds):
        while True:
            yield sleep(seconds)
            self.ticks += 1
            self.label["text"] = f"{self.ticks} ticks"

    def listen(self, sock):
        while True:
            self.t.add(self.talk((yield nonblocking_accept(sock))))

    def talk(self, sock):
        with sock:
            try:
                while True:
                    line = yield nonblocking_read(sock)
                    if line.strip() == b"quit":
                        self.root.destroy()
                        return
                    self.lines += 1
                    self.label["text"] = line.decode(errors="replace").strip()
                    yield nonblocking_write(sock, b"shown: " + line)
            except ConnectionLost:
                pass


def main():
    commands = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands.add_argument("--port", type=int, default=7009, help="0: any that is free")
    arguments = commands.parse_args()
    root = tkinter.Tk()
    sock = listening_socket("localhost", arguments.port)
    print("listening at port", sock.getsockname()[1], flush=True)
    with sock, Trampoline() as t:
        window = Window(root, t)
        t.add(window.tick(0.05))
        t.add(window.listen(sock))
        driver = Driver(root, t)
        root.mainloop()
    print(f"{window.ticks} ticks, {window.lines} lines, {driver.steps} steps")


if __name__ == "__main__":
    main()
