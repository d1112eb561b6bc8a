"""The command line: ``lrcore``, or ``python -m lrcore``."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

import lrcore
from lrcore._shared.words import shortened, shown
from lrcore.bench import bars, peers, report
from lrcore.bench import run as bench
from lrcore.cli import demo
from lrcore.monitor import _panels as _plot

T = TypeVar("T")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="lrcore", description="The learning-rate core for NumPy."
    )
    parser.add_argument("--version", action="version", version=lrcore.__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_demo(commands)
    _add_bench(commands)
    commands.add_parser("info", help="what was built and what is in use").set_defaults(
        run=lambda _: lrcore.show_config()
    )
    arguments = parser.parse_args(argv)
    try:
        arguments.run(arguments)
    except (ImportError, OSError, ValueError) as error:
        print(f"lrcore: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _add_demo(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "demo",
        help="learn handwritten digits, then time the optimizer",
        description="Train a two-layer NumPy network on handwritten digits, then time "
        "the optimizer beside the loop that one writes in NumPy.",
    )
    _add_optimizer(parser, list(lrcore.optimizers.available()))
    rate = parser.add_mutually_exclusive_group()
    rate.add_argument(
        "--lr", type=float, help="highest learning rate (default: the optimizer's own)"
    )
    rate.add_argument(
        "--find", action="store_true", help="find it by a range test, and show that"
    )
    parser.add_argument(
        "--epochs", type=_positive, default=30, metavar="N", help="default: %(default)s"
    )
    parser.add_argument(
        "--plot", type=_picture, metavar="FILE.png", help="draw the run"
    )
    parser.set_defaults(run=_demo)


def _demo(arguments: argparse.Namespace) -> None:
    if arguments.plot:
        _plot.require()  # now, not after the training
    demo.main(
        arguments.optimizer, arguments.lr, arguments.epochs, arguments.plot,
        arguments.find,
    )  # fmt: skip


def _add_optimizer(parser: argparse._ActionsContainer, names: list[str]) -> None:
    parser.add_argument(
        "--optimizer",
        default="AdamW",
        type=lambda text: {name.lower(): name for name in names}.get(
            text.lower(), text
        ),
        choices=names,
        metavar="NAME",
        help=f"one of {', '.join(names)} (default: %(default)s)",
    )


# --- bench ----------------------------------------------------------------------------


def _add_bench(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "bench",
        help="time the step beside other libraries'",
        description="Time an optimizer's step beside those of other libraries, as far "
        "as they are installed, in one process and in turns, and beside a loop that "
        "only moves the same memory.  Before that, each has to take the steps that "
        "lrcore takes.  bench/README.md says how the figures come about.",
    )
    what = parser.add_argument_group("what is timed")
    _add_optimizer(what, [*lrcore.optimizers.available(), "all"])
    what.add_argument(
        "--dtype", choices=("float32", "float64"), default="float32",
        help="default: %(default)s",
    )  # fmt: skip
    what.add_argument(
        "--sizes", type=_counts, default="1e3,1e4,1e6,1e7", metavar="N,N",
        help="elements, of all arrays together (default: %(default)s)",
    )  # fmt: skip
    what.add_argument(
        "--arrays", type=_counts, default="1,100", metavar="N,N",
        help="into how many arrays they are divided (default: %(default)s)",
    )  # fmt: skip
    what.add_argument(
        "--threads", type=_counts, metavar="N,N",
        help=f"at most so many threads (default: all, {peers.ALL_THREADS})",
    )  # fmt: skip
    what.add_argument(
        "--bars", action="store_true",
        help="a preset of cases instead, with the ratios that are asked of each: also "
        "the whole step (clip, update, average), telemetry, subnormal state, threads",
    )  # fmt: skip
    how = parser.add_argument_group("beside whom, and for how long")
    how.add_argument(
        "--peers", type=_peers, default=list(peers.PEERS), metavar="NAME,NAME",
        help=f"some of {', '.join(p.name for p in peers.PEERS)}, or the beginning of "
        'their names; "none" for none (default: all)',
    )  # fmt: skip
    how.add_argument(
        "--rounds", type=_positive, default=9, metavar="N",
        help="turns of each (default: %(default)s)",
    )  # fmt: skip
    how.add_argument(
        "--seconds", type=_duration, default=0.03, metavar="S",
        help="of a turn (default: %(default)s)",
    )  # fmt: skip
    out = parser.add_argument_group("what becomes of the times")
    out.add_argument("--json", type=_file, metavar="FILE", help="keep them")
    out.add_argument(
        "--plot", type=_picture, metavar="FILE.png", help="draw time against size"
    )
    out.add_argument(
        "--compare", type=_old_run, metavar="OLD.json",
        help="print the times of an earlier --json beside them, and mark what changed "
        "beyond the noise",
    )  # fmt: skip
    parser.set_defaults(run=_bench)


def _bench(arguments: argparse.Namespace) -> None:
    if arguments.plot:
        _plot.require()  # now, not after the run
    threads = arguments.threads or [peers.ALL_THREADS]
    preset = [bar for n in threads for bar in bars.bars(n)] if arguments.bars else []
    names = [arguments.optimizer]
    if arguments.optimizer == "all":
        names = list(lrcore.optimizers.available())
    cases = [bar.case for bar in preset] or [
        bench.Case("step", name, arguments.dtype, elements, arrays, n)
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
    with tqdm(total=total, disable=None, leave=False, bar_format=_BAR) as bar:

        def tick(what: str, n: int) -> None:
            bar.set_description(what, refresh=not n)
            bar.update(n)

        run = bench.run(
            cases, arguments.peers, arguments.rounds, arguments.seconds, tick
        )
    print(
        report.bars_table(run, preset, width)
        if arguments.bars
        else report.tables(run, width)
    )
    if arguments.compare:
        print(f"\n{report.compare(arguments.compare, run, width)}")
    if arguments.json:
        Path(arguments.json).write_text(report.to_json(run) + "\n")
    if arguments.plot:
        report.draw(run, arguments.plot)


_PANELS = 6
_BAR = "{desc}  {percentage:3.0f}% |{bar:12}| {elapsed}<{remaining}"


def _listed(text: str, convert: Callable[[str], T]) -> list[T]:
    return [convert(part.strip()) for part in text.split(",")]


def _counts(text: str) -> list[int]:
    def count(part: str) -> int:
        try:
            value = float(part)
        except ValueError:
            value = 0.0
        if not (value.is_integer() and 1 <= value <= 1e12):
            raise argparse.ArgumentTypeError(
                "expected whole numbers from 1 on, such as 1e3,1e6, found "
                f"{shown(part)}"
            )
        return int(value)

    return _listed(text, count)


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
            known = ", ".join(peer.name for peer in peers.PEERS)
            raise argparse.ArgumentTypeError(
                f"expected some of {known}, or none, found {shown(part)}"
            )
        return found

    wanted = {peer for few in _listed(text, named) for peer in few}
    return [peer for peer in peers.PEERS if peer in wanted]


def _duration(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1e-4 <= value <= 60:
        raise argparse.ArgumentTypeError(
            f"expected seconds from 0.0001 to 60, found {shown(text)}"
        )
    return value


def _old_run(path: str) -> bench.Run:
    try:
        return report.load(path)
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(
            f"{shortened(path)}: {shortened(str(error))}"
        ) from None


# --- arguments ------------------------------------------------------------------------


def _positive(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(
            f"expected 1 to 1,000,000, found {shown(text)}"
        )
    return int(text)


def _picture(text: str) -> str:
    if Path(text).suffix not in (".png", ".pdf", ".svg"):
        raise argparse.ArgumentTypeError(
            f"expected a .png, .pdf or .svg, found {shown(text)}"
        )
    return _file(text)


def _file(text: str) -> str:
    """Return the path of a file that can be made."""
    if not Path(text).parent.is_dir():
        raise argparse.ArgumentTypeError(
            f"there is no folder {shortened(str(Path(text).parent))}"
        )
    return text
