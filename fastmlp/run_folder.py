"""The folder of a training run: its configuration, its history, its best and its last model, its report."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastmlp.config import IN_MEMORY, Config, from_toml, to_toml
from fastmlp.files import remove_leftovers, replacing, write_whole
from fastmlp.history import History
from fastmlp.logs import JSONL, MLFLOW, TENSORBOARD
from fastmlp.model_file import FILE_NAME, load_checkpoint, save

if TYPE_CHECKING:
    from fastmlp.model import Model
    from fastmlp.run import Run
    from fastmlp.state import TrainingState

CONFIG, HISTORY, REPORT = "config.toml", "history.csv", "report.html"
_COLUMNS = ("loss", "validation_loss", "validation_accuracy", "validation_score", "learning_rate", "epoch_seconds")


class RunFolder:
    """Files under one folder; each is written whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def new(cls, path: Path, overwrite: bool = False) -> RunFolder:
        """Return a folder to be made. Raises FileExistsError where something is there that may not be overwritten."""
        if path.exists() and not path.is_dir():
            raise FileExistsError(f"{path} is a file: out must be a folder to be made")
        if path.is_dir() and any(path.iterdir()) and not overwrite:
            raise FileExistsError(
                f"{path} is there already: go on with its run (resume), overwrite it, or choose another folder"
            )
        return cls(path)

    @classmethod
    def existing(cls, path: Path) -> RunFolder:
        """Return the folder of an earlier run. Raises FileNotFoundError where there is none."""
        if not (path / CONFIG).is_file():
            raise FileNotFoundError(f"{path} is not the folder of a run: it holds no {CONFIG}")
        return cls(path)

    @contextmanager
    def begun(self, config: Config, afresh: bool) -> Iterator[None]:
        """Make the folder and keep the configuration there, every option with its value, while a run goes on.

        afresh: remove what an earlier run has left
        After an exception before the first checkpoint nothing is left of a run that began afresh.
        """
        is_new = not self.path.exists()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            remove_leftovers(self.path)
            if afresh:
                self._clear()
            write_whole(self.path / CONFIG, to_toml(config))
            yield
        except BaseException:
            if afresh and not (self.path / "last" / FILE_NAME).exists():
                self._clear()
                with suppress(OSError):  # it holds something else
                    if is_new:
                        self.path.rmdir()
            raise

    def _clear(self) -> None:
        for file in (CONFIG, HISTORY, REPORT, JSONL, MLFLOW):
            (self.path / file).unlink(missing_ok=True)
        for folder in ("best", "last", TENSORBOARD):
            shutil.rmtree(self.path / folder, ignore_errors=True)

    def options(self, data: Any = None) -> dict[str, Any]:
        """Return the options of the run, whose data must be given again where they were in memory only.

        Raises ValueError where they cannot be read, or the data are nowhere.
        """
        options = from_toml((self.path / CONFIG).read_text(encoding="utf-8"), str(self.path / CONFIG))
        if data is None and options.get("data") == IN_MEMORY:
            raise ValueError(f"the data of {self.path} were in memory: give them again to go on with the run")
        return options

    def write_last(self, model: Model, state: TrainingState) -> None:
        """Keep a checkpoint, and the history with it."""
        self._write("last", model, state)
        write_whole(self.path / HISTORY, _as_csv(state.history))

    def write_best(self, model: Model) -> None:
        """Keep the best model so far."""
        self._write("best", model, None)

    def write_report(self, run: Run) -> None:
        """Keep a page to look at."""
        from fastmlp.report import write_report
        from fastmlp.telling import story_of

        with replacing(self.path / REPORT) as temporary:
            write_report(temporary, story_of(run))

    def last(self) -> TrainingState | None:
        """Return the state to go on from, None where the run had not come to its first checkpoint."""
        file = self.path / "last" / FILE_NAME
        return load_checkpoint(file)[1] if file.exists() else None

    def best(self) -> Model | None:
        """Return the best model so far, if there is one."""
        file = self.path / "best" / FILE_NAME
        return load_checkpoint(file)[0] if file.exists() else None

    def _write(self, name: str, model: Model, state: TrainingState | None) -> None:
        (self.path / name).mkdir(exist_ok=True)
        save(model, self.path / name / FILE_NAME, state)


def _as_csv(history: History) -> str:
    """Return the figures of all epochs, a line each; those that were not measured are empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("epoch", *_COLUMNS))
    for epoch in range(len(history.loss)):
        columns = (getattr(history, name) for name in _COLUMNS)
        writer.writerow((epoch + 1, *(repr(float(column[epoch])) if column else "" for column in columns)))
    return text.getvalue()
