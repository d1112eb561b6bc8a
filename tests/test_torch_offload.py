"""lrcore.torch where memory is short: masters of bfloat16, steps within backward()."""

import copy

import pytest

torch = pytest.importorskip("torch", reason="needs torch: make test-torch")

import lrcore.torch  # noqa: E402


def model(dtype=torch.float32):
    torch.manual_seed(0)
    layers = torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)
    return torch.nn.Sequential(*layers).to(dtype)


def backward(net, k):
    p = next(net.parameters())
    x = torch.randn(16, 4, generator=torch.Generator().manual_seed(k)).to(p.dtype)
    (net(x) - x[:, :1]).pow(2).mean().backward()


def learn(net, opt, steps, begin=0):
    for k in range(begin, begin + steps):
        opt.zero_grad()
        backward(net, k)
        opt.step()


def same(net, other):
    return all(map(torch.equal, net.parameters(), other.parameters()))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_masters_keep_what_rounding_would_lose(dtype):
    p = torch.ones(2, dtype=dtype, requires_grad=True)
    opt = lrcore.torch.SGD([p], lr=2.0**-14, master=True)
    for _ in range(2**8):
        p.grad = torch.ones_like(p)
        opt.step()
    assert torch.equal(p.detach().float(), torch.full((2,), 1 - 2.0**-6))


def test_masters_follow_a_model_in_float32():
    net, full = model(torch.bfloat16), model(torch.bfloat16).float()
    opt = lrcore.torch.AdamW(net.parameters(), lr=0.01, master=True)
    other = torch.optim.AdamW(full.parameters(), lr=0.01)
    for k in range(5):
        opt.zero_grad()
        backward(net, k)
        for p, q in zip(net.parameters(), full.parameters(), strict=True):
            q.grad = p.grad.float()
        opt.step()
        other.step()
        for p, q in zip(net.parameters(), full.parameters(), strict=True):
            assert torch.allclose(p.float(), q, rtol=2**-8)
        assert opt.state[net[0].weight]["exp_avg"].dtype is torch.float32


def test_masters_are_saved_and_copied():
    net = model(torch.bfloat16)
    opt = lrcore.torch.AdamW(net.parameters(), lr=1e-3, master=True)
    learn(net, opt, 3)
    other = copy.deepcopy(net)
    its = lrcore.torch.AdamW(other.parameters(), master=True)
    its.load_state_dict(opt.state_dict())
    third, thirds = copy.deepcopy((net, opt))
    learn(net, opt, 20, begin=3)
    learn(other, its, 20, begin=3)
    learn(third, thirds, 20, begin=3)
    assert same(net, other)
    assert same(net, third)


def test_masters_take_weights_that_are_loaded_into_the_model():
    net = model(torch.bfloat16)
    opt = lrcore.torch.SGD(net.parameters(), lr=0.0, master=True)
    learn(net, opt, 1)
    with torch.no_grad():
        net[0].weight.fill_(3.0)
    learn(net, opt, 1)
    assert (net[0].weight == 3).all()


def replace(p, x):
    p.data = x


@pytest.mark.parametrize("change", [replace, lambda p, x: p.data.copy_(x)])
def test_masters_take_changes_of_data(change):
    """As vector_to_parameters() and ``p.data.clamp_()`` make them."""
    p = torch.ones(3, dtype=torch.bfloat16, requires_grad=True)
    opt = lrcore.torch.SGD([p], lr=2.0**-14, master=True)
    for k in range(2**6):
        if k == 2**5:
            change(p, torch.tensor([9.0, p[1].item(), float("nan")]).to(p.dtype))
        p.grad = torch.ones_like(p)
        opt.step()
    assert p[0] == 9
    assert p[1].item() == 1 - 2.0**-8
    assert p[2].isnan()


def test_a_master_of_one_number_takes_changes():
    p = torch.tensor(1.0, dtype=torch.float16, requires_grad=True)
    opt = lrcore.torch.SGD([p], lr=0.5, master=True)
    p.data.fill_(3.0)
    p.grad = torch.ones_like(p)
    opt.step()
    assert p == 2.5


def test_masters_without_a_gradient_stay_as_they_are():
    p, q = (torch.ones(2, dtype=torch.bfloat16, requires_grad=True) for _ in range(2))
    opt = lrcore.torch.SGD([p, q], lr=0.5, master=True)
    p.grad = torch.ones_like(p)
    opt.step()
    assert (p == 0.5).all()
    assert q._version == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_steps_in_backward_are_those_of_step(dtype):
    net, other = model(dtype), model(dtype)
    opt = lrcore.torch.AdamW(net.parameters(), lr=0.01, master=True)
    its = lrcore.torch.AdamW(other.parameters(), lr=0.01, master=True)
    hooks = opt.step_in_backward()
    for k in range(3):
        backward(net, k)
        assert all(p.grad is None for p in net.parameters())
        opt.step()
        learn(other, its, 1, begin=k)
    assert same(net, other)
    assert opt.core.t == 3
    hooks.remove()
    learn(net, opt, 1)
    learn(other, its, 1)
    assert same(net, other)


def test_params_that_backward_does_not_reach():
    p, q = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    opt = lrcore.torch.Adam([p, q], lr=0.1)
    opt.step_in_backward()
    p.sum().backward()
    opt.step()
    (p * q).sum().backward()
    opt.step()
    assert [opt.state[each]["step"].item() for each in (p, q)] == [2, 1]


def test_what_steps_in_backward_cannot_do():
    p = torch.ones(2, requires_grad=True)
    opt = lrcore.torch.SGD([p], lr=0.1)
    hooks = opt.step_in_backward()
    p.sum().backward()
    with pytest.raises(RuntimeError, match="a second backward"):
        p.sum().backward()
    with pytest.raises(RuntimeError, match=r"call step\(\) before remove"):
        hooks.remove()
    opt.step()
    opt.core.clip_norm = 1.0
    wanted = r"clip_norm: found 1, which needs the .* by step\(\), not one by one"
    with pytest.raises(ValueError, match=wanted):
        p.sum().backward()
