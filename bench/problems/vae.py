"""Variational autoencoders with a Gaussian likelihood (Kingma & Welling 2014)."""

import numpy as np

from .base import Problem, generator
from .layers import QUIET, backward, forward, images, layers
from .likelihoods import HALF_LOG_2PI


def autoencoder(name, hidden, size, batch, deviation=None):
    """Return the negative evidence lower bound of the digits, a pixel.

    A batch is images and the normal noise by which their codes are drawn.

    deviation : that of the pixels; None: it is learnt, and begins at 1.
    """
    x, _ = images(600)
    x = x - x.mean(axis=0)
    noise = generator(name).normal(size=(len(x), size))
    encoder = layers(64, hidden, 2 * size, last=QUIET)
    decoder = layers(size, hidden, 64, last=QUIET)

    def params(rng):
        p = [*encoder(rng), *decoder(rng)]
        return p if deviation else [*p, np.zeros(1, np.float32)]

    def batches(rng):
        while True:
            rows = rng.choice(len(x), batch, False)
            yield x[rows], rng.normal(size=(batch, size))

    def loss_and_grad(p, batch):
        x, noise = batch
        noise = noise.astype(p[0].dtype)
        code, encoder_inputs = forward(p[:4], x, "tanh")
        mean, log_std = code[:, :size], code[:, size:]
        std = np.exp(log_std)
        z, decoder_inputs = forward(p[4:8], mean + std * noise, "tanh")
        log_pixel = float(p[8][0]) if len(p) > 8 else float(np.log(deviation))
        precision = np.exp(-2 * log_pixel)
        error = z - x
        square = precision * float((error * error).sum())
        prior = float((0.5 * (mean * mean + std * std - 1) - log_std).sum())
        loss = (0.5 * square + prior) / x.size + log_pixel + HALF_LOG_2PI
        scale = p[0].dtype.type(precision / x.size)
        decoder_grads, d = backward(
            p[4:8], decoder_inputs, scale * error, "tanh", through=True
        )
        by_std = d * noise + std / x.size
        d = np.concatenate([d + mean / x.size, by_std * std - 1 / x.size], axis=1)
        grads = [*backward(p[:4], encoder_inputs, d, "tanh"), *decoder_grads]
        if len(p) > 8:
            grads.append(np.array([1 - square / x.size], p[8].dtype))
        return loss, grads

    def full_loss(p):
        return loss_and_grad(p, (x, noise))[0]

    return Problem(name, "vae", 300, params, batches, loss_and_grad, full_loss,
                   group="below 0")  # fmt: skip


PROBLEMS = [
    autoencoder("vae", 16, 4, batch=16),
    autoencoder("vae-sharp", 24, 6, batch=32, deviation=0.1),
]
