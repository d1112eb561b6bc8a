"""A convention is the arguments that it stands for."""

import re
from inspect import signature
from math import inf

import numpy as np
import pytest
from helpers import (
    AVAILABLE,
    KINDS,
    all_same,
    draw,
    each_kind,
    fresh,
    hyper,
    other,
    same_states,
)

pytestmark = pytest.mark.isa

CONVENTIONS = [
    (name, c) for name, found in AVAILABLE.items() for c in found.conventions
]


def promised(name, convention):
    """What the class's docstring says that a convention sets."""
    text = " ".join(KINDS[name].__doc__.split())
    found = re.search(rf"``{convention}``: (.*?)\. (?:``|Default)", text)
    return eval(f"dict({found[1]})", {"inf": inf}) if found else {}


@pytest.mark.parametrize(("name", "convention"), CONVENTIONS)
def test_a_convention_is_the_arguments_that_it_stands_for(name, convention):
    """And what is said by the caller, or of a group, wins over it."""
    plain, preset = hyper(name), hyper(name, convention=convention)
    assert preset == {**plain, **promised(name, convention)}
    differing = {k: v for k, v in preset.items() if v != plain[k]}
    assert convention != "torch" or not differing

    by_convention, by_hand = fresh(), fresh()
    one = KINDS[name](by_convention, convention=convention)
    two = KINDS[name](by_hand, **differing)
    for t in range(4):
        one.step(draw(by_convention, t))
        two.step(draw(by_hand, t))
    assert all_same(by_convention, by_hand)
    assert same_states(one.state, two.state)

    positional = [
        argument.name
        for argument in signature(KINDS[name]).parameters.values()
        if argument.kind is argument.POSITIONAL_OR_KEYWORD
    ][1:]
    for argument in differing:
        for value in (plain[argument], other(name, argument)):
            wanted = {**preset, argument: value}
            said = {argument: value}
            assert hyper(name, convention=convention, **said) == wanted
            groups = [{"params": np.ones((2, 2)), **said}]
            assert hyper(name, groups, convention=convention) == wanted
        if argument in positional:
            count = positional.index(argument) + 1
            opt = KINDS[name](
                np.ones((2, 2)),
                *[plain[a] for a in positional[:count]],
                convention=convention,
            )
            group = dict(opt.param_groups[0])
            assert all(group[a] == plain[a] for a in positional[:count])
            rest = differing.keys() - positional[:count]
            assert all(group[a] == preset[a] for a in rest)


@each_kind
def test_an_unknown_convention_names_the_known(name):
    known = AVAILABLE[name].conventions
    assert known[0] == "torch"
    for convention in {"torch", "keras", "optax", "paper", "jax", None} - {*known}:
        error = (
            f"convention: expected one of {[*known]} for {name}, found {convention!r}"
        )
        with pytest.raises(ValueError, match=f"^{re.escape(error)}$"):
            KINDS[name](np.ones(3), convention=convention)
