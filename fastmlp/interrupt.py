"""Ctrl-C as a request: heard now, heeded where nothing is half done."""

from __future__ import annotations

import signal
import threading
from types import FrameType


class Interrupt:
    """A context in which the first Ctrl-C only sets ``was_pressed``; the next one raises KeyboardInterrupt as ever.

    An exception would come in the middle of writing a trial down, or get lost in what Python calls as it lets go of an
    object. A handler of the program's own is called, and heeded only if it raises KeyboardInterrupt. Other threads
    than the main one never hear of Ctrl-C.
    """

    was_pressed = False

    def __enter__(self) -> Interrupt:
        self._earlier = signal.getsignal(signal.SIGINT)
        self._is_heeded = threading.current_thread() is threading.main_thread() and callable(self._earlier)
        if self._is_heeded:
            signal.signal(signal.SIGINT, self._press)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._is_heeded:
            signal.signal(signal.SIGINT, self._earlier)

    def _press(self, number: int, frame: FrameType | None) -> None:
        assert callable(self._earlier)
        try:
            self._earlier(number, frame)
        except KeyboardInterrupt:
            if self.was_pressed:
                raise
            self.was_pressed = True
