"""The README's blocks of Python run as they are printed, and print what stands below them."""

import contextlib
import contextvars
import io
import re
import socket
import threading
from pathlib import Path

import pytest

import trampoline
from trampoline import Suspension, Trampoline, sleep

README = Path(__file__).parent.parent / "README.md"
if not README.is_file():
    pytest.skip(f"the README is not here: there is no {README}", allow_module_level=True)

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [(language, text) for language, text in FENCED.findall(README.read_text(encoding="utf-8"))]
PROGRAMS = {
    text: (BLOCKS[place + 1][1] if BLOCKS[place + 1][0] == "" else None) for place, (kind, text) in enumerate(BLOCKS) if kind == "python"
}


def program(mark):
    """Return the one block in which `mark` stands."""
    (found,) = (text for text in PROGRAMS if mark in text)
    return found


def execute(text, known):
    """Run a block, and return what it printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(text, "example.py", "exec"), known)
    return printed.getvalue()


class Parks(Suspension):
    """Waits for ever."""

    def suspend(self, pseudothread):
        """Do nothing."""


class Runs(Trampoline):
    """Whose add() runs at once to where the coroutine parks."""

    def add(self, coroutine, **options):
        """Add and run."""
        added = super().add(coroutine, **options)
        with contextlib.suppress(trampoline.Deadlock):
            self.run()
        return added


def parks():
    yield Parks()


def child():
    yield 42


def total(tree):
    value, children = tree
    for child in children:
        value += yield total(child)
    return value


def tree(depth):
    return 1, [tree(depth - 1) for _ in range(2)] if depth else []


KNOWN = {  # what a block takes for granted, by what stands in it
    "trampoline(total(tree))": {"tree": tree(3)},
    "with profile() as p": {"total": total},
    "await call(child())": {"child": child},
    "p = t.add(root()": {"t": Runs(), "root": parks, "contextvars": contextvars, "error": ValueError("from the README")},
}
TOLD = {  # what a block prints and what says so within it
    "prints 42": "42\n",
    "# prints come in": "come in\n",
}
SERVES = 'listening_socket("localhost", 7007)'


def test_there_are_blocks():
    """Else the tests below would say nothing."""
    assert len(PROGRAMS) >= 8
    for mark in (*KNOWN, *TOLD, SERVES):
        program(mark)


@pytest.mark.parametrize("text", [text for text in PROGRAMS if SERVES not in text], ids=lambda text: text.splitlines()[0])
def test_a_block_runs(text):
    """And prints what the block below it, or its own comment, says."""
    known = {}
    if "Deadlock" in text:
        execute(program("class Event"), known)
    for mark, given in KNOWN.items():
        if mark in text:
            known.update(given)
    printed = execute(text, known)
    told = [wanted for mark, wanted in TOLD.items() if mark in text]
    if "p.print(" in text:
        assert re.search(r"^profile: .*; 3 calls, 5 resumes\n\n.* total \(test_readme\.py:", printed, re.DOTALL)
    else:
        assert printed == (PROGRAMS[text] or "".join(told))
    if "async def root" in text:
        assert trampoline.trampoline(known["root"]()) == "42"
    if "class Event" in text:
        assert known["door"].waiters == []


def test_the_echo_server_serves(monkeypatch):
    """Two clients, one of which is lost; the port alone is another."""
    listening = trampoline.listening_socket("localhost", 0)
    monkeypatch.setattr(trampoline, "listening_socket", lambda host, service: listening)
    known, seen = {}, []

    def client():
        try:
            with socket.create_connection(listening.getsockname(), timeout=10) as one:
                with socket.create_connection(listening.getsockname(), timeout=10) as other:
                    other.sendall(b"x")
                    other.recv(1)
                one.sendall(b"hello")
                seen.append(one.recv(5, socket.MSG_WAITALL))
                one.shutdown(socket.SHUT_WR)
                seen.append(one.recv(1))
        finally:
            known["t"].stop()

    thread = threading.Thread(target=client)
    thread.start()
    execute(program(SERVES), known)
    thread.join()
    known["t"].close()
    listening.close()
    assert seen == [b"hello", b""]


def test_the_session_says_what_it_prints():
    """The mistake that is shown gets the text that is shown."""
    (shown,) = (text for kind, text in BLOCKS if text.startswith(">>> "))
    asked, said = shown.splitlines()

    def root():
        yield

    root.__qualname__ = "root"
    with pytest.raises(TypeError) as caught:
        exec(asked.removeprefix(">>> "), {"t": Trampoline(), "root": root})
    assert f"TypeError: {caught.value}" == said


def test_the_event_takes_part_in_a_timeout():
    """It is withdrawn, and may be set afterwards."""
    known = {}
    execute(program("class Event"), known)
    door = known["Event"]()
    said = []

    def hurried():
        try:
            yield trampoline.timeout(0.01, door)
        except TimeoutError:
            said.append("gone")
        yield sleep(0)
        door.set()

    t = Trampoline()
    t.add(hurried())
    t.run()
    assert said == ["gone"]
