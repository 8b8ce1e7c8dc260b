"""Ctrl-C during a long fit, in a process of its own."""

import json
import os
import signal
import time

import pytest
from scripts import finish, start

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")

# an epoch of this takes many seconds: only an interrupt inside it can end it sooner
LONG_FIT = """
import json, sys, warnings
import numpy as np
import fastmlp.trainer
from fastmlp import Trainer

order_of = fastmlp.training.epoch_order

def tell_and_order(*arguments):
    print("epoch begins", flush=True)
    return order_of(*arguments)

fastmlp.training.epoch_order = tell_and_order
X, y = np.ones((1_000_000, 64), np.uint8), np.arange(1_000_000) % 2
trainer = Trainer(hidden=({hidden}), threads={threads}, learning_rate=1e-6, input_scale=0.1)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    history = trainer.fit(X, y)
finite = all(bool(np.isfinite(p).all()) for p in trainer.parameters.values())
again = Trainer(hidden=(4,), epochs=1).fit(X[:100], y[:100])
json.dump({{
    "warnings": [str(warning.message) for warning in caught],
    "interrupted": trainer.interrupted,
    "epochs": len(history.loss),
    "threads": trainer.threads_,
    "finite": finite,
    "predictions": trainer.predict(X[:300]).tolist(),
    "epochs_again": len(again.loss),
}}, sys.stdout)
"""


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("hidden", ["4096,", "512, 512, 512"])
def test_ctrl_c_ends_fit_and_leaves_a_usable_model(threads, hidden):
    process = start(LONG_FIT.format(hidden=hidden, threads=threads))
    assert process.stdout.readline() == "epoch begins\n"
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    result = json.loads(finish(process)[0].splitlines()[-1])
    assert time.monotonic() - began < 5  # the fit, what follows it, and the end of the process
    assert result["warnings"] == ["Training interrupted by user."]
    assert result["interrupted"]
    assert result["epochs"] == 0
    assert result["threads"] == threads
    assert result["finite"]
    assert set(result["predictions"]) <= {0, 1}
    assert result["epochs_again"] == 1


# at a moment that cannot bear it: LLVM has taken a module in or apart, and llvmlite does not know yet
WHILE_COMPILING = """
import gc, signal
import numpy as np
from llvmlite.binding import ModuleRef
from fastmlp.kernels import matmul_bias

detach, pressed = ModuleRef.detach, []

def press_and_detach(module):
    if not pressed:
        pressed.append(True)
        signal.raise_signal(signal.SIGINT)
    detach(module)

ModuleRef.detach = press_and_detach
one = np.ones((1, 1))
try:
    matmul_bias(one, one, np.ones(1))
except KeyboardInterrupt:
    print("interrupted")
gc.collect()
print(matmul_bias(one, one, np.ones(1)))
"""


def test_ctrl_c_while_a_kernel_is_compiled_waits_until_it_is(tmp_path):
    assert finish(start(WHILE_COMPILING, NUMBA_CACHE_DIR=tmp_path))[0] == "interrupted\n[[2.]]\n"
