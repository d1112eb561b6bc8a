"""Trajectories of optax."""

from importlib.metadata import version
from inspect import signature

import jax
import jax.numpy as jnp
import optax

from peers import translated

VERSIONS = {name: version(name) for name in ("optax", "jax", "jaxlib")}


def sm3(learning_rate, momentum):
    """Return optax.sm3, but for a schedule."""
    scale = optax.scale_by_learning_rate(learning_rate)
    return optax.chain(optax.scale_by_sm3(momentum), scale)


def dog(learning_rate, reps_rel, weight_decay):
    """Return optax.contrib.dog, but for the name of its beginning."""
    return optax.contrib.dog(
        learning_rate, ("heuristic", reps_rel), weight_decay=weight_decay
    )


def ldog(learning_rate, reps_rel, weight_decay):
    """Return DoG of each of two arrays by itself."""
    each = {k: dog(learning_rate, reps_rel, weight_decay) for k in "ab"}
    return optax.multi_transform(each, [*each])


def sps(learning_rate, max_learning_rate, f_min):
    """Return optax.polyak_sgd as documented; it takes the norm of lr g."""
    step = optax.scale_by_polyak(f_min, max_learning_rate, variant="sps+")
    return optax.chain(step, optax.scale_by_learning_rate(learning_rate))


MECHANIC = {"mechanic_s_init": "s_init", "mechanic_decay": "weight_decay"}
NAMES = {
    "convention": None,
    "lookahead_steps": None,
    "mechanic": None,
    **dict.fromkeys(MECHANIC),
    "amsgrad": None,
    "decoupled_weight_decay": None,
    "lr": "learning_rate",
    "betas": ("b1", "b2"),
    "alpha": "decay",
}
# By lrcore's name where that is not optax's in capitals, with names of its arguments.
KINDS = {
    "NAdam": (optax.nadam, {}),
    "NAdamW": (optax.nadamw, {}),
    "SignSGD": (optax.sign_sgd, {}),
    "Signum": (optax.signum, {"momentum": "beta"}),
    "SM3": (sm3, {}),
    "Muon": (optax.contrib.muon, {"momentum": "beta"}),
    "DoG": (dog, {}),
    "LDoG": (ldog, {}),
    "DoWG": (optax.contrib.dowg, {}),
    "SPS": (sps, {"max_lr": "max_learning_rate"}),
}


def axes(row):
    make, _ = kind(row)
    return ["weight_decay"] if "weight_decay" in signature(make).parameters else []


def kind(row):
    if row.kwargs.get("amsgrad"):
        return optax.amsgrad, {}
    if row.name == "Adamax" and row.kwargs.get("decoupled_weight_decay"):
        return optax.adamaxw, {}
    if row.name in KINDS:
        return KINDS[row.name]
    return getattr(optax, row.name.lower()), {}


def run(row, options, start, grads, lrs):
    make, names = kind(row)
    table = jnp.array(lrs)
    options = {**translated(row.kwargs, NAMES | names), **options}
    opt = make(**{**options, "learning_rate": lambda count: table[count]})
    params = [jnp.array(p) for p in start]
    if "lookahead_steps" in row.kwargs:
        opt = optax.lookahead(opt, row.kwargs["lookahead_steps"], 0.5)
        params = optax.LookaheadParams.init_synced(params)
    if "mechanic" in row.kwargs:
        own = {name: row.kwargs[k] for k, name in MECHANIC.items() if k in row.kwargs}
        opt = optax.contrib.mechanize(opt, **own)
    state = opt.init(params)
    # Not compiled as a whole: an operation is then rounded as it stands here.
    with jax.disable_jit():
        for t, step_grads in enumerate(grads):
            told = {"value": lrs[t]} if row.name == "SPS" else {}
            updates, state = opt.update(
                [jnp.array(g) for g in step_grads], state, params, **told
            )
            params = optax.apply_updates(params, updates)
            yield getattr(params, "fast", params)
