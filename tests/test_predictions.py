"""Predictions into files of every kind, and the figures of models: read back, and computed again by hand."""

import csv
import io
import json
import weakref

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import fastmlp
from fastmlp import predictions
from fastmlp.cli.verbs import main

polars = pytest.importorskip("polars", reason='tables need polars: pip install "fastmlp[tables]"')
random = np.random.default_rng(0)
ROWS = 300
TABLE = polars.DataFrame(
    {
        "a": random.standard_normal(ROWS),
        "c": random.choice(["u", "v", "w, x"], ROWS),
        "b": random.integers(0, 9, ROWS),
    }
).with_columns(
    label=polars.when(polars.col("a") > 0).then(polars.lit('hoch, "ja"')).otherwise(polars.lit("tief")),
    value=100 + 20 * polars.col("a") + polars.col("b"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Models in a folder whose name has spaces and other letters, and the rows that they are of."""
    folder = tmp_path_factory.mktemp("modèles и данные")
    for target, other in (("label", "value"), ("value", "label")):
        fastmlp.train(TABLE, target=target, drop=[other], hidden=(8,), epochs=5, out=folder / target)
    TABLE.write_csv(folder / "rows.csv")
    return folder


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(predictions, "BATCH_ROWS", 64)


def read_back(path):
    """Return the lines of a file of predictions as lists."""
    text = path.read_text(encoding="utf-8") if path.suffix != ".parquet" else ""
    if path.suffix == ".csv":
        head, *rows = csv.reader(io.StringIO(text))
        return head, [[row[0], *map(float, row[1:])] for row in rows]
    if path.suffix == ".parquet":
        table = polars.read_parquet(path)
        return table.columns, [list(row) for row in table.rows()]
    rows = [json.loads(line) for line in text.splitlines()]
    return list(rows[0]), [list(row.values()) for row in rows]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "ndjson", "parquet"])
def test_classes_and_probabilities_in_every_kind_of_file(kind, folder, tmp_path):
    out = tmp_path / f"pré dictions.{kind}"
    assert fastmlp.predict(folder / "label", folder / "rows.csv", out) == ROWS
    head, rows = read_back(out)
    assert head == ["prediction", 'probability_hoch, "ja"', "probability_tief"]
    model = fastmlp.load(folder / "label")
    assert [row[0] for row in rows] == model.predict(TABLE).tolist()
    assert_allclose([row[1:] for row in rows], model.predict_proba(TABLE), atol=1e-6)
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_values_in_every_kind_of_file(kind, folder, tmp_path):
    out = tmp_path / f"values.{kind}"
    assert fastmlp.predict(folder / "value", TABLE, out) == ROWS
    head, rows = read_back(out)
    assert head == ["prediction"]
    assert_allclose([float(row[0]) for row in rows], fastmlp.load(folder / "value").predict(TABLE))


def test_npy_holds_probabilities_or_values(folder, tmp_path):
    for target in ("label", "value"):
        model = fastmlp.load(folder / target)
        fastmlp.predict(model, TABLE, tmp_path / "out.npy")
        found = np.load(tmp_path / "out.npy")
        assert_array_equal(found, model.predict_proba(TABLE) if target == "label" else model.predict(TABLE))


def test_standard_output_is_csv(folder, capsys):
    assert main(["predict", str(folder / "label"), str(folder / "rows.csv")]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert len(list(csv.reader(io.StringIO(out)))) == ROWS + 1


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet", "arrow"])
def test_rows_from_every_kind_of_table_are_predicted_alike(kind, folder, tmp_path):
    path = tmp_path / f"new.{kind}"
    shuffled = TABLE.select("b", "label", "a", polars.lit(1).alias("more"), "c")
    if kind in ("csv", "tsv"):
        shuffled.write_csv(path, separator="\t" if kind == "tsv" else ",")
    else:
        getattr(shuffled, {"parquet": "write_parquet", "arrow": "write_ipc"}[kind])(path)
    model = fastmlp.load(folder / "label")
    answers = fastmlp.predict(model, path)
    assert_array_equal(answers.probabilities, model.predict_proba(TABLE))
    assert_array_equal(answers.values, model.predict(TABLE))


@pytest.mark.parametrize("kind", ["csv", "jsonl", "npy", "parquet"])
def test_no_more_than_a_batch_is_in_memory(kind, folder, tmp_path, monkeypatch):
    sizes, alive = [], []
    answer = predictions._answer

    def watched(model, X):
        assert sum(part() is not None for part in alive) <= 2  # the one being written, and the first
        found = answer(model, X)
        sizes.append(X.shape[0])
        alive.append(weakref.ref(found))
        return found

    monkeypatch.setattr(predictions, "_answer", watched)
    fastmlp.predict(folder / "label", folder / "rows.csv", tmp_path / f"out.{kind}")
    assert max(sizes) <= 64
    assert sum(sizes) == ROWS


# What cannot be predicted for


def wrong(path, **columns):
    TABLE.with_columns(**columns).write_csv(path)
    return path


def text_in_row(row):
    return polars.Series([str(value) if i != row - 1 else "many" for i, value in enumerate(TABLE["b"])])


@pytest.mark.parametrize("row", [1, 64, 65, 200, 300])
@pytest.mark.parametrize("out", ["out.csv", "out.parquet", "out.npy", "out.jsonl"])
def test_text_among_numbers_is_named_with_its_row_and_nothing_is_written(row, out, folder, tmp_path, capsys):
    path = wrong(tmp_path / "rows.csv", b=text_in_row(row))
    assert main(["predict", str(folder / "label"), str(path), "-o", str(tmp_path / out)]) == 1
    assert capsys.readouterr().err == (
        f"fastmlp predict: error: column 'b' must hold finite numbers, got 'many' in row {row}\n"
    )
    assert list(tmp_path.iterdir()) == [path]


def test_an_answer_that_was_there_stays_where_the_new_one_fails(folder, tmp_path):
    fastmlp.predict(folder / "label", TABLE, tmp_path / "out.csv")
    before = (tmp_path / "out.csv").read_bytes()
    with pytest.raises(fastmlp.DataError, match="got 'many' in row 200"):
        fastmlp.predict(folder / "label", wrong(tmp_path / "rows.csv", b=text_in_row(200)), tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == before


BAD_DATA = {
    "missing columns": (lambda: TABLE.drop("a", "c"), "columns that the model was trained on are missing: 'a', 'c'"),
    "no rows": (lambda: TABLE.head(0), "there are no rows to predict for"),
    "an array": (lambda: np.ones((3, 3)), "trained on a table with columns such as 'a', got an array"),
    "images": (lambda: "digits", "trained on a table with columns such as 'a', got an array"),
    "no file": (lambda: "nowhere.csv", "nowhere.csv: there is no such file"),
}


@pytest.mark.parametrize(("data", "message"), BAD_DATA.values(), ids=BAD_DATA.keys())
@pytest.mark.parametrize("out", [None, "out.csv", "out.npy", "out.parquet"])
def test_rows_that_do_not_fit_are_refused(data, message, out, folder, tmp_path):
    with pytest.raises(fastmlp.DataError, match=message):
        fastmlp.predict(folder / "label", data(), None if out is None else tmp_path / out)
    assert list(tmp_path.iterdir()) == []


def test_where_to_write_is_checked_first(tmp_path, capsys):
    with pytest.raises(ValueError, match=r"out must end in one of \.csv, .*\.parquet, or be -, got 'out.docx'"):
        fastmlp.predict("no model", "no data", "out.docx")


def test_a_folder_that_is_not_there_is_named(folder, tmp_path, capsys):
    assert main(["predict", str(folder / "label"), str(folder / "rows.csv"), "-o", str(tmp_path / "no/out.csv")]) == 1
    assert capsys.readouterr().err == f"fastmlp predict: error: {tmp_path / 'no/out.csv'}: No such file or directory\n"


def test_models_of_arrays_take_arrays(tmp_path):
    X, y = random.standard_normal((80, 3)), np.arange(80) % 2
    np.save(tmp_path / "rows.npy", np.column_stack([X, y]))
    np.save(tmp_path / "inputs.npy", X)
    model = fastmlp.train(tmp_path / "rows.npy", epochs=1).model
    places = (tmp_path / "rows.npy", tmp_path / "inputs.npy", X)
    one, other, third = (fastmlp.predict(model, data).values for data in places)
    assert_array_equal(one, other)
    assert_array_equal(one, third)
    np.save(tmp_path / "few.npy", X[:, :2])
    with pytest.raises(fastmlp.DataError, match="columns of 3 inputs, or 3 and a target, got 2"):
        fastmlp.predict(model, tmp_path / "few.npy")
    with pytest.raises(fastmlp.DataError, match="trained on rows of 3 numbers without names, not on a table"):
        fastmlp.predict(model, TABLE)


# Figures


def by_hand(truth, probabilities, labels):
    """Accuracy, log loss and the area under the ROC curve of two classes, in plain float64."""
    exact = probabilities.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)
    numbers = np.array([labels.index(label) for label in truth])
    scores, positive = exact[:, 1], numbers == 1
    pairs = scores[positive][:, None] - scores[~positive]
    return {
        "accuracy": float((exact.argmax(axis=1) == numbers).mean()),
        "log_loss": float(-np.log(exact[np.arange(len(numbers)), numbers]).mean()),
        "roc_auc": float((pairs > 0).mean() + (pairs == 0).mean() / 2),
    }


def test_figures_of_a_classifier(folder, capsys):
    model = fastmlp.load(folder / "label")
    truth, probabilities = TABLE["label"].to_list(), model.predict_proba(TABLE)
    found = fastmlp.evaluate(model, folder / "rows.csv")
    assert found.rows == ROWS
    assert found.figures == pytest.approx(by_hand(truth, probabilities, list(model.labels)))
    predicted = model.predict(TABLE)
    for i, label in enumerate(model.labels):
        said, true = predicted == label, np.array(truth) == label
        each = found.per_class[i]
        assert each.rows == true.sum()
        assert each.precision == pytest.approx((said & true).sum() / said.sum())
        assert each.recall == pytest.approx((said & true).sum() / true.sum())
        assert each.f1 == pytest.approx(2 * (said & true).sum() / (said.sum() + true.sum()))
        assert found.confusion[i].tolist() == [int((true & (predicted == other)).sum()) for other in model.labels]
    assert main(["evaluate", str(folder / "label"), str(folder / "rows.csv")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["rows", "300"]
    assert lines[1].split() == ["accuracy", f"{found.figures['accuracy']:.4f}"]
    assert lines[2].split() == ["log", "loss", f"{found.figures['log_loss']:.4f}"]
    assert lines[3].split() == ["ROC", "AUC", f"{found.figures['roc_auc']:.4f}"]
    assert any(line.startswith("true \\ predicted") for line in lines)


def test_figures_of_a_regression(folder, capsys):
    model = fastmlp.load(folder / "value")
    errors = model.predict(TABLE) - TABLE["value"].to_numpy()
    spread = np.square(TABLE["value"].to_numpy() - TABLE["value"].mean()).sum()
    expected = {
        "rmse": np.sqrt(np.square(errors).mean()),
        "mae": np.abs(errors).mean(),
        "r2": 1 - np.square(errors).sum() / spread,
    }
    assert fastmlp.evaluate(model, TABLE).figures == pytest.approx(expected)
    assert main(["evaluate", str(folder / "value"), str(folder / "rows.csv"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts == pytest.approx({"rows": ROWS, **expected})


BAD_TARGETS = {
    "a class never seen": ("label", polars.lit("mittel"), "rows.csv: labels that training has not seen: mittel"),
    "a target with gaps": ("label", polars.lit(None, polars.String), "the target 'label' is missing in 300 of 300"),
    "text instead of values": ("value", polars.lit("much"), "predicts numbers, and the target is text"),
}


@pytest.mark.parametrize(("target", "column", "message"), BAD_TARGETS.values(), ids=BAD_TARGETS.keys())
def test_targets_that_cannot_be_compared_with_are_refused(target, column, message, folder, tmp_path, capsys):
    TABLE.with_columns(column.alias(target)).write_csv(tmp_path / "rows.csv", null_value="NA")
    assert main(["evaluate", str(folder / target), str(tmp_path / "rows.csv")]) == 1
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_a_table_without_the_target_has_nothing_to_compare_with(folder):
    with pytest.raises(fastmlp.DataError, match=r"table has no column 'label' \(target\); it has 'a', 'c', 'b'"):
        fastmlp.evaluate(folder / "label", TABLE.drop("label"))


def test_labels_may_be_written_otherwise():
    """Numbers as text, as a CSV file has them, are the numbers that a model was trained on."""
    X, y = random.standard_normal((90, 2)), np.arange(90) % 3
    model = fastmlp.train((X, y), epochs=1).model
    assert fastmlp.evaluate(model, (X, y.astype(str))).figures == fastmlp.evaluate(model, (X, y)).figures


# What there is to know


def test_info(folder, capsys):
    facts = fastmlp.info(folder / "label")
    assert facts["task"] == "classify"
    assert facts["classes"] == ['hoch, "ja"', "tief"]
    assert facts["columns"] == {"a": "number", "c": "category", "b": "number"}
    assert facts["layers"] == [5, 8, 2]
    assert facts["parameters"] == 5 * 8 + 8 + 8 * 2 + 2
    assert main(["info", str(folder / "label"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == facts
    assert main(["info", str(folder / "label")]) == 0
    assert "columns     a (number), c (category), b (number)\n" in capsys.readouterr().out


def test_what_is_no_model_is_one_line(folder, capsys):
    for verb in (["predict", str(folder), "digits"], ["evaluate", str(folder), "digits"], ["info", str(folder)]):
        assert main(verb) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err == f"fastmlp {verb[0]}: error: {folder} holds no model.safetensors\n"
    assert main(["predict"]) == 2
    assert "the following arguments are required: MODEL, DATA" in capsys.readouterr().err
