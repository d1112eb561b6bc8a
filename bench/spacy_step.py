"""Time a step of spaCy by lrcore and by thinc's Adam: `python bench/spacy_step.py`.

Two pipelines (tok2vec, tagger, ner, textcat) learn the same made texts.  A step is
``nlp.update`` of a batch: the model's part, which is the same for both, and the
optimizer's.  They step in turns, and the order of the two changes; a line has medians
in milliseconds, and how many times as long thinc's Adam takes.
"""

import random
import sys
from statistics import median
from time import perf_counter

import spacy
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Adam, fix_random_seed

import lrcore.thinc

PIPES = ("tok2vec", "tagger", "ner", "textcat")
GIVEN = {"learn_rate": 0.001, "L2": 0.01}
KINDS = {"lrcore": lrcore.thinc.Optimizer, "thinc": Adam}


def pipeline():
    """Return an initialized pipeline with spaCy's default models, and its texts."""
    fix_random_seed(0)
    nlp = spacy.blank("en")
    for name in PIPES:
        nlp.add_pipe(name)
    texts = examples(nlp)
    nlp.initialize(lambda: texts)
    return nlp, texts


def examples(nlp, n=256):
    rng = random.Random(0)
    made = []
    for _ in range(n):
        numbers = [rng.randrange(500) for _ in range(rng.randint(8, 24))]
        about = {
            "words": [f"word{k}" for k in numbers],
            "tags": [f"T{k % 17}" for k in numbers],
            "entities": ["B-THING" if k % 7 == 0 else "O" for k in numbers],
            "cats": {
                "long": float(len(numbers) > 16),
                "short": float(len(numbers) <= 16),
            },
        }
        made.append(Example.from_dict(Doc(nlp.vocab, words=about["words"]), about))
    return made


class Timed:
    """An optimizer that adds up the seconds of its calls."""

    def __init__(self, optimizer):
        self.optimizer, self.seconds = optimizer, 0.0

    def __call__(self, *args, **given):
        begin = perf_counter()
        result = self.optimizer(*args, **given)
        self.seconds += perf_counter() - begin
        return result


class Run:
    """A pipeline and its optimizer."""

    def __init__(self, kind, averages):
        self.nlp, self.texts = pipeline()
        self.optimizer = Timed(kind(use_averages=averages, **GIVEN))
        self.whole, self.own, self.k = [], [], 0

    def step(self, size):
        batch = [self.texts[(self.k + i) % len(self.texts)] for i in range(size)]
        self.k += size
        self.optimizer.seconds = 0.0
        begin = perf_counter()
        self.nlp.update(batch, sgd=self.optimizer)
        self.whole.append(1e3 * (perf_counter() - begin))
        self.own.append(1e3 * self.optimizer.seconds)


def main(seconds=8.0):
    for averages in (False, True):
        runs = {name: Run(kind, averages) for name, kind in KINDS.items()}
        some = next(iter(runs.values()))
        for size in (4, 16):
            for run in runs.values():
                run.whole, run.own = [], []
                run.step(size)  # arrays join
                run.whole, run.own = [], []
            end, order = perf_counter() + seconds / 4, list(runs.values())
            while perf_counter() < end:
                for run in order:
                    run.step(size)
                order.reverse()
            for what in ("own", "whole"):
                took = {name: median(getattr(r, what)) for name, r in runs.items()}
                label = {"own": "optimizer", "whole": "whole step"}[what]
                line = ", ".join(f"{name} {ms:.2f}" for name, ms in took.items())
                ratio = took["thinc"] / took["lrcore"]
                kept = "with averages" if averages else "without averages"
                print(f"{label}, {size} texts, {kept}: {line} ({ratio:.1f})")
    total = sum(
        node.get_param(name).size
        for _, pipe in some.nlp.pipeline
        for node in pipe.model.walk()
        for name in node.param_names
    )
    print(f"spaCy {spacy.__version__}: {total:,} weights in the pipeline")


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
