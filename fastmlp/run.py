"""``fastmlp.train``: from data to a model, with everything that is kept on the way."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.config import Config, config_of
from fastmlp.evaluation import Evaluation, count_confusion
from fastmlp.history import EpochFigures, History
from fastmlp.model import Model
from fastmlp.plotting import refuse_unplottable
from fastmlp.rows import TrainingRows, rows_for
from fastmlp.streaming import is_to_be_streamed, streamed_rows
from fastmlp.trainer import Trainer

if TYPE_CHECKING:
    from fastmlp.data.parts import Part
    from fastmlp.run_folder import RunFolder
    from fastmlp.state import TrainingState

Figure = tuple[float, float]
WORST: Figure = (-math.inf, -math.inf)

SECONDS_BETWEEN_CHECKPOINTS = 1.0
"""Epochs may take less than a millisecond; a checkpoint waits for the disk."""


@dataclass(frozen=True)
class Run:
    """What a training left.

    model: the best by the validation rows (the last where there were none); history: the figures of all epochs
    test: rows that were set aside, as they are stored, or None; config: every option with its value
    timings: seconds by name; threads: that training used; interrupted: whether Ctrl-C ended it
    """

    model: Model
    history: History
    config: Config
    rows: int
    test: Part | None
    timings: Mapping[str, float]
    threads: int
    interrupted: bool

    @cached_property
    def confusion(self) -> NDArray[np.int64] | None:
        """The test rows (C, C) by true class, down, and predicted class, across; None where there are none."""
        model, test = self.model, self.test
        if test is None or test.y is None or model.task != "classify":
            return None
        predicted = model.predict_proba(test.X).argmax(axis=1)
        return count_confusion(model.class_numbers(test.y), predicted, len(model.labels))

    @cached_property
    def evaluation(self) -> Evaluation | None:
        """The figures of predictions for the test rows, None where there are none."""
        if self.test is None or self.test.y is None:
            return None
        return self.model.evaluate(self.test.X, self.test.y)


def train(
    data: Any = None,
    *,
    out: str | PathLike[str] | None = None,
    overwrite: bool = False,
    log: Iterable[str] = (),
    plot: str | PathLike[str] | None = None,
    resume: str | PathLike[str] | None = None,
    callbacks: Iterable[Callable[[EpochFigures], object]] = (),
    say: Callable[[str], object] = lambda text: None,
    progress: Any = None,
    **options: Any,
) -> Run:
    """Train on a data set, file, table or pair (X, y), and return the model with its history and its figures.

    data : "digits" (the default), "mnist", "fashion-mnist", a path (CSV, TSV, Parquet, Arrow, NPZ, NPY, svmlight or a
        folder of IDX files), a table of polars, or a pair (X, y)
    out : a folder to keep config.toml, history.csv, best/, last/ and report.html in; must be new unless ``overwrite``
    log : "jsonl", "tensorboard", "mlflow" or several of them, to write each epoch's figures to (``fastmlp.logs``)
    plot : a picture of the learning curves to be drawn at the end (.png, .svg, .pdf ...)
    resume : the folder of a run that was cut off, to go on with it; its data and options are taken from there
    callbacks : each is called with the figures of an epoch; one that returns True ends the training
    say : called with what is worth telling, a line each; progress : as ``fastmlp.data.load`` has it

    Further options, all by keyword:

    target, weight : names of columns; drop : a sequence of them
    test, validation : data of the same columns; test_fraction, validation_fraction : what is set aside else
    task : "classify" or "regress", guessed by default
    patience : epochs without a better validation figure after which to end; time_budget : seconds after which to end
    stream : whether to leave the rows of a table or an NPY file on the disk; by default where memory may not hold them
    every option of the Trainer but ``task`` and ``input_scale``, with defaults that suit images or tables

    Raises DataError for data that cannot be used, ValueError or TypeError for options that cannot be, DivergedError,
    FileExistsError where ``out`` holds a run already, and OSError where it cannot be written.
    """
    from fastmlp.run_folder import RunFolder

    if plot is not None:
        refuse_unplottable(plot)
    folder, state = None, None
    if resume is not None:
        folder = RunFolder.existing(Path(resume))
        options, state = folder.options(data) | options, folder.last()
    elif out is not None:
        folder = RunFolder.new(Path(out), overwrite)
    asked = config_of(options if data is None else {**options, "data": data})
    began = time.perf_counter()
    rows = streamed_rows(asked, say) if is_to_be_streamed(asked) else rows_for(asked, say, progress)
    if asked.patience is not None and rows.validation is None:
        raise ValueError("patience needs validation rows to tell what is better: none are set aside")
    config = asked.completed(rows.is_images, len(rows.training))
    say(rows.described())
    trainer = Trainer(**config.trainer, task=rows.target.task, input_scale=rows.preparation.input_scale)
    loaded = time.perf_counter()
    keeper = _Keeper(trainer, rows, folder)
    keeper.start(state)
    if resume is not None:
        say(f"{resume} goes on after epoch {len(state.history.loss) if state else 0} of {config.trainer['epochs']}")
    ends = _Ends(trainer, config, loaded)
    with closing(rows.training), ExitStack() as opened:
        if folder is not None:
            opened.enter_context(folder.begun(config, afresh=resume is None))
        logs = [opened.enter_context(each) for each in _logs(log, folder, config)]
        rows.training.train(trainer, rows.validation, (keeper, *logs, *callbacks, ends), state)
        ended = time.perf_counter()
        if trainer.interrupted and not trainer.history_.loss:
            raise KeyboardInterrupt
        keeper.write()
    timings = {
        "loading": loaded - began,
        "compiling": trainer.compile_seconds,
        "training": ended - loaded - trainer.compile_seconds,
    }
    facts = config, len(rows.training), rows.test, timings, trainer.threads_, trainer.interrupted
    run = Run(keeper.best_model(), trainer.history_, *facts)
    if folder is not None:
        folder.write_report(run)
    if plot is not None:
        run.history.plot(plot)
    return run


def _logs(
    targets: Iterable[str], folder: RunFolder | None, config: Config
) -> Iterator[AbstractContextManager[Callable[[EpochFigures], object]]]:
    """Yield the logs that are asked for, in the run's folder."""
    from fastmlp.logs import open_log

    for target in targets:
        if folder is None:
            raise ValueError(f"log={target!r} needs a folder to write to: give out")
        yield open_log(target, folder.path, config.facts(), folder.path.name)


@dataclass
class _Keeper:
    """Remembers the best parameters, and keeps best and last in the run's folder: a callback of the Trainer."""

    trainer: Trainer
    rows: TrainingRows
    folder: RunFolder | None
    best: Mapping[str, NDArray[Any]] | None = None  # None: those that the Trainer has
    best_figure: Figure = WORST
    written: float = field(default_factory=time.perf_counter)
    is_new: bool = True  # whether there is anything to write, and a best among it
    is_new_best: bool = True

    def start(self, state: TrainingState | None) -> None:
        """Take up what an earlier run has found. Raises ValueError where its rows were others."""
        earlier = None if state is None or self.folder is None else self.folder.best()
        if earlier is None or state is None:
            return
        if earlier.about.get("training_rows") != self.rows.training.fingerprint:
            raise ValueError(f"{earlier.about.get('data')} has changed since the run began: it cannot go on")
        figures = figures_of(state.history)
        if figures:
            self.best, self.best_figure, self.is_new_best = earlier.parameters, max(figures), False

    def __call__(self, figures: EpochFigures) -> None:
        self.is_new = True
        figure = figures_of(self.trainer.history_)[-1:]
        if figure and figure[0] > self.best_figure:
            self.best, self.best_figure, self.is_new_best = self.trainer.parameters, figure[0], True
        if time.perf_counter() - self.written >= SECONDS_BETWEEN_CHECKPOINTS:
            self.write()

    def best_model(self) -> Model:
        """Return the best model so far."""
        return self._model(self.trainer.parameters if self.best is None else self.best)

    def write(self) -> None:
        """Write to the folder what has changed since the last time."""
        if self.folder is None or not self.is_new:
            return
        if self.is_new_best or self.best is None:
            self.folder.write_best(self.best_model())
        self.folder.write_last(self._model(self.trainer.parameters), self.trainer.state())
        self.written, self.is_new, self.is_new_best = time.perf_counter(), False, False

    def _model(self, parameters: Mapping[str, NDArray[Any]]) -> Model:
        model = self.rows.model(parameters, self.trainer.options.activation, len(self.trainer.history_.loss))
        if self.folder is None:
            return model
        return replace(model, about={**model.about, "training_rows": self.rows.training.fingerprint})


def figures_of(history: History) -> list[Figure]:
    """Return for each epoch what makes it better than another: the validation accuracy, then the loss.

    Without validation there are none.
    """
    accuracies = history.validation_accuracy or [0.0] * len(history.validation_loss)
    return [(accuracy, -loss) for accuracy, loss in zip(accuracies, history.validation_loss, strict=True)]


@dataclass(frozen=True)
class _Ends:
    """Ends a training early, by patience or by the clock: a callback of the Trainer."""

    trainer: Trainer
    config: Config
    began: float

    def __call__(self, figures: EpochFigures) -> bool:
        patience, budget = self.config.patience, self.config.time_budget
        if budget is not None and time.perf_counter() - self.began >= budget:
            return True
        if patience is None:
            return False
        measured = figures_of(self.trainer.history_)
        return len(measured) - 1 - measured.index(max(measured)) >= patience
