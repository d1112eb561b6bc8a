"""Draw how many times lrcore's time the other libraries take for a step.

``python bench/ratios.py`` draws the saved run of ``lrcore bench --bars`` into
``docs/_static/ratios.svg``, the picture of the README.
"""

import argparse
from pathlib import Path

import matplotlib as mpl

from lrcore._shared.pictures import COLORS, tidy
from lrcore.bench import saved
from lrcore.bench.units import figures

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results" / "xeon-2-cores-avx512.json"
PICTURE = ROOT / "docs" / "_static" / "ratios.svg"

# The peers that are drawn, with the names of their variants, of which the fastest
# counts.
PEERS = {
    "torch, fused": "torch fused",
    "optax": "optax",
    "numba": "numba",
    "thinc": "thinc",
    "scikit-learn": "scikit-learn",
    "NumPy": "NumPy textbook",
}


def ratios(run):
    """Return each peer's time over ours, by case of a step of AdamW in float32."""
    found = {}
    for result in run.results:
        case = result.case
        if (case.task, case.optimizer, case.dtype) != ("step", "AdamW", "float32"):
            continue
        times = {name: t.median for name, t in result.times.items()}
        title = f"{case.elements:,} in {case.arrays:,} array" + "s" * (case.arrays > 1)
        found[title] = {
            peer: min(variants) / times["lrcore"]
            for peer, name in PEERS.items()
            if (variants := [t for n, t in times.items() if n.startswith(name)])
        }
    return found


def draw(run, path):
    """Draw a panel for each case into a file."""
    from matplotlib.figure import Figure

    cases = ratios(run)
    every = cases.values()
    figure = Figure(figsize=(9, 4.6), layout="constrained")
    panels = figure.subplots(2, -(-len(cases) // 2), sharex=True).flat
    for (title, peers), axes in zip(cases.items(), panels, strict=False):
        names = sorted(peers, key=peers.get)[::-1]
        widths = [peers[name] for name in names]
        axes.barh(names, widths, color="0.75")
        axes.barh("lrcore", 1, color=COLORS[1])
        for row, width in enumerate([*widths, 1]):
            axes.text(width * 1.1, row, figures(width), va="center", fontsize=8)
        axes.set_title(title, fontsize=10)
        axes.set_xscale("log")
        axes.set_xlim(0.7 * min(1, *widths), 4 * max(max(p.values()) for p in every))
        axes.set_xticks([1, 10, 100], ["1", "10", "100"])
        axes.minorticks_off()
        tidy(axes)
        axes.grid(False)
        axes.tick_params(labelsize=8)
    for axes in panels:
        axes.set_axis_off()
    m = run.machine
    figure.supxlabel(
        f"time of an AdamW step, float32, as a multiple of lrcore's "
        f"({m['cores']} cores, {m['isa']})",
        fontsize=9,
    )
    with mpl.rc_context({"svg.hashsalt": "lrcore", "svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else {})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("results", nargs="?", type=Path, default=RESULTS)
    parser.add_argument("picture", nargs="?", type=Path, default=PICTURE)
    args = parser.parse_args()
    draw(saved.load(str(args.results)), args.picture)
