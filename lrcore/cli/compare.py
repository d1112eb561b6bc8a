"""The command ``lrcore compare``."""

from __future__ import annotations

import argparse
import json
import math
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from textwrap import fill
from typing import Any, NamedTuple

from tqdm import tqdm

import lrcore
from lrcore._shared import pictures
from lrcore._shared.words import printable, shortened, shown
from lrcore.cli.arguments import optimizers, picture_path, positive, rates
from lrcore.cli.problem import HELP, Problem
from lrcore.monitor._comparison import final_loss

_FACTORS = (0.1, 1.0, 10.0)  # of an optimizer's own rate
_SEEDS = 3  # of a problem that draws numbers


class Result(NamedTuple):
    """The runs of an optimizer at a rate, one for each seed."""

    optimizer: str
    lr: float
    losses: list[list[float]]

    @property
    def final(self) -> list[float]:
        """The final loss of each run, infinite where it has diverged."""
        found = (final_loss(losses) for losses in self.losses)
        return [math.inf if math.isnan(loss) else loss for loss in found]

    @property
    def loss(self) -> float:
        """The median of the final losses."""
        return median(self.final)


def add_compare(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command ``compare``."""
    parser = commands.add_parser(
        "compare",
        help="compare optimizers and rates on your own loss",
        description="Train a problem of your own with several optimizers, each at "
        "several learning\nrates, and compare the final losses.  The final loss of a "
        "run is the median of\nits last losses; for several seeds, it is the median of "
        "these.\n\n" + HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("problem", type=_source, metavar="FILE.py", help="the problem")
    parser.add_argument(
        "--optimizers", type=optimizers, default="SGD,RMSprop,AdamW,Lion",
        metavar="NAME,NAME",
        help='the optimizers, or "all" (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        "--lr", type=rates, metavar="LR,LR",
        help="the learning rates (default: each optimizer's own one, a tenth and ten "
        "times of it)",
    )  # fmt: skip
    parser.add_argument(
        "--steps", type=positive, default=500, metavar="N",
        help="steps of each run (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--seeds", type=positive, metavar="N",
        help="runs of each optimizer at each rate (default: "
        f"{_SEEDS}; 1 if nothing takes rng)",
    )  # fmt: skip
    parser.add_argument(
        "--plot", type=picture_path, metavar="FILE.png",
        help="draw each optimizer's losses at its best rate",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the table as JSON")
    parser.set_defaults(run=_compare)


def _source(text: str) -> str:
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"there is no file {shown(text)}")
    return text


def _compare(arguments: argparse.Namespace) -> None:
    if arguments.plot:
        pictures.require()  # now, not after the runs
    problem = Problem(arguments.problem)
    seeds = arguments.seeds or (_SEEDS if problem.is_random else 1)
    kinds = {name: lrcore.optimizers.get(name) for name in arguments.optimizers}
    cases = [
        (name, lr)
        for name, kind in kinds.items()
        for lr in arguments.lr or [k * kind._fields["lr"].default for k in _FACTORS]
    ]
    results = []
    with tqdm(total=len(cases) * seeds, disable=None, leave=False) as bar:
        for name, lr in cases:
            bar.set_description(f"{name}, lr {lr:.3g}")
            losses = []
            for seed in range(seeds):
                losses.append(problem.train(kinds[name], lr, arguments.steps, seed))
                bar.update()
            results.append(Result(name, lr, losses))
    results.sort(key=lambda result: result.loss)
    if arguments.json:
        print(json.dumps(_as_json(arguments, results), indent=2))
    else:
        print("\n".join(_told(results)))
    if arguments.plot:
        lrcore.plots.compare(_best_runs(results), arguments.plot, arguments.problem)
        if not arguments.json:
            print(f"\nThe runs in a picture: {printable(arguments.plot)}")


def _as_json(arguments: argparse.Namespace, results: list[Result]) -> dict[str, Any]:
    def number(x: float) -> float | None:
        return x if math.isfinite(x) else None

    return {
        "problem": arguments.problem,
        "steps": arguments.steps,
        "results": [
            {
                "optimizer": result.optimizer,
                "lr": result.lr,
                "loss": number(result.loss),
                "losses": [number(loss) for loss in result.final],
            }
            for result in results
        ],
    }


def _told(results: list[Result]) -> Iterator[str]:
    """Give the lines of the table, and of what it says about the rates."""
    seeds = len(results[0].losses)
    wide = max(len(result.optimizer) for result in results)
    heading = f"{'':2}{'optimizer':<{max(wide, 9)}}  {'lr':>9}  {'loss':>9}"
    yield heading + (f"  {'from':>9}  {'to':>9}" if seeds > 1 else "")
    best = {id(result) for result in _best(results)}
    for result in results:
        mark = "*" if id(result) in best else ""
        line = f"{mark:2}{result.optimizer:<{max(wide, 9)}}  {result.lr:>9.3g}"
        line += f"  {_word(result.loss):>9}"
        if seeds > 1:
            low, high = min(result.final), max(result.final)
            line += f"  {_word(low):>9}  {_word(high):>9}"
        yield line
    yield ""
    yield from _notes(results, seeds)


def _word(loss: float) -> str:
    return f"{loss:.4g}" if math.isfinite(loss) else "diverged"


def _notes(results: list[Result], seeds: int) -> Iterator[str]:
    width = min(shutil.get_terminal_size().columns, 88)
    of = f"loss: median of {seeds} seeds; " if seeds > 1 else ""
    yield fill(f"{of}* the best rate of each optimizer", width)
    edges: dict[str, list[str]] = {"highest": [], "lowest": []}
    for result in _best(results):
        tried = [r.lr for r in results if r.optimizer == result.optimizer]
        if len(tried) > 1 and math.isfinite(result.loss):
            if result.lr == max(tried):
                edges["highest"].append(result.optimizer)
            elif result.lr == min(tried):
                edges["lowest"].append(result.optimizer)
    for which, names in edges.items():
        if names:
            further = "higher" if which == "highest" else "lower"
            yield fill(
                f"The {which} rate tried is the best of {', '.join(names)}: try "
                f"{further} ones (--lr) before you compare.", width,
            )  # fmt: skip


def _best(results: Sequence[Result]) -> list[Result]:
    """Return the first result of each optimizer; they are sorted by their losses."""
    best: dict[str, Result] = {}
    for result in results:
        best.setdefault(result.optimizer, result)
    return [*best.values()]


def _best_runs(results: Sequence[Result]) -> dict[str, list[float]]:
    """Return the losses of each optimizer's best rate, of the seed in the middle."""
    runs = {}
    for result in _best(results):
        order = sorted(range(len(result.final)), key=lambda k: result.final[k])
        middle = result.losses[order[(len(order) - 1) // 2]]
        runs[shortened(f"{result.optimizer}, lr {result.lr:.3g}")] = middle
    return runs
