"""Finders of learning rates, as entrants of finder.py: ours, and other libraries'.

An entrant is a function of a case, which has

    case.begin(lr=1e-3)              new params and their optimizer, the same each time
    case.loss_and_grad(params, b)    the loss of a batch and its gradients, counted
    case.batches()                   an endless iterator of batches, the same each time
    case.steps                       the number of steps of the training to come
    case.schedule                    None, or the schedule to come: step -> a share
    case.score                       None, or (params) -> a number that is higher where
                                     they are better, if the loss does not tell

and returns {row of the table: rate}; NaN where it has no suggestion.  In the place of a
rate, a function (params, steps) -> optimizer trains by another optimizer.  An entry may
also be (rate, confidence).
"""

import numpy as np

import lrcore

RATES = [float(f"{10 ** (k / 2):.3g}") for k in range(-10, 3)]


def found(case, **more):
    """Return the result of our finder; the optimizer's rate is 1e-3 before."""
    params, opt = case.begin()
    if case.score is not None:
        more["score"] = lambda: case.score(params)
    if case.schedule is not None:
        more["schedule"] = case.schedule
    return lrcore.lr_find(
        opt, lambda batch: case.loss_and_grad(params, batch), case.batches,
        total=case.steps, **more,
    )  # fmt: skip


def lr_find(case):
    test = found(case)
    return {"lr_find": (test.suggestion, test.confidence)}


def lr_find_sweep(case):
    """The sweep alone, and each rule."""
    test = found(case, trial_steps=0)
    alone = {"lr_find, trial_steps=0": (test.suggestion, test.confidence)}
    read = {f"{name} alone": np.nan for name in ("valley", "slide", "minimum", "steep")}
    return alone | read | {f"{k} alone": lr for k, lr in test.suggestions.items()}


# --- other libraries ------------------------------------------------------------------


def sweep(case, start, end, num=100):
    """Return rates and losses of a plain sweep, up to the first that is not finite."""
    params, opt = case.begin(start)
    batches, losses = case.batches(), []
    rates = np.geomspace(start, end, num)
    for lr in rates:
        opt.lr = float(lr)
        loss, grads = case.loss_and_grad(params, next(batches))
        losses.append(loss)
        if not np.isfinite(loss):
            break
        opt.step(grads)
    return rates[: len(losses)], np.array(losses)


def smoothed(losses, share, debiased, stop):
    """Return moving averages, in which the newest loss has the weight `share`.

    They end with the first that is above `stop` times the best.
    """
    average, best, out = (0.0 if debiased else losses[0]), np.inf, []
    for k, loss in enumerate(losses):
        average += share * (loss - average)
        out.append(average / (1 - (1 - share) ** (k + 1)) if debiased else average)
        best = min(best, out[-1])
        if out[-1] > stop * best:
            break
    return np.array(out)


def inner(lrs, losses, last):
    """Return rates and losses without the first 10 points and the last."""
    kept = slice(10, max(10, len(losses) - last))
    return lrs[kept], losses[kept]


def fastai(case):
    """The suggestions of fastai 2.8, by its four rules."""
    lrs, losses = sweep(case, 1e-7, 10)
    losses = smoothed(losses, 0.02, True, 4)
    lrs, losses = inner(lrs, losses, 5)
    if bad := np.flatnonzero(np.isnan(losses)).tolist():
        lrs, losses = lrs[: bad[0]], losses[: bad[0]]
    n = len(losses)
    if n < 17:
        return dict.fromkeys(
            (f"fastai {name}" for name in ("valley", "slide", "minimum", "steep")),
            np.nan,
        )
    length, end, begin = [1] * n, 0, 0
    for i in range(1, n):
        for j in range(i):
            if losses[i] < losses[j] and length[i] < length[j] + 1:
                length[i] = length[j] + 1
            if length[end] < length[i]:
                end, begin = i, i - length[i]
    third = (end - begin) / 3
    slope, left = np.gradient(losses), n - 16
    slid = lrs[left]
    while left >= 0 and abs(slope[left + 15] - slope[left]) > 0.005:
        slid, left = lrs[left], left - 1
    return {
        "fastai valley": lrs[begin + int(third) + int(third / 2)],
        "fastai slide": slid,
        "fastai minimum": lrs[losses.argmin()] / 10,
        "fastai steep": lrs[(np.diff(losses) / np.diff(np.log(lrs))).argmin()],
    }


def lightning(case):
    """The steepest point, by lr (Lightning 2.6) and by index (before)."""
    lrs, losses = sweep(case, 1e-8, 1)
    losses = smoothed(losses, 0.02, True, 4)
    lrs, losses = inner(lrs, losses, 1)
    lrs, losses = lrs[np.isfinite(losses)], losses[np.isfinite(losses)]
    if len(lrs) < 2:
        return {"Lightning 2.6": np.nan, "Lightning 2.0": np.nan}
    return {
        "Lightning 2.6": lrs[np.gradient(losses, lrs).argmin()],
        "Lightning 2.0": lrs[np.gradient(losses).argmin()],
    }


def torch_lr_finder(case):
    """The steepest point by index (torch-lr-finder 0.2.2)."""
    lrs, losses = sweep(case, 1e-7, 10)
    losses = smoothed(losses, 0.05, False, 5)
    lrs, losses = inner(lrs, losses, 5)
    if len(lrs) < 2:
        return {"torch-lr-finder": np.nan}
    return {"torch-lr-finder": lrs[np.gradient(losses).argmin()]}


# --- without a finder -----------------------------------------------------------------


def grid(case):
    """Whole trainings at 13 rates; the least mean of the last fifth of the losses."""
    ends = []
    for lr in RATES:
        params, opt = case.begin(lr)
        batches, losses = case.batches(), []
        for step in range(case.steps):
            if case.schedule is not None:
                opt.lr = lr * case.schedule(step)
            loss, grads = case.loss_and_grad(params, next(batches))
            opt.step(grads)
            losses.append(loss)
        tail = np.array(losses[-max(1, case.steps // 5) :])
        tail = tail[np.isfinite(tail)]
        end = -case.score(params) if case.score else tail.sum() / max(1, len(tail))
        ends.append(
            end if np.isfinite(end) and len(tail) > case.steps // 10 else np.inf
        )
    return {"grid of 13 rates": RATES[int(np.argmin(ends))]}


def default(case):
    """The optimizer's default rate."""
    params, opt = case.begin()
    return {"the default rate": type(opt)(params).lr}


def rate_free(_):
    """Optimizers that find their rate, in the place of the case's optimizer."""
    return {
        "Prodigy": lambda params, _: lrcore.Prodigy(params),
        "DoG": lambda params, _: lrcore.DoG(params),
        "DAdaptAdam": lambda params, _: lrcore.DAdaptAdam(params),
        "AdamW, Mechanic": lambda params, _: lrcore.AdamW(params, 1.0, mechanic=True),
    }


ENTRANTS = (
    lr_find, lr_find_sweep, fastai, lightning, torch_lr_finder, grid, rate_free, default
)  # fmt: skip
