"""Messages about keywords, a class of the user's, and what was asked for before."""

from functools import partial

import numpy as np
import pytest
from wrong import LONGEST, WRONG, Unprintable, array, message, refused

import lrcore


def test_messages_about_keywords_are_short():
    long = "k" * 10**6
    for kind in (lrcore.SGD, lrcore.AdamWScheduleFree):
        said = message(partial(kind, array(), **{long: 1}))
        assert said.startswith(f"{kind.__name__}: unexpected keyword 'kkk")
    group = {"params": array(), long: 1, Unprintable(): 2, 3: 4}
    assert refused(lrcore.SGD, [group])
    own = lrcore.SGD(array()).param_groups[0]
    for name in (long, Unprintable(), 10**5000, ("k",) * 10**5):
        assert refused(own.__setitem__, name, 1)
    with pytest.raises(AttributeError) as raised, lrcore.SGD(array()).averaged(long):
        pass
    assert len(str(raised.value)) <= LONGEST


def test_messages_about_a_class_of_a_long_name_are_short():
    kind = type("n" * 10**6, (lrcore.SGD,), {"__doc__": "One."})
    opt = kind(array())
    assert refused(kind, array(), unknown=1)
    assert refused(kind, array(), convention="unknown")
    assert refused(getattr, opt, "report")
    assert refused(getattr, opt, "ema")
    assert refused(opt.load_state_dict, lrcore.SGD(array()).state_dict())
    assert refused(lrcore.SGD(array()).load_state_dict, opt.state_dict())


def test_messages_about_what_was_asked_for_before_are_short():
    many = 10**4000
    assert refused(lrcore.SGDScheduleFree, array(), lookahead_steps=many)
    opt = lrcore.SGD(array(), accumulate=many)
    opt.step(array())
    assert refused(setattr, opt, "accumulate", 2)
    opt.load_state_dict(opt.state_dict())
    gathered = {**opt.state_dict(), "gathered": many}
    assert refused(opt.load_state_dict, gathered)
    assert refused(lrcore.SGD(array()).load_state_dict, opt.state_dict())
    group = lrcore.SGD(np.ones((2, 2))).param_groups[0]
    group["agc_axis"] = (0,) * 10**5
    assert refused(group.__setitem__, "agc", 0.1)
    stopping = lrcore.EarlyStopping(params=array())
    stopping.load_state_dict({**stopping.state_dict(), "num_updates": many})
    assert "none of 1000" in message(stopping.restore)
    rates = [{"params": array(), "lr": 0.0} for _ in range(1000)]
    assert refused(lrcore.LRSweep, lrcore.SGD(rates))
    assert refused(partial(lrcore.SGD, array()), lr=0.1, convention=WRONG["deep"])
