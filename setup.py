"""Build lrcore._core: kernels.c for each instruction set and dtype, the rest once.

Files are compiled in parallel: as many at a time as there are processors, or as
LRCORE_BUILD_JOBS or `build_ext --parallel` sets.  A file is compiled again only if its
source, a header or the command has changed.  docs/start/install.md has all variables
that the build reads.
"""

import gzip
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist
from setuptools.errors import CCompilerError, CompileError, PlatformError

# --- what it is built for -------------------------------------------------------------

TARGET = sysconfig.get_platform()  # as "linux-x86_64", "macosx-11.0-arm64", "win-amd64"
X86_64 = TARGET.lower().endswith(("x86_64", "amd64"))
WINDOWS = TARGET.startswith("win")
WASM = "wasm" in TARGET  # Pyodide

# --- what is compiled, and how --------------------------------------------------------

SRC_C = Path(__file__).resolve().parent / "src_c"

# Flags by instruction set; src_c/portable.h checks that the processor has its features.
ISAS = {"baseline": []}
if X86_64:
    ISAS["baseline"] = ["-march=x86-64"]
    ISAS["avx2"] = ["-march=x86-64", "-mavx2"]
    ISAS["avx512"] = [
        *("-march=x86-64", "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl"),
        "-mprefer-vector-width=512",
    ]

DTYPES = {"f32": 32, "f64": 64}

# The same bits everywhere: no contraction to FMA and no fast-math, even if the
# environment's CFLAGS ask for them.  Without -fno-math-errno sqrtf is a call, and below
# -O3 gcc 12 vectorises nothing.
CFLAGS = [
    *("-O3", "-std=c11", "-fno-fast-math", "-ffp-contract=off"),
    *("-fno-math-errno", "-fno-trapping-math", "-fvisibility=hidden"),
]
# More flags for kernels.c.  Without the first two, compiling takes a third longer and
# a fifth more memory, and the code is no faster: the loops are already vectorised, and
# only their remainders would be unrolled.  The last is for clang, which has no --param.
KERNEL_FLAGS = [
    *("-fno-tree-slp-vectorize", "--param=max-completely-peeled-insns=100"),
    "-Wno-unused-command-line-argument",
]
# Python's own flags have -g, with which the extension has 18 MB.
NO_DEBUG = ["-g0"]
# The environment's CFLAGS reach the linker, where -ffast-math would make the whole
# process flush subnormals to zero.
NO_FAST_MATH = ["-O3", "-fno-fast-math", "-fno-unsafe-math-optimizations"]
# What src_c/systems/ is linked with.
SYSTEM = ["-lsynchronization"] if WINDOWS else [] if WASM else ["-pthread"]
# The functions of lrcore.h are exported.  The extension calls its own, even in a
# program that is linked with another copy of them.
OWN_FUNCTIONS = ["-Wl,-Bsymbolic"] if sys.platform == "linux" else []

# Those of lrcore.get_include(): the last three are for extensions, such as Cython's.
HEADERS = ["lrcore.h", "lrcore_import.h", "lrcore_functions.h", "lrcore_functions.def"]

# An editable installation puts this folder on the path, where Cython finds
# lrcore/__init__.pxd for `cimport lrcore`; in other modes only Python would find it.
EDITABLE = {"editable_wheel": {"mode": "compat"}}

OPENMP_PROBE = """
#include <omp.h>
int main(void) { return omp_pause_resource_all(omp_pause_hard); }
"""


def kernels(isas):
    """Return the flags of each object that kernels.c is compiled to, by its name."""
    return {
        f"{isa}_{dtype}": [
            *(*KERNEL_FLAGS, *flags),
            *(f"-DREAL={bits}", f"-DTABLE=lrc_{isa}_{dtype}"),
        ]
        for isa, flags in isas.items()
        for dtype, bits in DTYPES.items()
    }


def c_sources(openmp):
    """Return the files that are compiled once."""
    sources = {path.stem: path for path in sorted(SRC_C.glob("*.c"))}
    del sources["kernels"]
    if not openmp:
        del sources["threads_openmp"]
    return list(sources.values())


# --- how it is built ------------------------------------------------------------------


class Object:
    """An object file and the command that makes it."""

    def __init__(self, folder, name, command, source):
        self.name = name
        self.command = [*command, "-c", str(source)]
        # The file's name depends on the command: another command makes another file.
        digest = hashlib.sha256(shlex.join(self.command).encode()).hexdigest()
        self.path = Path(folder, f"{name}-{digest[:12]}.o")
        self.made_from = self.path.with_suffix(".d")

    def is_current(self):
        """Whether it is as new as its source and all headers."""
        try:
            # A make rule: "object: source header ...".
            rule = self.made_from.read_text()
            files = shlex.split(rule.replace("\\\n", " "))[1:]
            newest = max(Path(file).stat().st_mtime_ns for file in files)
            return newest <= self.path.stat().st_mtime_ns
        except FileNotFoundError:
            return False

    def compile(self):
        began = time.monotonic()
        part = self.path.with_suffix(f".{os.getpid()}")  # renamed when it is complete
        command = [*self.command, "-MMD", "-MF", str(self.made_from), "-o", str(part)]
        if subprocess.run(command, check=False).returncode != 0:
            raise CompileError(f"this command failed: {shlex.join(command)}")
        part.rename(self.path)
        print(f"  {self.name:<20} {time.monotonic() - began:5.1f} s", flush=True)


def kernel_objects(folder, command, isas):
    """Return the objects of kernels.c."""
    return [
        Object(folder, f"kernels_{name}", [*command, *flags], SRC_C / "kernels.c")
        for name, flags in kernels(isas).items()
    ]


def side_by_side(function, items, jobs=None):
    """Call the function for each item in parallel, in a thread for each processor."""
    jobs = jobs or int(os.environ.get("LRCORE_BUILD_JOBS", 0)) or processors()
    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(function, items))


def processors():
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class BuildExt(build_ext):
    """build_ext that compiles the extension's objects in parallel."""

    def build_extension(self, extension):
        self.explain_what_is_missing()
        folder = Path(self.get_finalized_command("build").build_base, "objects")
        folder.mkdir(parents=True, exist_ok=True)
        openmp = ["-fopenmp"] if self.wants_openmp() else []

        objects = self.objects(folder, self.cythonized(extension, folder), openmp)
        stale = [obj for obj in objects if self.force or not obj.is_current()]
        if stale:
            print(f"Compiling {len(stale)} of {len(objects)} files:", flush=True)
        side_by_side(Object.compile, stale, self.parallel)
        self.link(
            [str(obj.path) for obj in objects],
            self.get_ext_fullpath(extension.name),
            [*openmp, *SYSTEM, *NO_FAST_MATH, *OWN_FUNCTIONS],
        )
        include = Path(self.get_ext_fullpath(extension.name)).parent / "include"
        include.mkdir(parents=True, exist_ok=True)
        for header in HEADERS:
            shutil.copy(SRC_C / header, include)

    def compile_command(self):
        """Return the command that compiles a file.

        On Windows it is clang, which knows the GNU attributes of portable.h and makes
        objects for Microsoft's C library; Microsoft's compiler does not know them.
        """
        if WINDOWS:
            return shlex.split(os.environ.get("CC", "clang"), posix=False)
        return self.compiler.compiler_so

    def link(self, objects, target, flags):
        if WINDOWS:
            folders = [f"-L{folder}" for folder in self.library_dirs]
            self.mkpath(str(Path(target).parent))
            command = [*self.compile_command(), "-shared", *objects, *folders, *flags]
            subprocess.run([*command, "-o", target], check=True)
            return
        if "-fopenmp" not in flags:
            # No library is looked for, and Python's flags may name a folder of this
            # machine, which would be in a wheel for others.
            command = self.compiler.linker_so
            self.compiler.linker_so = [each for each in command if "-rpath" not in each]
        self.compiler.force = True  # an object may be older than the extension
        self.compiler.link_shared_object(objects, target, extra_postargs=flags)

    def cythonized(self, extension, folder):
        """Translate the binding to C; return the path of that file."""
        folder = folder / sys.implementation.cache_tag
        (made,) = cythonize([extension], build_dir=str(folder), force=self.force)
        return made.sources[0]

    def objects(self, folder, core, openmp):
        """Return all objects that are linked; those that take longest come first."""
        debug = ["-g"] if self.debug else NO_DEBUG
        common = [*self.compile_command(), *CFLAGS, *debug]
        here = [*common, *openmp, f"-I{SRC_C}"]
        python = [f"-I{path}" for path in (np.get_include(), *self.include_dirs)]
        python.append("-DNPY_NO_DEPRECATED_API=NPY_2_0_API_VERSION")
        python.append(f"-DLRC_BUILD={self.described(here)}")
        return [
            Object(folder, "_core", [*here, *python], core),
            *kernel_objects(folder, common, ISAS),
            *(Object(folder, path.stem, here, path) for path in c_sources(openmp)),
        ]

    def described(self, command):
        """Return the compiler and its flags as JSON, in a string literal of C.

        Flags that name a place are left out: the same sources make the same bytes.
        """
        compiler, *flags = command
        told = subprocess.run([compiler, "--version"], capture_output=True, text=True)
        flags = [flag for flag in flags if not {"/", os.sep} & {*flag}]
        flags += [f"[kernels: {shlex.join(KERNEL_FLAGS)}]"]
        flags += [f"[{isa}: {shlex.join(given)}]" for isa, given in ISAS.items()]
        build = {
            "compiler": (told.stdout.splitlines() or [compiler])[0],
            "flags": " ".join(flags),
        }
        return json.dumps(json.dumps(build))

    def explain_what_is_missing(self):
        compiler = self.compile_command()[0]
        if shutil.which(compiler) is None:
            raise PlatformError(
                f"lrcore needs a C compiler, and {compiler!r} was not found. Install "
                "one (Debian, Ubuntu: apt install gcc; Fedora: dnf install gcc; macOS: "
                "xcode-select --install; Windows: winget install LLVM.LLVM), or name "
                "yours, gcc or clang, in the environment variable CC."
            )
        header = Path(sysconfig.get_path("include"), "Python.h")
        if not header.exists():
            raise PlatformError(
                f"lrcore needs Python's headers, and {header} was not found. Install "
                "them (Debian, Ubuntu: apt install python3-dev; Fedora: dnf install "
                "python3-devel)."
            )

    def wants_openmp(self):
        """Whether to build the back end of OpenMP: as LRCORE_BUILD_OPENMP says, or if
        the compiler has it.
        """
        asked = os.environ.get("LRCORE_BUILD_OPENMP", "")
        if asked not in ("", "0", "1"):
            raise PlatformError(
                f"LRCORE_BUILD_OPENMP: expected 0 or 1, found {asked!r}"
            )
        if asked == "0":
            return False
        if not (WINDOWS or WASM) and self.has_openmp():
            return True
        message = f"{self.compile_command()[0]} has no OpenMP"
        if asked == "1":
            raise PlatformError(
                f"LRCORE_BUILD_OPENMP is 1, but {message}. Install it (Debian, Ubuntu: "
                "gcc has it; for clang, apt install libomp-dev), or unset the variable."
            )
        print(f"lrcore: {message}; building without that back end")
        return False

    def has_openmp(self):
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "probe.c")
            source.write_text(OPENMP_PROBE)
            try:
                objects = self.compiler.compile(
                    [str(source)], folder, extra_postargs=["-fopenmp", "-fPIC"]
                )
                self.compiler.link_shared_object(
                    objects, f"{folder}/probe.so", extra_postargs=["-fopenmp"]
                )
            except CCompilerError:
                return False
        return True


def archive(folder, path):
    """Pack a folder into a .tar.gz whose bytes depend on names, texts and modes only.

    All times are SOURCE_DATE_EPOCH, or 1 January 1980, the first that a zip can have.
    """
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH", 315532800))

    def plain(member):
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        member.mtime = epoch
        member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
        return member

    with (
        open(path, "wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for each in sorted([Path(folder), *Path(folder).rglob("*")]):
            tar.add(each, recursive=False, filter=plain)


class Sdist(sdist):
    """sdist whose archive is the same for the same sources."""

    # The names are distutils', which passes them by name.
    def make_archive(self, base_name, format, root_dir=None, base_dir=None, **_):  # noqa: A002
        if format != "gztar":
            return super().make_archive(base_name, format, root_dir, base_dir)
        path = Path(f"{base_name}.tar.gz")
        path.parent.mkdir(parents=True, exist_ok=True)
        archive(base_dir, path)
        return str(path)


def main():
    with tempfile.TemporaryDirectory() as scratch:
        here = os.access(".", os.W_OK)  # otherwise pip was given a read-only tree
        elsewhere = {
            "build": {"build_base": scratch},
            "egg_info": {"egg_base": scratch},
        }
        setup(
            ext_modules=[Extension("lrcore._core", ["lrcore/_core.pyx"])],
            cmdclass={"build_ext": BuildExt, "sdist": Sdist},
            options=EDITABLE if here else EDITABLE | elsewhere,
        )


if __name__ == "__main__":
    main()
