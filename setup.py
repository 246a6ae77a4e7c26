"""The extension and its three switches; everything else is in pyproject.toml.

TRAMPOLINE_NO_EXTENSIONS=1        build without it: a wheel for any Python
TRAMPOLINE_REQUIRE_EXTENSIONS=1   a failed compilation is an error (else: no extension, the core in Python serves)
TRAMPOLINE_CFLAGS="-O1 -g"        options of the compiler in place of its usual ones: sanitizers and coverage, for .ci/proof
"""

import os
import platform
import sys
import sysconfig
from glob import glob

from setuptools import Extension, setup


def switch(name):
    return os.environ.get(name, "") not in ("", "0")


require = switch("TRAMPOLINE_REQUIRE_EXTENSIONS")
# At most 400 KB; -O3 would take 500, for 2 %. So gcc inlines what gains most until all has grown by 6 %, and aligns and copies nothing. A
# newer gcc makes 3 % more of it; on aarch64 there is no room for growth, nor for the gap that pages of 64 KB ask for before read-only data.
FAST = "-O2 -g0 -fno-inline-functions -fno-align-functions -fno-align-loops -fno-align-jumps -fno-align-labels -fno-gcse -fno-tree-pre"
on_linux, on_x86 = sys.platform == "linux", platform.machine() == "x86_64"
FAST += f" -freorder-blocks-algorithm=simple --param inline-unit-growth={6 if on_x86 else 0} --param max-inline-insns-single=20"
by_gcc = on_linux and any(name in (os.environ.get("CC") or sysconfig.get_config_var("CC") or "") for name in ("gcc", "gnu-cc"))
usual = FAST if by_gcc and not sysconfig.get_config_var("Py_GIL_DISABLED") else "-O1" if sys.platform == "win32" else "-Os -g0"
options = os.environ.get("TRAMPOLINE_CFLAGS", usual)
extension = Extension(
    "trampoline._ctrampoline",
    ["src/_ctrampoline.pyx"],
    depends=["src/trampoline/_ctrampoline.pxd", *sorted(glob("src/*.p*x*") + glob("src/*.h"))],
    optional=not require,
    extra_compile_args=options.split(),
    extra_link_args=["-Wl,-z,noseparate-code", *([] if on_x86 else ["-Wl,-z,norelro"])] if on_linux else [],
)
extension.cython_include_dirs = ["src"]
wanted = sys.implementation.name == "cpython" and (require or not switch("TRAMPOLINE_NO_EXTENSIONS"))
setup(ext_modules=[extension] if wanted else [])
