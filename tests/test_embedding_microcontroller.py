"""lrcore_inline.h and examples/microcontroller: a rule without the rest of the core."""

import re
import shutil
import subprocess

import pytest
from compiled import NATIVE, ROOT, SRC_C, STRICT

EXAMPLE = ROOT / "examples" / "microcontroller"
TEXT = (SRC_C / "rules.def").read_text()
RULES = re.findall(r"^LRC_RULE\(\d+, (\w+),", TEXT, re.MULTILINE)
ARM = "arm-linux-gnueabihf-gcc"
FIRMWARE = ("arm-none-eabi-gcc", "qemu-system-arm")
FLAGS = ["-std=c11", "-ffp-contract=off", "-fno-math-errno", f"-I{SRC_C}"]


def run(command, **more):
    return subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=120, **more
    ).stdout


def needs(*programs):
    """Skip the test if a program is not installed."""
    if absent := [name for name in programs if not shutil.which(name)]:
        pytest.skip(f"{' and '.join(absent)} not installed")


def alone(compiler, folder, *flags):
    """Compile tests/inline.c without the core; return the path."""
    command = [compiler, *FLAGS, *STRICT, *flags, "-DALONE", ROOT / "tests/inline.c"]
    run([*command, "-o", folder / "inline", "-lm"])
    return folder / "inline"


def make(target, folder):
    """Return what a target of the example's Makefile prints."""
    return run(["make", "-s", "-C", EXAMPLE, target, f"BUILD={folder}"])


@pytest.fixture(scope="module")
def native(tmp_path_factory):
    """What tests/inline.c prints with the core, as the extension has it."""
    return run([NATIVE.build("inline", tmp_path_factory.mktemp("inline"))])


def test_inline_rules_have_the_bits_of_the_core(native):
    lines = [line.split(":") for line in native.splitlines()]
    assert [name for name, _ in lines] == [f"{r} {k}" for k in range(4) for r in RULES]
    assert len({bits for _, bits in lines}) > 0.9 * len(lines)


def test_the_same_bits_at_the_least_size(native, tmp_path):
    assert run([alone("cc", tmp_path, "-Os")]) == native


@pytest.mark.compilers
def test_the_same_bits_on_arm(native, tmp_path):
    needs(ARM, "qemu-arm")
    assert run(["qemu-arm", alone(ARM, tmp_path, "-Os", "-static")]) == native


# --- the example ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return make("run", tmp_path_factory.mktemp("host"))


def test_the_example_learns(trained):
    first, *bits = trained.splitlines()
    before, after = map(float, re.fullmatch(r"loss (\S+) to (\S+)", first).groups())
    assert after < before / 1000
    assert len(bits) == 33
    assert all(re.fullmatch("[0-9a-f]{8}", word) for word in bits)


@pytest.mark.compilers
def test_the_example_on_arm(trained, tmp_path):
    needs(ARM, "qemu-arm")
    assert make("run-arm", tmp_path) == trained


@pytest.mark.compilers
def test_the_example_on_a_cortex_m4(trained, tmp_path):
    needs(*FIRMWARE)
    assert make("run-m4", tmp_path) == trained


@pytest.mark.compilers
def test_what_the_docs_say_of_its_size(tmp_path):
    """By this compiler, of which the page tells the version."""
    needs(FIRMWARE[0])
    page = (ROOT / "docs" / "how_to" / "embedding.md").read_text()
    (version,) = re.findall(r"arm-none-eabi-gcc (\d+\.\d+)", page)
    if not run([FIRMWARE[0], "-dumpfullversion"]).startswith(version):
        pytest.skip(f"the page has sizes by another version, {version}")
    told = re.findall(r"^\| `(\w+)_step\(\)` \| (\d+) \| (\d+) \|$", page, re.MULTILINE)
    sizes = re.findall(r"\.text\.(\w+)_step +(\d+)", make("size", tmp_path))
    m4, m0 = dict(sizes[:2]), dict(sizes[2:])
    assert told == [(rule, m4[rule], m0[rule]) for rule in ("adam", "sgd")]


@pytest.mark.compilers
def test_firmware_calls_no_library_but_for_memcpy_and_sqrtf(tmp_path):
    """Without a floating-point unit, it also calls the compiler's own arithmetic."""
    needs(FIRMWARE[0])
    make("size", tmp_path)
    for target, allowed in [("m4", set()), ("m0", {"fadd", "fsub", "fmul", "fdiv"})]:
        listed = run(["arm-none-eabi-nm", "-u", tmp_path / f"rule-{target}.o"])
        called = set(re.findall(r"U (\S+)", listed)) - {"memcpy", "sqrtf"}
        assert called <= {f"__aeabi_{name}" for name in allowed}
