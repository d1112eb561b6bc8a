"""Build liblrcore.a and liblrcore.so, for programs that use lrcore without Python.

    python libs.py                      in build/libs
    python libs.py --prefix /usr/local  and install them there, with the header and what
                                        pkg-config and CMake read

Both have the kernels of all instruction sets, and lrcore's own threads, not OpenMP's: a
program needs nothing else but the C library.  DESTDIR in the environment comes before
the prefix.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from setup import (
    CFLAGS,
    ISAS,
    NO_DEBUG,
    NO_FAST_MATH,
    SRC_C,
    Object,
    c_sources,
    kernel_objects,
    side_by_side,
)

from distutils.ccompiler import new_compiler  # isort: skip # found by setuptools
from distutils.sysconfig import customize_compiler  # isort: skip

ROOT = SRC_C.parent
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
_MAJOR, _MINOR, _ = VERSION.split(".")
COMPATIBLE = f"0.{_MINOR}" if _MAJOR == "0" else _MAJOR
"""What versions that keep a program running have in common.

See docs/reference/c_api.md.
"""

SONAME = f"liblrcore.so.{COMPATIBLE}"
SHARED = f"liblrcore.so.{VERSION}"


def compile_command():
    """Return the command by which Python has its extensions compiled."""
    compiler = new_compiler()
    customize_compiler(compiler)
    return compiler.compiler_so


def core(command, folder):
    """Return the core's objects; those of an extension without OpenMP are the same."""
    command = [*command, *CFLAGS, *NO_DEBUG]
    return kernel_objects(folder, command, ISAS) + [
        Object(folder, path.stem, [*command, f"-I{SRC_C}"], path)
        for path in c_sources(openmp=False)
    ]


def paths_of(objects):
    """Compile the objects that are not up to date; return the paths of all."""
    side_by_side(Object.compile, [obj for obj in objects if not obj.is_current()])
    return [str(obj.path) for obj in objects]


def archive(paths, target):
    """Make a static library, whose global symbols are those of lrcore.h."""
    whole = f"{target}.o"
    subprocess.run(["ld", "-r", "-o", whole, *paths], check=True)
    subprocess.run(["objcopy", "--localize-hidden", whole], check=True)
    Path(target).unlink(missing_ok=True)
    subprocess.run(["ar", "rcsD", target, whole], check=True)
    os.unlink(whole)


def shared(paths, target, compiler):
    """Make a shared library."""
    links = ["-shared", f"-Wl,-soname,{SONAME}", "-Wl,-z,defs", "-pthread"]
    command = [compiler, *links, *NO_FAST_MATH, *paths, "-lm", "-o", target]
    subprocess.run(command, check=True)


def build(folder):
    """Make both libraries in a folder."""
    objects, folder = ROOT / "build/objects", Path(folder)
    for each in (objects, folder):
        each.mkdir(parents=True, exist_ok=True)
    command = compile_command()
    paths = paths_of(core(command, objects))
    archive(paths, str(folder / "liblrcore.a"))
    shared(paths, str(folder / SHARED), command[0])
    for link in (SONAME, "liblrcore.so"):
        (folder / link).unlink(missing_ok=True)
        (folder / link).symlink_to(SHARED)


def install(folder, prefix):
    """Copy what is in the folder to a prefix, with the header and what finds them."""
    values = {"VERSION": VERSION, "SHARED": SHARED, "SONAME": SONAME}
    values["COMPATIBLE"] = COMPATIBLE
    lib, include = Path(prefix, "lib"), Path(prefix, "include")
    places = {"lrcore.pc": lib / "pkgconfig"}
    for each in (lib, include, lib / "pkgconfig", lib / "cmake/lrcore"):
        each.mkdir(parents=True, exist_ok=True)
    shutil.copy(SRC_C / "lrcore.h", include)
    for library in Path(folder).glob("liblrcore.*"):
        (lib / library.name).unlink(missing_ok=True)
        shutil.copy(library, lib, follow_symlinks=False)
    for template in (SRC_C / "install").glob("*.in"):
        text = template.read_text()
        for name, value in values.items():
            text = text.replace(f"@{name}@", value)
        place = places.get(template.stem, lib / "cmake/lrcore")
        (place / template.stem).write_text(text)


def main():
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Build lrcore's C libraries.")
    parser.add_argument("--folder", default=ROOT / "build/libs", help="where")
    parser.add_argument("--prefix", help="install there, as /usr/local")
    given = parser.parse_args()
    build(given.folder)
    if given.prefix:
        under = os.environ.get("DESTDIR", "")
        install(given.folder, f"{under}{given.prefix}")
        print(f"installed in {under}{given.prefix}; {ROOT / 'docs/reference/c_api.md'}")


if __name__ == "__main__":
    sys.exit(main())
