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
from fastmlp.tuning.running import names_of
from fastmlp.tuning.storage import JOURNAL, studies_in

if TYPE_CHECKING:
    from fastmlp.tuning.running import TrialFigures
    from fastmlp.tuning.search import Tuning

CONFIG, TRIALS, STUDY, BEST, REPORT = "config.toml", "trials.csv", "study.log", "best", "report.html"


class SearchFolder:
    """Files under one folder, each written whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def at(cls, path: Path, overwrite: bool, keeps_study: bool, study: str | None) -> SearchFolder:
        """Make the folder, or go on with the study in it, where it is the folder that keeps it and it has a name.

        Raises FileExistsError where something is there that may not be overwritten.
        """
        if path.exists() and not path.is_dir():
            raise FileExistsError(f"{path} is a file: out must be a folder to be made")
        folder = cls(path)
        if keeps_study and not overwrite and (path / STUDY).exists() and study in studies_in(folder.storage):
            return folder
        if path.is_dir() and any(path.iterdir()) and not overwrite:
            raise FileExistsError(f"{path} is there already: overwrite it, or choose another folder")
        path.mkdir(parents=True, exist_ok=True)
        for name in (CONFIG, TRIALS, REPORT, f"{BEST}/{FILE_NAME}", *([STUDY] if keeps_study else [])):
            (path / name).unlink(missing_ok=True)
        return folder

    @property
    def storage(self) -> str:
        """Where the study is kept, as ``fastmlp.tune`` takes it."""
        return f"{JOURNAL}{self.path / STUDY}"

    def write(self, found: Tuning) -> None:
        """Keep what was found: the best configuration, which ``fastmlp train --config`` takes, its model, a page."""
        write_whole(self.path / CONFIG, to_toml(found.config))
        if found.model is not None:
            (self.path / BEST).mkdir(exist_ok=True)
            save(found.model, self.path / BEST / FILE_NAME)
        with replacing(self.path / REPORT) as temporary:
            write_search_report(temporary, found)

    def write_trials(self, trials: Iterable[TrialFigures]) -> None:
        """Keep the figures of all trials."""
        write_whole(self.path / TRIALS, _as_csv(trials))


def _as_csv(trials: Iterable[TrialFigures]) -> str:
    """Return a line for each trial: its number, what it tried, and what came of it."""
    rows = list(trials)
    names = names_of(rows)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("number", *names, "value", "state", "epochs", "seconds"))
    for trial in rows:
        params = (trial.params.get(name, "") for name in names)
        writer.writerow((trial.number, *params, trial.value, trial.state, len(trial.values), f"{trial.seconds:.3f}"))
    return text.getvalue()
