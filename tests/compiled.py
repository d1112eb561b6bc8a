"""The core and bits.c as programs, compiled beside the tests.

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


def objects(name):
    """What a program is linked of."""
    compiler, isas, _ = PROGRAMS[name]
    command = [*compiler, *CFLAGS, *NO_DEBUG]
    return kernel_objects(OBJECTS, command, isas) + [
        Object(OBJECTS, path.stem, [*command, f"-I{SRC_C}"], path)
        for path in (*c_sources(openmp=False), ROOT / "tests/bits.c")
    ]


def build(name, target):
    """Compile what is not up to date, and link."""
    OBJECTS.mkdir(parents=True, exist_ok=True)
    compiler, _, flags = PROGRAMS[name]
    linked = objects(name)
    for stale in [obj for obj in linked if not obj.is_current()]:
        stale.compile()
    paths = [str(obj.path) for obj in linked]
    subprocess.run([compiler[0], *flags, *paths, "-o", target, "-lm"], check=True)


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
