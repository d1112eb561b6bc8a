"""lrcore.torch under DistributedDataParallel: two processes stay equal to the bit."""

from datetime import timedelta

import pytest

torch = pytest.importorskip("torch", reason="needs torch: make test-torch")

import lrcore.torch  # noqa: E402

dist = torch.distributed


def train(rank, folder):
    """Train on every other sample, and save the params of this process."""
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder}/meeting",
        timeout=timedelta(seconds=60),
        rank=rank,
        world_size=2,
    )
    torch.manual_seed(rank)  # DistributedDataParallel begins from those of rank 0
    model = torch.nn.Linear(3, 1)
    whole = torch.nn.parallel.DistributedDataParallel(model)
    opt = lrcore.torch.AdamW(whole.parameters(), lr=0.01, clip_norm=1.0)
    x = torch.arange(24.0).reshape(8, 3)[rank::2] / 24
    for _ in range(3):
        opt.zero_grad()
        ((whole(x) - 1) ** 2).mean().backward()
        opt.step()
    torch.save([p.detach() for p in model.parameters()], f"{folder}/{rank}")
    dist.destroy_process_group()


def test_two_processes_take_the_same_steps_as_one(tmp_path):
    torch.multiprocessing.spawn(train, (str(tmp_path),), nprocs=2)
    first, second = (torch.load(tmp_path / str(rank)) for rank in (0, 1))
    assert all(map(torch.equal, first, second))
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 1)
    opt = torch.optim.AdamW(model.parameters(), lr=0.01)
    x = torch.arange(24.0).reshape(8, 3) / 24
    for _ in range(3):
        opt.zero_grad()
        ((model(x) - 1) ** 2).mean().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
    pairs = zip(first, model.parameters(), strict=True)
    assert all(torch.allclose(p, q, atol=1e-6) for p, q in pairs)
