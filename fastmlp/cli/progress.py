"""What the training looks like while it runs, on stderr: a live line on a terminal, else plain lines."""

from __future__ import annotations

import os
import sys
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

    from fastmlp.cli.trials import Trials
    from fastmlp.history import EpochFigures

# A live line is drawn at most this often: epochs of a small data set take less than a millisecond.
_SECONDS_BETWEEN_DRAWINGS = 0.1


class Progress(ABC):
    """Shows what happens; to be closed, so that a live line is finished however the training ends."""

    training_started = 0.0  # on the clock of time.perf_counter

    @abstractmethod
    def message(self, text: str) -> None:
        """Show a line that stays."""

    @abstractmethod
    def downloading(self, file: str, received: int, total: int) -> None:
        """Show that so many of a file's bytes have arrived; ``total`` is 0 where unknown."""

    @abstractmethod
    def epoch(self, figures: EpochFigures) -> None:
        """Show an epoch's figures; a callback for Trainer."""

    @abstractmethod
    def trial(self, line: str, trials: Trials) -> None:
        """Show that a trial of a search has ended: a line about it, and all so far."""

    def warn(self, text: str) -> None:
        """Show a warning, which is never silenced."""
        self.message(f"warning: {text}")

    @abstractmethod
    def close(self) -> None:
        """Finish what is on display."""

    def seconds_left(self, figures: EpochFigures) -> float:
        """At the pace so far, in seconds of real time, validation included."""
        now = time.perf_counter()
        if figures.epoch == 1:  # loading and compiling before it say nothing about the pace
            self.training_started = now - figures.seconds
        elapsed = now - self.training_started
        return elapsed / figures.epoch * (figures.epochs - figures.epoch)


def make_progress(quiet: bool) -> Progress:
    """The display that fits ``--quiet`` and stderr."""
    if quiet:
        return SilentProgress()
    return LiveProgress() if takes_control_codes(sys.stderr) else PlainProgress()


def takes_control_codes(stream: TextIO | None) -> bool:
    """Tell whether a stream is a terminal that can do more than print."""
    return stream is not None and stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


class PlainProgress(Progress):
    """One whole line per event, for logs, pipes and files."""

    file = ""  # the one being downloaded

    def message(self, text: str) -> None:
        """Print the line."""
        print_error_line(text)

    def downloading(self, file: str, received: int, total: int) -> None:
        """One line when a file starts, none as it grows."""
        if file != self.file:
            self.file = file
            self.message(f"downloading {file}" + (f" ({total / 1e6:.1f} MB)" if total else ""))

    def epoch(self, figures: EpochFigures) -> None:
        """One line per epoch."""
        accuracy = figures.validation_accuracy
        parts = [
            f"loss {figures.loss:.4f}",
            *([] if accuracy is None else [f"validation accuracy {accuracy:.4f}"]),
            f"learning rate {figures.learning_rate:.3g}",
            rate(figures),
            f"ETA {duration(self.seconds_left(figures))}",
        ]
        self.message(f"epoch {figures.epoch}/{figures.epochs} ({percent(figures)}): {', '.join(parts)}")

    def trial(self, line: str, trials: Trials) -> None:
        """One line per trial."""
        self.message(line)

    def close(self) -> None:
        """Every line is finished already."""


class SilentProgress(PlainProgress):
    """Nothing but warnings."""

    def message(self, text: str) -> None:
        """Not shown."""

    def warn(self, text: str) -> None:
        """Shown all the same."""
        super().message(f"warning: {text}")


class LiveProgress(Progress):
    """One line of a terminal, drawn again as figures come in; colours unless NO_COLOR is set."""

    def __init__(self) -> None:
        """Nothing is drawn yet."""
        from rich.console import Console

        self.console = Console(stderr=True, highlight=False)
        self.live: Live | None = None
        self.last_drawing = 0.0

    def message(self, text: str) -> None:
        """Print above the live line, if there is one."""
        self.console.print(text, markup=False, soft_wrap=True)

    def downloading(self, file: str, received: int, total: int) -> None:
        """One line per file, which stays when the file is complete."""
        share = f"{received / total:4.0%} of {total / 1e6:.1f} MB" if total else f"{received / 1e6:.1f} MB"
        complete = 0 < total <= received
        self._draw("", f"downloading {file} {share}", at_once=complete)
        if complete:
            self.close()

    def epoch(self, figures: EpochFigures) -> None:
        """Figures of the last epoch, short enough for 80 columns."""
        accuracy = figures.validation_accuracy
        parts = [
            rate(figures),
            f"loss {figures.loss:.4f}",
            *([] if accuracy is None else [f"val acc {accuracy:.4f}"]),
            f"lr {figures.learning_rate:.3g}",
            f"ETA {duration(self.seconds_left(figures))}",
        ]
        head = f"epoch {figures.epoch}/{figures.epochs} {percent(figures)}"
        self._draw(head, "  " + "  ".join(parts), at_once=figures.epoch == figures.epochs)

    def trial(self, line: str, trials: Trials) -> None:
        """A table of the best trials, which makes room for what is printed at the end."""
        from rich.box import SIMPLE_HEAD
        from rich.table import Table

        heads, *rows = trials.rows()
        table = Table(title=trials.headline, title_justify="left", box=SIMPLE_HEAD)
        for head in heads:
            table.add_column(head, justify="right", no_wrap=True)
        for row in rows:
            table.add_row(*row)
        self._show(table, at_once=len(trials.ended) == trials.total, transient=True)

    def close(self) -> None:
        """Leave the last figures standing, and the cursor on the line below."""
        if self.live is not None:
            self.live.stop()
            self.live = None

    def _draw(self, head: str, rest: str, at_once: bool) -> None:
        from rich.text import Text

        # Cropped, never wrapped: a second line would be left behind by the next drawing.
        self._show(Text.assemble((head, "bold cyan"), rest, no_wrap=True, overflow="crop"), at_once)

    def _show(self, shown: RenderableType, at_once: bool, transient: bool = False) -> None:
        from rich.live import Live

        if self.live is None:
            at_once = True
            # No refreshing thread: it would take time from the training threads on a machine with few CPUs.
            self.live = Live(console=self.console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
            self.live.transient = transient
            self.live.start()
        now = time.perf_counter()
        is_due = at_once or now - self.last_drawing >= _SECONDS_BETWEEN_DRAWINGS
        if is_due:
            self.last_drawing = now
        # Figures that are not drawn are handed over all the same: close() leaves the newest standing.
        self.live.update(shown, refresh=is_due)


def print_error_line(text: str) -> None:
    """Print on stderr; that nobody reads it any more is no reason to end a training."""
    if sys.stderr is not None:  # as it is in a process that was started without one
        with suppress(OSError):
            print(text, file=sys.stderr, flush=True)


def percent(figures: EpochFigures) -> str:
    """How much of the training is done, in whole percent."""
    return f"{100 * figures.epoch // figures.epochs}%"


def rate(figures: EpochFigures) -> str:
    """Rows a second, to three figures."""
    rows = figures.rows / figures.seconds if figures.seconds > 0 else 0.0
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if rows >= unit:
            return f"{rows / unit:.3g}{name} rows/s"
    return f"{rows:.0f} rows/s"


def duration(seconds: float) -> str:
    """As in 12s, 3m20s, 2h05m."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
