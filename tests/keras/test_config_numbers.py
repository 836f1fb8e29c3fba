"""Numbers in configs of Keras mean something; those in classes of a user are the user's."""

from __future__ import annotations

import inspect

import keras
import numpy as np
import pytest
from sklearn.utils._param_validation import InvalidParameterError

from skscale._keras.options import FAMILIES, keras_config

schedules = keras.optimizers.schedules

MEANINGLESS = {
    "a negative rate": ("optimizers", keras.optimizers.Adam(-1.0), "learning_rate=-1"),
    "a rate that is no number": ("optimizers", keras.optimizers.SGD(np.nan), "learning_rate=nan"),
    "an infinite rate": ("optimizers", keras.optimizers.SGD(np.inf), "learning_rate=inf"),
    "a memory beyond one": ("optimizers", keras.optimizers.Adam(beta_1=7), "beta_1=7"),
    "a memory of one": ("optimizers", keras.optimizers.RMSprop(rho=1.0), "rho=1"),
    "an epsilon of zero": ("optimizers", keras.optimizers.Adam(epsilon=0.0), "epsilon=0"),
    "a negative decay": ("optimizers", keras.optimizers.AdamW(weight_decay=-1), "weight_decay=-1"),
    "a schedule that starts below zero": (
        "optimizers",
        keras.optimizers.Adam(schedules.ExponentialDecay(-1.0, 10, 0.9)),
        "initial_learning_rate=-1",
    ),
    "a schedule with a gap": (
        "optimizers",
        keras.optimizers.Adam(schedules.PiecewiseConstantDecay([1, 2], [0.1, np.nan, 0.1])),
        "values=nan",
    ),
    "a negative norm": ("constraints", keras.constraints.MaxNorm(-1), "max_value=-1"),
    "a loss without a width": ("losses", keras.losses.Huber(delta=np.nan), "delta=nan"),
    "a negative width": ("losses", keras.losses.Huber(delta=-1.0), "delta=-1"),
    "a negative deviation": (
        "initializers",
        keras.initializers.RandomNormal(stddev=-1),
        "stddev=-1",
    ),
    "an array with a gap": ("initializers", keras.initializers.Constant([1, np.nan]), "value=nan"),
    # Keras would say that it cannot build these.
    "a config": (
        "optimizers",
        {"class_name": "Adam", "config": {"learning_rate": -1}},
        "learning_rate=-1",
    ),
    "a config in snake case": (
        "initializers",
        {"class_name": "random_normal", "config": {"stddev": -1}},
        "stddev=-1",
    ),
    "a negative strength": ("regularizers", {"class_name": "L1", "config": {"l1": -1}}, "l1=-1"),
}


@pytest.mark.parametrize(("family", "value", "number"), MEANINGLESS.values(), ids=MEANINGLESS)
def test_a_number_that_means_nothing_is_refused_by_its_name(family, value, number):
    message = rf"^p=.* has {number}(\.0)?, but a (finite number|float in the range .*) is needed\.$"
    with pytest.raises(InvalidParameterError, match=message):
        keras_config(family, value, parameter="p")


def instances():
    """Yield an object of every class of Keras that needs no argument."""
    for family in FAMILIES:
        classes = {cls for cls in vars(getattr(keras, family)).values() if inspect.isclass(cls)}
        for cls in sorted(classes, key=lambda cls: cls.__name__):
            parameters = inspect.signature(cls).parameters.values()
            is_base = cls.__name__.lower() == family[:-1].replace("losse", "loss")
            needed = [p for p in parameters if p.default is p.empty and p.kind < p.VAR_POSITIONAL]
            if not needed and not is_base and cls.__name__ != "Optimizer":
                yield family, cls


@pytest.mark.parametrize(("family", "cls"), [*instances()])
def test_no_default_of_keras_is_refused(family, cls):
    keras_config(family, cls(), parameter="p")


@pytest.mark.parametrize(
    "schedule",
    [
        schedules.CosineDecay(0.0, 10, warmup_target=1.0, warmup_steps=3),
        schedules.CosineDecayRestarts(0.1, 10),
        schedules.ExponentialDecay(0.1, 10, 0.9),
        schedules.InverseTimeDecay(0.1, 10, 0.9),
        schedules.PiecewiseConstantDecay([1, 2], [0.1, 0.2, 0.0]),
        schedules.PolynomialDecay(0.1, 10),
    ],
    ids=lambda schedule: type(schedule).__name__,
)
def test_schedules_are_taken(schedule):
    keras_config("optimizers", keras.optimizers.Adam(schedule), parameter="p")


@keras.saving.register_keras_serializable("config_numbers")
class Shifted(keras.initializers.Initializer):
    """A class of the user's own, whose deviation may be anything but no number."""

    def __init__(self, stddev):
        self.stddev = stddev

    def __call__(self, shape, dtype=None):
        return keras.ops.full(shape, self.stddev, dtype)

    def get_config(self):
        return {"stddev": self.stddev}


@pytest.mark.parametrize("form", ["instance", "config"])
def test_of_a_class_of_the_user_only_nan_is_refused(form):
    def written(value):
        return value if form == "instance" else keras.initializers.serialize(value)

    for stddev in (-1.0, np.inf):
        keras_config("initializers", written(Shifted(stddev)), parameter="p")
    with pytest.raises(InvalidParameterError, match=r"has stddev=nan, but a finite number is"):
        keras_config("initializers", written(Shifted(np.nan)), parameter="p")
