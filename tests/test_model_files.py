"""Models on disk: whole, unaltered and of this format, or refused by name; nothing in them is run."""

import io
import json
import os
import struct
import zipfile

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from safetensors_files import put_together, taken_apart

import fastmlp
from fastmlp import Model, ModelError
from fastmlp.model_file import FILE_NAME, FORMAT, load_checkpoint
from fastmlp.preparation import Preparation

polars = pytest.importorskip("polars", reason='tables need polars: pip install "fastmlp[tables]"')
skops = pytest.importorskip("skops.io", reason='needs skops: pip install "fastmlp[tables]"')
from safetensors.numpy import save_file  # noqa: E402

TABLE = polars.DataFrame({"a": [1.0, None, 3.0] * 20, "c": ["u", "v", None] * 20, "y": ["no", "yes", "maybé"] * 20})


@pytest.fixture(scope="module")
def model():
    return fastmlp.train(TABLE, epochs=3, hidden=(5,)).model


@pytest.fixture
def path(model, tmp_path):
    fastmlp.save(model, tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def forged(path, model, arrays=(), **facts):
    """Write a model with other facts and arrays, and the SHA-256 that they ask for; None takes one away."""
    from fastmlp import model_file

    found, said = model_file._taken_apart(model)
    found = {name: array for name, array in {**found, **dict(arrays)}.items() if array is not None}
    said = {name: value for name, value in {**said, **facts}.items() if value is not ...}
    said["sha256"] = model_file._digest(found, said)
    save_file(found, path, {"fastmlp": json.dumps(said)})


# Whole models


@pytest.mark.parametrize("data", ["table", "digits", "values"])
def test_what_is_saved_predicts_the_same_when_loaded(data, tmp_path):
    if data == "digits":
        run = fastmlp.train("digits", epochs=1, hidden=(8,))
    else:
        task, target = ("classify", "y") if data == "table" else ("regress", "a")
        run = fastmlp.train(TABLE.drop_nulls("a"), epochs=2, hidden=(4,), target=target, task=task)
    fastmlp.save(run.model, tmp_path / "ein Modell, ünïcode")
    loaded = fastmlp.load(tmp_path / "ein Modell, ünïcode")
    assert_array_equal(loaded.predict(run.test.X), run.model.predict(run.test.X))
    assert fastmlp.info(loaded) == fastmlp.info(run.model)


def test_the_same_training_writes_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        fastmlp.save(fastmlp.train(TABLE, epochs=2).model, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_model_holds_what_predicts_and_no_more(model, path):
    header, _ = taken_apart(path)
    assert set(header) == {"W1", "b1", "W2", "b2", "preparation", "__metadata__"}
    assert load_checkpoint(path)[1] is None
    assert json.loads(header["__metadata__"]["fastmlp"])["format"] == FORMAT


def test_a_model_is_found_in_its_folder_and_in_that_of_a_run(tmp_path):
    run = fastmlp.train("digits", epochs=1, hidden=(8,), out=tmp_path / "run")
    for where in ("run", "run/best", f"run/best/{FILE_NAME}", "run/last", f"run/last/{FILE_NAME}"):
        assert_array_equal(fastmlp.load(tmp_path / where).parameters["W1"], run.model.parameters["W1"])


# What is wrong is named


def test_a_file_cut_anywhere_is_refused(path):
    content = path.read_bytes()
    for length in {0, 1, 7, 8, 9, 100, *np.linspace(0, len(content) - 1, 60).astype(int).tolist()}:
        path.write_bytes(content[:length])
        with pytest.raises(ModelError, match=r"model.safetensors is not a whole model file"):
            fastmlp.load(path)


def test_a_bit_changed_anywhere_is_refused(path):
    content = path.read_bytes()
    header = 8 + struct.unpack("<Q", content[:8])[0]
    places = [*range(8), *range(8, header, 7), *np.linspace(header, len(content) - 1, 300).astype(int).tolist()]
    for place in places:
        changed = bytearray(content)
        changed[place] ^= 1 << (place % 8)
        path.write_bytes(changed)
        if content[place : place + 1] == b" ":  # what pads the header means nothing
            continue
        with pytest.raises(ModelError, match=r"model.safetensors"):
            fastmlp.load(path)


def foreign_numbers(path):
    save_file({"W1": np.zeros((3, 2))}, path)


def foreign_text(path):
    path.write_text('{"a": 1}')


def foreign_pickle(path):
    path.write_bytes(b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94\x8c\x06system\x94\x93\x94.")


def foreign_dtype(path):
    put_together(path, {"W1": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}, b"1234")


def foreign_float8(path):
    put_together(path, {"W1": {"dtype": "F8_E4M3", "shape": [4], "data_offsets": [0, 4]}}, b"1234")


def header_too_long(path):
    path.write_bytes(struct.pack("<Q", 1 << 60) + path.read_bytes()[8:])


def header_of_noise(path):
    content = bytearray(path.read_bytes())
    content[8:60] = os.urandom(52)
    path.write_bytes(content)


def overlapping(path):
    header, rest = taken_apart(path)
    header["W1"]["data_offsets"] = header["W2"]["data_offsets"]
    put_together(path, header, rest)


def metadata_without_end(path):
    header, rest = taken_apart(path)
    header["__metadata__"]["fastmlp"] = "[" * 100_000
    put_together(path, header, rest)


def metadata_of_a_list(path):
    header, rest = taken_apart(path)
    header["__metadata__"]["fastmlp"] = "[1, 2]"
    put_together(path, header, rest)


WRECKS = {
    "foreign tensors": (foreign_numbers, "a safetensors file, but not one of fastmlp's models"),
    "JSON": (foreign_text, "not a whole model file"),
    "a pickle": (foreign_pickle, "not a whole model file"),
    "bfloat16": (foreign_dtype, "(not a whole model file|but not one of fastmlp's models)"),
    "float8": (foreign_float8, "not a whole model file"),
    "a header longer than the file": (header_too_long, "not a whole model file: .*header"),
    "a header of noise": (header_of_noise, "not a whole model file: .*header"),
    "arrays that overlap": (overlapping, "not a whole model file"),
    "metadata without end": (metadata_without_end, "its metadata cannot be read"),
    "metadata of another kind": (metadata_of_a_list, "its metadata cannot be read"),
}


@pytest.mark.parametrize(("wreck", "message"), WRECKS.values(), ids=WRECKS.keys())
def test_wrecks_and_foreign_files_are_refused_by_name(wreck, message, path):
    wreck(path)
    with pytest.raises(ModelError, match=f"model.safetensors .*{message}"):
        fastmlp.load(path)


def test_a_newer_format_says_to_upgrade(path):
    header, rest = taken_apart(path)
    facts = json.loads(header["__metadata__"]["fastmlp"])
    header["__metadata__"]["fastmlp"] = json.dumps(facts | {"format": FORMAT + 1, "version": "9.9"})
    put_together(path, header, rest)
    with pytest.raises(ModelError, match=rf"by fastmlp 9\.9 in format {FORMAT + 1};.*reads format {FORMAT}: upgrade"):
        fastmlp.load(path)


def test_no_model_at_all(tmp_path):
    with pytest.raises(ModelError, match=r"nothing is no model: there is no such file"):
        fastmlp.load(tmp_path / "nothing")
    with pytest.raises(ModelError, match=f"holds no {FILE_NAME}"):
        fastmlp.load(tmp_path)


W1 = np.zeros((6, 5), np.float32)
FORGERIES = {
    "a shape": ({"W1": W1}, {}, r"W1 must be float32 of shape \(\d, 5\), got float32 of shape \(6, 5\)"),
    "a dtype": ({"b1": np.zeros(5)}, {}, "b1 must be float32 of shape .*, got float64"),
    "a missing array": ({"b2": None}, {}, "'b2' is missing"),
    "an array too many": ({"W9x": W1}, {}, "arrays that are no part of a model: W9x"),
    "sizes": ({}, {"sizes": [5]}, "sizes must be of inputs"),
    "sizes of text": ({}, {"sizes": "abc"}, "sizes must be of inputs"),
    "labels for other outputs": ({}, {"labels": ["a", "b"]}, "3 outputs do not fit 2 labels"),
    "the same label twice": ({}, {"labels": ["a", "b", "a"]}, "labels must be different"),
    "labels of another kind": ({}, {"labels": [["a"], ["b"], ["c"]]}, "labels must be"),
    "an activation": ({}, {"activation": "__import__"}, "activation must be one of"),
    "a task": ({}, {"task": "cluster"}, "task must be one of"),
    "a scale of NaN": ({}, {"scale": float("nan")}, "scale must be finite"),
    "a mean of text": ({}, {"mean": "x"}, "mean must be a number"),
    "columns": ({}, {"columns": [["b", True], ["c", False]]}, "takes other columns than the model says"),
    "no columns": ({}, {"columns": None, "stored": 2}, "its preparation is a ColumnTransformer"),
    "no preparation": ({"preparation": None}, {}, "do not fit rows of"),
    "facts that are missing": ({}, {"labels": ...}, "'labels' is missing"),
    "a preparation of noise": ({"preparation": np.arange(200, dtype=np.uint8)}, {}, "preparation cannot be read"),
    "an empty preparation": ({"preparation": np.zeros(0, np.uint8)}, {}, "preparation cannot be read"),
}


@pytest.mark.parametrize(("arrays", "facts", "message"), FORGERIES.values(), ids=FORGERIES.keys())
def test_forged_facts_are_refused_by_name(arrays, facts, message, model, tmp_path):
    """Whoever alters a file can also write its SHA-256."""
    forged(tmp_path / "forged", model, arrays, **facts)
    with pytest.raises(ModelError, match=f"forged is not a valid model: .*{message}"):
        fastmlp.load(tmp_path / "forged")


class Runs:
    """What would run code if it were unpickled, or trusted."""

    def __reduce__(self):
        return os.system, ("touch hacked",)


def test_no_code_in_a_preparation_is_run(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number, hostile in enumerate((Runs(), np.sin, os.system)):
        content = np.frombuffer(skops.dumps(hostile), np.uint8)
        forged(tmp_path / "forged", model, {"preparation": content})
        with pytest.raises(ModelError, match=r"its preparation (holds types that are not trusted|is a|cannot)"):
            fastmlp.load(tmp_path / "forged")
        assert not (tmp_path / "hacked").exists(), number


def test_a_preparation_that_unpacks_to_more_is_refused(model, tmp_path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", b" " * 10_000_000)
    forged(tmp_path / "forged", model, {"preparation": np.frombuffer(packed.getvalue(), np.uint8)})
    with pytest.raises(ModelError, match="it is compressed"):
        fastmlp.load(tmp_path / "forged")


# Written whole or not at all


def test_a_failure_while_writing_leaves_what_was_there(model, path, monkeypatch):
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match=r"No space left on device: '.*model.safetensors'"):
        fastmlp.save(model, path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_named(model, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"'.*nowhere/model'$"):
        fastmlp.save(model, tmp_path / "nowhere/model")


def test_weights_that_are_no_numbers_are_refused_when_used(model, tmp_path):
    nan = np.full_like(model.parameters["W1"], np.nan)
    forged(tmp_path / "forged", model, {"W1": nan})
    with pytest.raises(ValueError, match="must be finite"):
        fastmlp.load(tmp_path / "forged").predict(TABLE)


def test_a_model_made_by_hand_is_saved_too(tmp_path):
    parameters = {"W1": np.eye(2), "b1": np.zeros(2)}
    fastmlp.save(Model(parameters, Preparation(stored=2), labels=("a", "b")), tmp_path / "model")
    assert fastmlp.load(tmp_path / "model").predict(np.array([[3.0, 1.0], [0.0, 1.0]])).tolist() == ["a", "b"]
