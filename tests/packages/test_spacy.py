"""lrcore.thinc in spaCy: its config, its losses, its training loop."""

import random
import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("spacy", reason="needs spaCy: make test-packages")

import spacy
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Config, fix_random_seed

import lrcore
import lrcore.thinc

CONFIG = """
[nlp]
lang = "en"
pipeline = ["tok2vec", "tagger", "textcat"]

[components]

[components.tok2vec]
factory = "tok2vec"

[components.tok2vec.model]
@architectures = "spacy.HashEmbedCNN.v2"
pretrained_vectors = null
width = 32
depth = 1
embed_size = 300
window_size = 1
maxout_pieces = 2
subword_features = true

[components.tagger]
factory = "tagger"

[components.tagger.model]
@architectures = "spacy.Tagger.v2"

[components.tagger.model.tok2vec]
@architectures = "spacy.Tok2VecListener.v1"
width = 32

[components.textcat]
factory = "textcat"

[components.textcat.model]
@architectures = "spacy.TextCatBOW.v3"
exclusive_classes = true
length = 1024
ngram_size = 1
no_output_layer = false

[training]

[training.optimizer]
@optimizers = "Adam.v1"
L2 = 0.01
use_averages = true

[training.optimizer.learn_rate]
@schedules = "warmup_linear.v1"
warmup_steps = 5
total_steps = 50
initial_rate = 0.01
"""


def pipeline(**optimizer):
    config = Config().from_str(CONFIG)
    config["training"]["optimizer"].update(optimizer)
    return spacy.util.load_model_from_config(config, auto_fill=True)


def examples(nlp):
    """Return texts whose words tell their tags, and whose lengths tell their class."""
    rng = random.Random(0)
    made = []
    for _ in range(32):
        numbers = [rng.randrange(30) for _ in range(rng.randint(3, 12))]
        words = [f"word{k}" for k in numbers]
        about = {
            "words": words,
            "tags": ["VERB" if k % 3 else "NOUN" for k in numbers],
            "cats": {"long": float(len(words) > 7), "short": float(len(words) <= 7)},
        }
        made.append(Example.from_dict(Doc(nlp.vocab, words=words), about))
    return made


def trained(**optimizer):
    """Return losses, the optimizer, and scores with the averages."""
    fix_random_seed(0)
    nlp = pipeline(**optimizer)
    texts = examples(nlp)
    opt = nlp.initialize(lambda: texts)
    losses = []
    for k in range(12):
        found = {}
        nlp.update(texts[16 * (k % 2) :][:16], sgd=opt, losses=found)
        opt.step_schedules()
        losses.append([found["tagger"], found["textcat"]])
    with nlp.use_params(opt.averages):
        cats = [nlp(each.reference.text).cats["long"] for each in texts[:4]]
        return np.array(losses), opt, cats


def test_one_line_of_the_config_and_the_losses_are_those_of_thincs_adam():
    ours, opt, cats = trained(**{"@optimizers": "lrcore.v1"})
    theirs, _, their_cats = trained()
    assert type(opt) is lrcore.thinc.Optimizer
    assert ours[-1, 0] < ours[0, 0] / 2
    # Both round in single precision, and the network multiplies what they differ by.
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)
    np.testing.assert_allclose(cats, their_cats, rtol=1e-4)


def test_another_optimizer_with_options():
    losses, opt, _ = trained(**{
        "@optimizers": "lrcore.v1",
        "name": "Lion",
        "learn_rate": "Cosine(0.005, total=12)",
        "options": {"num_threads": 1},
    })  # fmt: skip
    assert losses[-1, 0] < losses[0, 0] / 2
    (core,) = {type(core) for core in opt.cores.values()}
    assert core is lrcore.Lion
    assert {core.num_threads for core in opt.cores.values()} == {1}


def test_the_configs_of_the_page():
    page = Path(__file__).parents[2] / "docs" / "how_to" / "coming_from_thinc.md"
    blocks = re.findall(r"```ini\n(.*?)```", page.read_text(), re.S)
    kinds = []
    for block in blocks:
        config = Config().from_str(f"[training]\n\n{block}")
        opt = spacy.util.registry.resolve(config["training"])["optimizer"]
        opt((1, "W"), np.ones(3, "f"), np.ones(3, "f"))
        kinds.append(type(opt.cores[1, "W"]))
    assert kinds == [lrcore.Adam, lrcore.Lion]


def test_the_optimizer_of_the_loop_passes_spacys_schema():
    from spacy.schemas import ConfigSchemaTraining

    nlp = pipeline(**{"@optimizers": "lrcore.v1"})
    settings = spacy.util.registry.resolve(
        nlp.config.interpolate()["training"], schema=ConfigSchemaTraining
    )
    assert type(settings["optimizer"]) is lrcore.thinc.Optimizer


def test_training_goes_on_after_the_pipeline_was_read_from_a_file(tmp_path):
    fix_random_seed(0)
    nlp = pipeline(**{"@optimizers": "lrcore.v1"})
    texts = examples(nlp)
    opt = nlp.initialize(lambda: texts)
    nlp.update(texts[:16], sgd=opt)
    nlp.to_disk(tmp_path)
    before = {key: core.param_groups[0].params for key, core in opt.cores.items()}
    nlp.from_disk(tmp_path)  # puts other arrays into the model
    nlp.update(texts[:16], sgd=opt)
    assert {opt.cores[key].t for key in before} == {2}
    for key, array in before.items():
        assert opt.cores[key].param_groups[0].params is not array
