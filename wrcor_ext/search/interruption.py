"""Ctrl-C and SIGTERM as a wish to stop between two trials."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType


class Interruption:
    """While entered, the first SIGINT or SIGTERM is only noted; a second one raises KeyboardInterrupt as usual.

    So the running trial is finished unless the user insists. Outside the main thread, where Python allows no signal
    handlers, nothing is caught.

    Attributes:
        signal: the number of the first signal, or None.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._previous: dict[int, object] = {}

    @property
    def requested(self) -> bool:
        """Whether the search should stop."""
        return self.signal is not None

    @property
    def exit_code(self) -> int:
        """What a shell expects of a process that this signal ended: 130 after Ctrl-C."""
        return 128 + (self.signal or signal.SIGINT)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.signal = number

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal itself returned
