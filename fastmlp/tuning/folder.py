"""The folder of a search: its configuration, its trials, the best model, a page to look at."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from fastmlp.config import to_toml
from fastmlp.files import replacing, write_whole
from fastmlp.model_file import FILE_NAME, save
from fastmlp.tuning.report import write_search_report

if TYPE_CHECKING:
    from fastmlp.tuning.search import TrialFigures, Tuning

CONFIG, TRIALS, STUDY, BEST, REPORT = "config.toml", "trials.csv", "study.log", "best", "report.html"


class SearchFolder:
    """Files under one folder, each written whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def new(cls, path: Path, overwrite: bool) -> SearchFolder:
        """Make the folder. Raises FileExistsError where something is there that may not be overwritten."""
        if path.exists() and not path.is_dir():
            raise FileExistsError(f"{path} is a file: out must be a folder to be made")
        if path.is_dir() and any(path.iterdir()) and not overwrite:
            raise FileExistsError(f"{path} is there already: overwrite it, or choose another folder")
        path.mkdir(parents=True, exist_ok=True)
        for name in (CONFIG, TRIALS, STUDY, REPORT, f"{BEST}/{FILE_NAME}"):
            (path / name).unlink(missing_ok=True)
        return cls(path)

    @property
    def storage(self) -> str:
        """Where the study is kept, as ``fastmlp.tune`` takes it."""
        return f"journal:{self.path / STUDY}"

    def write(self, found: Tuning) -> None:
        """Keep what was found: the best configuration, which ``fastmlp train --config`` takes, and all trials."""
        write_whole(self.path / CONFIG, to_toml(found.config))
        write_whole(self.path / TRIALS, _as_csv(found.trials))
        if found.model is not None:
            (self.path / BEST).mkdir(exist_ok=True)
            save(found.model, self.path / BEST / FILE_NAME)
        with replacing(self.path / REPORT) as temporary:
            write_search_report(temporary, found)


def _as_csv(trials: Iterable[TrialFigures]) -> str:
    """Return a line for each trial: its number, what it tried, and what came of it."""
    rows = list(trials)
    names = list(rows[0].params)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("number", *names, "value", "state", "epochs", "seconds"))
    for trial in rows:
        params = (trial.params[name] for name in names)
        writer.writerow((trial.number, *params, trial.value, trial.state, len(trial.values), f"{trial.seconds:.3f}"))
    return text.getvalue()
