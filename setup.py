"""The extension and its three switches; everything else is in pyproject.toml.

TRAMPOLINE_NO_EXTENSIONS=1        build without it: a wheel for any Python
TRAMPOLINE_REQUIRE_EXTENSIONS=1   a failed compilation is an error (else: no extension, the core in Python serves)
TRAMPOLINE_CFLAGS="-O1 -g"        options of the compiler in place of its usual ones: sanitizers and coverage, for .ci/proof
"""

import os
import sys
from glob import glob

from setuptools import Extension, setup


def switch(name):
    return os.environ.get(name, "") not in ("", "0")


require = switch("TRAMPOLINE_REQUIRE_EXTENSIONS")
options = os.environ.get("TRAMPOLINE_CFLAGS", "" if sys.platform == "win32" else "-O3 -g0")
extension = Extension(
    "trampoline._ctrampoline",
    ["src/_ctrampoline.pyx"],
    depends=["src/trampoline/_ctrampoline.pxd", *sorted(glob("src/*.p*x*") + glob("src/*.h"))],
    optional=not require,
    extra_compile_args=options.split(),
)
extension.cython_include_dirs = ["src"]
wanted = sys.implementation.name == "cpython" and (require or not switch("TRAMPOLINE_NO_EXTENSIONS"))
setup(ext_modules=[extension] if wanted else [])
