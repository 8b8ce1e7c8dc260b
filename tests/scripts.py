"""Run a Python program as a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

TIMEOUT = 240
# Not the project's root: Python would import the sources there, without kernels, before an installed fastmlp
HERE = Path(__file__).parent


def start(program, cwd=HERE, **environment):
    """Start a program; an environment variable of None is taken away."""
    changed = {**os.environ, **environment}
    kept = {name: str(value) for name, value in changed.items() if value is not None}
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", program], cwd=cwd, env=kept, stdout=pipe, stderr=pipe, text=True)


def finish(process):
    """Wait for a program, which must succeed; return what it wrote to stdout and to stderr."""
    with process:
        try:
            stdout, stderr = process.communicate(timeout=TIMEOUT)
        finally:
            process.kill()
    assert process.returncode == 0, stderr
    return stdout, stderr


def run(program, cwd=HERE, **environment):
    return finish(start(program, cwd, **environment))
