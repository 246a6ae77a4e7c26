"""`python -m trampoline profile`: the program runs as Python itself runs it, and the report comes last. On both cores, as processes."""

import json
import os
import pstats
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import CORES

import trampoline
from trampoline import Profile

EXAMPLE = Path(__file__).parent.parent / "examples" / "unused_names.py"
PATIENCE = 60  # seconds, after which whatever hangs is killed
PROGRAM = """\
import sys
from trampoline import Trampoline

def leaf():
    yield 1

def main():
    for _ in range(3):
        yield leaf()

t = Trampoline()
t.add(main())
t.run()
"""


@pytest.fixture(params=CORES)
def environment(request):
    """One core after the other."""
    found = {**os.environ, "PYTHONPATH": str(Path(trampoline.__file__).parent.parent), "PYTHONIOENCODING": "utf-8"}
    for name in ("TRAMPOLINE_NO_EXTENSIONS", "PYTHONSAFEPATH"):
        found.pop(name, None)
    if request.param == "python":
        found["TRAMPOLINE_NO_EXTENSIONS"] = "1"
    return found


@pytest.fixture
def run(environment, tmp_path):
    """Run a program of `text` under the profiler, with the given options before it and arguments behind it."""

    def run(text, *options, arguments=(), module=False, plain=False, cwd=tmp_path, stdout=subprocess.PIPE):
        if text is not None:
            (tmp_path / "program.py").write_text(text)
        program = ["-m", "program"] if module else ["program.py"]
        ours = [] if plain else ["-m", "trampoline", "profile", *options]
        command = [sys.executable, "-W", "error", *ours, *program, *arguments]
        return subprocess.run(command, env=environment, cwd=cwd, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=PATIENCE)

    return run


def calls(path):
    return {row.name: row.calls for row in Profile.load(path).functions()}


@pytest.mark.parametrize("module", [False, True])
def test_a_program_is_profiled(run, module):
    """Its output comes first, then the report."""
    done = run(PROGRAM + "print('done', __name__, sys.argv[1:])\n", arguments=["-o", "x", "--help"], module=module)
    assert (done.returncode, done.stderr) == (0, "")
    first, _, rest = done.stdout.partition("\n")
    assert first == "done __main__ ['-o', 'x', '--help']"
    assert rest.startswith("profile: ")
    assert "    leaf (program.py:4)" in rest
    assert "\x1b" not in rest


SEES = """\
import os, sys, __main__
print(sorted(name for name in vars(__main__) if not name.startswith("_")), __name__, __package__, __spec__ and __spec__.name)
print(__file__, sys.argv, os.path.abspath(sys.path[0]), __doc__, __builtins__ is not None)
print(__loader__.get_source(__spec__.name if __spec__ else "__main__")[:6])
import pickle
class Own: pass
print(pickle.loads(pickle.dumps(Own())).__class__ is Own, sys.modules["__main__"].Own is Own)
"""


@pytest.mark.parametrize("module", [False, True])
def test_the_program_sees_what_python_would_show_it(run, module):
    plain = run(SEES, arguments=["a"], module=module, plain=True)
    done = run(SEES, arguments=["a"], module=module)
    assert plain.returncode == 0, plain.stderr
    assert done.stdout.startswith(plain.stdout)
    assert done.stdout.removeprefix(plain.stdout).splitlines() == [
        "profile: 0 ns in run(), 0 ns of it in coroutines; they waited 0 ns; 0 calls, 0 resumes",
        "no coroutine was resumed meanwhile",
    ]


def test_a_package_is_run_by_its_main(run, tmp_path):
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("")
    (tmp_path / "pack" / "__main__.py").write_text("from . import other\nprint(__package__, __spec__.name)\n")
    (tmp_path / "pack" / "other.py").write_text(PROGRAM)
    (tmp_path / "program.py").write_text("")
    done = run(None, "-m", "pack")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("pack pack.__main__\nprofile: ")
    assert "leaf (other.py:4)" in done.stdout


BY_SIGNAL = pytest.mark.skipif(sys.platform == "win32", reason="a signal that a process sends itself ends it at once there")
ENDS = {
    "returns": ("", 0, ""),
    "sys.exit()": ("sys.exit()", 0, ""),
    "sys.exit(3)": ("sys.exit(3)", 3, ""),
    "sys.exit('why')": ("sys.exit('why')", 1, "why\n"),
    "raises": ("def inner():\n    1 / 0\ninner()", 1, None),
    "a chain": ("try:\n    1 / 0\nexcept ZeroDivisionError:\n    raise KeyError('x')", 1, None),
    "an error out of run()": ("def fails():\n    raise KeyError\n    yield\nt.add(fails())\nt.run()", 1, None),
    "Ctrl-C": ("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nimport time\ntime.sleep(60)", -signal.SIGINT, None),
    "a hook": (
        "sys.excepthook = lambda *error: print('hooked', error[0], file=sys.stderr)\n1 / 0",
        1,
        "hooked <class 'ZeroDivisionError'>\n",
    ),
    "a syntax error in an import": ("exec('1 +')", 1, None),
}


@pytest.mark.parametrize("how", [pytest.param(how, marks=BY_SIGNAL if how == "Ctrl-C" else ()) for how in ENDS])
def test_it_ends_as_the_program_does(run, how):
    """With its exit status, what it writes to stderr is what Python would write, and the report is there in any case."""
    text, status, said = ENDS[how]
    plain, done = run(PROGRAM + text + "\n", plain=True), run(PROGRAM + text + "\n")
    assert plain.returncode == status
    assert done.returncode == status
    assert done.stderr == plain.stderr
    assert said is None or done.stderr == said
    assert plain.stdout == ""
    assert done.stdout.startswith("profile: ")
    assert "leaf (program.py:4)" in done.stdout


@BY_SIGNAL
def test_it_kills_itself(run, tmp_path):
    """No report then, and no file."""
    done = run(PROGRAM + "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", "-o", "x.json")
    assert done.returncode == -signal.SIGKILL
    assert (done.stdout, done.stderr) == ("", "")
    assert os.listdir(tmp_path) == ["program.py"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "name the script to run, or a module with -m"),
        (["missing.py"], "cannot read the script 'missing.py': No such file or directory"),
        (["missing"], "cannot read the script 'missing': No such file or directory (-m runs a module)"),
        (["."], "cannot read the script '.': Is a directory"),
        (["-m", "missing"], "cannot run the module 'missing': there is no missing"),
        (["-m", "missing.module"], "cannot run the module 'missing.module': No module named 'missing'"),
        (["-m", "email"], "cannot run the module 'email': there is no email.__main__"),
        (["-m", "math"], "cannot run the module 'math': there is no math, or it is not in Python"),
        (["-m"], "name the script to run"),
        (["--sort", "tottime", "program.py"], "argument --sort: invalid choice: 'tottime'"),
        (["--limit", "-1", "program.py"], "argument --limit: a number of lines, 0 for all, not '-1'"),
        (["--limit", "x", "program.py"], "argument --limit: a number of lines, 0 for all, not 'x'"),
        (["--format", "xml", "program.py"], "argument --format: invalid choice: 'xml'"),
        (["--format", "pstats", "program.py"], "pstats is a binary format: say with -o to which file it goes"),
        (["-o", "x.jpg", "program.py"], "cannot tell from its suffix in which format to save 'x.jpg'"),
        (["-o", ".", "program.py"], "'.' is a folder or is in one that does not exist"),
        (["-o", "no/x.json", "program.py"], "'no/x.json' is a folder or is in one that does not exist"),
    ],
)
def test_mistakes_are_named_before_anything_runs(environment, tmp_path, options, said):
    (tmp_path / "program.py").write_text("print('it ran')")
    command = [sys.executable, "-m", "trampoline", "profile", *options]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("module", [False, True])
def test_a_syntax_error_is_shown_as_python_shows_it(run, module):
    done = run("print(1)\nif:\n", module=module)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "program.py" in done.stderr
    assert "SyntaxError: invalid syntax" in done.stderr
    assert "_profile_command" not in done.stderr


def test_it_is_written_to_a_file(run, tmp_path):
    """No report then; the suffix says the format, or --format does."""
    done = run(PROGRAM + "print('done')\n", "-o", "x.json")
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
    assert calls(tmp_path / "x.json") == {"main": 1, "leaf": 3}
    done = run(None, "-o", "x.cprofile", "--format", "pstats")
    assert done.returncode == 0, done.stderr
    assert {key[2] for key in pstats.Stats(str(tmp_path / "x.cprofile")).stats} == {"<run loop>", "main", "leaf"}
    done = run(None, "-o", "x.trace.json")
    assert done.returncode == 0, done.stderr
    assert {event["name"] for event in json.loads((tmp_path / "x.trace.json").read_text())["traceEvents"]} >= {"main", "leaf"}


def test_the_file_is_named_from_where_it_was_begun(run, tmp_path):
    """Wherever the program has gone."""
    (tmp_path / "else").mkdir()
    done = run("import os\n" + PROGRAM + "os.chdir('else')", "-o", "out.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert calls(tmp_path / "out.json") == {"main": 1, "leaf": 3}
    assert os.listdir(tmp_path / "else") == []


@pytest.mark.parametrize(
    "replaced", ["io.StringIO()", "None", "io.TextIOWrapper(sys.stdout.detach(), encoding='utf-8')", "open(1, 'w', closefd=False)"]
)
def test_the_report_goes_where_output_went_at_first(run, replaced):
    done = run(PROGRAM + f"import io\nprint(1)\nsys.stdout.flush()\nsys.stdout = {replaced}\nprint(2)\n")
    assert (done.returncode, done.stderr) == (0, "")
    first, *_, rest = done.stdout.partition("profile: ")
    assert first.split() in (["1"], ["1", "2"])
    assert "    leaf (program.py:4)" in rest


def test_a_call_is_counted_once_whichever_thread_runs_it(run, tmp_path):
    text = PROGRAM + "import threading\nt.add(main())\nthread = threading.Thread(target=t.run)\nthread.start()\nthread.join()\n"
    assert run(text, "-o", "out.json").returncode == 0
    assert calls(tmp_path / "out.json") == {"main": 2, "leaf": 6}


def test_a_trampoline_with_a_profile_of_its_own_is_in_it(run, tmp_path):
    done = run(PROGRAM.replace("Trampoline()", "Trampoline(profile=True)"), "-o", "out.json")
    assert done.returncode == 0
    assert calls(tmp_path / "out.json") == {"main": 1, "leaf": 3}


def test_a_format_goes_to_stdout(run):
    done = run(PROGRAM, "--format", "collapsed")
    assert done.returncode == 0, done.stderr
    assert {line.rpartition(" ")[0] for line in done.stdout.splitlines()} == {
        "main (program.py:7)",
        "main (program.py:7);leaf (program.py:4)",
    }


def test_sort_and_limit(run):
    done = run(PROGRAM, "--sort", "calls", "--limit", "1")
    table = done.stdout.split("\n\n")[2].splitlines()
    assert done.returncode == 0, done.stderr
    assert "leaf (program.py:4)" in table[1]
    assert table[2:] == ["... 1 more functions"]
    assert "leaf" in run(None, "--limit", "0").stdout


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="there is no /dev/full here")
def test_a_full_disk(run, tmp_path):
    """It is said by name; the exit status is the program's own, or 1 where that was 0."""
    done = run(PROGRAM, "-o", "/dev/full", "--format", "json")
    assert done.returncode == 1
    assert done.stderr == "python -m trampoline profile: cannot write the profile: [Errno 28] No space left on device: '/dev/full'\n"
    assert run(PROGRAM + "sys.exit(5)\n", "-o", "/dev/full", "--format", "json").returncode == 5
    assert os.listdir(tmp_path) == ["program.py"]
    with open("/dev/full", "w") as full:
        done = run(PROGRAM, stdout=full)
    assert done.returncode != 0
    assert "No space left on device" in done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no os.fork() here")
def test_a_forked_child_writes_nothing_of_ours(run, tmp_path):
    """Unless it is asked to; what is written is then of two processes."""
    forks = PROGRAM + "import os\nchild = os.fork()\nif child:\n    assert os.waitpid(child, 0)[1] == 0\nt.add(main())\nt.run()\n"
    done = run(forks)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("profile: ") == 1
    assert run(forks, "-o", "x.json").returncode == 0
    assert sorted(os.listdir(tmp_path)) == ["program.py", "x.json"]
    assert calls(tmp_path / "x.json") == {"main": 2, "leaf": 6}
    assert run(forks, "-o", "child-%p.json").returncode == 0
    made = sorted(tmp_path.glob("child-*.json"))
    assert len(made) == 2
    assert [calls(path) for path in made] == [{"main": 2, "leaf": 6}] * 2


THREADS = """\
import threading
import trampoline

def work(number):
    yield leaf(number)

def leaf(number):
    yield number

def run(number):
    trampoline.trampoline(work(number))

threads = [threading.Thread(target=run, args=(number,)) for number in range(5)]
for thread in threads:
    thread.start()
"""


def test_every_thread_is_in_it(run, tmp_path):
    """Also those that the main thread does not wait for."""
    done = run(THREADS, "-o", "x.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert calls(tmp_path / "x.json") == {"work": 5, "leaf": 5}


@BY_SIGNAL
def test_ctrl_c_while_it_waits_for_threads(run):
    """Ends the waiting, as in Python itself; the report is there."""
    text = (
        THREADS
        + "import os, signal, time\n"
        + "def late():\n    time.sleep(0.5)\n    os.kill(os.getpid(), signal.SIGINT)\n    time.sleep(0.5)\n"
        + "threading.Thread(target=late).start()\n"
    )
    done = run(text)
    assert done.returncode != 0
    assert "KeyboardInterrupt" in done.stderr
    assert "leaf (program.py:7)" in done.stdout


def test_a_profile_of_the_program_s_own(run, tmp_path):
    """Both have what is in it."""
    text = PROGRAM + "import trampoline\nwith trampoline.profile() as p:\n    trampoline.trampoline(main())\np.save('own.json')\n"
    assert run(text, "-o", "x.json").returncode == 0
    assert calls(tmp_path / "own.json") == {"main": 1, "leaf": 3}
    assert calls(tmp_path / "x.json") == {"main": 2, "leaf": 6}


def test_a_reader_that_has_gone(environment, tmp_path):
    """`... | head -1`: no complaint about the pipe."""
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "trampoline", "profile", "program.py"]
    process = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(PATIENCE) == 0
    assert errors == ""


@pytest.mark.skipif(not EXAMPLE.is_file(), reason=f"the example is not here: there is no {EXAMPLE}")
def test_the_example(environment, tmp_path):
    """Both ways find the same, and its profile says what differs between them: how often the whole tree was walked, by whom."""
    said, walked = [], []
    for options in (["--slow"], []):
        command = [sys.executable, "-W", "error", str(EXAMPLE), "--profile", str(tmp_path / "x.json"), *options, str(EXAMPLE), __file__]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE)
        assert (done.returncode, done.stderr) == (0, "")
        said.append(done.stdout)
        (check,) = Profile.load(tmp_path / "x.json").tree.children
        walked.append({node.name: node.cumulative_calls for node in check.children})
    assert said[0] == said[1]
    assert said[0].startswith(f"{EXAMPLE}: imports: none; arguments: none\n")
    assert walked[0]["unused_arguments"] == walked[1]["unused_arguments"]
    assert walked[0]["unused_imports_slowly"] > 3 * walked[1]["unused_imports"]
    done = subprocess.run([*command[:4], "--profile", "x.jpg", __file__], env=environment, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


def test_the_help_names_it(environment):
    for options in (["--help"], ["profile", "--help"]):
        command = [sys.executable, "-m", "trampoline", *options]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0
        assert "profile" in done.stdout
    assert "-o FILE" in done.stdout
