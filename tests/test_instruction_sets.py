"""The kernels compiled for other instruction sets of this processor than the best one."""

import pytest
from instruction_sets import FEATURES, why_not

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", FEATURES)
def test_the_suite_passes_compiled_for(name, instruction_sets):
    if reason := why_not(name):
        pytest.skip(reason)
    output, _ = instruction_sets[name].communicate(timeout=600)
    assert instruction_sets[name].returncode == 0, output[-4000:]
