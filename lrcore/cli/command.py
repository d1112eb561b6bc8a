"""The command line: its commands, and `main`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import lrcore
from lrcore._shared import pictures
from lrcore.cli import demo
from lrcore.cli.arguments import add_optimizer, picture_path, positive
from lrcore.cli.bench import add_bench


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="lrcore", description="The learning-rate core for NumPy."
    )
    parser.add_argument("--version", action="version", version=lrcore.__version__)
    commands = parser.add_subparsers(metavar="COMMAND")
    _add_demo(commands)
    add_bench(commands)
    commands.add_parser("info", help="show the build and the settings").set_defaults(
        run=lambda _: lrcore.show_config()
    )
    parser.set_defaults(run=lambda _: parser.print_help())
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
    add_optimizer(parser, list(lrcore.optimizers.available()))
    rate = parser.add_mutually_exclusive_group()
    rate.add_argument(
        "--lr", type=float, help="highest learning rate (default: the optimizer's own)"
    )
    rate.add_argument(
        "--find", action="store_true", help="find it by a range test, and show that"
    )
    parser.add_argument(
        "--epochs", type=positive, default=30, metavar="N", help="default: %(default)s"
    )
    parser.add_argument(
        "--plot", type=picture_path, metavar="FILE.png", help="draw the run"
    )
    parser.set_defaults(run=_demo)


def _demo(arguments: argparse.Namespace) -> None:
    if arguments.plot:
        pictures.require()  # now, not after the training
    demo.main(
        arguments.optimizer, arguments.lr, arguments.epochs, arguments.plot,
        arguments.find,
    )  # fmt: skip
