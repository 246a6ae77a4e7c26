"""The extension and its three switches; everything else is in pyproject.toml.

TRAMPOLINE_NO_EXTENSIONS=1        build without it: a wheel for any Python
TRAMPOLINE_REQUIRE_EXTENSIONS=1   a failed compilation is an error (else: no extension, the core in Python serves)
TRAMPOLINE_CFLAGS="-O1 -g"        options of the compiler in place of its usual ones: sanitizers and coverage, for .ci/proof
"""

import os
import sys
import sysconfig
from glob import glob

from setuptools import Extension, setup


def switch(name):
    return os.environ.get(name, "") not in ("", "0")


require = switch("TRAMPOLINE_REQUIRE_EXTENSIONS")
# At most 400 KB: -O3 would take 500, for 2 %. gcc inlines what gains most until the whole has grown by so many percent; clang ignores that.
SMALL, FAST = "-Os -g0", "-O2 -g0 -fno-inline-functions -fno-align-functions -fno-align-loops -fno-align-jumps -fno-gcse"
FAST += " --param inline-unit-growth=7 --param max-inline-insns-single=20"
on_linux = sys.platform == "linux"
usual = FAST if on_linux and not sysconfig.get_config_var("Py_GIL_DISABLED") else "" if sys.platform == "win32" else SMALL
options = os.environ.get("TRAMPOLINE_CFLAGS", usual)
extension = Extension(
    "trampoline._ctrampoline",
    ["src/_ctrampoline.pyx"],
    depends=["src/trampoline/_ctrampoline.pxd", *sorted(glob("src/*.p*x*") + glob("src/*.h"))],
    optional=not require,
    extra_compile_args=options.split(),
    extra_link_args=["-Wl,-z,noseparate-code"] if on_linux else [],
)
extension.cython_include_dirs = ["src"]
wanted = sys.implementation.name == "cpython" and (require or not switch("TRAMPOLINE_NO_EXTENSIONS"))
setup(ext_modules=[extension] if wanted else [])
