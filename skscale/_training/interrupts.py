"""Ctrl-C as a wish to stop, where the thread that hears it is the one that trains."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupts_set(event: threading.Event) -> Iterator[None]:
    """Let Ctrl-C set an event for a while; a second one interrupts as ever.

    Nothing changes where another thread than this one hears it, or the user has a handler of their
    own.

    Parameters
    ----------
    event : threading.Event
        Not set yet.

    Yields
    ------
    None
        Nothing.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return

    def on_interrupt(number: int, frame: FrameType | None) -> None:
        if event.is_set():
            signal.default_int_handler(number, frame)
        event.set()

    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
