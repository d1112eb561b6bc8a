"""Peak memory of a training step, by step() and within backward(), on Linux.

`python bench/torch_memory.py` trains 12 layers of 2,048 x 2,048 in float32.  A line has
the memory that a step needs at its peak besides params and states, in MiB.
"""

import re
import sys
from pathlib import Path

import torch

import lrcore.torch

PROCESS = Path("/proc/self")


def mib(entry):
    """Return an entry of the process's status in MiB."""
    text = (PROCESS / "status").read_text()
    return int(re.search(rf"^{entry}:\s+(\d+) kB", text, re.M)[1]) / 1024


def main(layers=12, width=2048):
    net = torch.nn.Sequential(
        *(torch.nn.Linear(width, width, bias=False) for _ in range(layers))
    )
    opt = lrcore.torch.AdamW(net.parameters(), lr=1e-4)
    batch = torch.randn(8, width)

    def step():
        net(batch).pow(2).mean().backward()
        opt.step()
        opt.zero_grad()

    print(f"params: {layers * width * width * 4 / 2**20:.0f} MiB")
    for name, begin in (("step()", None), ("in backward()", opt.step_in_backward)):
        if begin is not None:
            begin()
        step()
        (PROCESS / "clear_refs").write_text("5")  # the peak is that from now on
        before = mib("VmRSS")
        step()
        print(f"{name}: {mib('VmHWM') - before:.0f} MiB more at the peak")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
