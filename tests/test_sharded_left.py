"""A rank that leaves the others in the middle of a call, as by Ctrl-C."""

import pytest
from ranks import arrays, gradient, interrupt, one_by_one, ranks

import lrcore
from lrcore.distributed import RankLostError


def step(opt, folder):
    opt.step(gradient(1, 0))


def step_one(opt, folder):
    one_by_one(opt, gradient(1, 0), arrays(0))


def save(opt, folder):
    opt.save(folder / "run.safetensors")


def state_dict(opt, folder):
    opt.state_dict()


def leaves(comm, folder, k, begun, call, then):
    """Leave a call on rank 1, in its meeting k, and make another one there."""
    noted = folder / f"{comm.rank}"
    opt = lrcore.AdamW(arrays(0), comm=comm, clip_norm=1.0)
    one_by_one(opt, gradient(0, comm.rank), arrays(0))
    opt.step(gradient(0, comm.rank))
    if comm.rank == 1:
        interrupt(comm, k, begun)
    try:
        try:
            call(opt, folder)
            comm.barrier()
        except KeyboardInterrupt:
            then(opt, folder)
    except RankLostError as error:
        noted.write_text(str(error))
        raise


def check_left(folder, k, begun, call, then):
    with pytest.raises(RankLostError):
        ranks(2, leaves, folder, k, begun, call, then)
    here, there = ((folder / str(r)).read_text() for r in (1, 0))
    assert here.startswith("rank 1 of 2 has left the other ranks in the middle of a ")
    assert there.startswith("rank 0 of 2: rank 1 has ended before this ")
    assert not (folder / "run.safetensors").exists()


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("k", range(1, 5))
@pytest.mark.parametrize("then", [step, step_one, save, state_dict])
def test_a_rank_that_leaves_a_step_makes_no_other_call(tmp_path, k, begun, then):
    """As one that saves at Ctrl-C: the others would take its bytes for the step's."""
    check_left(tmp_path, k, begun, step, then)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("call", [save, state_dict])
def test_a_rank_that_leaves_another_call(tmp_path, k, call):
    """It has sent a head, and the others would take its next one for what they save."""
    check_left(tmp_path, k, True, call, step)
