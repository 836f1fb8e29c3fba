"""Compiled programs on disk, for the processes that come later."""

from __future__ import annotations

import os
from pathlib import Path

from skscale._keras.quiet_import import CACHE_OPTION, XLA_FLAGS
from skscale._keras.tensorflow_threads import tensorflow_is_running


def set_program_cache(directory: str | os.PathLike[str]) -> None:
    """Keep what XLA compiles in a directory, where later processes find it.

    Compiling is most of what the first fit of a process takes longer than the next. A program is
    found by another process that has the same versions of everything, and the same kind of
    processor. The setting holds for this process and those that it starts, and for all that
    TensorFlow compiles in them, as `TF_XLA_FLAGS` in the environment would.

    XLA logs an error for every program that it loads, of processor features such as
    "prefer-no-scatter" that are wishes of its compiler. Where this package is the one that imports
    TensorFlow and `TF_CPP_MIN_LOG_LEVEL` is not set, the log is turned off; errors are raised in
    any case.

    Parameters
    ----------
    directory : str or path-like
        Made if it is not there. Nothing is ever deleted from it: a program takes some 300 kB.

    Raises
    ------
    RuntimeError
        If TensorFlow runs in this process, which reads its settings when it starts.
    ValueError
        If the path holds a space, which TensorFlow takes for the end of the setting.

    Examples
    --------
    At the top of a script::

        import skscale

        skscale.set_program_cache("~/.cache/skscale")
    """
    if tensorflow_is_running():
        raise RuntimeError(
            "set_program_cache came too late: TensorFlow runs in this process, and reads its "
            "settings when it starts. Call it first, before any fit or Keras layer."
        )
    path = Path(directory).expanduser().resolve()
    if any(character.isspace() for character in str(path)):
        raise ValueError(
            f"directory={str(path)!r} holds a space, which TensorFlow takes for the end of the "
            "setting. Use a directory without spaces."
        )
    path.mkdir(parents=True, exist_ok=True)
    # Other settings stay; one of this kind is replaced.
    others = [
        flag for flag in os.environ.get(XLA_FLAGS, "").split() if not flag.startswith(CACHE_OPTION)
    ]
    os.environ[XLA_FLAGS] = " ".join([*others, f"{CACHE_OPTION}{path}"])
