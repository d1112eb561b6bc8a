"""What holds for all tests of this folder.

test_c.py comes last: its programs are compiled beside the other tests.
"""

import gc

import compiled
import pytest

import lrcore


def needs_programs(item):
    return item.path.name == "test_c.py"


def pytest_collection_modifyitems(items):
    items.sort(key=needs_programs)


def pytest_collection_finish():
    """Keep the garbage collector from looking at thousands of collected tests.

    A full collection takes a millisecond then, not a second.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture
def restore():
    """Set back the instruction set and the number of threads after the test."""
    held = lrcore.get_isa()
    yield
    lrcore.set_isa(held)
    lrcore.set_num_threads(None)


@pytest.fixture(scope="session", autouse=True)
def programs(request, tmp_path_factory):
    """By name, of the compilers that are there."""
    wanted = any(map(needs_programs, request.session.items))
    started = compiled.start(tmp_path_factory.mktemp("programs")) if wanted else {}
    yield started
    for program in started.values():
        program.end()
