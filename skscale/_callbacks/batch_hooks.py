"""Hooks for batches, which nothing calls here: where that is refused, and where it is only said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from skscale._errors import warn

_HOOKS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")


class _Definition(NamedTuple):
    """Package and name of the class that a hook is written in; subclasses inherit it."""

    package: str
    name: str


# Their hooks for batches do nothing of their own.
_IDLE = frozenset({_Definition("keras", "Callback"), _Definition("keras", "TerminateOnNaN")})
# Theirs do nothing under save_freq="epoch".
_SAVERS = frozenset(
    {
        _Definition("keras", "ModelCheckpoint"),
        _Definition("mlflow", "MlflowModelCheckpointCallback"),
        _Definition("wandb", "WandbModelCheckpoint"),
    }
)
# Theirs count, or write what hooks for epochs write as well.
_LOGGERS = frozenset(
    {
        _Definition("keras", "TensorBoard"),
        _Definition("mlflow", "MlflowCallback"),
        _Definition("wandb", "WandbMetricsLogger"),
    }
)


def check_batch_hooks(callbacks: Sequence[Any]) -> None:
    """Refuse callbacks that need to be called for batches, and warn of those that log less.

    Parameters
    ----------
    callbacks : sequence of keras.callbacks.Callback
        Those of the user.

    Raises
    ------
    ValueError
        If one of them has a hook for batches of its own.

    Warns
    -----
    UserWarning
        If one of them logs by batch too; once for all of them.
    """
    logging = []
    for callback in callbacks:
        definitions = {hook: _definition(callback, hook) for hook in _HOOKS}
        missed = [hook for hook, by in definitions.items() if not _is_idle(callback, by)]
        needed = [hook for hook in missed if definitions[hook] not in _LOGGERS]
        if needed:
            raise ValueError(
                f"callbacks holds {callback!r} with {', '.join(needed)}: batches run inside one "
                "compiled program, which calls nothing. Use on_epoch_begin or on_epoch_end, or "
                "to_scikeras() for Keras' own fit."
            )
        if missed:
            logging.append(type(callback).__name__)
    if logging:
        warn(
            f"callbacks: {', '.join(logging)} will log epochs only. Batches run inside one "
            "compiled program, which calls nothing: what is logged, traced or profiled by batch is "
            "missing."
        )


def _definition(callback: Any, hook: str) -> _Definition | None:
    """Return where a hook is written; None where it is the instance's own."""
    if hook in vars(callback):
        return None
    cls = next(cls for cls in type(callback).__mro__ if hook in vars(cls))
    return _Definition(cls.__module__.partition(".")[0], cls.__name__)


def _is_idle(callback: Any, definition: _Definition | None) -> bool:
    saves_by_epoch = getattr(callback, "save_freq", None) == "epoch"
    return definition in _IDLE or (saves_by_epoch and definition in _SAVERS)
