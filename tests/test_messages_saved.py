"""Messages about a saved dict are short."""

import numpy as np
import pytest
from cases import cases
from wrong import WRONG, Unprintable, array, message, refused

import lrcore


def keeps(name):
    """Return what can be saved, and restored."""
    return {
        "SGD": lambda: lrcore.SGD({"k": [array()]}, momentum=0.9, accumulate=2),
        "EarlyStopping": lambda: lrcore.EarlyStopping(params={"k": [array()]}),
        "LossScaler": lrcore.LossScaler,
        "ReduceOnPlateau": lambda: lrcore.ReduceOnPlateau(0.1),
        "GradientNoiseScale": lambda: lrcore.GradientNoiseScale(1, 2),
        "Monitor": lambda: lrcore.Monitor(
            lrcore.SGD(array()), on_divergence="rollback"
        ),
    }[name]()


SAVED = [
    *("SGD", "EarlyStopping", "LossScaler", "ReduceOnPlateau", "GradientNoiseScale"),
    "Monitor",
]


@pytest.mark.parametrize("name", SAVED)
@cases("wrong", WRONG)
def test_messages_about_a_saved_dict_are_short(name, wrong):
    wrong, kept = WRONG[wrong], keeps(name)
    saved = kept.state_dict()
    assert refused(kept.load_state_dict, wrong)
    assert refused(kept.load_state_dict, {})
    for key in saved:
        refused(keeps(name).load_state_dict, {**saved, key: wrong})
        refused(keeps(name).load_state_dict, {**saved, key: [wrong]})
    if name == "Monitor":
        for part in ("recorder", "rollback"):
            for key in saved[part]:
                for value in (wrong, [wrong]):
                    own = {**saved[part], key: value}
                    assert refused(kept.load_state_dict, {**saved, part: own})
    if name == "SGD":
        for key in saved["options"]:
            options = {**saved["options"], key: wrong}
            refused(keeps(name).load_state_dict, {**saved, "options": options})
        for key in saved["param_groups"][0]:
            group = {**saved["param_groups"][0], key: wrong}
            refused(keeps(name).load_state_dict, {**saved, "param_groups": [group]})
        for key in saved["state"][0]:
            state = {**saved["state"][0], key: wrong}
            assert refused(kept.load_state_dict, {**saved, "state": [state]})
        extra = {**saved["options"], "k" * 10**6: 1, Unprintable(): 2}
        assert refused(kept.load_state_dict, {**saved, "options": extra})
        assert refused(kept.load_state_dict, {**saved, "state": [extra]})


def test_messages_about_saved_names():
    small = lrcore.SGD({"W": array(), "b": array()})
    saved = small.state_dict()
    said = message(small.load_state_dict, {**saved, "names": ["['W']", "['c']"]})
    assert said == ("""names: expected ["['W']", "['b']"], found ["['W']", "['c']"]""")
    params = {f"layer {i}" * 20: array() for i in range(1000)}
    for kept in (lrcore.SGD(params), lrcore.EarlyStopping(params=params)):
        names = [f"['{name}']" for name in params]
        saved = kept.state_dict()
        kept.load_state_dict(saved)
        said = message(kept.load_state_dict, {**saved, "names": names[1:]})
        assert said.startswith("names: expected [")
        names[700] = "another"
        said = message(kept.load_state_dict, {**saved, "names": names})
        assert said.startswith("names[700]: expected \"['layer 700layer")
        assert said.endswith("found 'another'")


def test_a_long_path_of_a_state_keeps_its_end():
    opt = lrcore.SGD({"k" * 10**4: [array()]}, momentum=0.9)
    saved = opt.state_dict()
    saved["state"][0]["m"] = np.ones(3)
    said = message(opt.load_state_dict, saved)
    assert said.startswith("state of params['kkk")
    assert "'][0]: m: expected dtype float32, found float64" in said
