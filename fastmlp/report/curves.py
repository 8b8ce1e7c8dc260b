"""The learning curves of a report."""

from collections.abc import Callable, Iterable, Sequence
from math import isfinite

from fastmlp.history import History
from fastmlp.report.figures import number, percent
from fastmlp.report.frame import AxisTitle, figure
from fastmlp.report.line_chart import Lines, Series, line_chart
from fastmlp.report.markup import Markup, element
from fastmlp.report.shell import section

_EPOCH = AxisTitle("epoch", whole=True)
_TRAINING, _VALIDATION, _RATE = range(3)  # colours, the same in all charts


def learning_curves(history: History) -> Markup:
    """Return charts of the losses, of the validation score and of the learning rate, by epoch."""
    drawn = [_losses(history), *_scores(history), _rates(history)]
    return section("Learning curves", element("div", *drawn, class_="charts"))


def _losses(history: History) -> Markup:
    validation = list(history.validation_loss)
    series = [
        Series("training", history.loss, _TRAINING),
        *([Series("validation", validation, _VALIDATION)] if validation else []),
    ]
    what = "lowest validation" if validation else "lowest"
    note = _best(what, validation or history.loss, min, number)
    return figure("Loss", note, _by_epoch(series, AxisTitle("loss"), may_be_log=True))


def _scores(history: History) -> list[Markup]:
    accuracies, scores = list(history.validation_accuracy), validation_scores(history)
    if accuracies:
        chart = _by_epoch([Series("validation", accuracies, _VALIDATION)], AxisTitle("share of rows", as_percent=True))
        return [figure("Validation accuracy", _best("highest", accuracies, max, percent), chart)]
    if scores:
        chart = _by_epoch([Series("validation", scores, _VALIDATION)], AxisTitle("score"))
        return [figure("Validation score", _best("highest", scores, max, number), chart)]
    return []


def validation_scores(history: History) -> list[float]:
    """Return the scores of an estimator on its validation rows, none where the history keeps none."""
    return list(getattr(history, "validation_score", ()))


def _rates(history: History) -> Markup:
    rates = history.learning_rate
    first, last = number(rates[0]), number(rates[-1])
    note = f"from {first} to {last}" if min(rates) < max(rates) else f"{first} in all epochs"
    return figure("Learning rate", note, _by_epoch([Series("rate", rates, _RATE)], AxisTitle("rate")))


def _by_epoch(series: Sequence[Series], y_title: AxisTitle, may_be_log: bool = False) -> Markup:
    epochs = range(1, len(series[0].values) + 1)
    return line_chart(Lines(epochs, series, _EPOCH, y_title, may_be_log))


def _best(
    what: str, values: Sequence[float], choose: Callable[[Iterable[float]], float], written: Callable[[float], str]
) -> str:
    finite = [value for value in values if isfinite(value)]
    if not finite:
        return ""
    best = choose(finite)
    return f"{what} {written(best)} in epoch {values.index(best) + 1}"
