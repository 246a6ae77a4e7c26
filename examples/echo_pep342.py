"""PEP 342's echo server (its example 4), line by line. The PEP's imports are what this package has; nothing else was changed, but that the
port can be told and is printed.

    python examples/echo_pep342.py [port]

The default is 7007. The PEP's own, "echo", is port 7: only root may listen there. To try it: `nc localhost 7007`. Ctrl-C ends it.

Look at the handler: it passes over ConnectionLost, loops, and reads again; the PEP calls that "exit normally". It can, since a
pseudothread that goes on to read what it was told is lost is closed (see `nonblocking_read`). A handler of your own better returns, and
closes its socket: examples/echo_tls.py does.
"""

import sys

from trampoline import ConnectionLost, Trampoline, listening_socket, nonblocking_accept, nonblocking_read, nonblocking_write


# coroutine function that echos data back on a connected
# socket
#
def echo_handler(sock):
    while True:
        try:
            data = yield nonblocking_read(sock)
            yield nonblocking_write(sock, data)
        except ConnectionLost:
            pass  # exit normally if connection lost


# coroutine function that listens for connections on a
# socket, and then launches a service "handler" coroutine
# to service the connection
#
def listen_on(trampoline, sock, handler):
    while True:
        # get the next incoming connection
        connected_socket = yield nonblocking_accept(sock)

        # start another coroutine to handle the connection
        trampoline.add(handler(connected_socket))


if __name__ == "__main__":
    listening = listening_socket("localhost", sys.argv[1] if len(sys.argv) > 1 else 7007)
    print("listening at port", listening.getsockname()[1], flush=True)

    # Create a scheduler to manage all our coroutines
    t = Trampoline()

    # Create a coroutine instance to run the echo_handler on
    # incoming connections
    #
    server = listen_on(t, listening, echo_handler)

    # Add the coroutine to the scheduler
    t.add(server)

    # loop forever, accepting connections and servicing them
    # "in parallel"
    #
    t.run()
