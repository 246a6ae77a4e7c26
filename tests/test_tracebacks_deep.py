"""A deep error shows every level, or says how many it lacks."""

import pytest
from wires import run_script

DEEP = 100_000
DEEP_ERROR = """
import traceback

def level(n):
    if not n:
        raise ValueError("deep")
    yield level(n - 1)

t = core.Trampoline()
t.add(level({depth}))
try:
    t.run()
except ValueError as error:
    {look}
"""
COUNT = """found, trace = 0, error.__traceback__
    while trace is not None:
        found += trace.tb_frame.f_code.co_name == "level"
        trace = trace.tb_next
    print(found if found < 9_990 else 9_990 < found <= 10_000)"""
PRINT = """text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    said = sys.version_info < (3, 11) or "the traceback is shortened: 90,00" in text
    print("more times]" in text, text.count(chr(10)) < 40, said)"""


@pytest.mark.parametrize(
    ("depth", "look", "expected"),
    [(9_000, COUNT, "9001"), (DEEP, COUNT, "True"), (DEEP, PRINT, "True True True")],
    ids=["every level", "the ends", "folded"],
)
def test_a_deep_error_has_every_level_or_says_how_many_it_lacks(core, depth, look, expected):
    assert run_script(core, DEEP_ERROR.format(depth=depth, look=look)) == (0, expected + "\n", "")


CAUGHT = """
import traceback

def level(n):
    if not n:
        raise ValueError("deep")
    yield level(n - 1)

def entries(error):
    found, trace = [], error.__traceback__
    while trace is not None:
        found.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    return found

def left_out(error):
    return sum(int(note.split(": ")[1].split()[0].replace(",", "")) for note in error.__notes__ if "is shortened" in note)

def root():
    try:
        yield {callee}
    except ValueError as error:
        names = entries(error)
        print(10_000 <= len(names) < 20_000, names[0], *set(names[1:]))
        print(sys.version_info < (3, 11) or left_out(error) + len(names) == {depth} + {more})
        {then}

t = core.Trampoline()
t.add(root())
try:
    t.run()
except ValueError as error:
    print(len(entries(error)), sys.version_info < (3, 11) or len(error.__notes__) == 2 and left_out(error) + 10_002 == {depth} + 4)
"""
INSIDE = "True root level\nTrue\n"


@pytest.mark.parametrize(
    ("callee", "more", "then", "expected"),
    [
        ("level({depth})", 2, "return", INSIDE),
        ("t.add(level({depth}))", 2, "return", INSIDE),
        ("level({depth})", 2, "raise", INSIDE + "10002 True\n"),
    ],
    ids=["of a call", "of one that is joined", "that goes on"],
)
def test_a_deep_error_that_is_caught_is_short_already_and_says_how_many_it_lacks(core, callee, more, then, expected):
    script = CAUGHT.format(callee=callee.format(depth=DEEP), depth=DEEP, more=more, then=then)
    assert run_script(core, script) == (0, expected, "")


def test_errors_by_turns_are_all_shortened(core):
    """Two of the same depth that unwind side by side: of each the traceback is looked at."""
    script = CAUGHT[: CAUGHT.index("t = core")].format(callee="level(50_000)", depth=50_000, more=2, then="return")
    assert run_script(core, script + "t = core.Trampoline()\nt.add(root())\nt.add(root())\nt.run()\n") == (0, 2 * INSIDE, "")
