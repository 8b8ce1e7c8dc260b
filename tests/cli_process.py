"""Run fastmlp-train as a process of its own."""

import json
import os
import subprocess
import sys

import pytest

COMMAND = [sys.executable, "-m", "fastmlp.cli"]
TIMEOUT = 120
needs_posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals, pipes and terminals")


def run(*arguments, **environment):
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        env={**os.environ, **environment},
    )


def run_json(*arguments, **environment):
    result = run("--json", *arguments, **environment)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)
