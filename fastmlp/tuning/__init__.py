"""Searching for good options: ``fastmlp.tune``. Optuna samples, prunes and keeps the trials; this runs them."""

from fastmlp.tuning.search import Tuning, tune

__all__ = ["Tuning", "tune"]
