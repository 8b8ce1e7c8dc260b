"""fastmlp: train multilayer perceptrons on CPUs at the hardware's limit.

Names load on first use: ``import fastmlp`` itself imports neither Numba nor scikit-learn.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastmlp.checkpoints import Checkpoints as Checkpoints
    from fastmlp.errors import DataError as DataError
    from fastmlp.errors import DivergedError as DivergedError
    from fastmlp.errors import FastmlpError as FastmlpError
    from fastmlp.errors import ModelError as ModelError
    from fastmlp.estimators import MLPClassifier as MLPClassifier
    from fastmlp.estimators import MLPRegressor as MLPRegressor
    from fastmlp.exporting import export as export
    from fastmlp.history import History as History
    from fastmlp.model import Model as Model
    from fastmlp.model_file import load as load
    from fastmlp.model_file import save as save
    from fastmlp.predictions import predict as predict
    from fastmlp.run import train as train
    from fastmlp.trainer import Trainer as Trainer
    from fastmlp.tuning import Tuning as Tuning
    from fastmlp.tuning import tune as tune
    from fastmlp.verbs import evaluate as evaluate
    from fastmlp.verbs import info as info
    from fastmlp.warm import warmup as warmup

__version__ = "0.1.0"

_HOME = {
    "Checkpoints": "checkpoints",
    "DataError": "errors",
    "DivergedError": "errors",
    "FastmlpError": "errors",
    "History": "history",
    "Model": "model",
    "ModelError": "errors",
    "MLPClassifier": "estimators",
    "MLPRegressor": "estimators",
    "Trainer": "trainer",
    "Tuning": "tuning",
    "evaluate": "verbs",
    "info": "verbs",
    "export": "exporting",
    "load": "model_file",
    "predict": "predictions",
    "save": "model_file",
    "train": "run",
    "tune": "tuning",
    "warmup": "warm",
}
__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOME:
        raise AttributeError(f"module 'fastmlp' has no attribute {name!r}")
    return getattr(import_module(f"fastmlp.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
