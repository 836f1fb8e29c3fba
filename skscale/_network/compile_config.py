"""What a network is trained with: loss, optimizer and the step of the scale."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from skscale._keras.objects import KerasConfig


@dataclass(frozen=True)
class CompileConfig:
    """How weights change, as in Keras' `compile`; with the network, what a program is compiled for.

    Parameters
    ----------
    loss : str or dict
        Keras loss by name or config.
    optimizer : dict
        Serialized Keras optimizer.
    scheduled : bool
        Whether the rates of the training config replace the learning rate of the optimizer.
    proximal : bool
        Whether the scale is updated by the proximal step instead of the optimizer.
    scale_learning_rate_factor : float
        Learning rate of the scale over that of the other weights.
    proximal_epsilon : float
        Added to the root of the second moment in the proximal step.
    slow_learning_rate_factor : float
        Learning rate of frequencies and phases of an embedding over that of the other weights.
    """

    loss: KerasConfig
    optimizer: KerasConfig
    scheduled: bool = True
    proximal: bool = False
    scale_learning_rate_factor: float = 1.0
    proximal_epsilon: float = 1e-7
    slow_learning_rate_factor: float = 1.0

    def key(self) -> str:
        """Everything that shapes a compiled program, as one string."""
        settings = asdict(self)
        # Keras numbers the names of its objects, and a rate that is replaced shapes nothing.
        settings["loss"] = _without(settings["loss"], "name")
        unused = ("name", "learning_rate") if self.scheduled else ("name",)
        settings["optimizer"] = _without(settings["optimizer"], *unused)
        return json.dumps(settings, sort_keys=True)


def _without(config: KerasConfig, *settings: str) -> KerasConfig:
    if not isinstance(config, dict) or not isinstance(config["config"], dict):
        return config
    kept = {name: value for name, value in config["config"].items() if name not in settings}
    return {**config, "config": kept}
