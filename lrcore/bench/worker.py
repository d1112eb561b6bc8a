"""The process of one peer: ``python -m lrcore.bench.worker``, started by `apart`."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping
from functools import reduce
from typing import Any

from lrcore.bench.cases import Case, FailedError
from lrcore.bench.clock import Taker, collected
from lrcore.bench.contest import Together
from lrcore.bench.peers import Peer
from lrcore.bench.process import answers_only, send


def place(kind: type[Peer]) -> str:
    """Return where a class of peers is found."""
    return f"{kind.__module__}:{kind.__qualname__}"


def _found(place: str) -> Any:
    module, _, name = place.partition(":")
    return reduce(getattr, name.split("."), importlib.import_module(module))


class Worker:
    """Answers requests: to compare a peer with lrcore, to make it, to take a turn."""

    taker: Taker

    def disagreement(
        self, case: Mapping[str, Any], kind: str, ours: str, threads: int
    ) -> Mapping[str, Any]:
        """Answer how a peer's steps differ from ours."""
        here = Together(Case(**case))
        return {"reason": here.disagreement(_found(kind), _found(ours), threads)}

    def make(
        self, case: Mapping[str, Any], kind: str, threads: int
    ) -> Mapping[str, Any]:
        """Make the peer; answer with the fields of `Made` but its taker."""
        self.taker, *rest = Together(Case(**case)).make(_found(kind), threads)
        return {"made": rest}

    def take(self, seconds: float) -> Mapping[str, Any]:
        """Take a turn."""
        with collected():
            return {"times": self.taker.take(seconds)}


def main() -> None:
    """Answer requests until there are no more."""
    answers, worker = answers_only(), Worker()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(worker, request.pop("do"))(**request)
        except Exception as error:
            answer = {"failed": str(FailedError.of(error))}
        send(answers, answer)


if __name__ == "__main__":
    main()
