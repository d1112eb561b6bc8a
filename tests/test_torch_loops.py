"""lrcore.torch in people's loops: hooks, schedulers, scalers, odd tensors."""

import copy
import gc
import weakref

import pytest

torch = pytest.importorskip("torch", reason="needs torch: make test-torch")

from torch.optim import lr_scheduler  # noqa: E402
from torch.optim.optimizer import register_optimizer_step_post_hook  # noqa: E402

import lrcore.torch  # noqa: E402

SCHEDULERS = {
    "StepLR": lambda opt: lr_scheduler.StepLR(opt, 2, 0.5),
    "Cosine": lambda opt: lr_scheduler.CosineAnnealingLR(opt, 6),
    "OneCycle": lambda opt: lr_scheduler.OneCycleLR(opt, 0.1, total_steps=8),
    "Cyclic": lambda opt: lr_scheduler.CyclicLR(opt, 0.01, 0.1, step_size_up=3),
    "Lambda": lambda opt: lr_scheduler.LambdaLR(opt, lambda t: 1 / (1 + t)),
    "Sequential": lambda opt: lr_scheduler.SequentialLR(
        opt, [lr_scheduler.ConstantLR(opt), lr_scheduler.ExponentialLR(opt, 0.9)], [3]
    ),
}


def model(seed=0):
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)
    )


def batch(k):
    return torch.randn(16, 4, generator=torch.Generator().manual_seed(k))


def loss_of(net, k):
    x = batch(k)
    return (net(x) - x[:, :1] * x[:, 1:2]).pow(2).mean()


def learn(net, opt, steps, *, after=lambda: None, before=lambda: None, begin=0):
    for k in range(begin, begin + steps):
        opt.zero_grad()
        loss_of(net, k).backward()
        before()
        opt.step()
        after()


def alike(net, other, atol=1e-6):
    pairs = zip(net.parameters(), other.parameters(), strict=True)
    return all(torch.allclose(p, q, atol=atol) for p, q in pairs)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_torchs_schedulers(name):
    net, other = model(), model()
    for each, module in ((net, lrcore.torch), (other, torch.optim)):
        opt = module.SGD(each.parameters(), lr=0.05, momentum=0.9)
        learn(each, opt, 7, after=SCHEDULERS[name](opt).step)
    assert alike(net, other)


def test_a_scheduler_that_changes_betas():
    net, other = model(), model()
    for each, module in ((net, lrcore.torch), (other, torch.optim)):
        opt = module.AdamW(each.parameters(), lr=0.05)
        learn(each, opt, 7, after=SCHEDULERS["OneCycle"](opt).step)
    assert opt.param_groups[0]["betas"] != (0.9, 0.999)
    assert alike(net, other)


@pytest.mark.parametrize("name", ["StepLR", "Cosine", "Lambda"])
def test_a_scheduler_of_torch_over_a_schedule_is_refused(name):
    net = model()
    opt = lrcore.torch.SGD(net.parameters(), lr=lrcore.schedules.Cosine(0.1, total=5))
    before = copy.deepcopy(net)
    SCHEDULERS[name](opt)
    with pytest.raises(TypeError, match=r"param_groups\[0\]\['lr'\].*one of the two"):
        learn(net, opt, 1)
    assert alike(net, before, atol=0)


def test_a_schedule_of_lrcores_is_a_learning_rate():
    net, other = model(), model()
    schedule = lrcore.schedules.Cosine(0.1, total=5)
    learn(net, lrcore.torch.SGD(net.parameters(), lr=schedule), 5)
    opt = torch.optim.SGD(other.parameters())
    for k in range(5):
        opt.param_groups[0]["lr"] = schedule(k)
        learn(other, opt, 1, begin=k)
    assert alike(net, other)


def test_clipping_is_torchs():
    net, other = model(), model()
    opt = lrcore.torch.Adam(net.parameters(), lr=0.01, clip_norm=0.1, clip_eps=1e-6)
    learn(net, opt, 5)
    weights = list(other.parameters())
    learn(
        other,
        torch.optim.Adam(weights, lr=0.01),
        5,
        before=lambda: torch.nn.utils.clip_grad_norm_(weights, 0.1),
    )
    assert alike(net, other)


def test_a_grad_scaler_unscales_and_skips():
    net, other = model(), model()
    opt = lrcore.torch.SGD(net.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    for k in range(3):
        opt.zero_grad()
        scaler.scale(loss_of(net, k)).backward()
        scaler.step(opt)
        scaler.update()
    learn(other, torch.optim.SGD(other.parameters(), lr=0.1), 3)
    assert alike(net, other)
    scaler.scale(loss_of(net, 3)).backward()
    next(net.parameters()).grad.fill_(torch.inf)
    scaler.step(opt)
    assert alike(net, other)
    assert opt.core.t == 3


def test_hooks_are_called_in_torchs_order():
    net = model()
    opt = lrcore.torch.SGD(net.parameters(), lr=0.1)
    called = []
    opt.register_step_pre_hook(lambda *_: called.append("before"))
    opt.register_step_post_hook(lambda *_: called.append("after"))
    opt.register_state_dict_pre_hook(lambda _: called.append("save"))
    opt.register_state_dict_post_hook(lambda _, d: {**d, "mine": 1})
    opt.register_load_state_dict_pre_hook(lambda _, d: called.append(d.pop("mine")))
    opt.register_load_state_dict_post_hook(lambda _: called.append("loaded"))
    learn(net, opt, 1)
    opt.load_state_dict(opt.state_dict())
    assert called == ["before", "after", "save", 1, "loaded"]


def test_global_hooks_and_the_profiler():
    net, called = model(), []
    opt = lrcore.torch.SGD(net.parameters(), lr=0.1)
    handle = register_optimizer_step_post_hook(lambda *_: called.append(1))
    learn(net, opt, 1)
    handle.remove()
    learn(net, opt, 1)
    assert called == [1]
    with torch.profiler.profile() as profile:
        learn(net, opt, 1)
    assert any("Optimizer.step#SGD" in event.key for event in profile.key_averages())


def test_a_closure():
    net = model()
    opt = lrcore.torch.SGD(net.parameters(), lr=0.1)

    def closure():
        opt.zero_grad()
        loss = loss_of(net, 0)
        loss.backward()
        return loss

    with torch.no_grad():
        assert opt.step(closure) > opt.step(closure)
    found = lrcore.torch.SPS(net.parameters())
    assert found.step(closure) > found.step(closure)


def test_params_without_gradients_and_frozen_ones():
    net, other = model(), model()
    for each, module in ((net, lrcore.torch), (other, torch.optim)):
        each[0].bias.requires_grad_(False)
        opt = module.AdamW(each.parameters(), lr=0.05)
        learn(each, opt, 2)
        learn(each, opt, 1, before=lambda e=each: setattr(e[2].bias, "grad", None))
        learn(each, opt, 2)
        steps = {k: v["step"].item() for k, v in opt.state_dict()["state"].items()}
        assert steps == {0: 5, 2: 5, 3: 4}
    assert alike(net, other)


def test_groups_that_are_added():
    net, other = model(), model()
    for each, module in ((net, lrcore.torch), (other, torch.optim)):
        opt = module.Adam(each[0].parameters(), lr=0.05)
        learn(each, opt, 2)
        opt.add_param_group({"params": each[2].parameters(), "lr": 0.5})
        learn(each, opt, 2)
    assert alike(net, other)
    with pytest.raises(ValueError, match="appear in more than one parameter group"):
        opt.add_param_group({"params": each[2].parameters()})
    mine = lrcore.torch.Adam(net[0].parameters())
    with pytest.raises(TypeError, match="expected a CPU tensor of float32 or float64"):
        mine.add_param_group({"params": [torch.ones(1, dtype=torch.half)]})
    assert len(mine.param_groups) == 1
    learn(net, mine, 1)


def test_tied_weights_are_stepped_once_and_shared_memory_is_refused():
    tied = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 3))
    tied[1].weight = tied[0].weight
    assert len(lrcore.torch.SGD(tied.parameters()).core.state) == 3
    p = torch.zeros(2, requires_grad=True)
    with pytest.raises(ValueError, match="found to share memory with"):
        lrcore.torch.SGD([p, p.detach().requires_grad_()])


def test_strided_params_are_stepped_through_a_copy_and_told_once():
    p, q = torch.ones(4, 6)[:, ::2].requires_grad_(), torch.ones(4, 3)
    q.requires_grad_()
    with pytest.warns(UserWarning, match="1 are not contiguous"):
        opt = lrcore.torch.Adam([p], lr=0.1)
    other = lrcore.torch.Adam([q], lr=0.1)
    for _ in range(3):
        p.grad, q.grad = torch.randn(4, 3), None
        q.grad = p.grad.clone()
        opt.step()
        other.step()
    opt.add_param_group({"params": torch.ones(2, requires_grad=True)})  # no warning
    assert torch.equal(p, q)
    with torch.no_grad():
        p.zero_()  # as load_state_dict of a module does
    before = p._version
    opt.step()
    assert p._version > before
    assert p.abs().max() < 0.2


def test_gradients_of_another_layout():
    p = torch.ones(3, 4).t().requires_grad_()  # in Fortran's order
    p.grad = torch.arange(12.0).reshape(4, 3)
    lrcore.torch.SGD([p], lr=1.0).step()
    assert torch.equal(p.detach(), 1 - torch.arange(12.0).reshape(4, 3))
    r = torch.ones(1, requires_grad=True)
    r.grad = torch.complex(torch.zeros(1), torch.ones(1)).conj().imag  # a negated view
    assert r.grad.is_neg()
    lrcore.torch.SGD([r], lr=1.0).step()
    assert r.item() == 2.0


def test_memory_that_was_exchanged_is_found():
    p = torch.ones(3, requires_grad=True)
    opt = lrcore.torch.Adam([p], lr=0.1)
    p.grad = torch.ones(3)
    opt.step()
    p.data = torch.full((3,), 5.0)
    opt.step()
    assert torch.allclose(p, torch.full((3,), 4.9))
    assert opt.state[p]["step"] == 2


def test_autograd_notices_the_step():
    p = torch.ones(2, requires_grad=True)
    loss = p.pow(3).sum()
    loss.backward(retain_graph=True)
    lrcore.torch.SGD([p], lr=0.1).step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_the_whole_step_in_one_call():
    net = model()
    opt = lrcore.torch.AdamW(
        net.parameters(), lr=0.1, ema_decay=0.5, zero_grads=True, skip_nonfinite=True,
        telemetry=True,
    )  # fmt: skip
    learn(net, opt, 2)
    assert all((p.grad == 0).all() for p in net.parameters())
    before = [p.detach().clone() for p in net.parameters()]
    with opt.averaged():
        assert not torch.equal(before[0], net[0].weight)
    assert all(map(torch.equal, before, net.parameters()))
    net[0].weight.grad.fill_(torch.nan)
    opt.step()
    assert not opt.report.applied
    assert all(map(torch.equal, before, net.parameters()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_gradient_whose_memory_was_freed_is_refused(dtype):
    p, q = (torch.ones(9, dtype=dtype, requires_grad=True) for _ in range(2))
    opt = lrcore.torch.SGD([p, q], lr=0.5, master=True)
    p.grad, q.grad = torch.ones(9, dtype=dtype), torch.ones(9, dtype=dtype)
    q.grad.untyped_storage().resize_(0)
    with pytest.raises(RuntimeError, match="found a gradient of 9 elements without"):
        opt.step()
    assert opt.core.t == 0
    assert (p == 1).all()


def test_what_cannot_be_stepped_is_refused():
    layer = torch.nn.Embedding(4, 2, sparse=True)
    opt = lrcore.torch.SGD(layer.parameters())
    layer(torch.tensor([1])).sum().backward()
    with pytest.raises(RuntimeError, match="found a sparse gradient"):
        opt.step()
    wrong = {
        "torch.float16 on cpu": torch.ones(1, dtype=torch.half),
        "torch.complex64": torch.ones(1, dtype=torch.complex64),
        "on meta": torch.ones(1, device="meta"),
        "torch.int64": torch.ones(1, dtype=torch.int64),
    }
    for found, tensor in wrong.items():
        with pytest.raises(TypeError, match=found):
            lrcore.torch.SGD([tensor])
    with pytest.raises(ValueError, match="empty parameter list"):
        lrcore.torch.SGD([])


def test_tensors_are_freed_with_the_optimizer():
    p = torch.ones(2, requires_grad=True)
    p.grad = torch.ones(2)
    opt = lrcore.torch.Adam([p])
    opt.step()
    grad = weakref.ref(p.grad)
    p.grad = None
    assert grad() is None  # a step keeps no gradient
    alive = weakref.ref(p)
    del p, opt
    gc.collect()
    assert alive() is None


def test_a_module_and_its_optimizer_are_copied_together():
    net = model()
    opt = lrcore.torch.Adam(net.parameters(), lr=0.05)
    learn(net, opt, 2)
    other, its = copy.deepcopy((net, opt))
    learn(other, its, 2, begin=2)
    assert not alike(net, other)
    learn(net, opt, 2, begin=2)
    assert alike(net, other, atol=0)


def test_averages_go_into_the_memory_that_a_parameter_has_now():
    p = torch.nn.Parameter(torch.ones(4))
    opt = lrcore.torch.SGD([p], lr=0.5, ema_decay=0.5)
    for _ in range(2):
        p.grad = torch.ones(4)
        opt.step()
    p.data = torch.full((4,), 9.0)
    with opt.averaged("ema"):
        assert (p == 0.25).all()
    assert (p == 9).all()


@pytest.mark.parametrize("steps", [float("nan"), float("inf"), -1.0, 1e300, "x"])
def test_a_wrong_number_of_steps_is_named(steps):
    p = torch.nn.Parameter(torch.ones(2))
    opt = lrcore.torch.Adam([p])
    p.grad = torch.ones(2)
    opt.step()
    saved = opt.state_dict()
    saved["state"][0]["step"] = steps
    with pytest.raises(ValueError, match=r"state of .*: step: expected a number"):
        opt.load_state_dict(saved)


def test_a_parameter_of_integers_is_refused():
    p = torch.nn.Parameter(torch.ones(4), requires_grad=False)
    opt = lrcore.torch.SGD([p], lr=1.0)
    p.data = p.data.view(torch.int32)
    p.grad = torch.ones(4, dtype=torch.int32)
    with pytest.raises(TypeError, match=r"params\[0\].*found torch.int32"):
        opt.step()
    assert (p.view(torch.float32) == 1).all()
