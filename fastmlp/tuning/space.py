"""Which options are searched, and where: a range or a few choices for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations_with_replacement, product
from pathlib import Path
from typing import Any

from fastmlp.config import TRAINER_OPTIONS
from fastmlp.extras import need
from fastmlp.options import number, whole

Space = dict[str, Any]  # of Optuna's distributions, by the option's name

REPORT_SPACE: dict[str, dict[str, Any]] = {
    "learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
    "learning_rate_decay": {"low": 0.8, "high": 1.0},
    "l2": {"low": 1e-5, "high": 1e-2, "log": True},
}
"""What the course report searched that fastmlp starts from."""

SHAPE = ("width", "depth")
"""Beside the Trainer's options: hidden layers of one width, and how many of them."""
_WHOLE = ("batch_size", "epochs", "max_steps", "seed", *SHAPE)
_FORMS = "low and high (and log = true, or step), or choices"


def space_of(given: Mapping[str, Any] | str | Path | None) -> Space:
    """Return a space given as a mapping, as a TOML file with a table for each option, or by default the report's.

    Each option has ``low`` and ``high``, with ``log`` or ``step`` if wanted, or ``choices``; ``hidden`` may have
    choices such as "256,128". Raises ValueError for an option that does not exist and for a range without values.
    """
    if given is None:
        given = REPORT_SPACE
    elif isinstance(given, str | Path):
        given = _read(Path(given))
    if not given:
        raise ValueError("space holds no option to search")
    space = {name: _distribution(name, form) for name, form in given.items()}
    if "hidden" in space and set(SHAPE) & set(space):
        raise ValueError("space must hold hidden, or width and depth, not both")
    return space


def options_of(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Trainer's options that values from a space make."""
    from fastmlp.cli.option_types import widths_of_layers

    options = dict(params)
    if isinstance(options.get("hidden"), str):
        options["hidden"] = widths_of_layers(options["hidden"])
    if set(SHAPE) & set(options):
        options["hidden"] = (options.pop("width", 128),) * options.pop("depth", 1)
    return options


def examples_of(space: Space) -> Iterator[dict[str, Any]]:
    """Yield values for all options, such that each two of them meet with all their choices, or ends."""
    values = {name: _ends_of(distribution) for name, distribution in space.items()}
    first = {name: some[0] for name, some in values.items()}
    for one, other in combinations_with_replacement(space, 2):
        for pair in product(values[one], values[other]):
            yield first | dict(zip((one, other), pair, strict=True))


def _ends_of(distribution: Any) -> Sequence[Any]:
    return distribution.choices if hasattr(distribution, "choices") else (distribution.low, distribution.high)


def _read(path: Path) -> Mapping[str, Any]:
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"space: {path} cannot be read: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"space: {path} is not valid TOML: {error}") from error


def _distribution(name: str, form: Any) -> Any:
    if name not in (*TRAINER_OPTIONS, *SHAPE):
        raise ValueError(f"space holds {name!r}, which is no option; there are {', '.join((*TRAINER_OPTIONS, *SHAPE))}")
    optuna = need("optuna", "tune", "tuning")
    if isinstance(form, optuna.distributions.BaseDistribution):
        return form
    if not isinstance(form, Mapping):
        raise ValueError(f"space: {name} needs {_FORMS}, got {form!r}")
    try:
        if set(form) == {"choices"}:
            return optuna.distributions.CategoricalDistribution(_choices(form["choices"]))
        if not {"low", "high"} <= set(form) <= {"low", "high", "log", "step"}:
            raise ValueError(f"needs {_FORMS}, got {', '.join(form)}")
        for end in ("low", "high", "step"):
            if end in form:
                (whole if name in _WHOLE else number)(end, form[end], least=0)
        if form["low"] > form["high"]:
            raise ValueError(f"low must be at most high, got {form['low']} and {form['high']}")
        if name in _WHOLE:
            return optuna.distributions.IntDistribution(**form)
        return optuna.distributions.FloatDistribution(**form)
    except (TypeError, ValueError) as error:
        raise ValueError(f"space: {name}: {error}") from None


def _choices(choices: Any) -> list[Any]:
    if not isinstance(choices, list | tuple) or not choices:
        raise ValueError(f"choices must be a list of some values, got {choices!r}")
    return [",".join(map(str, choice)) if isinstance(choice, list | tuple) else choice for choice in choices]
