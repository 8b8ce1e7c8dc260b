"""Ctrl-C that is not lost on the way through libraries and compiled code."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_SECONDS_UNTIL_AGAIN = 0.05
_IMPORTING = "<frozen importlib._bootstrap>"


class CtrlC:
    """A context that remembers whether Ctrl-C was pressed, and raises KeyboardInterrupt where it arrives.

    LLVM calls back into Python while it compiles, and from there no exception gets out: Python prints it and goes
    on, and what follows fails with errors of its own. ``was_pressed`` tells those from real ones, and nothing is
    printed. Modules that are being imported take an interrupt for the lack of a library, and go on. In both cases it
    is raised again a moment later, until it is heard. A program that handles or ignores SIGINT in its own way is left
    alone.
    """

    was_pressed = False

    def __enter__(self) -> CtrlC:
        """Take SIGINT over, where it is Python's own handler that has it."""
        self._is_heeded = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        self._outermost: FrameType | None = sys._getframe(1)
        # not on Windows, nor where a program has an alarm of its own
        self._has_timer = (
            self._is_heeded and hasattr(signal, "setitimer") and signal.getsignal(signal.SIGALRM) is signal.SIG_DFL
        )
        if self._is_heeded:
            self._print_unraisable = sys.unraisablehook
            sys.unraisablehook = self._print_unless_interrupt
            signal.signal(signal.SIGINT, self._press)
        if self._has_timer:
            signal.signal(signal.SIGALRM, self._press)
        return self

    def __exit__(self, *exception: object) -> None:
        """Give SIGINT back."""
        self.settle()
        self._outermost = None
        if self._has_timer:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
        if self._is_heeded:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            sys.unraisablehook = self._print_unraisable
        if self.was_pressed:
            # CPython notes when an interrupt leaves code that was given as text, as imports of Numba have it, and
            # then ends with a signal instead of the exit code. Running any such code makes it forget.
            exec("pass")

    def settle(self) -> None:
        """Do not raise again what has been pressed so far: it has been heard."""
        if self._has_timer:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _press(self, number: int, frame: FrameType | None) -> None:
        self.was_pressed = True
        if self._has_timer and self._is_importing(frame):
            self._raise_later()
        else:
            raise KeyboardInterrupt

    def _raise_later(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, _SECONDS_UNTIL_AGAIN)

    def _is_importing(self, frame: FrameType | None) -> bool:
        while frame is not None and frame is not self._outermost:
            if frame.f_code.co_filename == _IMPORTING:
                return True
            frame = frame.f_back
        return False

    def _print_unless_interrupt(self, unraisable: UnraisableHookArgs) -> None:
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            self._print_unraisable(unraisable)
        elif self._has_timer:
            self._raise_later()
