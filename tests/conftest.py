"""Settings of the whole suite, and memory that shows when a kernel reads what nobody has written."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from instruction_sets import FEATURES, started, why_not

pytest.register_assert_rewrite("tolerances")

settings.register_profile(
    "fastmlp",
    deadline=None,  # the first example compiles
    derandomize=True,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("fastmlp")


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes ten seconds or more; -m 'not slow' leaves it out")


@pytest.fixture(scope="session", autouse=True)
def instruction_sets(request, tmp_path_factory):
    """The suite for each other instruction set, by name, begun before the first test: other tests leave cores idle."""
    asked_for = any(item.path.name == "test_instruction_sets.py" for item in request.session.items)
    names = [name for name in FEATURES if asked_for and not why_not(name)]
    running = {name: started(name, tmp_path_factory.mktemp(name)) for name in names}
    yield running
    for process in running.values():
        process.kill()
        process.communicate()


@pytest.fixture(autouse=True)
def whole_teams(monkeypatch):
    """Let teams be as large as asked for: on a busy machine fewer threads would be found to be faster."""
    from fastmlp.pace import Findings

    monkeypatch.setattr(Findings, "halvings", 0)
    monkeypatch.setattr(Findings, "wait", math.inf)
    monkeypatch.setattr(Findings, "paces", {})


class _NaNNumPy:
    """NumPy, except that memory that it leaves uninitialised is full of NaN."""

    def __getattr__(self, name):
        return getattr(np, name)

    def empty(self, *arguments, **options):
        return _nan_filled(np.empty(*arguments, **options))

    def empty_like(self, *arguments, **options):
        return _nan_filled(np.empty_like(*arguments, **options))


def _nan_filled(array):
    if array.dtype.kind == "f":
        array.fill(np.nan)
    return array


@pytest.fixture(scope="module")
def nan_memory():
    """Fill outputs and scratch with NaN before kernels run, except for what must start at zero."""
    from fastmlp import engine, predictor
    from fastmlp.kernels import plain
    from fastmlp.kernels.workspace import new_workspace

    def workspace(*arguments, **options):
        work = new_workspace(*arguments, **options)
        for array in (work.scratch, work.transposed, work.losses, work.squares, work.norms):
            array.fill(np.nan)
        return work

    with pytest.MonkeyPatch.context() as patch:
        for module in (engine, predictor, plain):
            patch.setattr(module, "np", _NaNNumPy())
        for module in (engine, predictor):
            patch.setattr(module, "new_workspace", workspace)
        yield
