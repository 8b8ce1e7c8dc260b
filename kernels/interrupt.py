"""Ctrl-C as a request: heard now, heeded where nothing is half done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

# an alarm too: a program may raise by one again what was lost on its way (fastmlp.cli.interrupt)
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGALRM") if hasattr(signal, name)]


class Interrupt:
    """A context in which the first Ctrl-C only sets ``was_pressed``; the next one raises KeyboardInterrupt as ever.

    An exception would come in the middle of writing a trial down, or of what LLVM and llvmlite do to an object, or get
    lost in what Python calls as it lets go of one. A handler of the program's own is called, and heeded only if it
    raises KeyboardInterrupt. Other threads than the main one never hear of Ctrl-C.
    """

    was_pressed = False

    def __enter__(self) -> Interrupt:
        self._earlier: dict[int, Callable[[int, FrameType | None], Any]] = {}
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if callable(handler := signal.getsignal(number)):
                    self._earlier[number] = handler
                    signal.signal(number, self._press)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._earlier.items():
            signal.signal(number, handler)

    def _press(self, number: int, frame: FrameType | None) -> None:
        try:
            self._earlier[number](number, frame)
        except KeyboardInterrupt:
            if self.was_pressed:
                raise
            self.was_pressed = True
