"""Every option of a training run: its default and its check, in one place."""

import math
import numbers
from dataclasses import dataclass
from typing import Any

ACTIVATIONS = ("identity", "logistic", "tanh", "relu", "leaky_relu", "silu", "gelu")
TASKS = ("classify", "regress")
SOLVERS = ("sgd", "adam")
ADAM_BETAS, ADAM_EPSILON = (0.9, 0.999), 1e-8
SCHEDULES = ("decay", "linear")
SAMPLING = ("shuffle", "choice")
INITS = ("he",)
DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class Options:
    """Checked options of a training run; ``Trainer`` documents them."""

    hidden: tuple[int, ...] = (128,)
    learning_rate: float = 0.1
    learning_rate_decay: float = 0.95
    l2: float = 1e-4
    batch_size: int = 128
    epochs: int = 10
    momentum: float = 0.0
    nesterov: bool = False
    sampling: str = "shuffle"
    input_scale: float = 1.0
    init: str | float = "he"
    dtype: str = "float32"
    threads: int | None = None
    seed: int | None = 0
    max_steps: int | None = None
    solver: str = "sgd"
    learning_rate_schedule: str = "decay"
    task: str = "classify"
    activation: str = "relu"

    def __post_init__(self) -> None:
        """Refuse what cannot be trained with."""
        object.__setattr__(self, "hidden", _hidden(self.hidden))
        for name in ("batch_size", "epochs"):
            whole(name, getattr(self, name), 1)
        for name, lowest in (("threads", 1), ("max_steps", 1), ("seed", 0)):
            if getattr(self, name) is not None:
                whole(name, getattr(self, name), lowest)
        number("learning_rate", self.learning_rate, above=0)
        number("learning_rate_decay", self.learning_rate_decay, above=0)
        number("l2", self.l2, least=0)
        number("momentum", self.momentum, least=0, below=1)
        number("input_scale", self.input_scale)
        if self.input_scale == 0:
            raise ValueError("input_scale must not be 0: every input would become 0")
        if not isinstance(self.nesterov, bool):
            raise TypeError(f"nesterov must be True or False, got {self.nesterov!r}")
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov=True needs momentum above 0, got momentum=0")
        one_of("solver", self.solver, SOLVERS)
        if self.solver == "adam" and self.momentum != 0:
            raise ValueError(f"solver='adam' has momenta of its own: momentum must be 0, got {self.momentum}")
        one_of("learning_rate_schedule", self.learning_rate_schedule, SCHEDULES)
        one_of("task", self.task, TASKS)
        one_of("activation", self.activation, ACTIVATIONS)
        one_of("sampling", self.sampling, SAMPLING)
        one_of("dtype", self.dtype, DTYPES)
        if isinstance(self.init, str):
            one_of("init", self.init, INITS, " or a number: the standard deviation of normal weights")
        else:
            number("init", self.init, least=0)


def _hidden(hidden: Any) -> tuple[int, ...]:
    widths = (hidden,) if isinstance(hidden, numbers.Integral) else hidden
    try:
        widths = None if isinstance(widths, str) else tuple(widths)
    except TypeError:
        widths = None
    if widths is None:
        raise TypeError(f"hidden must be a sequence of layer widths such as (128, 64), got {hidden!r}")
    for width in widths:
        whole("every width in hidden", width, 1)
    return tuple(int(width) for width in widths)


def whole(name: str, value: Any, least: int) -> None:
    """Refuse anything but a whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")


def number(
    name: str, value: Any, *, least: float = -math.inf, above: float = -math.inf, below: float = math.inf
) -> None:
    """Refuse anything but a finite number in a range."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{name} must be finite, got {value}")
    if number < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    if number <= above:
        raise ValueError(f"{name} must be above {above}, got {value}")
    if number >= below:
        raise ValueError(f"{name} must be below {below}, got {value}")


def one_of(name: str, value: Any, choices: tuple[str, ...], otherwise: str = "") -> None:
    """Refuse anything but one of the names."""
    if not isinstance(value, str) or value not in choices:
        allowed = ", ".join(map(repr, choices))
        raise ValueError(f"{name} must be one of {allowed}{otherwise}, got {value!r}")
