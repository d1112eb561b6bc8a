"""Check the wheels and the source distribution in a folder.

    python tests/check_wheels.py FOLDER

`make wheel` calls it.  Each wheel must be small, carry no library of this machine, and
have a description that PyPI can show.  In a clean environment of each Python that
is here, it must work (tests/smoke.py), and tests/hashes.py must print the same lines
under all of them.
"""

import sys
import tempfile
import zipfile
from pathlib import Path

from pythons import each_python, environment, pip, run

MOST = {".whl": 2_500_000, ".so": 5_000_000}  # bytes
HERE = Path(__file__).resolve().parent


def check_size(name: str, size: int) -> None:
    most = MOST[Path(name).suffix]
    print(f"  {name}: {size / 1e6:.2f} MB of at most {most / 1e6}")
    if size > most:
        sys.exit(f"{name} is too large")


def check_run_path(library: Path) -> None:
    """Refuse folders in which the loader would look for other libraries."""
    for line in run("readelf", "--dynamic", library).splitlines():
        if "(RPATH)" in line or "(RUNPATH)" in line:
            sys.exit(f"{library.name} has a run path: {line.split(maxsplit=2)[-1]}")


def check_contents(wheel: Path) -> None:
    print(f"{wheel.name}:")
    check_size(wheel.name, wheel.stat().st_size)
    with zipfile.ZipFile(wheel) as files, tempfile.TemporaryDirectory() as folder:
        for each in files.infolist():
            if ".libs/" in each.filename:  # where auditwheel puts those of the system
                sys.exit(f"{wheel.name} carries {each.filename}")
            if each.filename.endswith(".so"):
                check_size(each.filename, each.file_size)
                check_run_path(Path(files.extract(each, folder)))
    print(run(sys.executable, "-m", "auditwheel", "show", wheel), flush=True)


def hashes(python: str, wheel: Path, folder: Path) -> str:
    """Install a wheel in a new environment and try it; return the hashes there."""
    inside = environment(python, folder / "env")
    pip(inside, "install", wheel)
    run(inside, HERE / "smoke.py", cwd=folder)
    return run(inside, HERE / "hashes.py", cwd=folder)


def main(folder: str) -> int:
    wheels = sorted(Path(folder).resolve().glob("*.whl"))
    files = [*wheels, *Path(folder).glob("*.tar.gz")]
    print(run(sys.executable, "-m", "twine", "check", "--strict", *files), end="")
    for wheel in wheels:
        check_contents(wheel)
    found = {}
    for name, path in each_python():
        tag = name.replace("python", "cp").replace(".", "")
        (wheel,) = (each for each in wheels if f"-{tag}-" in each.name)
        with tempfile.TemporaryDirectory() as scratch:
            found[name] = hashes(path, wheel, Path(scratch))
        print(f"{name}: works, {len(found[name].splitlines())} hashes", flush=True)
    if not found:
        sys.exit("there is no Python here to install a wheel with")
    first, *others = found
    for name in others:
        if found[name] != found[first]:
            print(f"{name} computes something else than {first}:")
            lines = set(found[first].splitlines()) ^ set(found[name].splitlines())
            print("\n".join(sorted(lines)))
    return len(set(found.values())) > 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
