"""ONNX Runtime answers from exported files as the models themselves do, from the same rows."""

import sys

import numpy as np
import pytest
from exported_models import CLOSE, COLOURS, assert_close, made_up, penguins, some_numbers, trained
from idx_files import SHARED_DATA, needs_agaricus, needs_penguins

import fastmlp
from fastmlp.exporting import export_onnx
from fastmlp.options import ACTIVATIONS

polars = pytest.importorskip("polars", reason="needs polars")
pytest.importorskip("onnx", reason="needs onnx")
runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")


@pytest.fixture
def session(tmp_path):
    """Return a function that exports a model, and opens the file in ONNX Runtime."""

    def opened(model):
        export_onnx(model, tmp_path / "model.onnx")
        return runtime.InferenceSession(tmp_path / "model.onnx")

    return opened


def feed_of(table, names=None):
    """Return a table's columns as ONNX takes them."""
    feed = {}
    for name, column in zip(names or table.columns, table.iter_columns(), strict=True):
        if column.dtype == polars.String:
            feed[name] = np.array(column.fill_null("").to_list(), object)[:, None]
        else:
            feed[name] = column.cast(polars.Float64).fill_null(float("nan")).to_numpy()[:, None]
    return feed


def assert_same_classes(opened, feed, model, rows):
    label, probabilities = opened.run(None, feed)
    expected = model.predict_proba(rows)
    assert_close(probabilities, expected)
    certain = np.sort(expected)[:, -1] - np.sort(expected)[:, -2] > CLOSE
    assert label[certain].tolist() == model.predict(rows)[certain].tolist()
    assert label.shape == rows.shape[:1]


def names_of(values):
    return [value.name for value in values]


# ---- rows without names ----


@pytest.mark.parametrize("kind", ["uint8", "float32", "float64"])
def test_digits(session, kind):
    from fastmlp.data.digits import load_digits

    digits = load_digits()
    data = "digits" if kind == "uint8" else (digits.X_train.astype(kind), digits.y_train)
    model, rows = trained(data)
    opened = session(model)
    taken = np.float32 if kind == "uint8" else np.float64
    assert_same_classes(opened, {"X": rows.astype(taken)}, model, rows)
    assert names_of(opened.get_outputs()) == ["label", "probabilities"]
    assert opened.run(["label"], {"X": rows[:1].astype(taken)})[0].dtype == np.int64


@needs_agaricus
def test_sparse_rows(session):
    model, rows = trained(SHARED_DATA / "agaricus" / "agaricus.txt.train")
    assert_same_classes(session(model), {"X": rows.toarray()}, model, rows)


def test_sparse_numbers_are_scaled(session):
    from scipy.sparse import csr_array

    rows = csr_array((some_numbers(50, 6) * [1, 10, 100, 0, -3, 1e-3]).astype(np.float32))
    model = made_up(rows)
    assert_close(session(model).run(["probabilities"], {"X": rows.toarray()})[0], model.predict_proba(rows))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(session, activation, dtype):
    rows = 3 * some_numbers(40, 6)
    model = made_up(rows, activation=activation, dtype=dtype)
    rows[0] *= 1e3  # where exponentials overflow
    probabilities = session(model).run(["probabilities"], {"X": rows})[0]
    assert_close(probabilities, model.predict_proba(rows))
    assert probabilities.dtype == dtype


@pytest.mark.parametrize("labels", [("no", "yes"), ()])
def test_without_hidden_layers(session, labels):
    rows = some_numbers(20, 3)
    model = made_up(rows, labels, hidden=())
    last = session(model).run(None, {"X": rows})[-1]
    assert_close(last, model.predict_proba(rows) if labels else model.predict(rows))


def test_missing_numbers_of_arrays(session):
    """Those that training had are indicated, those of other columns are filled in alone."""
    rows = some_numbers(60, 4, holes=0.2)
    rows[:, 2] = np.arange(60)
    model = made_up(rows)
    rows[7, 2] = np.nan
    assert_close(session(model).run(["probabilities"], {"X": rows})[0], model.predict_proba(rows))


@pytest.mark.filterwarnings("ignore:Skipping features without any observed values")
def test_columns_of_arrays_that_hold_nothing(session):
    rows = some_numbers(60, 4, holes=0.2)
    rows[:, 1] = np.nan
    model = made_up(rows)
    assert_close(session(model).run(["probabilities"], {"X": rows})[0], model.predict_proba(rows))


def test_arrays_far_from_zero(session):
    rows = 1.7e9 + some_numbers(60, 3)
    model = made_up(rows)
    assert_close(session(model).run(["probabilities"], {"X": rows})[0], model.predict_proba(rows))


def test_no_rows_and_one(session):
    model = made_up(some_numbers(20, 3))
    opened = session(model)
    assert [len(output) for output in opened.run(None, {"X": np.zeros((0, 3))})] == [0, 0]
    assert_close(opened.run(None, {"X": np.ones((1, 3))})[1], model.predict_proba(np.ones((1, 3))))


# ---- tables ----


@needs_penguins
def test_penguins_species(session):
    model, rows = penguins()
    assert any(column.null_count() for column in rows.iter_columns())
    assert_same_classes(session(model), feed_of(rows), model, rows)


@needs_penguins
@pytest.mark.parametrize("drop", [(), ("species", "island", "sex")])
def test_penguins_mass(session, drop):
    model, rows = penguins("body_mass_g", drop)
    opened = session(model)
    values = opened.run(["value"], feed_of(rows))[0]
    assert_close(values, model.predict(rows))
    assert values.dtype == np.float64


def test_values_that_are_small_differences_of_large_numbers(session):
    rows = some_numbers(30, 2)
    model = made_up(rows, labels=(), mean=1_700_000_001.0, scale=10.0)
    values = session(model).run(["value"], {"X": rows})[0]
    np.testing.assert_allclose(values, model.predict(rows), rtol=0, atol=10 * CLOSE)


UNSEEN = ["red", "grün", None, "rare", "odd", "never", "infrequent_sklearn", "RED"]
CATEGORIES = {
    "rare, missing": COLOURS,
    "missing is rare": COLOURS[:42] + ["red"] * 10,
    "none missing": COLOURS[:40] + ["red"] * 12,
    "none missing, some rare": COLOURS[:40] + ["red"] * 10 + ["rare", "odd"],
    "all rare": [f"only {number}" for number in range(52)],
    "missing or one": [None] * 40 + ["red"] * 12,
    "too many": [None] * 26 + [f"kind {number % 130}" for number in range(130 * 6)],
}


@pytest.mark.parametrize("training", CATEGORIES.values(), ids=CATEGORIES)
def test_categories(session, training):
    table = polars.DataFrame({"colour": training, "number": some_numbers(len(training))})
    model = made_up(table)
    opened = session(model)
    asked = polars.DataFrame({"colour": UNSEEN, "number": [0.5] * len(UNSEEN)})
    for rows in (table, asked):
        assert_close(opened.run(["probabilities"], feed_of(rows))[0], model.predict_proba(rows))


def test_only_categories(session):
    table = polars.DataFrame({"a": COLOURS, "b": COLOURS[::-1]})
    model = made_up(table)
    assert_close(session(model).run(["probabilities"], feed_of(table))[0], model.predict_proba(table))


def test_empty_text_is_a_category_where_nothing_is_missing(session):
    table = polars.DataFrame({"a": ["", "b"] * 10})
    model = made_up(table)
    assert_close(session(model).run(["probabilities"], feed_of(table))[0], model.predict_proba(table))


def test_empty_text_and_missing_cannot_both_be_expressed(tmp_path):
    model = made_up(polars.DataFrame({"colour": ["", None, "b"] * 10}))
    with pytest.raises(ValueError, match="'colour' held both missing values and empty text"):
        export_onnx(model, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_columns_of_tables(session):
    """Numbers with a few missing, timestamps, switches, whole numbers, and one that says nothing."""
    count = 60
    table = polars.DataFrame(
        {
            "missing": some_numbers(count, holes=0.3),
            "time": 1_700_000_000 + np.arange(count),
            "switch": [True, False, None] * 20,
            "constant": [5.0] * count,
            "text": ["a", "b"] * 30,
            "unused": [None] * count,
        }
    )
    model = made_up(table)
    used = table.drop("unused")
    opened = session(model)
    assert names_of(opened.get_inputs()) == used.columns
    more = used.head(3).with_columns(time=polars.lit(None), constant=polars.Series([None, 1e6, 5.0]))
    for rows in (used, more):
        assert_close(opened.run(["probabilities"], feed_of(rows))[0], model.predict_proba(rows))


HOSTILE = [
    *(
        "bill length (mm)",
        "größe",
        "体重",
        "a/b:c",
        "Concat0",
        "constant0",
        "IsNaN0",
        "X",
        "line\nbreak",
        "'quoted\"",
        " ",
    ),
    *("num__x", "numbers__categories__y", "-1", "N", "fastmlp", "_"),
]


@pytest.mark.parametrize("kind", ["numbers", "text", "both"])
def test_names_of_columns(session, kind):
    numbers = some_numbers(30, len(HOSTILE), holes=0.1)
    table = polars.DataFrame(
        {
            name: np.where(numbers[:, place] > 0, "é", name)
            if kind == "text" or (kind == "both" and place % 2)
            else column
            for place, (name, column) in enumerate(zip(HOSTILE, numbers.T, strict=True))
        }
    )
    model = made_up(table)
    opened = session(model)
    assert names_of(opened.get_inputs()) == HOSTILE
    assert_close(opened.run(["probabilities"], feed_of(table))[0], model.predict_proba(table))


def test_columns_named_as_outputs_or_not_at_all(session):
    table = polars.DataFrame(some_numbers(30, 4), schema=["label", "a", "unnamed", "probabilities"]).rename({"a": ""})
    model = made_up(table)
    opened = session(model)
    names = ["label", "unnamed_", "unnamed", "probabilities"]
    assert names_of(opened.get_inputs()) == names
    assert names_of(opened.get_outputs()) == ["label_", "probabilities_"]
    assert_close(opened.run(["probabilities_"], feed_of(table, names))[0], model.predict_proba(table))


# ---- files ----


def test_a_model_from_disk_is_exported_as_it_was(tmp_path):
    pytest.importorskip("skops", reason="needs skops")
    model = made_up(polars.DataFrame({"colour": COLOURS, "number": some_numbers(52, holes=0.1)}))
    fastmlp.save(model, tmp_path / "model.safetensors")
    fastmlp.export(model, tmp_path / "one.onnx")
    fastmlp.export(fastmlp.load(tmp_path / "model.safetensors"), str(tmp_path / "two.onnx"), "onnx")
    assert (tmp_path / "one.onnx").read_bytes() == (tmp_path / "two.onnx").read_bytes()


def test_what_cannot_be_exported_to(tmp_path):
    model = made_up(some_numbers(20, 3))
    with pytest.raises(ValueError, match="kind must be one of onnx, torch, got 'tflite'"):
        fastmlp.export(model, tmp_path / "model", "tflite")
    with pytest.raises(FileNotFoundError):
        fastmlp.export(model, tmp_path / "nowhere" / "model.onnx")


def test_without_onnx(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r'exporting to ONNX needs onnx: pip install "fastmlp\[onnx\]"'):
        fastmlp.export(made_up(some_numbers(20, 3)), tmp_path / "model.onnx")
