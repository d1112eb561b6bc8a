"""scikit-learn's perceptrons, trained by lrcore, beside its own."""

import copy
import importlib
import sys
from functools import partial

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs scikit-learn: make test-packages")

import sklearn
from scipy import sparse
from sklearn import neural_network
from sklearn.datasets import load_diabetes, load_digits, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning

import lrcore.sklearn
from lrcore.sklearn import _estimators

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

TO_THE_ROUNDING = 1e-6  # of the issue; what is found is some 1e-15


def digits(classes=10):
    x, y = load_digits(return_X_y=True)
    return x[:600] / 16, y[:600] % classes


def diabetes():
    x, y = load_diabetes(return_X_y=True)
    return x, y / 100


def both(kind, x, y, weights=None, **given):
    """Return scikit-learn's estimator and ours, trained alike."""
    given = {"random_state": 0, "max_iter": 30, **given}
    found = [
        getattr(module, kind)(**given).fit(x, y, sample_weight=weights)
        for module in (neural_network, lrcore.sklearn)
    ]
    assert type(found[1]) is not type(found[0])
    return found


def agree(theirs, ours, tolerance=TO_THE_ROUNDING):
    assert ours.loss_curve_ == pytest.approx(theirs.loss_curve_, abs=tolerance)
    assert len(ours.loss_curve_) > 1
    assert (ours.n_iter_, ours.t_) == (theirs.n_iter_, theirs.t_)
    if theirs.early_stopping:
        assert ours.validation_scores_ == pytest.approx(theirs.validation_scores_)
        assert ours.best_validation_score_ == pytest.approx(
            theirs.best_validation_score_
        )
        assert ours.best_loss_ is None
    else:
        assert ours.best_loss_ == pytest.approx(theirs.best_loss_, abs=tolerance)
    for name in ("coefs_", "intercepts_"):
        for a, b in zip(getattr(ours, name), getattr(theirs, name), strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_allclose(a, b, atol=tolerance)


classifiers = partial(both, "MLPClassifier")
regressors = partial(both, "MLPRegressor")


# --- the losses of scikit-learn -------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"alpha": 0.0, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-4},
        {"alpha": 1.0, "hidden_layer_sizes": (20, 10), "batch_size": 70},
        {"hidden_layer_sizes": (), "learning_rate_init": 0.1},
        {"hidden_layer_sizes": 7, "shuffle": False},
        {"activation": "tanh"},
        {"activation": "logistic", "hidden_layer_sizes": (20, 10)},
        {"activation": "identity"},
        {"early_stopping": True, "learning_rate_init": 0.01, "n_iter_no_change": 3},
        {"learning_rate": "adaptive", "tol": 1.0, "n_iter_no_change": 2},
        {"solver": "sgd", "learning_rate_init": 0.1},
        {"solver": "sgd", "learning_rate_init": 0.1, "nesterovs_momentum": False},
        {"solver": "sgd", "learning_rate_init": 0.1, "momentum": 0.0},
        {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 1.0},
        {
            "solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.2,
            "tol": 0.05, "n_iter_no_change": 1,
        },
    ],
    ids=lambda given: "-".join(f"{k}={v}" for k, v in given.items()) or "defaults",
)  # fmt: skip
def test_the_losses_are_those_of_scikit_learn(given):
    agree(*classifiers(*digits(), **given))


@pytest.mark.parametrize("classes", [2, 10])
def test_probabilities_of_0_and_1(classes):
    x, y = digits(classes)
    theirs, ours = classifiers(1e4 * x, y, max_iter=3, learning_rate_init=1e-6)
    agree(theirs, ours)
    assert ours.loss_ > 5  # -log 2^-52 is 36
    assert {0.0, 1.0} < {*ours.predict_proba(1e4 * x).ravel()}


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_over_many_epochs(solver):
    theirs, ours = classifiers(
        *digits(3), solver=solver, learning_rate_init=0.02, max_iter=150, tol=0.0,
        hidden_layer_sizes=30,
    )  # fmt: skip
    agree(theirs, ours)
    assert ours.n_iter_ == 150
    assert ours.loss_ < ours.loss_curve_[0] / 10


def test_two_classes_and_several_labels():
    agree(*classifiers(*digits(2), max_iter=10))
    agree(*classifiers(*make_multilabel_classification(random_state=0)))
    named = np.array(["a", "b", "c"])
    x, y = digits(3)
    theirs, ours = classifiers(x, named[y], max_iter=5)
    agree(theirs, ours)
    assert (ours.classes_ == named).all()
    assert (ours.predict(x) == theirs.predict(x)).all()
    np.testing.assert_allclose(ours.predict_proba(x), theirs.predict_proba(x))
    np.testing.assert_allclose(
        ours.predict_log_proba(x), theirs.predict_log_proba(x), atol=1e-9
    )


@pytest.mark.parametrize(
    "given", [{}, {"loss": "poisson"}, {"early_stopping": True, "batch_size": 131}]
)
def test_regression(given):
    x, y = diabetes()
    given = {"max_iter": 10, **given}
    agree(*regressors(x, y, **given))
    agree(*regressors(x, np.column_stack([y, 3 - y / 3]), **given))


def test_weights_of_samples():
    weights = np.random.default_rng(0).uniform(0.1, 2.0, 600)
    agree(*classifiers(*digits(), weights, max_iter=5))
    agree(*classifiers(*digits(2), weights, early_stopping=True, max_iter=5))
    theirs, ours = regressors(*diabetes(), weights[:442], max_iter=5)
    agree(theirs, ours)
    assert ours.fit(*diabetes()).loss_ != theirs.loss_
    weights[7] = 0
    with pytest.raises(ZeroDivisionError, match="sample_weight: the weights of a bat"):
        lrcore.sklearn.MLPRegressor(batch_size=1).fit(*diabetes(), weights[:442])


def test_sparse_samples():
    x, y = digits()
    for form in (sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array):
        agree(*classifiers(form(x), y, max_iter=3))
    agree(*classifiers(sparse.csr_matrix(x), y, max_iter=3, shuffle=False))
    agree(*classifiers(sparse.csr_matrix(x), y, max_iter=3, early_stopping=True))


def test_samples_in_float32_and_in_columns():
    x, y = digits()
    theirs, ours = classifiers(x.astype(np.float32), y, max_iter=5)
    assert ours.coefs_[0].dtype == np.float32
    assert ours.optimizer_.state[0]["m"].dtype == np.float32
    # Both round to float32 in each of 15 steps, in which weights move by some 1e-3.
    agree(theirs, ours, 1e-4)
    x, y = diabetes()
    theirs, ours = regressors(x.astype(np.float32), y, max_iter=5)
    agree(theirs, ours, 1e-4)
    agree(*regressors(np.asfortranarray(x), y))
    agree(*regressors(x[:, ::2], y))


# --- going on -------------------------------------------------------------------------


def test_partial_fit_reduces_the_rate():
    given = {
        "solver": "sgd", "learning_rate": "adaptive", "tol": 9.0,
        "n_iter_no_change": 1, "random_state": 0, "learning_rate_init": 0.1,
    }  # fmt: skip
    pair = [module.MLPRegressor(**given) for module in (neural_network, lrcore.sklearn)]
    for _ in range(6):
        for each in pair:
            each.partial_fit(*diabetes())
    agree(*pair)
    assert pair[1].optimizer_.lr == pytest.approx(0.1 / 5**2)


def test_partial_fit():
    x, y = digits()
    pair = [
        module.MLPClassifier(random_state=0)
        for module in (neural_network, lrcore.sklearn)
    ]
    for start in (0, 200, 400, 0):
        for each in pair:
            part = slice(start, start + 200)
            each.partial_fit(x[part], y[part], classes=np.arange(10))
    agree(*pair)
    assert pair[1].optimizer_.t == 4
    assert pair[1].n_iter_ == 1
    pair = [
        module.MLPRegressor(random_state=0)
        for module in (neural_network, lrcore.sklearn)
    ]
    weights = np.linspace(0.5, 1.0, 442)
    for _ in range(3):
        for each in pair:
            each.partial_fit(*diabetes(), sample_weight=weights)
    agree(*pair)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_warm_start_and_fit_then_partial_fit(solver):
    theirs, ours = classifiers(
        *digits(), warm_start=True, solver=solver, learning_rate="invscaling",
        max_iter=4, learning_rate_init=0.05,
    )  # fmt: skip
    for each in (theirs, ours):
        each.fit(*digits())
        each.partial_fit(*digits())
    agree(theirs, ours)
    assert len(ours.loss_curve_) == 9


def test_weights_that_were_set_are_those_that_go_on():
    theirs, ours = classifiers(*digits(), max_iter=3)
    for each in (theirs, ours):
        each.coefs_[0][:3] = 0.5
        each.intercepts_ = [b + 1 for b in each.intercepts_]
        each.partial_fit(*digits())
    agree(theirs, ours)


def test_weights_that_were_replaced_are_those_that_go_on():
    theirs, ours = classifiers(*digits(), max_iter=3)
    for each in (theirs, ours):
        for _ in range(2):
            each.coefs_[1] = each.coefs_[1] * 0.5
            each.intercepts_[0] = each.intercepts_[0] + 1
            each.partial_fit(*digits())
    agree(theirs, ours)


def test_samples_of_another_dtype_go_on_in_that_of_the_first():
    x, y = digits()
    for first, then in (("f", "d"), ("d", "f")):
        theirs, ours = classifiers(x.astype(first), y, max_iter=3, warm_start=True)
        for each in (theirs, ours):
            each.partial_fit(x.astype(then), y)
            each.fit(x.astype(then), y)
        agree(theirs, ours, 1e-4)  # as in the test above


def test_a_warm_start_takes_arrays_of_any_kind():
    theirs, ours = classifiers(*digits(), max_iter=3, warm_start=True)
    for each in (theirs, ours):
        each.coefs_[0] = np.asfortranarray(each.coefs_[0])
        each.coefs_[1] = np.repeat(each.coefs_[1], 2, axis=1)[:, ::2]
        each.fit(*digits())
    agree(theirs, ours)
    for a in ours.coefs_:
        a.flags.writeable = False
    ours.fit(*digits())
    assert ours.coefs_[0].flags.writeable


def test_early_stopping_then_partial_fit():
    theirs, ours = classifiers(
        *digits(), early_stopping=True, learning_rate_init=0.05, n_iter_no_change=2
    )
    for each in (theirs, ours):
        each.set_params(early_stopping=False).fit(*digits())
    agree(theirs, ours)
    ours.set_params(early_stopping=True)
    with pytest.raises(ValueError, match="early_stopping: found True, which partial"):
        ours.partial_fit(*digits())


def test_lbfgs_is_scikit_learns():
    theirs, ours = regressors(*diabetes(), solver="lbfgs", max_iter=20)
    assert ours.loss_ == theirs.loss_
    assert not hasattr(ours, "optimizer_")


def test_lbfgs_leaves_no_optimizer_of_an_earlier_fit():
    ours = lrcore.sklearn.MLPRegressor(max_iter=3).fit(*diabetes())
    ours.set_params(solver="lbfgs", hidden_layer_sizes=5).fit(*diabetes())
    assert not hasattr(ours, "optimizer_")
    copy.deepcopy(ours).predict(diabetes()[0])
    before = [w.copy() for w in ours.coefs_]
    ours.set_params(solver="adam").partial_fit(*diabetes())
    assert ours.optimizer_.t == 3  # 442 samples, 200 in a batch
    for a, b in zip(ours.coefs_, before, strict=True):
        np.testing.assert_allclose(a, b, atol=3 * 0.001 * 1.1)


# --- what is said ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {"solver": "sgd", "learning_rate": "adaptive", "tol": 9.0, "max_iter": 60},
        {"tol": 9.0},
        {"early_stopping": True, "max_iter": 5},
    ],
)
def test_verbose_prints_the_lines_of_scikit_learn(given, capsys):
    classifiers(*digits(), verbose=True, n_iter_no_change=2, **given)
    out = capsys.readouterr().out.splitlines()
    assert len(out) > 4
    assert out[: len(out) // 2] == out[len(out) // 2 :]


@pytest.mark.filterwarnings("default")
def test_warnings():
    x, y = digits()
    clf = lrcore.sklearn.MLPClassifier(max_iter=1)
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(1\)") as told:
        clf.fit(x, y)
    assert told[0].filename == __file__
    clf = lrcore.sklearn.MLPClassifier(batch_size=700, max_iter=1)
    with pytest.warns(UserWarning, match="batch_size: found 700 with 600") as told:
        clf.partial_fit(x, y, classes=range(10))
    assert told[0].filename == __file__


@pytest.mark.filterwarnings("default")
def test_an_interrupt_ends_the_run(monkeypatch):
    x, y = digits()
    clf = lrcore.sklearn.MLPClassifier(random_state=0, max_iter=9)
    run_epoch = type(clf)._run_epoch

    def interrupted(self, *given):
        if self.n_iter_ == 3:
            raise KeyboardInterrupt
        run_epoch(self, *given)

    monkeypatch.setattr(type(clf), "_run_epoch", interrupted)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        clf.fit(x, y)
    assert (clf.n_iter_, len(clf.loss_curve_)) == (3, 3)


def test_without_scikit_learn_it_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "lrcore.sklearn")
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ImportError, match=r'pip install "lrcore\[sklearn\]"'):
        import lrcore.sklearn  # noqa: F401


HOOKED = neural_network.MLPClassifier.__mro__[2]  # BaseMultilayerPerceptron


@pytest.mark.parametrize(
    "name", ["_fit", "_fit_lbfgs", "_fit_stochastic", "_update_no_improvement_count"]
)
def test_a_scikit_learn_without_a_hook_is_refused_at_import(name, monkeypatch):
    monkeypatch.delattr(HOOKED, name)
    with pytest.raises(ImportError) as told:
        importlib.reload(_estimators)
    said = str(told.value)
    assert said.startswith(f"MLPClassifier has no {name!r}; lrcore.sklearn does not")
    assert sklearn.__version__ in said


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_training_by_the_loop_of_scikit_learn_is_an_error(method, monkeypatch):
    monkeypatch.delattr(_estimators.Trained, "_fit_stochastic")
    reg = lrcore.sklearn.MLPRegressor(optimizer="Lion", max_iter=2)
    with pytest.raises(RuntimeError, match="MLPRegressor: scikit-learn has trained by"):
        getattr(reg, method)(*diabetes())
    assert reg.t_ > 0
