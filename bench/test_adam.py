"""float32 Adam beside its peers: `make bench`.

Nothing here asserts a time; the table at the end has the ratios.
"""

import importlib.util

import peers
import pytest

CASES = {
    "1 element (call overhead)": (1, 1, 1),
    "1 array of 1,000": (1000, 1, 1),
    "100 arrays of 100": (100, 100, 2),
    "100 arrays of 10,000": (10_000, 100, 2),
    "1,000 arrays of 1,000": (1000, 1000, 2),
    "1 array of 1,000,000": (1_000_000, 1, 2),
    "1 array of 30,000,000": (30_000_000, 1, 2),
}
NEEDS = {"torch fused": "torch", "numba": "numba"}


def installed():
    return {
        name: peer
        for name, peer in peers.PEERS.items()
        if name not in NEEDS or importlib.util.find_spec(NEEDS[name])
    }


@pytest.mark.parametrize("name", peers.PEERS)
def test_peers_agree(name):
    if name not in installed():
        pytest.skip(f"{NEEDS[name]} is not installed: absent from the comparison")
    assert peers.agrees(peers.PEERS[name])


@pytest.mark.parametrize("case", CASES)
def test_step(case, compare):
    elements, arrays, threads = CASES[case]
    steps = {}
    for name, peer in {"lrcore": peers.lrcore_, **installed()}.items():
        if name == "NumPy textbook" and elements * arrays > 1_000_000:
            continue  # half a second a call, in which the others' arrays grow cold
        params, grads = peers.network(elements, arrays), peers.network(elements, arrays)
        steps[name] = peer(params, grads, threads)
    if elements * arrays >= 1_000_000:
        params, grads = peers.network(elements, arrays), peers.network(elements, arrays)
        steps["traffic only"] = peers.traffic(params, grads, threads)
    compare(f"{case}, {threads} thread{'s' * (threads > 1)}", steps)
