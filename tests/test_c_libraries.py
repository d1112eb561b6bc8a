"""liblrcore, lrcore.h and what finds them: for programs without Python."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from c_plans import Plan, hypers_of
from compiled import NATIVE, OBJECTS, ROOT, SRC_C, STRICT, locked

import libs
import lrcore
from lrcore import _core

HEADER = (SRC_C / "lrcore.h").read_text()
DECLARED = re.findall(r"^LRC_API [^;]*;", HEADER, re.MULTILINE)
FUNCTIONS = {re.search(r"\b(lrc_\w+)\(", each)[1] for each in DECLARED}
PAGE = (ROOT / "docs/reference/c_api.md").read_text()
EXAMPLE = ROOT / "examples/embed_c"


def run(*command, **more):
    return subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=300, **more
    ).stdout


def defined(*command):
    """Return the symbols that nm lists."""
    lines = run("nm", "--defined-only", *command).splitlines()
    return {line.split()[2] for line in lines if len(line.split()) == 3}


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """A prefix with the libraries of the objects that the build has left."""
    folder = tmp_path_factory.mktemp("libs")
    OBJECTS.mkdir(parents=True, exist_ok=True)
    with locked(OBJECTS):
        libs.build(folder / "built")
    libs.install(folder / "built", folder / "prefix")
    return folder / "prefix"


def test_the_libraries_export_the_functions_of_the_header(prefix):
    assert len(FUNCTIONS) > 40
    assert defined("-D", prefix / "lib/liblrcore.so") == FUNCTIONS
    assert defined("-g", prefix / "lib/liblrcore.a") == FUNCTIONS
    assert defined("-D", lrcore.get_library()) == FUNCTIONS | {"PyInit__core"}


def test_the_header_is_installed_and_stands_alone(prefix):
    """In C and C++; it takes no macro but its own."""
    assert os.listdir(prefix / "include") == ["lrcore.h"]
    text = (
        "#include <lrcore.h>\nint main(void) { return lrc_version() != LRC_VERSION; }\n"
    )
    flags = [*STRICT, f"-I{prefix / 'include'}", "-fsyntax-only"]
    for compiler, language, standards in (
        ("cc", "c", ("c11", "c2x")), ("c++", "c++", ("c++11", "c++20")),
    ):  # fmt: skip
        if shutil.which(compiler) is None:
            pytest.skip(f"{compiler} is not installed")
        for standard in standards:
            command = [compiler, f"-std={standard}", *flags, "-x", language, "-"]
            run(*command, input=text)
    for name in re.findall(r"^ *# *define +(\w+)", HEADER, re.MULTILINE):
        assert name.startswith(("LRC_", "LRCORE_")), name


FRAME = """
#include <stdio.h>
#include <lrcore.h>
void compute_gradient(float *, float *);
int run(float *p, float *g, float *m, float *v, size_t n, int steps);
int run(float *p, float *g, float *m, float *v, size_t n, int steps)
{{
    (void)steps;
    {code}
    return 0;
}}
"""


@pytest.mark.parametrize("document", ["README.md", "docs/reference/c_api.md"])
def test_the_code_in_a_document_compiles(document):
    (code,) = re.findall(r"```c\n(.*?)```", (ROOT / document).read_text(), re.DOTALL)
    command = ["cc", "-std=c11", *STRICT, f"-I{SRC_C}", "-fsyntax-only", "-x", "c", "-"]
    run(*command, input=FRAME.format(code=code))


def test_the_version_is_that_of_the_package():
    major, minor, patch = map(int, libs.VERSION.split("."))
    (number,) = re.findall(r"^#define LRC_VERSION (\d+)$", HEADER, re.MULTILINE)
    assert int(number) == 10000 * major + 100 * minor + patch


def test_cython_declares_the_same_functions():
    folder = Path(lrcore.__file__).parent
    text = "".join(
        (folder / name).read_text() for name in ("__init__.pxd", "_process.pxi")
    )
    assert set(re.findall(r"\b(lrc_\w+)\(", text)) == FUNCTIONS | {"lrc_import"}


def test_the_page_describes_each_function():
    signatures = re.findall(r"^\| `([^`]*)`", PAGE, re.MULTILINE)
    described = {f"LRC_API {text};" for text in signatures if "(" in text}
    assert described == {re.sub(r"\s+", " ", each) for each in DECLARED}


def test_the_page_has_the_hyper_parameters_and_how_they_begin():
    plan, said = Plan(), {}
    for names, begin in re.findall(
        r"^\| (`\w+`.*?) \| (lr .*?)[;|]", PAGE, re.MULTILINE
    ):
        values = dict(each.split(" ") for each in begin.strip().split(", "))
        for name in re.findall(r"`(\w+)`", names):
            said[name] = {key: float(value) for key, value in values.items()}
    common = dict.fromkeys(("weight_decay", "l2", "maximize", "clip_value"), 0.0)
    for rule, values in said.items():
        group = plan.group(rule)
        found = {name: plan.got("get_hyper", group, name) for name in hypers_of(rule)}
        assert found == {**common, "ema_decay": 0.999, **values}, rule
    assert {*said} == {rule for rule in _core.RULES if hypers_of(rule)}


def test_the_page_has_the_options():
    plan = Plan()
    assert plan.set_option("", 0) < 0
    (names,) = re.findall("expected one of (.*), found", plan.text)
    (text,) = re.findall(r"^Options: (.*?)\n\n", PAGE, re.MULTILINE | re.DOTALL)
    assert {*names.split(", ")} <= {*re.findall(r"`(\w+)`", text)}


# --- programs -------------------------------------------------------------------------


def example(folder, *variables, **environment):
    """What the example prints, built by its own Makefile."""
    shutil.copytree(EXAMPLE, folder)
    flags = "CFLAGS=-O1 -Wall -Wextra -Werror"
    environment = {**os.environ, **environment}
    out = run("make", "-s", "-C", folder, "run", flags, *variables, env=environment)
    steps = re.findall(r"step +(\d+)   loss ([\d.]+)", out)
    assert [int(step) for step, _ in steps] == [0, 500, 1000, 1500, 2000]
    assert float(steps[-1][1]) < 1e-4 < 1e-1 < float(steps[0][1])
    return out


@pytest.mark.skipif(shutil.which("pkg-config") is None, reason="needs pkg-config")
def test_a_program_is_built_by_pkg_config(prefix, tmp_path):
    found = {"PKG_CONFIG_PATH": str(prefix / "lib/pkgconfig")}
    dynamic = example(tmp_path / "a", **found)
    asked = ["pkg-config", "lrcore"]
    environment = {**os.environ, **found}
    assert run(*asked, "--modversion", env=environment) == f"{libs.VERSION}\n"
    flags = run(*asked, "--libs", "--static", env=environment).strip()
    links = flags.replace("-llrcore", "-l:liblrcore.a")
    include = f"LRCORE_CFLAGS=-I{prefix}/include"
    assert example(tmp_path / "b", include, f"LRCORE_LIBS={links}") == dynamic


@pytest.mark.parametrize(
    "flags",
    [
        (),
        pytest.param(
            ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g"),
            marks=pytest.mark.compilers,
        ),
    ],
    ids=["plain", "sanitized"],
)
def test_any_calls_in_any_order_stay_within_bounds(flags, tmp_path):
    """`c_api SEED TIMES` goes on for longer."""
    toolchain = NATIVE._replace(openmp=False, flags=flags, link_flags=flags)
    out = run(toolchain.build("c_api", tmp_path), "1", "1000")
    failed, taken = map(int, re.findall(r"\d+", out))
    assert failed > 10_000
    assert taken > 1000


CMAKE = """
cmake_minimum_required(VERSION 3.16)
project(example C)
find_package(lrcore {version} REQUIRED)
foreach(kind lrcore static)
  add_executable(train_${{kind}} train.c)
  target_link_libraries(train_${{kind}} lrcore::${{kind}} m)
endforeach()
"""


@pytest.mark.compilers
@pytest.mark.skipif(shutil.which("cmake") is None, reason="needs cmake")
def test_a_program_is_built_by_cmake(prefix, tmp_path):
    shutil.copy(EXAMPLE / "train.c", tmp_path)

    def configure(version):
        (tmp_path / "CMakeLists.txt").write_text(CMAKE.format(version=version))
        return subprocess.run(
            ["cmake", "-B", "build", f"-DCMAKE_PREFIX_PATH={prefix}"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        ).returncode  # fmt: skip

    compatible = libs.VERSION.rpartition(".")[0]
    assert configure("0.0.9") != 0
    assert configure("1") != 0
    assert configure(f"{compatible}.99") != 0
    assert configure(compatible) == 0
    run("cmake", "--build", "build", cwd=tmp_path)
    outputs = {run(tmp_path / f"build/train_{kind}") for kind in ("lrcore", "static")}
    assert len(outputs) == 1
