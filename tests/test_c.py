"""src_c/ by itself: a C program, other compilers, another architecture."""

import shutil
import subprocess

import pytest
from compiled import CFLAGS, SRC_C, c_sources, objects


def run(command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def hashes(output):
    """{instruction set: {rule, dtype, form: hash}}."""
    result = {}
    for line in output.splitlines():
        isa, rest = line.split(" ", 1)
        result.setdefault(isa, {}).update([rest.split(": ")])
    return result


@pytest.fixture(scope="module")
def native(programs):
    return hashes(run([programs["native"].path()]))


def test_every_instruction_set_gives_the_same_bits(native):
    first = native["baseline"]
    assert len(set(first.values())) == len(first), "each line hashes something else"
    assert all(table == first for table in native.values())


def test_clang_gives_the_same_bits(native, programs):
    if "clang" not in programs:
        pytest.skip("clang is not installed")
    assert hashes(run([programs["clang"].path()])) == native


def test_aarch64_gives_the_same_bits(native, programs):
    if "aarch64" not in programs or not shutil.which("qemu-aarch64"):
        pytest.skip("gcc-aarch64-linux-gnu and qemu-user are not installed")
    found = hashes(run(["qemu-aarch64", programs["aarch64"].path()]))
    assert found == {"baseline": native["baseline"]}


def test_the_core_allocates_and_prints_nothing(native, tmp_path):
    """By its symbols: what the objects call from outside."""
    called = set()
    paths = [obj.path for obj in objects("native") if obj.name != "bits"]
    for source in c_sources(openmp=True):
        paths.append(tmp_path / (source.stem + ".o"))
        run(["cc", *CFLAGS, "-fopenmp", "-c", source, "-o", paths[-1]])
    for path in paths:
        symbols = run(["nm", "--undefined-only", path]).split()
        called |= {s for s in symbols if s != "U" and not s.startswith("lrc_")}
    allowed = {"getenv", "strcmp", "pthread_atfork", "_GLOBAL_OFFSET_TABLE_"}
    allowed |= {"__cpu_model", "__cpu_indicator_init", "sqrt", "sqrtf"}
    allowed |= {"memcpy", "memset"}
    openmp = {s for s in called if s.startswith(("omp_", "GOMP_"))}
    assert called - allowed - openmp == set()


@pytest.mark.skipif(shutil.which("c++") is None, reason="no C++ compiler is installed")
def test_the_header_is_valid_cplusplus(tmp_path):
    source = tmp_path / "use.cpp"
    source.write_text(
        '#include "lrcore.h"\nint main() { return lrc_num_threads() < 1; }\n'
    )
    run(["c++", "-Wall", "-Werror", f"-I{SRC_C}", "-fsyntax-only", source])
