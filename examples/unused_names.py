"""Say which imports and which arguments of Python files are never read; and find out, with the profiler, why that was slow.

    python examples/unused_names.py --profile before.svg --slow FILE.py ...
    python examples/unused_names.py --profile after.svg FILE.py ...

A file is a pseudothread, and a node of its syntax tree a coroutine. `names_in` is where the time goes, but it has two callers; the page
docs/profiling.md tells how the profile says which of them is at fault.
"""

import argparse
import ast
import sys

import trampoline
from trampoline import Trampoline


def names_in(tree):
    """Return the names that are read in a syntax tree."""
    found = {tree.id} if isinstance(tree, ast.Name) else set()
    for child in ast.iter_child_nodes(tree):
        found |= yield names_in(child)
    return found


def imported(tree):
    """Return the names that imports bind."""
    imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    return sorted({(alias.asname or alias.name).partition(".")[0] for node in imports for alias in node.names})


def unused_imports_slowly(tree):
    """Return the imports that are never read: the whole file is walked again for each."""
    unused = []
    for name in imported(tree):
        if name not in (yield names_in(tree)):
            unused.append(name)
    return unused


def unused_imports(tree):
    """Return the imports that are never read."""
    names = yield names_in(tree)
    return [name for name in imported(tree) if name not in names]


def unused_arguments(tree):
    """Return the arguments that the body of their function never reads."""
    unused = []
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            names = yield names_in(function)
            unused += [f"{function.name}({argument.arg})" for argument in function.args.args if argument.arg not in names]
    return unused


def check(path, slow):
    """Print what is not used in one file."""
    with open(path, "rb") as file:
        tree = ast.parse(file.read())
    imports = yield (unused_imports_slowly if slow else unused_imports)(tree)
    arguments = yield unused_arguments(tree)
    print(f"{path}: imports: {', '.join(imports) or 'none'}; arguments: {', '.join(arguments) or 'none'}")


def main(paths, slow):
    """Check the files. Return the profile of that."""
    with trampoline.profile() as measured, Trampoline() as t:
        for path in paths:
            t.add(check(path, slow), name=path)
        t.run()
    return measured


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Say which imports and arguments are never read.")
    parser.add_argument("files", nargs="+", metavar="FILE.py")
    parser.add_argument("--slow", action="store_true", help="walk the whole file for each import")
    parser.add_argument("--profile", metavar="FILE", help="write the profile of it to FILE, in the format of its suffix")
    arguments = parser.parse_args()
    measured = main(arguments.files, arguments.slow)
    if arguments.profile:
        try:
            measured.save(arguments.profile)
        except (OSError, ValueError) as error:
            sys.exit(str(error))
