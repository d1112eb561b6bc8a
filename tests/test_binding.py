"""What a step holds and checks, whatever the user's code does meanwhile."""

import gc
import weakref

import numpy as np
import pytest

import lrcore

N = 1 << 18  # so large that memory which is freed is unmapped


class Key:
    """A key that runs code where it is next compared with another one."""

    def __init__(self, name):
        self.name = name
        self.then = None

    def __hash__(self):
        return 7

    def __eq__(self, other):
        then, self.then = self.then, None
        if then is not None:
            then()
        return self.name == other.name


def lent(value):
    """An array whose memory is filled with NaN as soon as nothing holds it."""
    memory = np.full(N, value)
    array = memory[:]
    weakref.finalize(array, memory.fill, np.nan)
    return array


def test_the_canary_dies():
    """Else what follows would prove nothing."""
    array = lent(1.0)
    memory = array.base
    del array
    assert np.isnan(memory).all()


class Case:
    """Params and gradients of two arrays each.

    The gradients' keys are others than the params', so that looking them up compares.
    """

    def __init__(self, wrap, lend, **options):
        self.arrays = [np.full(N, 3.0), np.full(N, 3.0)]
        keys = Key("a"), Key("b")
        self.params = dict(zip(keys, map(wrap, self.arrays), strict=True))
        self.grads = {Key("a"): wrap(lend(1.0)), Key("b"): wrap(lend(2.0))}
        self.opt = lrcore.SGD(self.params, lr=1.0, **options)


# Where "b" is looked up, once "a" has been: in the gradients its own key is compared,
# in the params that of "a", which stands in the same slot.
WHERE = {
    "grads": lambda case: list(case.grads)[1],
    "params": lambda case: next(iter(case.params)),
}
WRAPS = {"flat": lambda array: array, "nested": lambda array: [array]}
each_place = pytest.mark.parametrize("where", WHERE)
each_wrap = pytest.mark.parametrize("wrap", WRAPS)


def forget_the_first_gradient(case):
    del case.grads[next(iter(case.grads))]


def replace_the_first_parameter(case):
    case.params[next(iter(case.params))] = np.ones(N)


def step_again(case):
    with pytest.raises(RuntimeError, match="in the middle of a step"):
        case.opt.step(case.grads)


@each_place
@each_wrap
@pytest.mark.parametrize(
    "change", [forget_the_first_gradient, replace_the_first_parameter, step_again]
)
def test_what_a_step_has_found_it_holds(change, wrap, where):
    case = Case(WRAPS[wrap], lent)
    key = WHERE[where](case)
    key.then = lambda: change(case)
    assert case.opt.step(case.grads)
    assert key.then is None
    assert (case.arrays[0] == 2).all()
    assert (case.arrays[1] == 1).all()


@each_wrap
def test_a_gradient_is_held_while_its_parameter_is_looked_up(wrap):
    """Of both arrays; the last was found just before."""
    case = Case(WRAPS[wrap], lent)
    WHERE["params"](case).then = case.grads.clear
    assert case.opt.step(case.grads)
    assert not case.grads
    assert (case.arrays[0] == 2).all()
    assert (case.arrays[1] == 1).all()


@each_wrap
def test_a_gradient_that_goes_while_it_is_looked_up_is_missing(wrap):
    case = Case(WRAPS[wrap], lent)
    WHERE["grads"](case).then = case.grads.clear
    with pytest.raises(ValueError, match="missing"):
        case.opt.step(case.grads)
    assert all((p == 3).all() for p in case.arrays)


def shrink_a_gradient(case):
    own = case.grads[next(iter(case.grads))]
    (own[0] if isinstance(own, list) else own).resize(1, refcheck=False)


def shrink_a_parameter(case):
    case.arrays[0].resize(1, refcheck=False)


def extend_the_last_parameter(case):
    case.arrays[1].resize(64 * N, refcheck=False)


def retype_a_parameter(case):
    case.arrays[0].dtype = np.int64


def lock_a_parameter(case):
    case.arrays[0].flags.writeable = False


def forget_the_params(case):
    case.params.clear()


@each_place
@each_wrap
@pytest.mark.parametrize(
    "change",
    [
        shrink_a_gradient,
        shrink_a_parameter,
        extend_the_last_parameter,
        retype_a_parameter,
        lock_a_parameter,
        forget_the_params,
    ],
)
@pytest.mark.filterwarnings("ignore:Setting the:DeprecationWarning")
def test_what_is_spoiled_while_gradients_are_looked_up_is_refused(change, wrap, where):
    case = Case(WRAPS[wrap], lambda value: np.full(N, value))
    before = [p.tobytes() for p in case.arrays]
    key = WHERE[where](case)
    key.then = lambda: change(case)
    with pytest.raises((ValueError, TypeError), match=r"params|grads"):
        case.opt.step(case.grads)
    assert key.then is None
    for p, was in zip(case.arrays, before, strict=True):
        size = min(p.nbytes, len(was))
        assert p.tobytes()[:size] == was[:size]
    assert case.opt.t == 0


@pytest.mark.parametrize("change", [shrink_a_parameter, extend_the_last_parameter])
def test_what_is_spoiled_while_one_is_looked_up_is_refused(change):
    case = Case(WRAPS["flat"], lent)
    key = WHERE["params"](case)
    key.then = lambda: change(case)
    g = np.ones(N)
    if change is shrink_a_parameter:  # not the one to step: that is as it was
        assert case.opt.step_one(1, g)
        assert (case.arrays[1] == 2).all()
    else:
        with pytest.raises(ValueError, match=r"params|grad"):
            case.opt.step_one(1, g)
        assert (case.arrays[1][:N] == 3).all()
    assert key.then is None


def test_a_gradient_that_is_found_at_the_second_look_is_refused():
    """The step must not go on with what the first look had found."""

    class Moody(Key):
        __hash__ = Key.__hash__
        looks = 0

        def __eq__(self, other):
            self.looks += 1
            return self.looks > 1 and self.name == other.name

    p = {"a": np.full(N, 3.0), "b": np.full(N, 3.0)}
    key = Moody("b")
    params = {Key("a"): p["a"], Key("b"): p["b"]}
    opt = lrcore.SGD(params, lr=1.0)
    grads = {Key("a"): lent(1.0), key: lent(2.0)}
    key.looks = 0
    with pytest.raises(ValueError, match=r"params|grads"):
        opt.step(grads)
    assert key.looks > 1
    assert all((array == 3).all() for array in p.values())


def test_a_group_whose_params_are_replaced_while_they_are_looked_up():
    p, other = np.full(N, 3.0), np.full(N, 9.0)
    keys = Key("a"), Key("b")
    group = {"params": dict(zip(keys, (p, other), strict=True))}
    opt = lrcore.SGD([group], lr=1.0)
    grads = {Key("a"): lent(1.0), Key("b"): lent(2.0)}
    list(grads)[1].then = group.clear
    assert opt.step([grads])
    assert (p == 2).all()
    assert (other == 7).all()
    with pytest.raises(ValueError, match=r"params\[0\]\['params'\]"):
        opt.step([{Key("a"): lent(1.0), Key("b"): lent(2.0)}])
    assert (p == 2).all()


class Spiteful(np.ndarray):
    """A gradient that runs code where it is asked for what NumPy's own says."""

    then = None

    @property
    def flags(self):
        then, self.then = self.then, None
        if then is not None:
            then()
        return super().flags


@pytest.mark.parametrize("options", [{}, {"zero_grads": True}], ids=str)
@pytest.mark.parametrize("alone", [False, True], ids=["step", "step_one"])
def test_a_subclass_that_spoils_a_parameter_while_it_is_looked_at(options, alone):
    """Refused, or not asked at all."""
    p = np.full(N, 3.0)
    g = np.ones(N).view(Spiteful)
    g.then = lambda: p.resize(64 * N, refcheck=False)
    opt = lrcore.SGD(p, lr=1.0, **options)
    step = (lambda: opt.step_one(0, g)) if alone else (lambda: opt.step(g))
    try:
        assert step()
    except ValueError as error:
        assert "params" in str(error)  # noqa: PT017 # one of two is right
        assert (p[:N] == 3).all()
    else:
        assert p.shape == (N,)
        assert (p == 2).all()


@pytest.mark.parametrize("name", ["SGD", "DoG", "Adafactor", "Muon", "SM3"])
def test_a_step_lets_go_of_what_it_held(name):
    """Taken, refused or failed."""
    p = {"a": np.ones((20, 30)), "b": np.ones((20, 30))}
    opt = getattr(lrcore, name)(p)
    gc.disable()
    try:
        for spoil, fails in ((None, False), (lambda g: g.popitem(), True)):
            grads = {key: np.ones((20, 30)) for key in p}
            seen = weakref.ref(grads["a"])
            if spoil is not None:
                spoil(grads)
            try:
                opt.step(grads)
            except ValueError:
                assert fails
            else:
                assert not fails
            del grads
            assert seen() is None
    finally:
        gc.enable()
