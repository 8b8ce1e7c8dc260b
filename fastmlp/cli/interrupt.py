"""Ctrl-C that is not lost on the way through compiled code."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs


class CtrlC:
    """A context that remembers whether Ctrl-C was pressed; it raises KeyboardInterrupt as always.

    LLVM calls back into Python while it compiles, and from there no exception gets out: Python prints it and goes
    on, and what follows fails with errors of its own. ``was_pressed`` tells those from real ones, and nothing is
    printed. A program that handles or ignores SIGINT in its own way is left alone.
    """

    was_pressed = False

    def __enter__(self) -> CtrlC:
        """Take SIGINT over, where it is Python's own handler that has it."""
        self._is_heeded = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        if self._is_heeded:
            self._print_unraisable = sys.unraisablehook
            sys.unraisablehook = self._print_unless_interrupt
            signal.signal(signal.SIGINT, self._press)
        return self

    def __exit__(self, *exception: object) -> None:
        """Give SIGINT back."""
        if self._is_heeded:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            sys.unraisablehook = self._print_unraisable
        if self.was_pressed:
            # CPython notes when an interrupt leaves code that was given as text, as imports of Numba have it, and
            # then ends with a signal instead of the exit code. Running any such code makes it forget.
            exec("pass")

    def _press(self, number: int, frame: FrameType | None) -> None:
        self.was_pressed = True
        raise KeyboardInterrupt

    def _print_unless_interrupt(self, unraisable: UnraisableHookArgs) -> None:
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            self._print_unraisable(unraisable)
