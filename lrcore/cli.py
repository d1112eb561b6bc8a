"""The command line: ``lrcore``, or ``python -m lrcore``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import lrcore
from lrcore import _plot, demo


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="lrcore", description="The learning-rate core for NumPy."
    )
    parser.add_argument("--version", action="version", version=lrcore.__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_demo(commands)
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
    names = list(lrcore.optimizers.available())
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
    parser.add_argument(
        "--lr", type=float, help="highest learning rate (default: the optimizer's own)"
    )
    parser.add_argument(
        "--epochs", type=_positive, default=30, metavar="N", help="default: %(default)s"
    )
    parser.add_argument(
        "--plot", type=_picture, metavar="FILE.png", help="draw loss and learning rate"
    )
    parser.set_defaults(run=_demo)


def _demo(arguments: argparse.Namespace) -> None:
    if arguments.plot:
        _plot.require()  # now, not after the training
    demo.main(arguments.optimizer, arguments.lr, arguments.epochs, arguments.plot)


def _positive(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"expected 1 to 1,000,000, found {text!r}")
    return int(text)


def _picture(text: str) -> str:
    if Path(text).suffix not in (".png", ".pdf", ".svg"):
        raise argparse.ArgumentTypeError(
            f"expected a .png, .pdf or .svg, found {text!r}"
        )
    if not Path(text).parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {Path(text).parent}")
    return text
