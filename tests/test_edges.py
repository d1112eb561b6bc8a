"""Edges that a user reaches by chance: keys alike, a step within a step, a maximum."""

from functools import partial

import numpy as np
import pytest
from wrong import message

import lrcore


class Alike:
    """A key whose repr is that of all others of its kind."""

    def __repr__(self):
        return "key"


def test_two_arrays_of_one_path():
    params = {Alike(): np.ones(2), Alike(): np.ones(2)}
    opt = lrcore.Adam(params)
    opt.step({key: np.full(2, i + 1.0) for i, key in enumerate(params)})
    saved, twin = opt.state_dict(), lrcore.Adam(params)
    for strict in (True, False):
        load = partial(twin.load_state_dict, saved, strict, match="path")
        said = message(load)
        assert said == (
            "names: found the path [key] twice, of keys with one repr, which "
            'match="path" cannot tell apart; use match="place"'
        )
    other = lrcore.Adam({Alike(): np.ones(2)})
    saved = lrcore.Adam({"a": np.ones(2)}).state_dict()
    assert other.load_state_dict(saved, strict=False, match="path").missing == ["[key]"]
    twin.load_state_dict(opt.state_dict())
    assert [own["m"][0] for own in twin.state] == [own["m"][0] for own in opt.state]


@pytest.mark.parametrize("name", [None, 1, ["a"]])
def test_a_saved_path_that_is_no_text(name):
    opt = lrcore.SGD({"a": np.ones(2)})
    saved = opt.state_dict() | {"names": [name]}
    said = message(lambda: opt.load_state_dict(saved, strict=False, match="path"))
    assert said == f"names[0]: expected a path, found {name!r}"


def test_the_count_is_not_set_in_a_step():
    def lr(t):
        opt.t = 5
        return 0.1

    opt = lrcore.SGD(np.ones(2), lr=lr)
    with pytest.raises(RuntimeError, match="in the middle of a step"):
        opt.step(np.ones(2))
    assert opt.t == 0


class Layers(list):
    """A list with attributes."""

    name = "layers"


def test_averages_keep_a_subclass_of_list():
    params = Layers([np.ones(2), {"b": np.ones(1)}])
    params.name = "mine"
    opt = lrcore.SGD(params, ema_decay=0.5)
    assert type(opt.ema) is Layers
    assert (opt.ema.name, len(opt.ema), len(params)) == ("mine", 2, 2)


def test_the_range_test_of_a_polyak_step_that_maximizes():
    told = []

    class Told(lrcore.SPS):
        def step(self, grads, loss=None):
            told.append(loss)
            return super().step(grads, loss)

    w, top = np.zeros(2), np.array([3.0, -4.0])

    def objective_and_grad(_):
        return -(w - top) @ (w - top), 2 * (top - w)

    found = lrcore.lr_find(Told(w, maximize=True), objective_and_grad, [0])
    assert min(told) >= 0
    assert found.confidence > 0


def test_the_base_is_no_optimizer():
    said = message(lrcore.Optimizer, np.ones(2))
    assert said.startswith(
        "Optimizer: the base of all optimizers, which has no rule; c"
    )


def test_the_base_is_no_schedule():
    said = message(lrcore.schedules.Schedule)
    assert said.startswith("Schedule: the base of all schedules; make one of them")


def test_a_schedule_with_a_state_is_the_outermost():
    plateau = lrcore.ReduceOnPlateau(0.1)
    said = message(lrcore.schedules.Constant(0.1).then, 5, plateau)
    assert said.endswith(
        "it may only be the outermost, as in ReduceOnPlateau(schedule)"
    )


def test_the_params_of_a_group_are_not_replaced():
    group = lrcore.SGD(np.ones(2)).param_groups[0]
    with pytest.raises(KeyError, match="params: cannot be replaced; assign in place"):
        group["params"] = np.ones(2)


def test_info_fits_the_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    lrcore.show_config()
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 60
    assert lines[-1].startswith(" " * 10)
    words = " ".join(lines).split("rules")[1].replace(",", "").split()
    assert words == lrcore.show_config("dict")["rules"]
    assert message(lrcore.show_config, np.ones(2)).startswith("mode: expected")
