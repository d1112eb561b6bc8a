"""Plans of lrcore.h whose allocator has no memory."""

import ctypes

import numpy as np
from c_plans import (
    BAD_ARGUMENT,
    LIBRARY,
    NO_MEMORY,
    OK,
    RESIZE,
    TAKEN,
    Allocator,
    Plan,
    states_of,
)


class Counting:
    """An allocator that counts what it has given, and gives `most` times."""

    def __init__(self, most):
        self.held, self.left = {}, most

        @RESIZE
        def resize(context, memory, old, n):
            assert context == 7
            if memory:
                assert self.held[memory][0] == old
            if n and not self.left:
                return None
            self.left -= 1 if n else 0
            kept = self.held.pop(memory, None)
            if not n:
                return None
            buffer = (ctypes.c_double * (n // 8 + 1))()
            at = ctypes.addressof(buffer)
            if kept:
                ctypes.memmove(at, memory, min(old, n))
            self.held[at] = n, buffer
            return at

        self.allocator = Allocator(resize, 7)


def build(most):
    """Make and step a plan by an allocator; return it with the results."""
    memory = Counting(most)
    plan = Plan(memory.allocator)
    if plan.created != OK:
        return memory, [plan.created]
    p = np.ones((9, 2))
    found = [plan.add_group(7) for _ in range(9)]
    found += [plan.tensor(0, each, np.ones(2), *states_of("adam", p)) for each in p]
    found += [plan.step()]
    assert (p == 1).all() or found[-1] == TAKEN
    if found[-1] == NO_MEMORY:
        assert plan.text.startswith("memory: the plan's allocator was asked for ")
    plan.set_hyper(0, "lr", 0)
    return memory, found


def test_without_memory_plans_are_refused_and_all_is_given_back():
    times = 0
    while True:
        memory, found = build(times)
        assert not memory.held
        if not memory.left and min(found) < 0:
            assert min(found) in (NO_MEMORY, BAD_ARGUMENT)
            assert NO_MEMORY in found
            times += 1
            continue
        break
    assert times > 6
    assert found == [*range(9), *range(9), TAKEN]


def test_no_allocator_is_refused():
    at = ctypes.c_void_p()
    assert LIBRARY.lrc_plan_create(ctypes.addressof(at), None) == BAD_ARGUMENT
    assert LIBRARY.lrc_plan_create(None, None) == BAD_ARGUMENT
    empty = Allocator()
    assert Plan(empty).created == BAD_ARGUMENT
