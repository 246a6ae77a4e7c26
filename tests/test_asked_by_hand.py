"""What only the package itself calls, called by hand with anything: it answers, or refuses, and does not crash the interpreter."""

import pytest
from test_bad_input import run_script

TAKE_BACK = """
channel = core.Channel(1)
for operation in channel.get(), channel.put(1):
    for given in (), (1,), (1, 2, 3), (None, None):
        try:
            print(operation.take_back(*given))
        except TypeError as error:
            print(type(error).__name__)
print(channel.closed)
"""

NOTE = """
p = core.Trampoline().add(value(1))
try:
    print(p._note())
except AttributeError:  # the core in Python has no such method
    print(None)
p.close()
print(p.state)
"""

GROUP = """
from types import CodeType

def refused(act):
    try:
        act()
    except (AttributeError, TypeError):
        return "refused"

t = core.Trampoline()
p, nobody = t.add(value(1)), core.Pseudothread.__new__(core.Pseudothread)
new, kind = core.module.Group, core.module.Group
code = value.__code__
print(refused(lambda: kind.__new__(kind).start([value(1)], code, 0)))
print(refused(lambda: kind(None, None, False).start([value(1)], code, 0)))
print(refused(lambda: kind(nobody, None, False).start([value(1)], code, 0)))
for wrong in None, (), (1, 2), "code":
    group = kind(p, None, False)
    refused(lambda: group.start([value(1)], wrong, 0))
    for child in group.children or ():
        repr(child), child.name
        child.close()
group = kind(p, None, False)
group.start([value(1)], code, 0)
print(group.left, t.run(), group.left, p.state)
"""

NOBODYS = """
nobody = core.Pseudothread.__new__(core.Pseudothread)
for wait in core.module.sleep(1), core.module.sleep(0), core.module.Limit(1), core.module.Limit(0), core.Channel(0).get():
    for act in "suspend", "withdraw", "lift":
        try:
            getattr(wait, act)(nobody)
        except AttributeError:
            pass
print(nobody.state)
"""

ANSWERS = {
    "take_back": (TAKE_BACK, ("TypeError\n" * 3 + "None\n") * 2 + "False\n"),
    "note": (NOTE, "None\nended\n"),
    "group": (GROUP, "refused\n" * 3 + "1 None 0 ended\n"),
    "a pseudothread of no trampoline": (NOBODYS, "ended\n"),
}


@pytest.mark.parametrize("what", ANSWERS)
def test_anything_may_be_asked(core, what):
    script, said = ANSWERS[what]
    assert run_script(core, script) == said
