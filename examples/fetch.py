"""Fetch several pages at the same time, over plain HTTP/1.1, and print a line for each.

    python examples/fetch.py --at-once 4 --timeout 10 http://localhost:8000/ http://localhost:8000/README.md

So many pseudothreads share one iterator over the URLs: none is fetched twice, and never are more under way. What fails is said and the
others go on; the exit status is then 1.
"""

import argparse
import io
import sys
import time
from http.client import HTTPException, HTTPResponse
from urllib.parse import urlsplit

from trampoline import ConnectionLost, Trampoline, nonblocking_connect, nonblocking_read, nonblocking_write, timeout


class Received:
    """What came, in the shape from which the standard library's HTTPResponse reads."""

    def __init__(self, data):
        self.data = data

    def makefile(self, mode):
        return io.BytesIO(self.data)


def fetch(url):
    """Return status, reason and body."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError("only http://host/... is fetched")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    sock = yield nonblocking_connect(parts.hostname, parts.port or 80)
    with sock:
        yield nonblocking_write(sock, f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode())
        received = bytearray()
        try:
            while True:
                received += yield nonblocking_read(sock)
        except ConnectionLost as lost:
            if lost.__cause__ is not None:  # no end, a reset
                raise
    response = HTTPResponse(Received(received))
    response.begin()
    return response.status, response.reason, response.read()


def fetch_all(urls, seconds, report):
    for url in urls:
        begun = time.monotonic()
        try:
            status, reason, body = yield timeout(seconds, fetch(url))
        except (OSError, HTTPException, ValueError) as error:
            report(url, f"{type(error).__name__}: {' '.join(str(error).split())}", failed=True)
        else:
            report(url, f"{status} {reason}, {len(body):,} bytes, {time.monotonic() - begun:.2f} s", failed=status >= 400)


def main(told):
    failures = []

    def report(url, text, failed):
        print(f"{url}: {text}", flush=True)
        if failed:
            failures.append(url)

    urls = iter(told.url)
    with Trampoline() as t:
        for _ in range(told.at_once):
            t.add(fetch_all(urls, told.timeout, report))
        t.run()
    return 1 if failures else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Fetch several pages at the same time.")
    parser.add_argument("--at-once", type=int, default=4, metavar="N", help="how many are fetched at the same time (%(default)s)")
    parser.add_argument("--timeout", type=float, default=10, metavar="SECONDS", help="for each (%(default)s)")
    parser.add_argument("url", nargs="+")
    sys.exit(main(parser.parse_args()))
