"""An echo server over TLS. The functions are those of the plain one; the sockets are the standard library's `ssl.SSLSocket`.

    openssl req -x509 -newkey rsa:2048 -nodes -days 365 -subj /CN=localhost -addext subjectAltName=DNS:localhost \\
        -keyout key.pem -out cert.pem
    python examples/echo_tls.py --port 7443 cert.pem key.pem
    openssl s_client -quiet -CAfile cert.pem -connect localhost:7443

Beside that it shows what PEP 342's server leaves out: each handler closes its socket, a client that does not speak TLS, or says nothing, is
let go, and a server that has run out of descriptors goes on when there are some again.
"""

import argparse
import errno
import ssl
import sys
from contextlib import suppress

from trampoline import (
    ConnectionLost,
    Trampoline,
    listening_socket,
    nonblocking_accept,
    nonblocking_handshake,
    nonblocking_read,
    nonblocking_write,
    sleep,
    timeout,
)


def echo_handler(sock, seconds):
    with sock:
        try:
            yield timeout(seconds, nonblocking_handshake(sock))
            while True:
                data = yield timeout(seconds, nonblocking_read(sock))
                yield timeout(seconds, nonblocking_write(sock, data))
        except ConnectionLost:
            pass
        except (TimeoutError, ssl.SSLError) as error:
            print("let go:", error, file=sys.stderr, flush=True)


def listen_on(trampoline, sock, seconds):
    while True:
        try:
            connected_socket = yield nonblocking_accept(sock)
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
            yield sleep(0.1)  # the connection waits meanwhile
        else:
            trampoline.add(echo_handler(connected_socket, seconds))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Echo over TLS.")
    parser.add_argument("--port", default="7443", help="where to listen on localhost (%(default)s; 0: any)")
    parser.add_argument("--seconds", type=float, default=60, help="how long a client may say nothing (%(default)s)")
    parser.add_argument("certificate", help="a file in PEM format")
    parser.add_argument("key", help="a file in PEM format")
    told = parser.parse_args()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(told.certificate, told.key)
    listening = context.wrap_socket(listening_socket("localhost", told.port), server_side=True, do_handshake_on_connect=False)
    print("listening at port", listening.getsockname()[1], flush=True)
    with listening, Trampoline() as t, suppress(KeyboardInterrupt):
        t.add(listen_on(t, listening, told.seconds))
        t.run()
