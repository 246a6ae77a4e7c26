"""A chat server: whatever a client says goes to all others. The first line that a client sends is its name.

    python examples/chat.py [--port 7008]
    nc localhost 7008

Two pseudothreads serve a client: one reads, one writes what is in the client's outbox. So a client that does not read stops nobody but
itself; when its outbox is full it is put out. The outbox is a `Suspension` of our own: to yield it waits for the next lines.
"""

import argparse
import socket
from collections import deque
from contextlib import suppress

from trampoline import ConnectionLost, Suspension, Trampoline, listening_socket, nonblocking_accept, nonblocking_read, nonblocking_write

MOST_BYTES = 1000  # in a line


class Outbox(Suspension):
    """The lines that a client has not got yet, at most so many. `lines = yield outbox` waits until there are some, and takes all."""

    def __init__(self, most):
        self.lines = deque()
        self.most = most
        self.waiting = None

    def suspend(self, pseudothread):
        if self.lines:
            pseudothread.resume(self._taken())
        else:
            self.waiting = pseudothread

    def withdraw(self, pseudothread):
        self.waiting = None

    def put(self, line):
        """Append a line. Return whether there was room."""
        if len(self.lines) == self.most:
            return False
        self.lines.append(line)
        if self.waiting is not None:
            waiting, self.waiting = self.waiting, None
            waiting.resume(self._taken())
        return True

    def _taken(self):
        lines = b"".join(self.lines)
        self.lines.clear()
        return lines


class Client:
    def __init__(self, sock, most):
        self.sock = sock
        self.outbox = Outbox(most)
        self.received = b""
        self.lost = "has left"

    def read_line(self):
        while b"\n" not in self.received:
            if len(self.received) > MOST_BYTES:
                raise ConnectionLost("a line too long")
            self.received += yield nonblocking_read(self.sock, 4096)
        line, _, self.received = self.received.partition(b"\n")
        return line.decode(errors="replace").strip()

    def write(self):
        """Write what comes into the outbox, as fast as the client reads it."""
        with suppress(ConnectionLost):  # the pseudothread that reads is told too
            while True:
                yield nonblocking_write(self.sock, (yield self.outbox))

    def put_out(self, why):
        self.lost = f"was put out: {why}"
        with suppress(OSError):  # lost already
            self.sock.shutdown(socket.SHUT_RDWR)  # whoever waits for it is told so


class Room:
    def __init__(self, trampoline, most):
        self.trampoline = trampoline
        self.most = most
        self.clients = {}  # by name

    def say(self, line, but=None):
        print(line, flush=True)
        for name, client in self.clients.items():
            if name != but and not client.outbox.put(f"{line}\n".encode()):
                client.put_out("it reads too slowly")

    def serve(self, sock):
        client = Client(sock, self.most)
        writer = self.trampoline.add(client.write())
        name = None
        try:
            name = yield self.enter(client)
            while True:
                self.say(f"{name}: {(yield client.read_line())}", but=name)
        except ConnectionLost as lost:
            if lost.__cause__ is not None:  # a reset, say
                client.lost = f"is lost: {lost}"
        finally:
            writer.close()
            sock.close()
            if name is not None:
                del self.clients[name]
                self.say(f"* {name} {client.lost}")

    def enter(self, client):
        client.outbox.put(b"* what is your name?\n")
        while not (name := (yield client.read_line())) or name in self.clients:
            client.outbox.put(b"* another name, please\n")
        self.clients[name] = client
        self.say(f"* {name} has come")
        return name

    def listen_on(self, sock):
        while True:
            self.trampoline.add(self.serve((yield nonblocking_accept(sock))))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A chat server.")
    parser.add_argument("--port", default="7008", help="where to listen on localhost (%(default)s; 0: any)")
    parser.add_argument("--most", type=int, default=100, help="how many lines may wait for one client (%(default)s)")
    told = parser.parse_args()
    listening = listening_socket("localhost", told.port)
    print("listening at port", listening.getsockname()[1], flush=True)
    with listening, Trampoline() as t, suppress(KeyboardInterrupt):
        t.add(Room(t, told.most).listen_on(listening))
        t.run()
