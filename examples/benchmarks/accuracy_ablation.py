"""Ingredients of the default recipe that `accuracy.py --without NAME` takes out, one at a time.

They are constants of private modules, as no user needs to change them.
"""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple


class Constant(NamedTuple):
    """A constant, and what stands for it where the ingredient is left out.

    Parameters
    ----------
    module, name : str
        Where it is.
    value : object
        What it becomes.
    """

    module: str
    name: str
    value: Any


ABLATIONS = {
    "embedding": Constant("skscale._training.path_points", "_MAX_EMBEDDED_STRENGTH", -1.0),
    "the point (.01, .1)": Constant(
        "skscale._training.path_points",
        "REGULARIZATION_PATH",
        ((0.0, 0.0), (0.03, 0.3), (0.1, 1.0), (0.3, 1.0), (1.0, 1.0), (3.0, 1.0), (10.0, 1.0)),
    ),
    "the small epsilon": Constant("skscale._training.defaults", "_ADAM_EPSILON", 1e-3),
    "the slow rate of waves": Constant(
        "skscale._training.defaults", "_SLOW_LEARNING_RATE_FACTOR", 1.0
    ),
    "learning twice": Constant("skscale._training.defaults", "_MAX_ROWS_LEARNED_TWICE", 0),
    "a hundred passes": Constant("skscale._training.steps", "_MAX_EPOCHS", 20),
}
"""By the name of what is left out."""


def leave_out(name: str) -> None:
    """Leave an ingredient out of all fits of this process."""
    constant = ABLATIONS[name]
    module = importlib.import_module(constant.module)
    # A constant that has moved would be left in without a word.
    getattr(module, constant.name)
    setattr(module, constant.name, constant.value)
