"""How long does a fit of lrcore.sklearn take beside scikit-learn's?

    python bench/sklearn_fit.py [--seconds 0.5] [--rounds 5] [--samples 100,1000]

Both fit the same samples, with Adam and the same seed, in turns; a fit has as many
epochs as take scikit-learn some --seconds.  Printed are the medians of milliseconds per
epoch, and the median over the rounds of the ratio, ours by theirs.
"""

import argparse
import warnings
from statistics import median
from time import perf_counter

import numpy as np
from sklearn import neural_network

import lrcore.sklearn

FEATURES = {100: 20, 1000: 20, 10_000: 50, 100_000: 100}


def samples(kind, rows, features):
    random = np.random.default_rng(0)
    x = random.normal(size=(rows, features))
    y = x @ random.normal(size=features) / features**0.5
    return x, y if kind == "MLPRegressor" else np.digitize(y, [-1.0, 0.0, 1.0])


def timed(module, kind, x, y, epochs, **given):
    mlp = getattr(module, kind)(
        max_iter=epochs, n_iter_no_change=np.inf, random_state=0, **given
    )
    start = perf_counter()
    mlp.fit(x, y)
    return (perf_counter() - start) / epochs, mlp.loss_


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--samples", default=",".join(map(str, FEATURES)))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # of ends at max_iter
    print("| estimator | samples | hidden | batch | scikit-learn | lrcore | ratio |")
    print("|---|---|---|---|---|---|---|")
    for kind in ("MLPClassifier", "MLPRegressor"):
        for rows in map(int, arguments.samples.split(",")):
            for hidden in (10, 100):
                for batch in ("auto", 32):
                    given = {"hidden_layer_sizes": hidden, "batch_size": batch}
                    x, y = samples(kind, rows, FEATURES[rows])
                    row(kind, x, y, given, arguments)


def row(kind, x, y, given, arguments):
    first, _ = timed(neural_network, kind, x, y, 1, **given)
    epochs = max(1, round(arguments.seconds / first))
    times = []
    for _ in range(arguments.rounds):
        theirs, a = timed(neural_network, kind, x, y, epochs, **given)
        ours, b = timed(lrcore.sklearn, kind, x, y, epochs, **given)
        assert abs(a - b) < 1e-6, (a, b)
        times.append((theirs, ours))
    theirs, ours = (median(each) for each in zip(*times, strict=True))
    ratio = median(b / a for a, b in times)
    print(
        f"| {kind} | {x.shape[0]:,} x {x.shape[1]} | {given['hidden_layer_sizes']} | "
        f"{given['batch_size']} | {theirs * 1e3:.3g} ms | {ours * 1e3:.3g} ms | "
        f"{ratio:.2f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
