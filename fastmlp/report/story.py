"""What a report tells of a training run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from fastmlp.evaluation import Evaluation
from fastmlp.history import History


@dataclass(frozen=True)
class Mistake:
    """A row of the test set whose class was not predicted.

    probability: what the predicted class was given
    pixels: (h, w), where rows are images, of any range; fields: the row's columns by name, where they are not
    """

    row: int
    truth: str
    predicted: str
    probability: float
    pixels: NDArray[Any] | None = None
    fields: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Story:
    """A training run as its report shows it; parts that are missing are left out.

    config: options by name; timings: seconds by name
    evaluation: of the test rows; mistakes: the worst first
    weights: (D, H) of the first layer, shown where ``image_shape`` (h, w) says how D = h * w inputs lie
    values: true and predicted values, of a regression
    created: when, as it is to be shown

    Raises ValueError for weights or values that do not fit.
    """

    title: str
    command: str
    config: Mapping[str, object]
    history: History
    timings: Mapping[str, float] = field(default_factory=dict)
    evaluation: Evaluation | None = None
    mistakes: Sequence[Mistake] = ()
    weights: NDArray[Any] | None = None
    image_shape: tuple[int, int] | None = None
    values: tuple[NDArray[Any], NDArray[Any]] | None = None
    created: str = ""

    def __post_init__(self) -> None:
        """Refuse what could not be drawn."""
        if self.weights is not None and self.image_shape is not None:
            height, width = self.image_shape
            if self.weights.ndim != 2 or len(self.weights) != height * width:
                raise ValueError(
                    f"weights must be ({height * width}, units) for images of {height} x {width} pixels, "
                    f"got {self.weights.shape}"
                )
        if self.values is not None and self.values[0].shape != self.values[1].shape:
            raise ValueError(
                f"values must be two arrays of one shape, got {self.values[0].shape} and {self.values[1].shape}"
            )
