"""The capsule of lrcore._core: the functions of lrcore.h for other extensions."""

import ctypes
import re
import shutil
import subprocess

import pytest
from compiled import SRC_C, STRICT

import lrcore
from lrcore import _core

LIBRARY = ctypes.CDLL(lrcore.get_library())
HEADER = re.sub(r"/\*.*?\*/", "", (SRC_C / "lrcore.h").read_text(), flags=re.DOTALL)
LINE = r"^LRC_(?:FUNCTION\((.*?), |PROCEDURE\()(lrc_\w+), \((.*)\), \(.*\)\)"


def listed():
    """Return the lines of the list: type, name, parameters."""
    text = re.sub(r"\n +", " ", (SRC_C / "lrcore_functions.def").read_text())
    return [
        (kind or "void", name, parameters)
        for kind, name, parameters in re.findall(LINE, text, re.MULTILINE)
    ]


def test_the_list_has_the_functions_of_the_header():
    """New ones come at the end of the list, wherever they are in the header."""
    declared = re.findall(
        r"^LRC_API (.*?)(lrc_\w+)\((.*?)\);", HEADER, re.M | re.DOTALL
    )
    declared = [
        (kind.strip(), name, " ".join(rest.split())) for kind, name, rest in declared
    ]
    assert sorted(declared) == sorted(listed())


class Table(ctypes.Structure):
    _fields_ = [("version", ctypes.c_int), ("bytes", ctypes.c_size_t)] + [
        (name, ctypes.c_void_p) for _, name, _ in listed()
    ]


@pytest.fixture
def table():
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return Table.from_address(get(_core._C_API, b"lrcore._core._C_API"))


def test_the_capsule_has_the_extension_s_own_functions(table):
    assert table.version == LIBRARY.lrc_version()
    assert table.bytes == ctypes.sizeof(Table)
    for _, name, _ in listed():
        own = ctypes.cast(getattr(LIBRARY, name), ctypes.c_void_p).value
        assert getattr(table, name) == own, name


@pytest.mark.parametrize(
    ("compiler", "standard"), [("cc", "c11"), ("c++", "c++11"), ("c++", "c++20")]
)
def test_the_header_is_valid(compiler, standard):
    """The types of the list are those of the header, as its functions are defined."""
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not installed")
    text = "#include <lrcore_import.h>\nint main(void) { return lrc_version(); }\n"
    language = "c" if compiler == "cc" else "c++"
    command = [compiler, *STRICT, f"-std={standard}", f"-I{lrcore.get_include()}"]
    command += ["-fsyntax-only", "-x", language, "-"]
    subprocess.run(command, input=text, text=True, check=True)


PROGRAM = r"""
#include <stdio.h>
#include "lrcore_import.h"
int main(void)
{
    static const int versions[] = {100, 199, 99, 200, 10100};
    static const size_t sizes[] = {sizeof(lrc_functions), sizeof(lrc_functions) - 8,
                                   sizeof(lrc_functions) + 8};
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < 3; k++) {
            const lrc_functions table = {.version = versions[i], .bytes = sizes[k]};
            printf("%d ", lrc_import(&table));
        }
    return 0;
}
"""


def test_what_is_not_compatible_is_refused(tmp_path):
    """Another minor version before 1.0, another major one, a table with less."""
    (tmp_path / "program.c").write_text(PROGRAM)
    flags = [*STRICT, "-std=c11", f"-I{SRC_C}"]
    program = tmp_path / "program"
    subprocess.run(["cc", *flags, tmp_path / "program.c", "-o", program], check=True)
    found = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    assert found.split() == ["0", "-1", "0"] * 2 + ["-1"] * 9
