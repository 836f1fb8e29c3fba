"""A program of its own: passes its input on to stderr, without what TensorFlow logs as it starts.

`skscale._keras.quiet_import` runs it while TensorFlow is imported. It is no thread of that process,
because the last words of a process that aborts, as on a processor that TensorFlow is not built for,
must arrive. It imports nothing but what Python has, so that it starts in some 20 ms.
"""

from __future__ import annotations

import os
import re

# Two forms of a line that C++ logs: "I0000 00:00:1795601989.423439   27672 port.cc:153] ..." and
# "2026-11-25 10:21:59.205360: I external/...". Below ERROR are I and W; of errors go those that say
# that there is no GPU, or that one library was linked twice. A driver that fails is another error.
_START = rb"(?:%s\d{4} \d\d:\d\d:[\d.]+ |\d{4}-\d\d-\d\d \d\d:\d\d:[\d.]+: %s )"
_NO_GPU = rb"failed call to cuInit: .*(?:UNKNOWN ERROR \(303\)|CUDA_ERROR_NO_DEVICE)"
_TWICE = rb"Unable to register cu\w+ factory: .* already been registered"
_HARMLESS = re.compile(
    rb"|".join(
        (
            _START % (rb"[IW]", rb"[IW]"),
            _START % (rb"E", rb"E") + rb".*(?:" + _NO_GPU + rb"|" + _TWICE + rb")",
            rb"WARNING: All log messages before absl::InitializeLog\(\) is called are written",
            # The second line of a message on the instructions of the processor.
            rb"To enable the following instructions: .*rebuild TensorFlow",
        )
    )
)


def is_harmless(line: bytes) -> bool:
    """Whether a line is one of those that TensorFlow logs wherever it starts."""
    return _HARMLESS.match(line) is not None


def main() -> None:
    """Say that it runs, by a byte on stdout, and filter stdin until its last writer has gone."""
    os.write(1, b"\n")
    rest = b""
    with open(2, "wb", closefd=False) as stderr:
        while data := os.read(0, 2**16):
            *lines, rest = (rest + data).split(b"\n")
            stderr.write(b"".join(line + b"\n" for line in lines if not is_harmless(line)))
            stderr.flush()
        # A line without an end is never one of TensorFlow's.
        stderr.write(rest)


if __name__ == "__main__":
    main()
