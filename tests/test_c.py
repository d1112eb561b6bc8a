"""src_c/ by itself: a C program, other compilers, another architecture."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from setup import C_SOURCES, CFLAGS, ISAS  # noqa: E402 # found by the line above

SOURCES = [ROOT / source for source in C_SOURCES]


def build(compiler, folder, *, isas, flags=()):
    """Compile the core and bits.c into a program."""
    common = [compiler, *CFLAGS, *flags, f"-I{ROOT / 'src_c'}"]
    objects, running = [], []
    for isa, isa_flags in isas.items():
        objects.append(folder / f"{isa}.o")
        names = [f'-DISA="{isa}"', f"-DTABLE=lrc_{isa}"]
        source = ROOT / "src_c/kernels.c"
        command = [*common, *isa_flags, *names, "-c", source, "-o", objects[-1]]
        running.append(subprocess.Popen(command))
    assert [process.wait() for process in running] == [0] * len(running)
    program = folder / "bits"
    run([*common, *SOURCES, ROOT / "tests/bits.c", *objects, "-o", program, "-lm"])
    return program


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
def native_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("native")


@pytest.fixture(scope="module")
def native(native_folder):
    return hashes(run([build("cc", native_folder, isas=ISAS)]))


def test_every_instruction_set_gives_the_same_bits(native):
    first = native["baseline"]
    assert len(set(first.values())) == len(first), "each line hashes something else"
    assert all(table == first for table in native.values())


@pytest.mark.skipif(shutil.which("clang") is None, reason="clang is not installed")
def test_clang_gives_the_same_bits(native, tmp_path):
    program = build("clang", tmp_path, isas=ISAS)
    assert hashes(run([program])) == native


@pytest.mark.skipif(
    not (shutil.which("aarch64-linux-gnu-gcc") and shutil.which("qemu-aarch64")),
    reason="gcc-aarch64-linux-gnu and qemu-user are not installed",
)
def test_aarch64_gives_the_same_bits(native, tmp_path):
    program = build(
        "aarch64-linux-gnu-gcc", tmp_path, isas={"baseline": []}, flags=["-static"]
    )
    assert hashes(run(["qemu-aarch64", program])) == {"baseline": native["baseline"]}


def test_the_core_allocates_and_prints_nothing(native, native_folder, tmp_path):
    """By its symbols: what the objects call from outside."""
    called = set()
    for source in SOURCES:
        target = tmp_path / (source.stem + ".o")
        run(["cc", *CFLAGS, "-fopenmp", "-c", source, "-o", target])
        symbols = run(["nm", "--undefined-only", target]).split()
        called |= {s for s in symbols if s != "U" and not s.startswith("lrc_")}
    for kernels in native_folder.glob("*.o"):
        called |= set(run(["nm", "--undefined-only", kernels]).split()) - {"U"}
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
    run(["c++", "-Wall", "-Werror", f"-I{ROOT / 'src_c'}", "-fsyntax-only", source])
