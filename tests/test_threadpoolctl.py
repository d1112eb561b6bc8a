"""lrcore's threads under threadpoolctl."""

import pytest
from threaded import BACK_ENDS, python

import lrcore
from lrcore import _core


@pytest.fixture(autouse=True)
def _default():
    yield
    lrcore.set_threading(None)


@pytest.mark.skipif(not _core.has_openmp(), reason="this build has no OpenMP")
def test_the_default_is_the_default_again_after_a_limit():
    """A limit of all libraries ends in any order; then OpenMP's number counts."""
    script = """
        import threadpoolctl, lrcore.threadpool
        default = lrcore.get_num_threads()
        with threadpoolctl.threadpool_limits(1):
            assert lrcore.get_num_threads() == 1
        assert lrcore.get_num_threads() == default == 2
        with threadpoolctl.threadpool_limits(1, user_api="openmp"):
            assert lrcore.get_num_threads() == 1
        lrcore.set_num_threads(2)
        with threadpoolctl.threadpool_limits(1):
            pass
        with threadpoolctl.threadpool_limits(1, user_api="openmp"):
            print(lrcore.get_num_threads())
    """
    pytest.importorskip("threadpoolctl")
    assert python(script, OMP_NUM_THREADS="2") == "2"


def test_threadpoolctl_sees_and_limits_the_threads():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    import lrcore.threadpool  # registers the controller

    (found,) = [
        each for each in threadpoolctl.threadpool_info() if each["user_api"] == "lrcore"
    ]
    default = lrcore.get_num_threads()
    assert found["num_threads"] == default
    assert found["threading_layer"] == BACK_ENDS[0]
    with threadpoolctl.threadpool_limits(1, user_api="lrcore"):
        assert lrcore.get_num_threads() == 1
    assert lrcore.get_num_threads() == default
    _core.limit_threads(1)  # the number is the default again, not one that was set
    try:
        assert lrcore.get_num_threads() == 1
    finally:
        _core.limit_threads(0)


def test_threadpoolctl_that_was_there_first_is_told_at_import():
    pytest.importorskip("threadpoolctl")
    script = """
        import threadpoolctl, lrcore
        print([each["num_threads"] for each in threadpoolctl.threadpool_info()
               if each["user_api"] == "lrcore"] == [lrcore.get_num_threads()])
    """
    assert python(script) == "True"
