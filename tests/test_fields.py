"""Fields: what a class declares once is its arguments, attributes, docs and repr."""

import inspect
import re

import numpy as np
import pytest
from helpers import KINDS, each_kind

import lrcore
from lrcore._shared.domains import FRACTION, NONNEGATIVE, POSITIVE
from lrcore.optimizers.base.fields import KW_ONLY, Field, Flag, Number
from lrcore.optimizers.base.keywords import _ELSEWHERE
from lrcore.schedules import Linear


class Slower(lrcore.AdamW):
    """AdamW whose steps are divided by a number.

    {parameters}
    """

    __slots__ = ()

    lr: Number = lrcore.AdamW.lr.but(0.5)
    slowness: Number = Field(2.0, POSITIVE, "What steps are divided by.", keras=4.0)
    _: KW_ONLY
    late: Flag = Field(False, lrcore.AdamW.amsgrad.domain, "Whether from step 2 on.")

    @staticmethod
    def _fold(h):
        fold = lrcore.AdamW._fold(h)

        def coefs(t, lr, decay):
            decay, lr, *rest = fold(t, lr, decay)
            slow = t > 1 or not h["late"]
            return decay, lr / h["slowness"] if slow else lr, *rest

        return coefs


# --- a class's own --------------------------------------------------------------------


def test_a_child_may_have_fields_of_its_own():
    given = inspect.signature(Slower).parameters
    assert [*given][:8] == [
        *("params", "lr", "betas", "eps", "weight_decay", "amsgrad", "slowness"),
        "bias_correction",
    ]
    assert given["lr"].default == 0.5
    assert given["late"].kind is inspect.Parameter.KEYWORD_ONLY
    p, twin = np.ones(2), np.ones(2)
    opt = Slower(p, 0.1, late=True, weight_decay=0.0)
    other = lrcore.AdamW(twin, 0.1, weight_decay=0.0)
    for t in range(3):
        opt.step(np.full(2, 0.5 + t))
        other.lr = 0.1 if t == 0 else 0.05
        other.step(np.full(2, 0.5 + t))
    assert p.tolist() == twin.tolist()
    assert Slower(p, convention="keras").slowness == 4.0
    with pytest.raises(ValueError, match=r"^slowness: expected a finite number > 0"):
        opt.slowness = 0.0
    scheduled = Slower(p, slowness=Linear(1.0, 3.0, 2))
    assert [scheduled.slowness, scheduled.step(p * 0), scheduled.slowness] == [
        *(1.0, True, 2.0)
    ]
    assert "slowness : float or schedule\n    What steps are divided by." in (
        Slower.__doc__
    )
    again = Slower(p)
    again.load_state_dict(opt.state_dict())
    assert again.late is True


def test_a_child_may_construct_itself():
    class Own(lrcore.Adam):
        def __init__(self, params, rate=0.25, **more):
            super().__init__(params, lr=rate, **more)

    opt = Own(np.ones(2), amsgrad=True)
    assert (opt.lr, opt.amsgrad) == (0.25, True)
    assert [*inspect.signature(Own).parameters] == ["params", "rate", "more"]
    with pytest.raises(TypeError, match=r"^Own: found lr twice"):
        Own.__base__.__init__(opt, np.ones(2), 0.1, lr=0.1)


def test_a_default_is_in_its_domain():
    for wrong in ({"default": 1.0}, {"default": 0.5, "keras": -1.0}):
        with pytest.raises(Exception, match=r"share|expected a number in \[0, 1\)"):
            type(
                "Wrong",
                (lrcore.SGD,),
                {"share": Field(domain=FRACTION, doc="", **wrong)},
            )


def test_a_field_has_one_name():
    eps = Field(0.1, NONNEGATIVE, "Added.")
    kind = type("One", (lrcore.SGD,), {"eps": eps})
    type("Two", (lrcore.SGD,), {"eps": eps})
    assert kind(np.ones(1)).eps == 0.1
    with pytest.raises(Exception, match=r"eps|other") as raised:
        type("Three", (lrcore.SGD,), {"other": eps})
    assert "other: its field is eps's" in str(raised.value.__cause__ or raised.value)
    type("Four", (lrcore.SGD,), {"other": eps.but(0.2)})


# --- arguments ------------------------------------------------------------------------


REFUSED = {
    "Adam: takes 5 arguments without keyword after the params (lr, betas, eps, "
    "weight_decay, amsgrad), found 6": ((1e-3, (0.9, 0.9), 1e-8, 0, False, 1), {}),
    "Adam: found lr twice, by its place and by keyword; give it once": (
        *((0.1,), {"lr": 0.1}),
    ),
    "Adam: unexpected keyword 'beta_1'; did you mean betas?  There are lr, betas, eps,"
    " weight_decay, amsgrad, bias_correction, eps_hat, eps_root, amsgrad_hat, l2, ": (
        *((), {"beta_1": 0.9}),
    ),
    "Adam: unexpected keyword 'none_such'; there are lr, betas, eps, ": (
        *((), {"none_such": 0.9}),
    ),
}


@pytest.mark.parametrize("said", REFUSED)
def test_arguments_that_a_class_does_not_take(said):
    args, given = REFUSED[said]
    with pytest.raises(TypeError, match=f"^{re.escape(said)}"):
        lrcore.Adam(np.ones(2), *args, **given)


MEANT = {
    "learning_rate": "lr",
    "step_size": "lr",
    "beta_1": "betas",
    "beta2": "betas",
    "b1": "betas",
    "epsilon": "eps",
    "wd": "weight_decay",
    "wieght_decay": "weight_decay",
    "Weight_Decay": "weight_decay",
    "clipvalue": "clip_value",
    "clipnorm": "clip_tensor_norm",
    "global_clipnorm": "clip_norm",
    "max_norm": "clip_norm",
    "max_grad_norm": "clip_norm",
    "use_ema": "ema_decay",
    "gradient_accumulation_steps": "accumulate",
    "n_threads": "num_threads",
    "maximise": "maximize",
    "SGD.beta_1": "momentum",
    "RMSprop.rho": "alpha",
    "Adadelta.alpha": "rho",
    "RMSprop.decay": "alpha",
}


@pytest.mark.parametrize("wrong", MEANT)
def test_other_names_of_an_argument_are_known(wrong):
    name, _, keyword = wrong.rpartition(".")
    kind = KINDS[name or "AdamW"]
    with pytest.raises(TypeError, match=rf"'{keyword}'; did you mean {MEANT[wrong]}\?"):
        kind(np.ones(2), **{keyword: 0.1})
    if MEANT[wrong] in dict(kind(np.ones(2)).param_groups[0]):
        with pytest.raises(TypeError, match=rf"^params\[0\]: .* mean {MEANT[wrong]}\?"):
            kind([{"params": np.ones(2), keyword: 0.1}])


def test_no_other_name_is_an_argument():
    """Else it would never be looked up; and what is meant is an argument."""
    arguments = {argument for kind in KINDS.values() for argument in kind._fields}
    assert _ELSEWHERE.keys() <= arguments
    for ours, theirs in _ELSEWHERE.items():
        takers = [kind for kind in KINDS.values() if ours in kind._fields]
        for other in theirs.split():
            assert any(other not in kind._fields for kind in takers), other


def test_what_is_of_all_groups_is_not_a_groups():
    said = r"^params\[0\]: unexpected keyword 'clip_norm', which belongs to the whole "
    with pytest.raises(TypeError, match=said):
        lrcore.SGD([{"params": np.ones(2), "clip_norm": 1.0}])


# --- attributes -----------------------------------------------------------------------


@each_kind
def test_each_field_is_an_attribute(name):
    opt = KINDS[name](np.ones((2, 2)))
    for argument, field in opt._fields.items():
        assert getattr(opt, argument) == field.default
        assert getattr(KINDS[name], argument) is field
        if field.initial:
            with pytest.raises(ValueError, match=f"^{argument}: used at construction"):
                setattr(opt, argument, field.default)
        else:
            setattr(opt, argument, field.default)


def test_an_attribute_is_the_first_groups_and_sets_all():
    groups = [{"params": np.ones(2), "eps": 0.1}, {"params": np.ones(2)}]
    opt = lrcore.Adam(groups, betas=(Linear(0.5, 0.9, 2), 0.9))
    assert (opt.eps, opt.betas) == (0.1, (0.5, 0.9))
    assert opt.step([np.ones(2), np.ones(2)])
    assert opt.betas == (0.7, 0.9)
    opt.eps = 0.2
    assert [group["eps"] for group in opt.param_groups] == [0.2, 0.2]


def test_an_attribute_is_set_in_all_groups_or_in_none():
    groups = [{"params": np.ones(2), "momentum": 0.9}, {"params": np.ones(2)}]
    opt = lrcore.SGD(groups)
    with pytest.raises(ValueError, match="momentum: asks for the states of"):
        opt.momentum = 0.5
    assert [group["momentum"] for group in opt.param_groups] == [0.9, 0.0]


# --- docs and repr --------------------------------------------------------------------


@each_kind
def test_docs_have_each_argument_with_type_and_default(name):
    doc = inspect.getdoc(getattr(lrcore, name))
    assert "{" not in re.sub(r"\{\"[^}]*\"\}", "", doc).partition("Parameters")[0]
    entries = dict(re.findall(r"^(\w+) : (.+)$", doc, re.M))
    given = inspect.signature(getattr(lrcore, name)).parameters
    assert {*given} <= {*entries}
    assert max(map(len, doc.splitlines())) <= 88
    for argument, field in getattr(lrcore, name)._fields.items():
        flat = " ".join(doc.split())
        entry = flat.partition(f" {argument} : {' '.join(entries[argument].split())} ")
        assert re.search(r"(by default|Default) [^ ].*?\.( |$)", entry[2])
        assert entries[argument].endswith("schedule") <= (not field.fixed)


def test_how_types_and_defaults_are_told():
    doc = inspect.getdoc(lrcore.Rprop)
    assert (
        """etas : (float, float) or schedule
    Factors eta- and eta+.  A number in [0, 1) and a finite number > 1, by default (0.5,
    1.2).
"""
        in doc
    )
    assert "\nswa_start : int or None\n" in doc
    assert "\nclip_value : float, schedule or None\n" in doc
    assert '\nclip_norm : float, "zclip", ZClip, schedule or None\n' in doc
    assert '\ndenormals : {"flush", "keep"}\n' in doc
    assert "\nagc_axis : int, tuple of int or None\n" in doc
    assert "A finite number > 0, by default 1e-6." in doc  # mechanic_s_init


def test_repr_shows_what_is_not_the_default():
    opt = lrcore.Adam(np.ones(3))
    assert repr(opt) == "<Adam of 3 elements in 1 arrays, t=0: ParamGroup()>"
    opt = lrcore.Adam(np.ones(3), 0.1, clip_norm=1.0, betas=(0.9, 0.999))
    assert repr(opt) == (
        "<Adam of 3 elements in 1 arrays, t=0, clip_norm=1.0: ParamGroup(lr=0.1)>"
    )
    opt = lrcore.Adam(np.ones(3), Linear(0.1, 0.2, 5), betas=(Linear(0.5, 0.9, 5), 0.9))
    group = "lr=Linear(base=0.1, end=0.2, total=5), betas=(Linear("
    assert group in repr(opt)
