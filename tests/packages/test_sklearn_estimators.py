"""lrcore.sklearn: every optimizer, schedules, searches, copies, wrong arguments."""

import copy
import io
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from ranks import Alone

pytest.importorskip("sklearn", reason="needs scikit-learn: make test-packages")

import joblib
from sklearn.base import clone
from sklearn.datasets import load_digits, make_regression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.utils.estimator_checks import parametrize_with_checks

import lrcore
from lrcore.schedules import Cosine
from lrcore.sklearn import MLPClassifier, MLPRegressor

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning"),
]

X, Y = load_digits(return_X_y=True)
X, Y = X[:400] / 16, Y[:400]


def small(**given):
    """Return an untrained classifier of one layer of 20."""
    return MLPClassifier(
        **{"hidden_layer_sizes": 20, "random_state": 0, "max_iter": 3, **given}
    )


def same(a, b):
    arrays = zip(a.coefs_ + a.intercepts_, b.coefs_ + b.intercepts_, strict=True)
    return all(np.array_equal(x, y) for x, y in arrays)


@parametrize_with_checks([MLPClassifier(max_iter=100), MLPRegressor(max_iter=100)])
def test_check_estimator(estimator, check):
    check(estimator)


# --- optimizers and rates -------------------------------------------------------------

RATES = {
    "Adadelta": 1.0, "FTRL": 1.0, "LARS": 10.0, "SGD": 0.2, "SGDHD": 0.2, "SGDW": 0.2,
    "SGDScheduleFree": 0.5, "ASGD": 0.2, "SPS": None, "DoG": None, "DoWG": 0.3,
    "LDoG": None, "Prodigy": None, "DAdaptAdam": None, "DAdaptSGD": 0.3,
    "Adafactor": 0.3, "Adagrad": 0.05, "SM3": 0.1, "MADGRAD": 0.01, "Lion": 0.003,
    "SignSGD": 0.003, "Signum": 0.003, "Muon": 0.02,
}  # fmt: skip


@pytest.mark.parametrize("name", lrcore.optimizers.available())
def test_every_optimizer_learns(name):
    clf = small(
        optimizer=name.upper(), learning_rate_init=RATES.get(name, 0.01), max_iter=40,
        batch_size=50, n_iter_no_change=40,
    ).fit(X, Y)  # fmt: skip
    assert type(clf.optimizer_) is getattr(lrcore, name)
    assert clf.optimizer_.t == 40 * 8
    assert clf.score(X, Y) > 0.9  # untrained: 0.1


def test_a_loop_of_ones_own_makes_the_same_weights():
    """The steps of the estimator are those of the optimizer on its gradients."""
    x, y = make_regression(50, 3, random_state=0)
    given = {"hidden_layer_sizes": (), "random_state": 1, "max_iter": 9, "tol": 0.0}
    rate = Cosine(0.5, total=9).warmup(2)
    reg = MLPRegressor(
        optimizer=lrcore.AdamW, learning_rate_init=rate, shuffle=False, alpha=0.0,
        optimizer_options={
            "weight_decay": 0.1, "groups": {"intercepts.*": {"weight_decay": 0.0}},
        },
        **given,
    ).fit(x, y)  # fmt: skip
    start = MLPRegressor(learning_rate_init=1e-300, **given).fit(x, y)
    w, b = start.coefs_[0].copy(), start.intercepts_[0].copy()
    opt = lrcore.AdamW([{"params": w}, {"params": b, "weight_decay": 0.0}], lr=rate,
                       weight_decay=0.1)  # fmt: skip
    for _ in range(9):
        error = x @ w + b - y[:, np.newaxis]
        opt.step([x.T @ error / 50, error.mean(axis=0)])
    np.testing.assert_allclose(reg.coefs_[0], w, rtol=1e-12)
    np.testing.assert_allclose(reg.intercepts_[0], b, rtol=1e-12)
    assert reg.optimizer_.lr == rate(9)


def test_the_rate_of_the_class():
    assert small(optimizer="Prodigy", learning_rate_init=None).fit(
        X, Y
    ).optimizer_.lr == lrcore.Prodigy(np.zeros(1)).lr  # fmt: skip


def test_every_optimizer_heeds_learning_rate():
    given = {"tol": 9.0, "n_iter_no_change": 1, "max_iter": 6}
    clf = small(optimizer="Lion", learning_rate="adaptive", **given).fit(X, Y)
    # The first epoch is an improvement; then the rate falls after each second one.
    assert clf.optimizer_.lr == pytest.approx(0.001 / 5**2)
    falling = Cosine(0.01, total=100)
    clf = small(
        optimizer="Lion", learning_rate="adaptive", learning_rate_init=falling, **given
    ).fit(X, Y)
    assert clf.optimizer_.lr == pytest.approx(falling(clf.optimizer_.t) / 5**2)
    clf = small(optimizer="Lion", learning_rate="invscaling").fit(X, Y)
    assert clf.optimizer_.lr == pytest.approx(0.001 / (3 * 400 + 1) ** 0.5)


@pytest.mark.parametrize("law", ["adaptive", "invscaling"])
def test_groups_keep_the_ratios_of_their_rates(law):
    clf = small(
        optimizer="Lion", learning_rate=law, tol=9.0, n_iter_no_change=1, max_iter=4,
        optimizer_options={"groups": {"intercepts.*": {"lr": 0.5}}},
    ).fit(X, Y)  # fmt: skip
    clf = pickle.loads(pickle.dumps(clf)).partial_fit(X, Y)
    coefs, intercepts = (group["lr"] for group in clf.optimizer_.param_groups)
    if law == "invscaling":
        assert coefs == pytest.approx(0.001 / (clf.t_ + 1) ** 0.5)
    assert coefs < 0.001 / 4
    assert intercepts == pytest.approx(500 * coefs)


def test_partial_fit_keeps_the_law_of_the_fit():
    rate = Cosine(0.01, total=100)
    clf = small(optimizer="Lion", learning_rate_init=rate).fit(X, Y)
    clf.set_params(learning_rate="invscaling").partial_fit(X, Y)
    assert clf.optimizer_.lr == rate(clf.optimizer_.t)
    clf = small(optimizer="Lion", learning_rate="invscaling").fit(X, Y)
    clf.set_params(learning_rate_init=rate).partial_fit(X, Y)
    assert clf.optimizer_.lr == pytest.approx(0.001 / (4 * 400 + 1) ** 0.5)


def test_options_of_the_solver():
    clf = small(optimizer_options={"clip_norm": 0.01, "telemetry": True}).fit(X, Y)
    assert type(clf.optimizer_) is lrcore.Adam
    assert clf.optimizer_.report.clip < 0.5
    assert not same(clf, small().fit(X, Y))
    mixed = small(
        optimizer=lrcore.Mixed,
        optimizer_options={"optimizers": {"coefs.*": "Muon", "*": lrcore.AdamW}},
    ).fit(X, Y)
    assert [g.optimizer for g in mixed.optimizer_.param_groups] == [
        lrcore.Muon, lrcore.AdamW,
    ]  # fmt: skip


@pytest.mark.parametrize("early_stopping", [False, True])
def test_it_predicts_with_the_average(early_stopping):
    clf = small(
        optimizer_options={"ema_decay": 0.9}, learning_rate_init=0.05, max_iter=8,
        early_stopping=early_stopping,
    ).fit(X, Y)  # fmt: skip
    plain = small(
        learning_rate_init=0.05, max_iter=8, early_stopping=early_stopping
    ).fit(X, Y)
    opt = clf.optimizer_
    assert clf.loss_curve_ == plain.loss_curve_
    if early_stopping:
        assert clf.validation_scores_ != plain.validation_scores_
        clf.early_stopping = plain.early_stopping = False
    else:
        assert all(map(np.array_equal, clf.coefs_, opt.ema["coefs"]))
    assert not same(clf, plain)
    if not early_stopping:  # the params go on from where they were
        for each in (clf, plain):
            each.partial_fit(X, Y)
        assert clf.loss_curve_ == plain.loss_curve_
        assert clf.optimizer_ is opt


# --- searches and copies --------------------------------------------------------------


def test_a_grid_search_over_rates():
    search = GridSearchCV(
        small(optimizer="AdamW", max_iter=10),
        {
            "learning_rate_init": [1e-5, 0.02, Cosine(0.1, total=20)],
            "optimizer_options": [None, {"weight_decay": 0.1}],
        },
        cv=2,
        error_score="raise",
    ).fit(X, Y)
    assert search.best_params_["learning_rate_init"] != 1e-5
    assert search.best_score_ > 0.7
    assert search.cv_results_["mean_test_score"].min() < 0.5


def test_results_do_not_depend_on_processes():
    scores = [
        cross_validate(small(), X, Y, cv=3, n_jobs=n, return_estimator=True)
        for n in (1, 2)
    ]
    for a, b in zip(*(each["estimator"] for each in scores), strict=True):
        assert same(a, b)
        assert a.loss_curve_ == b.loss_curve_


def through_joblib(mlp):
    file = io.BytesIO()
    joblib.dump(mlp, file)
    file.seek(0)
    return joblib.load(file)


@pytest.mark.parametrize(
    "copied",
    [copy.deepcopy, lambda mlp: pickle.loads(pickle.dumps(mlp)), through_joblib],
    ids=["deepcopy", "pickle", "joblib"],
)
@pytest.mark.parametrize(
    "given",
    [
        {},
        {"solver": "sgd", "learning_rate": "adaptive", "tol": 9, "n_iter_no_change": 1},
        {"optimizer": "AdamWScheduleFree"},
        {"optimizer": lrcore.Lion, "learning_rate_init": Cosine(0.01, total=50)},
    ],
    ids=["adam", "adaptive", "averaged", "scheduled"],
)
def test_a_copy_goes_on_as_the_original(given, copied):
    clf = small(**given).fit(X, Y)
    clf.set_params(optimizer="Adagrad")  # of a later fit
    other = copied(clf)
    assert (other.predict(X) == clf.predict(X)).all()
    before = [w.copy() for w in clf.coefs_]
    for _ in range(2):
        other.partial_fit(X, Y)
    assert all(map(np.array_equal, before, clf.coefs_))  # nothing is shared
    for _ in range(2):
        clf.partial_fit(X, Y)
    # The random state of the fit is the copy's own.
    assert same(clf, other)
    assert type(clf.optimizer_) is type(other.optimizer_)
    assert clf.optimizer_.lr == other.optimizer_.lr


def test_a_file_that_is_mapped_read_only(tmp_path):
    clf = small(warm_start=True).fit(X, Y)
    joblib.dump(clf, tmp_path / "clf.joblib")
    for train in ("partial_fit", "fit"):
        mapped = joblib.load(tmp_path / "clf.joblib", mmap_mode="r")
        assert not mapped.coefs_[0].flags.writeable
        assert (mapped.predict(X) == clf.predict(X)).all()
        expected = getattr(copy.deepcopy(clf), train)(X, Y)
        assert same(getattr(mapped, train)(X, Y), expected)


def test_a_clone_is_untrained_and_the_repr_has_what_differs():
    clf = small(optimizer="Lion", learning_rate_init=Cosine(0.01, total=50)).fit(X, Y)
    other = clone(clf)
    assert not hasattr(other, "coefs_")
    assert repr(other) == repr(clf)
    assert "optimizer='Lion'" in repr(clf)
    assert "Cosine(base=0.01, total=50" in repr(clf)
    assert clf._repr_html_()
    assert clf.get_params()["optimizer_options"] is None


# --- wrong arguments ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"optimizer": "Adm"}, "did you mean Adam"),
        ({"optimizer": 3}, "The 'optimizer' parameter of MLPClassifier must be"),
        ({"optimizer": dict}, "optimizer: expected an optimizer of lrcore, its name"),
        ({"optimizer_options": [1]}, "The 'optimizer_options' parameter"),
        ({"optimizer_options": {"lr": 0.1}}, "give it as learning_rate_init"),
        ({"optimizer_options": {"comm": Alone()}}, "comm=.*a loop of your own"),
        ({"optimizer_options": {"betta": 0.1}}, "betta"),
        ({"optimizer": "Lion", "optimizer_options": {"eps": 1}}, "eps"),
        ({"optimizer_options": {"groups": {"coef.*": {"l2": 1.0}}}}, r"coef\.\*"),
        ({"optimizer_options": {"ema_decay": 0.9, "swa_start": 1}}, "at most one aver"),
        ({"learning_rate_init": 0.0}, "'learning_rate_init' parameter"),
        ({"learning_rate_init": "0.1"}, "'learning_rate_init' parameter"),
        ({"learning_rate_init": lambda: 0.1}, "a schedule that takes the number"),
        (
            {"learning_rate_init": abs, "solver": "sgd", "learning_rate": "invscaling"},
            "learning_rate: 'invscaling' needs numbers as learning_rate_init",
        ),
        (
            {
                "learning_rate": "invscaling",
                "optimizer": "SGD",
                "optimizer_options": {"groups": {"intercepts.*": {"lr": abs}}},
            },
            "as the lr of each group, found <built-in function abs>; use learning_rat",
        ),
        (
            {"solver": "lbfgs", "learning_rate_init": Cosine(0.01, total=9)},
            r"learning_rate_init: found Cosine\(base=0.01, total=9\) with solver='lbf",
        ),
        ({"optimizer_options": {"params": 1}}, "optimizer_options: found params=1; le"),
        ({"solver": "lbfgs", "optimizer": "SGD"}, "optimizer: found with solver='lbf"),
        ({"solver": "AdamW"}, "The 'solver' parameter of MLPClassifier must be"),
    ],
)
def test_wrong_arguments_change_nothing(given, message):
    clf = small().fit(X, Y)
    before = copy.deepcopy(clf)
    with pytest.raises((TypeError, ValueError), match=message) as told:
        clf.set_params(**given).fit(X, Y)
    assert len(str(told.value)) <= 2048
    assert same(clf, before)
    assert clf.optimizer_.t == before.optimizer_.t
    if "solver" not in given:
        with pytest.raises((TypeError, ValueError), match=message):
            small(**given).partial_fit(X, Y, classes=range(10))


def test_the_code_of_the_page_prints_what_follows_it(capsys):
    page = Path(__file__).parents[2] / "docs" / "how_to" / "coming_from_sklearn.md"
    blocks = re.findall(
        r"```python\n(.*?)```\n\n```text\n(.*?)```", page.read_text(), re.DOTALL
    )
    assert len(blocks) == 2
    names = {}
    for block, wanted in blocks:
        exec(block, names)
        assert capsys.readouterr().out == wanted


def test_an_unknown_argument_is_refused():
    with pytest.raises(TypeError, match="optimiser"):
        MLPClassifier(optimiser="SGD")
    with pytest.raises(ValueError, match="Invalid parameter 'optimiser'"):
        MLPClassifier().set_params(optimiser="SGD")


@pytest.mark.filterwarnings("ignore:(overflow|invalid value) encountered")
def test_a_run_that_diverges_is_an_error_as_in_scikit_learn():
    with pytest.raises(ValueError, match="non-finite parameter weights"):
        MLPRegressor(solver="sgd", learning_rate_init=1e9, max_iter=9).fit(X, 1e9 * Y)
