"""Values of another kind than expected, where no domain of a field checks them."""

import re

import numpy as np
import pytest
from wrong import message

import lrcore
from lrcore import schedules, space

ARRAYS = [np.ones(2), np.zeros(0), np.ones((2, 2)), np.array("torch")]
REPORTED = lrcore.SGD(np.ones(2), telemetry=True, ema_decay=0.5)
REPORTED.step(np.ones(2))
WORDS = {
    "convention": lambda word: lrcore.SGD(np.ones(2), convention=word),
    "on_divergence": lambda word: lrcore.Monitor(REPORTED, on_divergence=word),
    "per": REPORTED.reports,
    "name": lambda word: REPORTED.averaged(word).__enter__(),
    "method": lambda word: lrcore.tune(len, {"lr": space.lr()}, word, trials=1),
    "direction": lambda word: lrcore.tune(
        len, {"lr": space.lr()}, trials=1, direction=word
    ),
    "isa": lrcore.set_isa,
}


@pytest.mark.parametrize("argument", WORDS)
@pytest.mark.parametrize("word", [*ARRAYS, 0, 1.5, ["ema"], {}, b"x"], ids=str)
def test_what_is_not_one_of_the_words(argument, word):
    said = message(WORDS[argument], word)
    assert re.match(rf"{argument}: expected .*, found ", said)


NUMBERS = {
    "lr": lambda x: lrcore.SGD(np.ones(2), lr=x),
    "base": lambda x: schedules.Constant(x),
    "loss": lambda x: lrcore.Monitor().update(x),
    "metric": lambda x: lrcore.ReduceOnPlateau(0.1).update(x),
    "max_norm": lambda x: lrcore.clip_by_global_norm([np.ones(2)], x),
}


@pytest.mark.parametrize("argument", NUMBERS)
def test_a_masked_number_is_none(argument):
    assert message(NUMBERS[argument], np.ma.masked).startswith(f"{argument}: expected")


SEVERAL = {
    "at": lambda x: schedules.MultiStep(0.1, at=x),
    "schedules": lambda x: schedules.join(x, [3]),
    "rng": lambda x: lrcore.LRSweep(lrcore.SGD(np.ones(2)), rng=x),
    "runs['a']": lambda x: lrcore.plots.compare({"a": x}),
}


@pytest.mark.parametrize("argument", SEVERAL)
def test_an_array_without_axes_is_no_sequence(argument):
    said = message(SEVERAL[argument], np.array(0.5))
    assert said.startswith(f"{argument}: expected")


def test_a_page_needs_a_path_and_a_title(tmp_path):
    write = lrcore.Monitor().report_html
    for path in (None, 1, b"x"):
        assert message(write, path).startswith("path: expected the path of a file, fou")
    for title in (None, 5, b"x"):
        said = message(write, tmp_path / "run.html", title)
        assert said == f"title: expected a string, found {title!r}"


def test_a_key_of_the_state_is_called_so():
    opt = lrcore.Adam({"w": np.ones(2)})
    assert message(lambda: opt.state["v"]).startswith("state: expected an int below 1")


def test_no_advice_on_an_average_that_no_keyword_makes():
    with pytest.raises(AttributeError, match=r"^no mean is kept$"):
        REPORTED.averaged("mean").__enter__()


# --- saved dicts ----------------------------------------------------------------------

ENTRIES = ["names", "state", "param_groups"]


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("match", ["place", "path"])
@pytest.mark.parametrize("found", [None, 3, "ab", {}, {"a"}, np.array(1.0)], ids=str)
def test_an_entry_of_a_saved_optimizer_that_is_no_list(entry, match, found):
    opt = lrcore.Adam({"a": np.ones(2), "b": np.ones(2)})
    saved = opt.state_dict() | {entry: found}
    said = message(lambda: opt.load_state_dict(saved, strict=False, match=match))
    assert said.startswith(f"{entry}: expected a list, found ")


@pytest.mark.parametrize("entry", ["version", "optimizer"])
def test_an_array_is_no_version(entry):
    opt = lrcore.Adam({"a": np.ones(2)})
    said = message(opt.load_state_dict, opt.state_dict() | {entry: np.ones(2)})
    assert said.startswith(f"{entry}: expected")


@pytest.mark.parametrize("entry", ["names", "state", "optimizers"])
@pytest.mark.parametrize("found", [[], [[1]], np.ones(3)], ids=str)
def test_a_wrong_entry_of_a_list_is_named(entry, found):
    opt = lrcore.Adam({"a": np.ones(2), "b": np.ones(2)})
    saved = opt.state_dict()
    saved[entry] = [found, saved[entry][1]]
    assert "expected" in message(opt.load_state_dict, saved)


@pytest.mark.parametrize("entry", ["names", "weights"])
@pytest.mark.parametrize("found", [None, 3, "ab", {}], ids=str)
def test_an_entry_of_a_saved_stopping_that_is_no_list(entry, found):
    stopping = lrcore.EarlyStopping(params=[np.ones(2)])
    saved = stopping.state_dict() | {entry: found}
    said = message(stopping.load_state_dict, saved)
    assert said.startswith(f"{entry}: expected a list, found ")


def test_arrays_that_are_on_one_side_only():
    old = lrcore.SGD({"a": np.ones(2), "b": np.ones(2)})
    new = lrcore.SGD({"b": np.ones(2), "a": np.ones(2), "c": np.ones(2)})
    assert message(lambda: new.load_state_dict(old.state_dict(), match="path")) == (
        "names: expected the arrays of this optimizer; missing [\"['c']\"]; "
        "strict=False loads the others"
    )
    with pytest.raises(ValueError, match=r"optimizer; unexpected \[.*c.*\]; strict"):
        old.load_state_dict(new.state_dict(), match="path")


# --- schedules that replace numbers ---------------------------------------------------


def test_a_saved_schedule_that_replaces_a_number_is_told():
    saved = lrcore.SGD(np.ones(2), lr=schedules.Cosine(0.1, total=9)).state_dict()
    opt = lrcore.SGD(np.ones(2), lr=0.5)
    with pytest.warns(UserWarning, match=r"lr: Cosine.* takes the place of 0\.5\."):
        opt.load_state_dict(saved)


@pytest.mark.parametrize("convention", ["torch", "keras"])
def test_a_default_that_is_replaced_is_not_told(convention, recwarn):
    lr = schedules.Cosine(0.1, total=9)
    saved = lrcore.SGD(np.ones(2), lr=lr, convention=convention).state_dict()
    lrcore.SGD(np.ones(2), convention=convention).load_state_dict(saved)
    assert not recwarn
