"""lrcore.torch: every optimizer on tensors: arguments, saving, copying."""

import copy
import io
import pickle
from inspect import signature

import pytest

torch = pytest.importorskip("torch", reason="needs torch: make test-torch")

import lrcore.torch  # noqa: E402
from lrcore import optimizers  # noqa: E402

ALL = list(optimizers.available())
SHARED = [name for name in ALL if hasattr(torch.optim, name)]


def params(*shapes, dtype=torch.float32):
    """Return tensors to optimize."""
    generator = torch.Generator().manual_seed(1)
    made = [torch.randn(s, generator=generator, dtype=dtype) for s in shapes]
    return [p.requires_grad_() for p in made]


def run(opt, tensors, steps, seed):
    """Take some steps with gradients that the seed determines."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        for p in tensors:
            p.grad = torch.randn(p.shape, generator=generator, dtype=p.dtype)
        opt.step(loss=1.0)


def through_a_file(saved):
    file = io.BytesIO()
    torch.save(saved, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize("name", ALL)
def test_each_optimizer_steps_the_tensors_as_lrcore_steps_arrays(name):
    own = params((3, 4), (3,))
    arrays = [p.detach().numpy().copy() for p in own]
    opt = getattr(lrcore.torch, name)(own, lr=0.01)
    core = getattr(lrcore, name)(arrays, lr=0.01)
    more = {"loss": 1.0} if name == "SPS" else {}
    for seed in range(3):
        run(opt, own, 1, seed)
        core.step([p.grad.numpy() for p in own], **more)
    for p, array in zip(own, arrays, strict=True):
        assert (p.detach().numpy() == array).all()
    assert isinstance(opt, torch.optim.Optimizer)


@pytest.mark.parametrize("extra", [{}, {"ema_decay": 0.9}, {"mechanic": True}])
@pytest.mark.parametrize("name", ALL)
def test_a_run_goes_on_from_what_was_saved_or_copied(name, extra):
    kind = getattr(lrcore.torch, name)
    own = params((3, 4), (3,))
    if "mechanic" in extra and not getattr(lrcore, name)._takes_mechanic():
        with pytest.raises(ValueError, match="mechanic: expected False"):
            kind(own, **extra)
        return
    opt = kind(own, lr=0.01, **extra)
    run(opt, own, 3, seed=0)
    loaded = [p.detach().clone().requires_grad_() for p in own]
    other = kind(loaded, lr=0.5, **extra)
    other.load_state_dict(through_a_file(opt.state_dict()))
    copied, copy_of = copy.deepcopy((own, opt))
    pickled, unpickled = pickle.loads(pickle.dumps((own, opt)))
    each = [(own, opt), (loaded, other), (copied, copy_of), (pickled, unpickled)]
    for tensors, its in each:
        run(its, tensors, 3, seed=1)
    for tensors, _ in each[1:]:
        assert all(map(torch.equal, own, tensors))


@pytest.mark.parametrize("as_tensor", [False, True])
def test_the_mean_norm_of_adagc_is_a_number_in_files(as_tensor):
    """Older files have a tensor without axes, which means the same."""
    own = params((3, 4), (3,))
    opt = lrcore.torch.SGD(own, lr=0.1, clip_tensor_norm="adagc")
    run(opt, own, 3, seed=0)
    saved = through_a_file(opt.state_dict())
    for entry in saved["state"].values():
        assert type(entry["norm_mean"]) is float
        assert entry["norm_mean"] > 0
        if as_tensor:
            entry["norm_mean"] = torch.tensor(entry["norm_mean"], dtype=torch.float64)
    loaded = [p.detach().clone().requires_grad_() for p in own]
    other = lrcore.torch.SGD(loaded, lr=0.1, clip_tensor_norm="adagc")
    other.load_state_dict(saved)
    for tensors, its in ((own, opt), (loaded, other)):
        run(its, tensors, 3, seed=1)
    assert all(map(torch.equal, own, loaded))
    assert opt.state_dict()["state"] == other.state_dict()["state"]


@pytest.mark.parametrize("name", SHARED)
def test_arguments_stand_in_the_order_of_torchs(name):
    def by_place(kind):
        found = signature(kind).parameters.values()
        return [p.name for p in found if p.kind is p.POSITIONAL_OR_KEYWORD]

    theirs, ours = getattr(torch.optim, name), getattr(lrcore.torch, name)
    assert by_place(ours) == by_place(theirs)
    own = signature(ours).parameters
    for parameter in signature(theirs).parameters.values():
        if parameter.default not in (parameter.empty, None):
            assert own[parameter.name].default == parameter.default


def test_arguments_by_place():
    (p,) = params((2,))
    opt = lrcore.torch.AdamW([p], 0.5, (0.8, 0.9), 1e-3, 0.1, True)
    group = opt.param_groups[0]
    names = ("lr", "betas", "eps", "weight_decay", "amsgrad")
    assert [group[n] for n in names] == [0.5, (0.8, 0.9), 1e-3, 0.1, True]
    assert opt.core.amsgrad is True


@pytest.mark.parametrize("name", ["foreach", "fused"])
def test_foreach_and_fused_make_no_difference(name):
    own = params((2,))
    opt = lrcore.torch.Adam(own, **{name: True})
    run(opt, own, 1, seed=0)
    assert opt.param_groups[0][name] is True


@pytest.mark.parametrize("name", ["capturable", "differentiable"])
def test_what_is_impossible_is_refused(name):
    own = params((2,))
    with pytest.raises(ValueError, match=f"{name}: expected False, found True"):
        lrcore.torch.Adam(own, **{name: True})
    opt = lrcore.torch.Adam(own)
    opt.param_groups[0]["lr"] = 0.1
    with pytest.raises(ValueError, match=rf"params\[0\]: {name}: expected False"):
        lrcore.torch.Adam([{"params": own, name: True}])


@pytest.mark.parametrize(
    "name", ["groups", "accumulate", "convert_grads", "project", "comm"]
)
def test_options_for_which_torch_has_another_way(name):
    with pytest.raises(TypeError, match=f"{name}: not an option of lrcore.torch"):
        lrcore.torch.SGD(params((2,)), **{name: None})


def test_wrong_values():
    own = params((2,))
    with pytest.raises(
        ValueError, match=r"lr: expected a finite number >= 0, found -1"
    ):
        lrcore.torch.SGD(own, lr=-1)
    with pytest.raises(TypeError, match="unexpected keyword 'rate'"):
        lrcore.torch.SGD(own, rate=1)
    with pytest.raises(ValueError, match="expected a tensor of one number"):
        lrcore.torch.SGD(own, lr=torch.ones(2))
    own[0].grad = torch.ones(2)
    opt = lrcore.torch.SGD(own)
    opt.param_groups[0]["lr"] = "0.1"
    with pytest.raises(TypeError, match=r"^lr: .* found '0\.1' from its sched"):
        opt.step()
    with pytest.raises(TypeError, match=r"found lrcore\.torch\.SGD; pass opt\.core"):
        lrcore.Monitor(lrcore.torch.SGD(own))
    with pytest.raises(AttributeError, match="has no attribute 'LBFGS'"):
        lrcore.torch.LBFGS  # noqa: B018


def test_options_survive_copies_and_new_groups():
    own = params((2,), (3,))
    opt = lrcore.torch.SGD(own[:1], clip_norm=1.0, telemetry=True)
    assert copy.deepcopy(opt).core.clip_norm == 1.0
    opt.core.clip_norm = 2.0
    opt.add_param_group({"params": own[1:], "lr": 0.5})
    assert opt.core.clip_norm == 2.0
    run(opt, own, 1, seed=0)
    assert opt.report.applied
    assert opt.core.t == 1


@pytest.mark.parametrize("as_tensor", [False, True])
@pytest.mark.parametrize("way", ["apply", "adopt"])
def test_a_rate_that_was_found_is_set_where_torch_has_it(way, as_tensor):
    own = params((2,), (3,))
    lr = torch.tensor(0.1) if as_tensor else 0.1
    groups = [{"params": own[:1]}, {"params": own[1:], "lr": 0.01}]
    opt = lrcore.torch.SGD(groups, lr=lr)

    def loss_and_grad(_):
        loss = sum((p.detach() ** 2).sum() for p in own)
        return float(loss), [[2 * p.detach().numpy()] for p in own]

    found = lrcore.lr_find(opt.core, loss_and_grad, [0], trial_steps=30)
    getattr(found, way)(opt.core)
    rates = [float(group["lr"]) for group in opt.param_groups]
    assert rates == pytest.approx([found.suggestion, found.suggestion / 10])
    assert isinstance(opt.param_groups[0]["lr"], torch.Tensor) == as_tensor
    assert opt.core.t == (30 if way == "adopt" else 0)
    assert opt.core.lr == pytest.approx(found.suggestion)
    opt.param_groups[1]["lr"] = lrcore.schedules.Cosine(0.1, total=9)
    with pytest.raises(ValueError, match=r"the lr of param_groups\[1\], found"):
        found.apply(opt.core)
    with pytest.raises(TypeError, match=r"pass opt\.core"):
        found.apply(opt)
