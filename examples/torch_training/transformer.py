"""A small transformer learns text made on the spot, with torch's AdamW and lrcore's.

The text is sentences of a small grammar.  The same network is trained three times on
the same batches: with the loop of torch.optim.AdamW, with its fused kernel, and with
lrcore.torch.AdamW.  The script prints the last loss of each, and the largest difference
of the losses from those of torch's loop.

    python examples/torch_training/transformer.py [--dtype float64] [--steps 200]
"""

import argparse
import random

import torch

import lrcore.torch

WORDS = {
    "who": ["the cat", "a dog", "my neighbour", "the old king", "nobody"],
    "does": ["sees", "paints", "follows", "remembers", "forgets"],
    "what": ["the moon", "a blue door", "his brother", "the long road", "a song"],
}
LENGTH, BATCH, WIDTH = 32, 16, 32


def make_text(sentences=2000):
    chance = random.Random(0)
    return " ".join(
        " ".join(chance.choice(words) for words in WORDS.values()) + "."
        for _ in range(sentences)
    )


class Transformer(torch.nn.Module):
    """Two layers of attention that predict the next letter."""

    def __init__(self, letters):
        super().__init__()
        self.letter = torch.nn.Embedding(letters, WIDTH)
        self.place = torch.nn.Embedding(LENGTH, WIDTH)
        layer = torch.nn.TransformerEncoderLayer(
            WIDTH, nhead=4, dim_feedforward=4 * WIDTH, dropout=0.0, batch_first=True
        )
        self.layers = torch.nn.TransformerEncoder(layer, 2)
        self.head = torch.nn.Linear(WIDTH, letters)

    def forward(self, text):
        mask = torch.nn.Transformer.generate_square_subsequent_mask(
            LENGTH, dtype=self.head.weight.dtype
        )
        x = self.letter(text) + self.place(torch.arange(LENGTH))
        return self.head(self.layers(x, mask, is_causal=True))


def train(make_optimizer, data, letters, steps):
    """Return the losses of a run; the network and the batches are always the same."""
    torch.manual_seed(0)
    net = Transformer(letters)
    opt = make_optimizer(net.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(opt, steps)
    chance = torch.Generator().manual_seed(1)
    losses = []
    for _ in range(steps):
        begins = torch.randint(len(data) - LENGTH, (BATCH,), generator=chance)
        text = torch.stack([data[i : i + LENGTH + 1] for i in begins.tolist()])
        logits = net(text[:, :-1])
        loss = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), text[:, 1:].flatten()
        )
        opt.zero_grad()
        loss.backward()
        opt.step()
        schedule.step()
        losses.append(loss.item())
    return losses


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float64")
    parser.add_argument("--steps", type=int, default=200)
    given = parser.parse_args()
    torch.set_default_dtype(getattr(torch, given.dtype))
    text = make_text()
    alphabet = sorted(set(text))
    data = torch.tensor([alphabet.index(letter) for letter in text])
    makers = {
        "torch's loop": lambda p, lr: torch.optim.AdamW(p, lr, foreach=False),
        "torch fused": lambda p, lr: torch.optim.AdamW(p, lr, fused=True),
        "lrcore": lrcore.torch.AdamW,
    }
    runs = {
        name: train(make, data, len(alphabet), given.steps)
        for name, make in makers.items()
    }
    first = runs["torch's loop"]
    print(f"loss at first: {first[0]:.4f}")
    for name, losses in runs.items():
        far = max(abs(a - b) for a, b in zip(losses, first, strict=True))
        print(
            f"{name:12}  last loss {losses[-1]:.4f}, at most {far:.1e} from the loop's"
        )


if __name__ == "__main__":
    main()
