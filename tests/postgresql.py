"""Debian's PostgreSQL, started for a test: unprivileged, in a temporary folder, reached by a socket in it alone."""

import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

BIN = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), default=None)


class Server:
    """Runs between ``start`` and ``stop``, in between and again."""

    def __init__(self, folder):
        self.folder, self.data = folder, folder / "data"
        self._run("initdb", "-D", self.data, "-U", "tuner", "-A", "trust", "--no-sync")

    @property
    def url(self):
        return f"postgresql://tuner@/postgres?host={self.folder}"

    def start(self):
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.folder}' -c fsync=off"
        self._run("pg_ctl", "-D", self.data, "-w", "-l", self.folder / "log", "-o", options, "start")

    def stop(self):
        self._run("pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop")

    def _run(self, program, *arguments):
        command = [str(BIN / program), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=self.folder, **_unprivileged())
        assert done.returncode == 0, done.stdout + done.stderr


def _unprivileged():
    """As whom to run: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    owner = pwd.getpwnam("nobody")
    return {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}


@contextmanager
def server():
    """Yield a Server that runs; skip where there is no PostgreSQL."""
    pytest.importorskip("psycopg", reason='needs psycopg: pip install "fastmlp[postgresql]"')
    if BIN is None:
        pytest.skip("needs PostgreSQL as Debian installs it, in /usr/lib/postgresql: apt-get install postgresql")
    # Names of sockets may have 107 bytes, fewer than pytest's temporary folders take
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    try:
        if os.geteuid() == 0:
            owner = pwd.getpwnam("nobody")
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        running = Server(folder)
        running.start()
        try:
            yield running
        finally:
            running.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
