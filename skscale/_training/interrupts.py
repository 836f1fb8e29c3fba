"""Ctrl-C put off until what was learned is kept."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupts_put_off() -> Iterator[threading.Event]:
    """Let Ctrl-C end the training in a block, and raise KeyboardInterrupt where the block ends.

    A second one interrupts at once. Where another thread than this one hears it, or the user has a
    handler of their own, nothing is put off; but what sets the event is raised at the end all the
    same.

    Yields
    ------
    stopping : threading.Event
        Set where the training is to end after the current call.

    Raises
    ------
    KeyboardInterrupt
        After the block, if the event is set.
    """
    stopping = threading.Event()
    with _handled_by(stopping):
        yield stopping
    if stopping.is_set():
        raise KeyboardInterrupt("The estimator keeps what it had learned by the last whole epoch.")


@contextmanager
def _handled_by(stopping: threading.Event) -> Iterator[None]:
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return

    signal.signal(signal.SIGINT, _PutOff(stopping))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


class _PutOff:
    """Handler that sets the event, and raises where that does not help."""

    def __init__(self, stopping: threading.Event):
        self._stopping = stopping
        self.raises = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.raises or self._stopping.is_set():
            signal.default_int_handler(number, frame)
        self._stopping.set()


@contextmanager
def interrupts_raised() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt at once in a block that cannot see the event."""
    handler = signal.getsignal(signal.SIGINT)
    if not isinstance(handler, _PutOff):
        yield
        return
    handler.raises = True
    try:
        yield
    finally:
        handler.raises = False
