"""The command ``lrcore info``."""

from __future__ import annotations

import argparse
import json

import lrcore


def add_info(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command ``info``."""
    parser = commands.add_parser(
        "info",
        help="show the build, the machine and the settings",
        description="Show what a bug report needs: versions, the processor, kernels, "
        "threads, the OpenMP runtimes in the process, the variables that set threads, "
        "the compiler and its flags.  In a program of your own, lrcore.show_config() "
        "shows this for that program.",
    )
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    parser.set_defaults(run=_info)


def _info(arguments: argparse.Namespace) -> None:
    if arguments.json:
        print(json.dumps(lrcore.show_config("dict"), indent=2))
    else:
        lrcore.show_config()
