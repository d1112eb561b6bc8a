"""The core and C files of these tests as programs, compiled beside the tests.

Their objects stay in build/objects, beside the extension's: the native program has the
kernels of the extension.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from shutil import which
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from setup import (  # noqa: E402, I001 # found by the line above, and finds distutils
    CFLAGS,
    ISAS,
    NO_DEBUG,
    SRC_C,
    Object,
    c_sources,
    kernel_objects,
)
from distutils.ccompiler import new_compiler  # noqa: E402
from distutils.sysconfig import customize_compiler  # noqa: E402

OBJECTS = ROOT / "build/objects"


def pythons():
    """The command by which Python has its extensions compiled."""
    compiler = new_compiler()
    customize_compiler(compiler)
    return compiler.compiler_so


# By name: the compiler, instruction sets, flags of the link.
PROGRAMS = {
    "native": (pythons(), ISAS, []),
    "clang": (["clang"], ISAS, []),
    "aarch64": (["aarch64-linux-gnu-gcc"], {"baseline": []}, ["-static"]),
}


def objects(name, openmp=False):
    """What a program is linked of: the core, without bits.c."""
    compiler, isas, _ = PROGRAMS[name]
    command = [*compiler, *CFLAGS, *NO_DEBUG]
    flags = ["-fopenmp"] if openmp else []
    return kernel_objects(OBJECTS, command, isas) + [
        Object(OBJECTS, path.stem, [*command, *flags, f"-I{SRC_C}"], path)
        for path in c_sources(openmp)
    ]


def build(name, target):
    """Compile what is not up to date, and link bits.c with it."""
    compiler, _, flags = PROGRAMS[name]
    command = [*compiler, *CFLAGS, *NO_DEBUG, f"-I{SRC_C}"]
    bits = Object(OBJECTS, "bits", command, ROOT / "tests/bits.c")
    link([*objects(name), bits], [compiler[0], *flags], target)


def paths_of(wanted):
    """Compile what is not up to date; return the files."""
    OBJECTS.mkdir(parents=True, exist_ok=True)
    for stale in [obj for obj in wanted if not obj.is_current()]:
        stale.compile()
    return [str(obj.path) for obj in wanted]


def link(wanted, command, target):
    subprocess.run([*command, *paths_of(wanted), "-o", target, "-lm"], check=True)


def build_strictly(name, target, openmp):
    """Compile a C file of these tests, warnings being errors, with the native objects.

    openmp : whether they are those of several threads, as the extension's.
    """
    compiler, flags = PROGRAMS["native"][0], ["-fopenmp"] if openmp else []
    strict = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", *flags]
    command = [*compiler, *strict, f"-I{SRC_C}"]
    own = Object(OBJECTS, name, command, ROOT / f"tests/{name}.c")
    link([*objects("native", openmp), own], [compiler[0], *flags], target)


class Program(NamedTuple):
    """A program, once the process that builds it has ended."""

    target: Path
    building: subprocess.Popen

    def path(self):
        assert self.building.wait() == 0, self.building.args
        return self.target

    def end(self):
        """End its compiler, too."""
        if self.building.poll() is None:
            os.killpg(self.building.pid, signal.SIGKILL)
            self.building.wait()


def start(folder):
    """Start to build those whose compilers are there."""
    programs = {}
    for name, (compiler, *_) in PROGRAMS.items():
        if which(compiler[0]):
            command = ["nice", sys.executable, __file__, name, folder / name]
            building = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, start_new_session=True
            )
            programs[name] = Program(folder / name, building)
    return programs


if __name__ == "__main__":
    build(*sys.argv[1:])
