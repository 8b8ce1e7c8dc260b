"""What a training run is asked to do: which data, how they are split, when to end, and the Trainer's options."""

from __future__ import annotations

import math
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from os import PathLike
from types import MappingProxyType
from typing import Any

from fastmlp.options import SOLVERS, Options, number, one_of, whole

TRAINER_OPTIONS = tuple(
    each.name
    for each in fields(Options)
    if each.name not in ("input_scale", "task")  # these follow from the data
)

# What suits pictures, where there are many rows alike, and tables, where there may be few
_DEFAULTS: dict[bool, dict[str, Any]] = {
    True: {"hidden": (128,), "solver": "sgd", "batch_size": 64, "epochs": 10, "l2": 1e-5},
    False: {"hidden": (64,), "solver": "adam", "batch_size": 32, "epochs": 50, "l2": 1e-3},
}
_STEP_DEFAULTS: dict[tuple[bool, str], dict[str, Any]] = {
    (True, "sgd"): {"learning_rate": 0.1, "momentum": 0.9, "learning_rate_decay": 0.85},
    (True, "adam"): {"learning_rate": 0.001, "momentum": 0.0, "learning_rate_decay": 0.85},
    (False, "sgd"): {"learning_rate": 0.02, "momentum": 0.9, "learning_rate_schedule": "linear"},
    (False, "adam"): {"learning_rate": 0.005, "momentum": 0.0, "learning_rate_schedule": "linear"},
}


IN_MEMORY = "in memory"
"""What stands for data that have neither name nor path."""


def default_of(name: str, is_images: bool) -> Any:
    """Return the default of one of the Trainer's options for images, or for tables."""
    return _defaults(is_images)[name]


def _defaults(is_images: bool, given: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
    """Return every option of the Trainer: as given, else as the kind of data and the solver have it, else as it has."""
    options: dict[str, Any] = {**_DEFAULTS[is_images], **given}
    if "learning_rate_decay" in given:  # which a linear schedule would leave without effect
        options.setdefault("learning_rate_schedule", "decay")
    one_of("solver", options["solver"], SOLVERS)  # which says what further defaults are
    options = {**asdict(Options()), **_STEP_DEFAULTS[is_images, options["solver"]], **options}
    return {name: options[name] for name in TRAINER_OPTIONS}


@dataclass(frozen=True)
class Config:
    """The options of ``fastmlp.train``, which documents them; ``trainer`` holds those of the Trainer that are given."""

    data: Any = "digits"
    target: str | None = None
    test: Any = None
    validation: Any = None
    task: str | None = None
    drop: tuple[str, ...] = ()
    weight: str | None = None
    test_fraction: float = 0.2
    validation_fraction: float = 0.1
    patience: int | None = None
    time_budget: float | None = None
    stream: bool | None = None
    trainer: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what cannot be done."""
        if self.task is not None:
            one_of("task", self.task, ("classify", "regress"))
        if self.target is not None and self.target in (*self.drop, self.weight):
            raise ValueError(f"target {self.target!r} cannot be dropped, nor be the weight of rows")
        number("test_fraction", self.test_fraction, least=0, below=1)
        number("validation_fraction", self.validation_fraction, least=0, below=1)
        if self.patience is not None:
            whole("patience", self.patience, 1)
        if self.time_budget is not None:
            number("time_budget", self.time_budget, above=0)
        unknown = [name for name in self.trainer if name not in TRAINER_OPTIONS]
        if unknown:
            known = ", ".join((*_OWN, *TRAINER_OPTIONS))
            raise TypeError(f"there is no option {unknown[0]!r}; there are {known}")

    def completed(self, is_images: bool, rows: int) -> Config:
        """Return the same with every option of the Trainer, given so many training rows; a seed of None is drawn.

        Raises ValueError or TypeError for options that cannot be.
        """
        given = {name: value for name, value in self.trainer.items() if value is not None}
        options = _defaults(is_images, given)
        Options(**options)
        steps = options["max_steps"]
        if steps is not None and "epochs" not in given:
            options["epochs"] = math.ceil(steps / math.ceil(rows / options["batch_size"]))
        if "seed" in self.trainer and self.trainer["seed"] is None:
            options["seed"] = secrets.randbelow(2**32)
        return replace(self, trainer=options)

    @property
    def split_seed(self) -> int:
        """What decides which rows are set aside."""
        return int(self.trainer.get("seed") or 0)

    def facts(self) -> dict[str, Any]:
        """Return every option that is set by name, as TOML and JSON may hold it."""
        everything = {**{name: getattr(self, name) for name in _OWN}, **self.trainer}
        plain = {name: _plain(value) for name, value in everything.items()}
        return {name: value for name, value in plain.items() if value is not None and (value != [] or name == "hidden")}


_OWN = tuple(each.name for each in fields(Config) if each.name != "trainer")


def config_of(options: Mapping[str, Any]) -> Config:
    """Return the configuration that such options make, those of the Trainer among them.

    Raises TypeError for an option that does not exist, ValueError for a value that cannot be.
    """
    own = {name: value for name, value in options.items() if name in _OWN}
    if isinstance(own.get("drop"), str):
        raise TypeError(f"drop must be a sequence of names, got the text {own['drop']!r}")
    own["drop"] = tuple(own.get("drop") or ())
    return Config(**own, trainer={name: value for name, value in options.items() if name not in _OWN})


def to_toml(config: Config) -> str:
    """Return the configuration as TOML, which ``from_toml`` reads back, wherever that is: with whole paths."""
    import tomli_w

    from fastmlp.data import NAMED

    facts = config.facts()
    for name in ("data", "test", "validation"):
        if name in facts and facts[name] not in NAMED and os.path.exists(facts[name]):
            facts[name] = os.path.abspath(facts[name])
    return tomli_w.dumps(facts)


def from_toml(text: str, name: str) -> dict[str, Any]:
    """Return the options in a TOML file. Raises ValueError for what is no TOML, or not a flat table of options."""
    import tomllib

    try:
        options = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{name} is not valid TOML: {error}") from error
    known = (*_OWN, *TRAINER_OPTIONS)
    unknown = [each for each in options if each not in known]
    if unknown:
        raise ValueError(f"{name} holds an option {unknown[0]!r} that does not exist; there are {', '.join(known)}")
    return {each: tuple(value) if isinstance(value, list) else value for each, value in options.items()}


def _plain(value: Any) -> Any:
    """Return a value as TOML and JSON may hold it; of data that are in memory only that they are."""
    if isinstance(value, tuple | list) and all(isinstance(each, str | int) for each in value):
        return list(value)
    if isinstance(value, PathLike):
        return str(value)
    return value if value is None or isinstance(value, bool | int | float | str) else IN_MEMORY
