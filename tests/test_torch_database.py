"""lrcore.torch beside torch, by torch's own database of optimizers and settings."""

import copy

import pytest

torch = pytest.importorskip("torch", reason="needs torch: make test-torch")
pytest.importorskip("expecttest", reason="needs expecttest: make test-torch")

from torch.testing._internal.common_optimizers import optim_db  # noqa: E402

import lrcore.torch  # noqa: E402

CASES = [
    pytest.param(kind, setting, id=f"{kind.__name__}: {setting.desc}")
    for kind, settings in ((i.optim_cls, i.optim_inputs_func) for i in optim_db)
    if hasattr(lrcore.torch, kind.__name__)
    for setting in settings(device="cpu")
]
DTYPES = (torch.float32, torch.float64)

# Relative to |p| + 1e-3.  torch keeps ASGD's eta and NAdam's product in float32, also
# for params of float64.
LOOSE = {"ASGD": 1e-6, "NAdam": 1e-8}
SAME = {torch.float32: 1e-5, torch.float64: 1e-13}


def within(name, dtype):
    return max(SAME[dtype], LOOSE.get(name, 0.0))


def beside(kind, setting, dtype):
    """Return equal tensors, and torch's and our optimizer of them."""
    name = kind.__name__
    shapes = [(5, 3), (7, 6)] if name == "Muon" else [(5, 3), (7,), (), (2, 3, 4)]
    generator = torch.Generator().manual_seed(0)
    theirs = [torch.randn(s, generator=generator, dtype=dtype) for s in shapes]
    theirs = [p.requires_grad_() for p in theirs]
    ours = [p.detach().clone().requires_grad_() for p in theirs]
    given = copy.deepcopy(setting.kwargs)
    opt = getattr(lrcore.torch, name)(ours, **given)
    return theirs, kind(theirs, **given), ours, opt


def step(pairs, seed, steps=5):
    """Step several optimizers by the same gradients; some params have none at times."""
    generator = torch.Generator().manual_seed(seed)
    for k in range(steps):
        shapes = [p.shape for p in pairs[0][0]]
        dtype = pairs[0][0][0].dtype
        grads = [torch.randn(s, generator=generator, dtype=dtype) for s in shapes]
        for tensors, opt in pairs:
            for i, (p, g) in enumerate(zip(tensors, grads, strict=True)):
                p.grad = None if (i, k) == (1, 2) else g.clone()
            opt.step()


def distance(ours, theirs):
    return max(
        ((a - b).abs() / (b.abs() + 1e-3)).max().item()
        for a, b in zip(ours, theirs, strict=True)
    )


def leave_out_muon(name):
    if name == "Muon":
        pytest.skip("torch rounds Muon's direction to bfloat16, lrcore does not")


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("kind", "setting"), CASES)
def test_params_and_states_are_torchs(kind, setting, dtype):
    name = kind.__name__
    leave_out_muon(name)
    theirs, torchs, ours, opt = beside(kind, setting, dtype)
    step([(theirs, torchs), (ours, opt)], seed=1)
    assert distance(ours, theirs) < within(name, dtype)
    saved, wanted = opt.state_dict(), torchs.state_dict()
    assert wanted["param_groups"][0].keys() <= saved["param_groups"][0].keys()
    for key, state in wanted["state"].items():
        for each, value in state.items():
            if value is None:  # SGD without momentum
                continue
            found = saved["state"][key][each]
            assert (found.shape, found.dtype) == (value.shape, value.dtype)
            assert torch.allclose(found, value, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("kind", "setting"), CASES)
def test_each_goes_on_from_the_others_state(kind, setting, dtype):
    name = kind.__name__
    theirs, torchs, ours, opt = beside(kind, setting, dtype)
    step([(theirs, torchs)], seed=1)
    with torch.no_grad():
        for p, q in zip(ours, theirs, strict=True):
            p.copy_(q)
    opt.load_state_dict(torchs.state_dict())
    back = [p.detach().clone().requires_grad_() for p in theirs]
    given = copy.deepcopy(setting.kwargs)
    again = kind(back, **given)
    again.load_state_dict(copy.deepcopy(opt.state_dict()))  # torch would share it
    assert all(map(torch.equal, ours, theirs))
    leave_out_muon(name)
    step([(theirs, torchs), (ours, opt), (back, again)], seed=2)
    assert distance(ours, theirs) < within(name, dtype)
    assert distance(back, theirs) < within(name, dtype)


@pytest.mark.parametrize("eager", ["Adagrad"])
def test_a_state_before_the_first_step_loads(eager):
    p, q = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    ours = getattr(lrcore.torch, eager)([p], initial_accumulator_value=0.5)
    theirs = getattr(torch.optim, eager)([q])
    theirs.load_state_dict(copy.deepcopy(ours.state_dict()))
    step([([p], ours), ([q], theirs)], seed=0, steps=1)
    assert distance([p], [q]) < 1e-6


def test_wrong_states_change_nothing():
    own = [torch.ones(2, requires_grad=True)]
    opt = lrcore.torch.Adam(own)
    step([(own, opt)], seed=0, steps=2)
    before = copy.deepcopy(opt.state_dict())
    wrong = copy.deepcopy(before)
    wrong["state"][0]["exp_avg"] = torch.ones(3)
    with pytest.raises(ValueError, match=r"exp_avg: expected shape \(2,\), found"):
        opt.load_state_dict(wrong)
    wrong = copy.deepcopy(before)
    del wrong["state"][0]["exp_avg_sq"]
    with pytest.raises(ValueError, match="exp_avg_sq: missing; found"):
        opt.load_state_dict(wrong)
    wrong = copy.deepcopy(before)
    wrong["state"][0]["exp_avg_sq"] = -torch.ones(2)
    with pytest.raises(ValueError, match="expected numbers >= 0"):
        opt.load_state_dict(wrong)
    wrong = copy.deepcopy(before)
    wrong["param_groups"].append(wrong["param_groups"][0])
    with pytest.raises(ValueError, match="different number of parameter groups"):
        opt.load_state_dict(wrong)
    now = opt.state_dict()["state"][0]
    assert all(
        torch.equal(now[name], value) for name, value in before["state"][0].items()
    )
