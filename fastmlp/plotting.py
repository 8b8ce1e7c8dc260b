"""Learning curves by matplotlib."""

from __future__ import annotations

from errno import ENOENT
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastmlp.extras import need
from fastmlp.files import replacing

if TYPE_CHECKING:
    from fastmlp.history import History


def plot(history: History, path: str | PathLike[str] | None = None) -> Any:
    """Return a matplotlib Figure of a history's curves, drawn without pyplot; save it where a path is given.

    Raises ImportError without matplotlib, ValueError for a path whose ending is no kind of picture, OSError where it
    cannot be written.
    """
    figure = need("matplotlib.figure", "plot", "plotting").Figure(figsize=(10, 4), layout="constrained")
    losses, rest = figure.subplots(1, 2)
    _draw(losses, "loss", {"training": history.loss, "validation": history.validation_loss})
    if history.validation_accuracy:
        _draw(rest, "accuracy", {"validation": history.validation_accuracy})
    elif history.validation_score:
        _draw(rest, "R2", {"validation": history.validation_score})
    else:
        _draw(rest, "learning rate", {"rate": history.learning_rate})
    if path is not None:
        _save(figure, Path(path))
    return figure


def _draw(axes: Any, what: str, curves: dict[str, list[float]]) -> None:
    for name, values in curves.items():
        if values:
            axes.plot(range(1, len(values) + 1), values, marker="." if len(values) <= 50 else None, label=name)
    axes.set(xlabel="epoch", ylabel=what)
    axes.grid(alpha=0.3)
    axes.legend()


def refuse_unplottable(path: str | PathLike[str]) -> None:
    """Raise what ``plot`` would raise of a path, before there are curves to lose."""
    place = Path(path)
    kinds = need("matplotlib.figure", "plot", "plotting").Figure().canvas.get_supported_filetypes()
    if _kind(place) not in kinds:
        raise ValueError(
            f"plot must end in one of {', '.join(f'.{each}' for each in sorted(kinds))}, got {place.name!r}"
        )
    if not place.parent.is_dir():
        raise FileNotFoundError(ENOENT, "there is no such folder", str(place.parent))


def _save(figure: Any, path: Path) -> None:
    refuse_unplottable(path)
    with replacing(path) as temporary:
        figure.savefig(temporary, format=_kind(path))


def _kind(path: Path) -> str:
    return path.suffix.lower().removeprefix(".")
