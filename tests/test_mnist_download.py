"""Downloading MNIST from mirrors that work, refuse, break off, go on and lie; all of them on this machine."""

import gzip
import hashlib
import threading
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import platformdirs
import pytest
from idx_files import MNIST, needs_mnist, write_folder
from numpy.testing import assert_array_equal

from fastmlp import DataError
from fastmlp.data import download as data_download
from fastmlp.data import load, mnist
from fastmlp.data.download import Attempts
from fastmlp.data.idx import NAMES, TRAIN_IMAGES, TRAIN_LABELS


@contextmanager
def mirror(folder, behaviour="serves", served=None):
    """Serve a folder on loopback; yields the mirror's address and the list of files it was asked for.

    served: a list to which the bytes of each answer are counted
    """
    asked = []
    served = [] if served is None else served

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path.rpartition("/")[2])
            content = (folder / asked[-1]).read_bytes()
            if behaviour == "refuses":
                self.send_error(403)
                return
            if behaviour == "lies":
                content = content[::-1]
            start = self.start_of_range() if "goes on" in behaviour else 0
            if start > len(content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            content = content[start:]
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            sent = content[: len(content) // 2] if "breaks off" in behaviour else content
            served.append(len(sent))
            self.wfile.write(sent)

        def start_of_range(self):
            return int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/mnist", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A folder of small files that pass for MNIST."""
    folder = tmp_path / "source"
    write_folder(folder)
    sums = {name: hashlib.sha256((folder / f"{name}.gz").read_bytes()).hexdigest() for name in NAMES}
    monkeypatch.setattr(mnist, "MNIST", replace(mnist.MNIST, checksums=sums))
    return folder


def load_mnist(mirrors=None, progress=None, **options):
    return mnist.load_named(mnist.MNIST, progress, Attempts(mirrors, **options) if mirrors is not None else None)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache folder and no settings from outside; yields the folder where MNIST is to land."""
    for name in ("FASTMLP_DATA_DIR", "FASTMLP_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_, **__: tmp_path / "cache")
    return tmp_path / "cache" / "mnist"


def files_in(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


ALL_FILES = sorted(f"{name}.gz" for name in NAMES)


@needs_mnist
def test_the_real_files_arrive_whole_and_are_kept(cache, monkeypatch):
    with mirror(MNIST) as (address, asked):
        data = load_mnist([address])
    assert data.name == "mnist"
    assert data.X_train.shape == (60000, 784)
    assert data.input_scale == 1 / 255
    assert files_in(cache) == sorted(asked) == ALL_FILES
    monkeypatch.setenv("FASTMLP_OFFLINE", "1")
    assert_array_equal(load_mnist().y_test, data.y_test)


@pytest.mark.parametrize("behaviour", ["refuses", "breaks off", "lies"])
def test_a_bad_mirror_is_passed_over(source, cache, behaviour, capfd):
    with mirror(source, behaviour) as (bad, asked_bad), mirror(source) as (good, asked_good):
        data = load_mnist([bad, good + "/"], pause=0)
    assert data.X_train.shape == (7, 12)
    assert sorted(asked_bad) == sorted(asked_good) == files_in(cache) == ALL_FILES
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("refuses", "HTTP status 403"),
        ("breaks off", "the connection broke off"),
        ("lies", "wrong SHA-256 checksum"),
    ],
)
def test_of_bad_mirrors_alone_nothing_gets_its_name(source, cache, behaviour, reason):
    with (
        mirror(source, behaviour) as (bad, asked),
        pytest.raises(DataError, match=rf"{TRAIN_IMAGES}.gz could not be downloaded \(127.0.0.1:\d+: {reason}\)"),
    ):
        load_mnist([bad], rounds=3, pause=0)
    assert asked == [f"{TRAIN_IMAGES}.gz"] * 3
    assert files_in(cache) == ([f".{TRAIN_IMAGES}.gz.part"] if behaviour == "breaks off" else [])


def test_what_has_arrived_is_gone_on_with_also_by_the_next_program(source, cache, monkeypatch):
    monkeypatch.setattr(data_download, "_PIECE", 8)  # of what arrives in a piece that breaks off, nothing is kept
    size, served = (source / f"{TRAIN_IMAGES}.gz").stat().st_size, []
    with mirror(source, "breaks off, goes on", served) as (bad, asked), pytest.raises(DataError, match="broke off"):
        load_mnist([bad], rounds=2, pause=0)
    arrived = (cache / f".{TRAIN_IMAGES}.gz.part").stat().st_size
    assert asked == [f"{TRAIN_IMAGES}.gz"] * 2
    assert 0 < arrived < size
    assert served[1] < served[0]  # half of what the first answer had left to ask for
    served.clear()
    with mirror(source, "goes on", served) as (good, _):
        assert load_mnist([good]).X_train.shape == (7, 12)
    assert served[0] == size - arrived
    assert files_in(cache) == ALL_FILES


@pytest.mark.parametrize("left", [b"something else", b"x" * 10_000], ids=["other", "too much"])
def test_what_is_left_of_something_else_is_thrown_away(source, cache, left):
    cache.mkdir(parents=True)
    (cache / f".{TRAIN_IMAGES}.gz.part").write_bytes(left)
    with mirror(source, "goes on") as (address, asked):
        assert load_mnist([address], pause=0).X_train.shape == (7, 12)
    assert asked.count(f"{TRAIN_IMAGES}.gz") == 2
    assert files_in(cache) == ALL_FILES


def test_mirrors_that_cannot_be_reached_are_named_with_what_to_do(source, cache):
    with mirror(source) as (address, _):
        pass
    with pytest.raises(DataError) as raised:
        load_mnist([address, "nonsense://example.org"], pause=0)
    message = str(raised.value)
    assert "\n" not in message
    assert "no connection; example.org: InvalidSchema" in message
    assert f"put {TRAIN_IMAGES}.gz, " in message
    assert str(cache) in message
    assert "'digits', which needs no download" in message


def test_only_missing_files_are_downloaded(source, cache):
    cache.mkdir(parents=True)
    unpacked = gzip.decompress((source / f"{TRAIN_LABELS}.gz").read_bytes())
    (cache / TRAIN_LABELS).write_bytes(unpacked)
    with mirror(source) as (address, asked):
        load_mnist([address])
    assert sorted(asked) == sorted(set(ALL_FILES) - {f"{TRAIN_LABELS}.gz"})


@pytest.mark.parametrize("value", ["1", "true", "yes"])
def test_offline_nothing_is_asked_and_nothing_written(source, cache, monkeypatch, value):
    monkeypatch.setenv("FASTMLP_OFFLINE", value)
    with (
        mirror(source) as (address, asked),
        pytest.raises(DataError, match=r"FASTMLP_OFFLINE forbids downloading it: unset that, put [^\n]*$"),
    ):
        load_mnist([address])
    assert asked == []
    assert not cache.exists()


def test_offline_may_be_switched_off(source, monkeypatch):
    monkeypatch.setenv("FASTMLP_OFFLINE", "0")
    with mirror(source) as (address, _):
        assert len(load_mnist([address]).y_test) == 5


def test_the_named_folder_comes_first_and_keeps_the_download(source, cache, monkeypatch, tmp_path):
    monkeypatch.setenv("FASTMLP_DATA_DIR", str(tmp_path / "named"))
    with mirror(source) as (address, _):
        load_mnist([address])
    assert files_in(tmp_path / "named" / "mnist") == ALL_FILES
    assert not cache.exists()
    write_folder(tmp_path / "named" / "mnist", replaced={TRAIN_LABELS: np.full(7, 9)})
    assert_array_equal(load_mnist([]).y_train, np.full(7, 9))


def test_the_cache_is_used_where_the_named_folder_cannot_be(source, cache, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("FASTMLP_DATA_DIR", str(tmp_path / "file"))
    with mirror(source) as (address, _):
        load_mnist([address])
    assert files_in(cache) == ALL_FILES


def test_no_folder_to_write_to_is_an_error_that_says_so(source, monkeypatch, tmp_path):
    (tmp_path / "cache").touch()
    with pytest.raises(DataError, match="set FASTMLP_DATA_DIR"):
        load_mnist([])


def test_without_a_home_nothing_lands_in_the_working_folder(source, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_, **__: mnist.Path("~/.cache/fastmlp"))
    with pytest.raises(DataError, match="set FASTMLP_DATA_DIR"):
        load_mnist([])
    assert files_in(tmp_path) == ["source"]


def test_progress_ends_with_all_bytes_of_each_file(source):
    reports = []
    with mirror(source) as (address, _):
        load_mnist([address], progress=lambda *figures: reports.append(figures))
    sizes = {file: (source / file).stat().st_size for file in ALL_FILES}
    assert {file: (received, total) for file, received, total in reports} == {
        file: (size, size) for file, size in sizes.items()
    }
    assert all(received <= total for _, received, total in reports)


def test_many_at_once_all_get_whole_files(source, cache):
    results = []
    with mirror(source) as (address, _):
        threads = [threading.Thread(target=lambda: results.append(load_mnist([address]).y_train)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(results) == 8
    assert files_in(cache) == ALL_FILES


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_a_named_set_is_found_by_its_name(name, monkeypatch, tmp_path):
    monkeypatch.setenv("FASTMLP_DATA_DIR", str(tmp_path))
    write_folder(tmp_path / name)
    data = load(name)
    assert data.name == name
    assert data.X_train.shape == (7, 12)


def test_the_real_checksums_are_the_published_ones():
    # The default must not be lost in a refactoring that tests, which bring their own, would not notice.
    assert mnist.MNIST.checksums[TRAIN_IMAGES].startswith("440fcabf73cc546f")
    assert mnist.FASHION_MNIST.checksums[TRAIN_IMAGES].startswith("3aede38d61863908")
    for named in (mnist.MNIST, mnist.FASHION_MNIST):
        assert [len(named.checksums[name]) for name in NAMES] == [64] * 4
        assert named.mirrors[0].startswith("https://")
