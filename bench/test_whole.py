"""The whole step: an option at a time, then all of them."""

import pytest

from lrcore.bench.whole import LrcoreWhole

OPTIONS = {
    "bare": {},
    "clip_value": {"clip_value": 1.0},
    "clip_norm": {"clip_norm": 1.0},
    "skip_nonfinite": {"skip_nonfinite": True},
    "ema_decay": {"ema_decay": 0.999},
    "telemetry": {"telemetry": True},
    # Without zero_grads: the next step would be one of zeros.
    "checked, clipped, averaged": {**LrcoreWhole.options, "zero_grads": False},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("elements", [10**4, 10**6], ids="{:_}".format)
def test_option(time_step, elements, options):
    group = f"whole step: AdamW float32, {elements:,} elements, by option"
    time_step(group, "AdamW", elements, **options)
