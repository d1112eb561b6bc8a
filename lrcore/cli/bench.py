"""The command ``lrcore bench``."""

from __future__ import annotations

import argparse
import shutil
import sys

from tqdm import tqdm

import lrcore
from lrcore._shared import files, pictures
from lrcore._shared.words import shortened, shown
from lrcore.bench import bars, comparison, neighbours, peers, picture, report, saved
from lrcore.bench.cases import Case, Run
from lrcore.bench.run import run as run_cases
from lrcore.cli.arguments import (
    add_optimizer,
    counts,
    duration,
    file,
    listed,
    picture_path,
    positive,
)

_PANELS = 6
_BAR = "{desc}  {percentage:3.0f}% |{bar:12}| {elapsed}<{remaining}"


def add_bench(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command ``bench``."""
    parser = commands.add_parser(
        "bench",
        help="time the step of lrcore and of other libraries",
        description="Time the step of an optimizer in lrcore and in those other "
        "libraries that are installed, in turns, and also a loop that only moves the "
        "same memory.  Each library must first take the same steps as lrcore.  "
        "bench/README.md says how the figures are measured.",
    )
    what = parser.add_argument_group("what to time")
    add_optimizer(what, [*lrcore.optimizers.available(), "all"])
    what.add_argument(
        "--dtype", choices=("float32", "float64"), default="float32",
        help="default: %(default)s",
    )  # fmt: skip
    what.add_argument(
        "--sizes", type=counts, default="1e3,1e4,1e6,1e7", metavar="N,N",
        help="numbers of elements, in all arrays together (default: %(default)s)",
    )  # fmt: skip
    what.add_argument(
        "--arrays", type=counts, default="1,100", metavar="N,N",
        help="numbers of arrays that share the elements (default: %(default)s)",
    )  # fmt: skip
    what.add_argument(
        "--threads", type=counts, metavar="N,N",
        help=f"largest numbers of threads (default: all, {peers.ALL_THREADS})",
    )  # fmt: skip
    what.add_argument(
        "--bars", action="store_true",
        help="time a preset of cases instead, each with a target ratio: also the whole "
        "step (clip, update, average), telemetry, subnormal state, threads; with "
        "--neighbours, two threads and one",
    )  # fmt: skip
    what.add_argument(
        "--neighbours", type=_neighbours, default=[None], metavar="WHAT:N,...",
        help="other work on the machine: spin:N for N processes that spin, step:N for "
        "N that step with torch (with lrcore if torch is missing), none for none; each "
        "library then has a process of its own, and the quantiles of its calls are "
        "printed (default: all libraries in one process, without other work)",
    )  # fmt: skip
    how = parser.add_argument_group("what to compare with, and for how long")
    how.add_argument(
        "--peers", type=_peers, default=list(peers.PEERS), metavar="NAME,NAME",
        help=f"libraries, or the beginnings of their names: "
        f"{'; '.join(p.name for p in peers.PEERS)}; or none (default: all)",
    )  # fmt: skip
    how.add_argument(
        "--rounds", type=positive, default=9, metavar="N",
        help="turns of each library (default: %(default)s)",
    )  # fmt: skip
    how.add_argument(
        "--seconds", type=duration, metavar="S",
        help="length of a turn (default: 0.03; with --neighbours 0.3)",
    )  # fmt: skip
    out = parser.add_argument_group("output")
    out.add_argument("--json", type=file, metavar="FILE", help="save the times")
    out.add_argument(
        "--plot", type=picture_path, metavar="FILE.png", help="draw time against size"
    )
    out.add_argument(
        "--compare", type=_old_run, metavar="OLD.json",
        help="also print the times of an earlier --json, and mark changes that are "
        "larger than the noise",
    )  # fmt: skip
    parser.set_defaults(run=_bench)


def _bench(arguments: argparse.Namespace) -> None:
    if arguments.plot:
        pictures.require()  # now, not after the run
    threads = arguments.threads or [peers.ALL_THREADS]
    preset = [
        bar
        for beside in arguments.neighbours
        for n in threads
        for bar in (bars.bars(n) if beside is None else bars.beside(beside, n))
        if arguments.bars
    ]
    names = [arguments.optimizer]
    if arguments.optimizer == "all":
        names = list(lrcore.optimizers.available())
    cases = [bar.case for bar in preset] or [
        Case("step", name, arguments.dtype, elements, arrays, n, beside)
        for beside in arguments.neighbours
        for name in names
        for n in threads
        for arrays in arguments.arrays
        for elements in arguments.sizes
    ]
    panels = len({case._replace(elements=0) for case in cases})
    if arguments.plot and (arguments.bars or panels > _PANELS):
        raise ValueError(
            f"--plot: draws sizes of at most {_PANELS} pairings of optimizer, arrays "
            "and threads; name fewer, and leave out --bars"
        )
    width = shutil.get_terminal_size().columns
    total = len(cases) * (arguments.rounds + 1)
    hidden = sys.stderr is None or None  # None: unless it is a terminal
    with tqdm(total=total, disable=hidden, leave=False, bar_format=_BAR) as bar:

        def tick(what: str, n: int) -> None:
            bar.set_description(what, refresh=not n)
            bar.update(n)

        length = arguments.seconds or (0.03 if arguments.neighbours == [None] else 0.3)
        run = run_cases(cases, arguments.peers, arguments.rounds, length, tick)
    if not run.results:
        reasons = "; ".join(report.without_result(run.left_out))
        raise ValueError(f"no case could be timed: {reasons}")
    print(
        report.bars_table(run, preset, width)
        if arguments.bars
        else report.tables(run, width)
    )
    if arguments.compare:
        print(f"\n{comparison.compare(arguments.compare, run, width)}")
    if arguments.json:
        with files.replacing(arguments.json) as out:
            out.write(f"{saved.to_json(run)}\n".encode())
    if arguments.plot:
        picture.draw(run, arguments.plot)


def _peers(text: str) -> list[type[peers.Peer]]:
    if text == "none":
        return []

    def named(part: str) -> list[type[peers.Peer]]:
        wanted = part.lower().replace("-", " ")
        found = [
            peer
            for peer in peers.PEERS
            if wanted and peer.name.lower().replace("-", " ").startswith(wanted)
        ]
        if not found:
            known = "; ".join(peer.name for peer in peers.PEERS)
            raise argparse.ArgumentTypeError(
                f"expected some of {known}; or none, found {shown(part)}"
            )
        return found

    wanted = {peer for few in listed(text, named) for peer in few}
    return [peer for peer in peers.PEERS if peer in wanted]


def _neighbours(text: str) -> list[str]:
    def known(part: str) -> str:
        try:
            neighbours.parsed(part)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{error}, found {shown(part)}") from None
        return part

    return listed(text, known)


def _old_run(path: str) -> Run:
    try:
        return saved.load(path)
    except FileNotFoundError:
        raise argparse.ArgumentTypeError(f"there is no file {shown(path)}") from None
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(
            f"{shortened(path)}: {shortened(str(error))}"
        ) from None
