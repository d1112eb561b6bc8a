"""test_c.py comes last: its programs are compiled beside the other tests."""

import compiled
import pytest


def needs_programs(item):
    return item.path.name == "test_c.py"


def pytest_collection_modifyitems(items):
    items.sort(key=needs_programs)


@pytest.fixture(scope="session", autouse=True)
def programs(request, tmp_path_factory):
    """By name, of the compilers that are there."""
    wanted = any(map(needs_programs, request.session.items))
    started = compiled.start(tmp_path_factory.mktemp("programs")) if wanted else {}
    yield started
    for program in started.values():
        program.end()
