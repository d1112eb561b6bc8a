"""The core and a C file of these tests as a program, by any compiler.

Objects stay in build/objects: native programs are linked of the extension's own.
`Toolchain.package` makes the package with an extension of other objects.
"""

import fcntl
import os
import subprocess
import sys
import sysconfig
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lrcore import _core

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from setup import (  # noqa: E402, I001 # found by the line above, and finds distutils
    CFLAGS,
    ISAS,
    NO_DEBUG,
    SRC_C,
    Extension,
    Object,
    c_sources,
    cythonize,
    kernel_objects,
    side_by_side,
)
from distutils.ccompiler import new_compiler  # noqa: E402
from distutils.sysconfig import customize_compiler  # noqa: E402

OBJECTS = ROOT / "build/objects"
STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic"]

PLANS = ("plan", "plan_asks", "plan_bits")
"""Programs that print "done" if what plan.h promises holds."""


class Toolchain(NamedTuple):
    """A compiler, and how it compiles and links the core."""

    compiler: list[str]
    isas: dict[str, list[str]]
    openmp: bool = False
    link_flags: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()  # of all but the kernels
    linker: tuple[str, ...] = ()  # if it is not the compiler
    suffix: str = ""  # of programs

    def core(self):
        """Return the core's objects."""
        command = [*self.compiler, *CFLAGS, *NO_DEBUG]
        openmp = ["-fopenmp"] if self.openmp else []
        return kernel_objects(OBJECTS, command, self.isas) + [
            Object(
                OBJECTS, path.stem, [*command, *openmp, *self.flags, f"-I{SRC_C}"], path
            )
            for path in c_sources(self.openmp)
        ]

    def build(self, name, folder):
        """Link tests/NAME.c with the core, after compiling what is not up to date."""
        flags = [*CFLAGS, *NO_DEBUG, *STRICT, *self.flags, f"-I{SRC_C}"]
        command = [*self.compiler, *flags]
        own = Object(OBJECTS, name, command, ROOT / f"tests/{name}.c")
        openmp = ["-fopenmp"] if self.openmp else []
        target = Path(folder, name + self.suffix)
        paths = paths_of([*self.core(), own])
        linker = [*(self.linker or self.compiler), *openmp]
        subprocess.run(
            [*linker, *paths, "-o", target, *self.link_flags, "-lm"], check=True
        )
        return target

    def sanitized(self, *flags):
        """Return one whose core and binding a sanitizer follows: flags say which one.

        It has baseline kernels, and no OpenMP, which sanitizers do not know.
        """
        flags = (*flags, "-g")
        own = (*flags, "-O1")
        isas = {**self.isas, "baseline": [*self.isas["baseline"], *own]}
        return self._replace(openmp=False, isas=isas, flags=own, link_flags=flags)

    def package(self, folder):
        """Make the package lrcore in a folder, with an extension of the core."""
        package = Path(folder, "lrcore")
        package.mkdir()
        for each in (ROOT / "lrcore").iterdir():
            if each.suffix != ".so":
                (package / each.name).symlink_to(each)
        paths = paths_of([*self.core(), self.binding()])
        target = package / f"_core{sysconfig.get_config_var('EXT_SUFFIX')}"
        link = [self.compiler[0], "-shared", "-pthread", *self.link_flags]
        subprocess.run([*link, *paths, "-o", target, "-lm"], check=True)

    def binding(self):
        """Return the binding's object."""
        with chdir(ROOT):
            (made,) = cythonize(
                [Extension("lrcore._core", ["lrcore/_core.pyx"])],
                build_dir=str(OBJECTS / sys.implementation.cache_tag),
                quiet=True,
            )
        command = [*self.compiler, *CFLAGS, *NO_DEBUG, *self.flags, f"-I{SRC_C}"]
        for path in (np.get_include(), sysconfig.get_path("include")):
            command.append(f"-I{path}")
        command.append("-DNPY_NO_DEPRECATED_API=NPY_2_0_API_VERSION")
        return Object(OBJECTS, "_core", command, ROOT / made.sources[0])


def pythons():
    """Return the command by which Python has its extensions compiled."""
    compiler = new_compiler()
    customize_compiler(compiler)
    return compiler.compiler_so


NATIVE = Toolchain(pythons(), ISAS, _core.has_openmp())


def paths_of(wanted):
    """Compile the objects that are not up to date; return the paths of all."""
    OBJECTS.mkdir(parents=True, exist_ok=True)
    with locked(OBJECTS):  # tests can run in several processes
        stale = [obj for obj in wanted if not obj.is_current()]
        side_by_side(Object.compile, stale)
    return [str(obj.path) for obj in wanted]


def hashes(output):
    """Return the hashes that bits.c prints, by instruction set and by configuration."""
    result = {}
    for line in output.splitlines():
        isa, rest = line.split(" ", 1)
        result.setdefault(isa, {}).update([rest.split(": ")])
    return result


@contextmanager
def locked(folder):
    """Wait until no other process has the folder locked."""
    file = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)
