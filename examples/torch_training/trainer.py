"""transformers' Trainer steps with lrcore's AdamW: ``optimizers=(opt, scheduler)``.

A small GPT-2 with random weights learns sentences made on the spot; nothing is loaded
from the net.  Clipping, the average of the weights and the check for NaN are part of
the step.

    python examples/torch_training/trainer.py [--steps 60]
"""

import argparse
import random
import tempfile

import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    Trainer,
    TrainingArguments,
    get_cosine_schedule_with_warmup,
)

import lrcore.torch

LETTERS = "abcdefghij ."
LENGTH = 32


class Sentences(torch.utils.data.Dataset):
    """Sentences of words that repeat a syllable."""

    def __len__(self):
        return 512

    def __getitem__(self, index):
        chance = random.Random(index)
        text = ""
        while len(text) < LENGTH:
            text += 3 * "".join(chance.sample(LETTERS[:10], 2)) + " "
        ids = torch.tensor([LETTERS.index(letter) for letter in text[:LENGTH]])
        return {"input_ids": ids, "labels": ids}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=60)
    steps = parser.parse_args().steps
    torch.manual_seed(0)
    net = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(LETTERS), n_positions=LENGTH, n_embd=32, n_layer=2, n_head=4,
            bos_token_id=0, eos_token_id=0, attn_pdrop=0, embd_pdrop=0, resid_pdrop=0,
        )
    )  # fmt: skip
    opt = lrcore.torch.AdamW(
        net.parameters(), lr=3e-3, clip_norm=1.0, ema_decay=0.9, skip_nonfinite=True
    )
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model=net,
            args=TrainingArguments(
                output_dir=folder,
                max_steps=steps,
                per_device_train_batch_size=16,
                logging_steps=max(steps // 3, 1),
                save_strategy="no",
                report_to=[],
                use_cpu=True,
                disable_tqdm=True,
                max_grad_norm=0.0,  # lrcore clips
            ),
            train_dataset=Sentences(),
            optimizers=(opt, get_cosine_schedule_with_warmup(opt, steps // 10, steps)),
        )
        trainer.train()
        losses = [log["loss"] for log in trainer.state.log_history if "loss" in log]
        with opt.averaged():
            average = trainer.evaluate(Sentences())["eval_loss"]
    print("losses", *(f"{float(loss):.3f}" for loss in losses))
    print(
        f"loss with the average of the weights {average:.3f}, after {opt.core.t} steps"
    )


if __name__ == "__main__":
    main()
