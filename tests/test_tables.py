"""Tables from files: what is read, and what is refused, by every reader."""

import gzip

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import fastmlp
from fastmlp.data.parts import Columns
from fastmlp.data.source import read_source

polars = pytest.importorskip("polars", reason='tables need polars: pip install "fastmlp[tables]"')

TABLE = polars.DataFrame(
    {
        "colour": ["red", "green", None, "red", "blue", "gre,en"],
        "size": [1.5, 2.0, 3.25, None, -4.0, 1e-3],
        "count": [1, 2, 3, 4, 5, 6],
        "kind": ["a", "b", "a", "b", "a", "b"],
    }
)
CSV = TABLE.write_csv(null_value="NA")


def write(path, kind):
    """Write the table as a file of some kind."""
    separators = {".csv": ",", ".tsv": "\t"}
    plain = kind.removesuffix(".gz")
    if plain in separators:
        text = TABLE.write_csv(separator=separators[plain], null_value="NA").encode()
        path.write_bytes(gzip.compress(text) if kind.endswith(".gz") else text)
    elif kind == ".parquet":
        TABLE.write_parquet(path)
    elif kind == ".stream.arrow":
        TABLE.write_ipc_stream(path)
    else:
        TABLE.write_ipc(path)
    return path


KINDS = [".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet", ".arrow", ".feather", ".ipc", ".stream.arrow"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_table_is_read_alike(kind, tmp_path):
    source = read_source(write(tmp_path / f"a table, ünï [1]{kind}", kind))
    assert source.target == "kind"
    assert source.train.X.equals(TABLE.drop("kind"))
    assert source.train.y.tolist() == ["a", "b"] * 3


def test_which_columns_are_inputs_is_for_the_user_to_say(tmp_path):
    path = write(tmp_path / "rows.csv", ".csv")
    part = read_source(path, Columns("count", ("colour",))).train
    assert part.X.columns == ["size", "kind"]
    assert_array_equal(part.y, [1, 2, 3, 4, 5, 6])
    weighted = read_source(path, Columns("kind", ("size",), "count")).train
    assert weighted.X.columns == ["colour"]
    assert_array_equal(weighted.weights, [1.0, 2, 3, 4, 5, 6])


@pytest.mark.parametrize("missing", ["", "NA", "n/a", "NaN", "null", "?"])
def test_what_stands_for_a_missing_value(missing, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(f"x,c,y\n1,a,0\n{missing},{missing},1\n3,b,0\n")
    assert read_source(path).train.X.to_dict(as_series=False) == {"x": [1, None, 3], "c": ["a", None, "b"]}


def test_spaces_around_names_numbers_and_text_mean_nothing(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("x, c , y\n 1 , a b ,0\n 2.5, NA, 1\n NA,b ,0\n")
    source = read_source(path)
    assert source.target == "y"
    assert source.train.X.to_dict(as_series=False) == {"x": [1.0, 2.5, None], "c": ["a b", None, "b"]}
    assert_array_equal(source.train.y, [0, 1, 0])


@pytest.mark.parametrize("way", [False, True], ids=["in memory", "streamed"])
def test_true_and_false_are_categories_from_training_to_prediction(way, tmp_path):
    path = tmp_path / "rows.csv"
    lines = [f"{x},{'True' if x % 3 else 'False'},{'ab'[x % 2]}" for x in range(60)]
    path.write_text("x,flag,y\n" + "\n".join(lines) + "\n")
    model = fastmlp.train(path, epochs=1, hidden=(4,), stream=way).model
    assert fastmlp.info(model)["columns"] == {"x": "number", "flag": "category"}
    assert len(fastmlp.predict(model, path).values) == 60


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(CSV.encode("utf-8-sig"))
    assert read_source(path).train.X.columns == ["colour", "size", "count"]


def test_lines_end_as_on_windows(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(CSV.replace("\n", "\r\n").encode())
    assert read_source(path).train.X.equals(TABLE.drop("kind"))


BAD = {
    "an empty file": ("rows.csv", b"", r"rows.csv is empty"),
    "an empty file, gzipped": ("rows.csv.gz", gzip.compress(b""), r"rows.csv.gz is empty"),
    "blank lines": ("rows.csv", b"\n\n\n", "rows.csv .*empty"),
    "a header only": ("rows.csv", b"x,y\n", "rows.csv has no rows, only a header"),
    "a line with too few fields": ("rows.csv", b"x,z,y\n1,2,3\n4,5\n", "rows.csv, line 3: 2 fields where .* has 3"),
    "a line with too many fields": ("rows.csv", b"x,z,y\n1,2,3\n4,5,6,7\n", "line 3: 4 fields where the header has 3"),
    "ragged and gzipped": ("rows.tsv.gz", gzip.compress(b"x\ty\n1\t2\n3\n"), "line 3: 1 fields where the header has 2"),
    "two columns of one name": ("rows.csv", b"x,y,x\n1,2,3\n", "several columns named 'x': names must differ"),
    "names that differ by spaces": ("rows.csv", b"x,y, x\n1,2,3\n", "several columns named 'x': names must differ"),
    "another separator": ("rows.csv", b"x;y\n1;2\n", "one column only, 'x;y': is it separated by ';' and not ','?"),
    "another encoding": ("rows.csv", "x,y\né,1\n".encode("utf-16"), "rows.csv cannot be read: invalid utf-8"),
    "a gzip file that breaks off": ("rows.csv.gz", gzip.compress(CSV.encode())[:-20], "rows.csv.gz cannot be read: "),
    "no Parquet": ("rows.parquet", b"PAR1 and then nothing", "rows.parquet cannot be read: "),
    "no Arrow": ("rows.arrow", b"ARROW1 and then nothing", "rows.arrow cannot be read: "),
    "a target with gaps": ("rows.csv", b"x,y\n1,a\n2,NA\n3,\n", "'y' is missing in 2 of 3 rows, first in row 2"),
    "a target of NaN": ("rows.csv", b"x,y\n1,0.5\n2,NaN\n", "'y' is missing in 1 of 2 rows, first in row 2"),
    "an infinite number": ("rows.csv", b"x,y\n1,a\n2,b\ninf,a\n", "'x' must hold finite numbers, got inf in row 3"),
    "one column": ("rows.csv", b"y\n1\n2\n", "no column left for inputs beside the target 'y'"),
}


@pytest.mark.parametrize(("name", "content", "message"), BAD.values(), ids=BAD.keys())
@pytest.mark.parametrize("way", [False, True], ids=["in memory", "streamed"])
def test_what_is_no_table_to_learn_from_is_refused(name, content, message, way, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(fastmlp.DataError, match=message):
        fastmlp.train(tmp_path / name, out=tmp_path / "run", stream=way, epochs=1)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("column", ["2020-01-31", "2020-01-31 12:30:00", "12:30:00"])
def test_dates_and_times_are_refused_with_advice(column, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("when,x,y\n" + "".join(f"{column},{i},{'ab'[i % 2]}\n" for i in range(30)))
    with pytest.raises(fastmlp.DataError, match=r"'when' holds dates or times: make numbers of it.*leave it out"):
        fastmlp.train(path, epochs=1)
    assert fastmlp.train(path, epochs=1, drop=["when"]).model.preparation.columns == {"x": True}


OPTIONS = [
    ({"target": "z"}, "no column 'z' \\(target\\); it has 'x', 'c', 'y'"),
    ({"drop": ["z"]}, "no column 'z' \\(drop\\)"),
    ({"weight": "z"}, "no column 'z' \\(weight\\)"),
    ({"weight": "c"}, "weights 'c' must be numbers without gaps"),
    ({"target": "y", "drop": ["y"]}, "target 'y' cannot be dropped"),
    ({"target": "x", "weight": "x"}, "target 'x' cannot be dropped, nor be the weight"),
    ({"task": "regress", "target": "c"}, "task 'regress' needs numbers as the target, got text"),
    ({"task": "classify", "target": "x"}, "task 'classify' needs text or whole numbers as the target, got fractions"),
    ({"drop": ["x", "c"]}, "no column left for inputs"),
]


@pytest.mark.parametrize(("options", "message"), OPTIONS)
def test_columns_that_cannot_be_what_is_asked(options, message, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("x,c,y\n" + "".join(f"{i}.5,{'uv'[i % 2]},{'ab'[i % 2]}\n" for i in range(30)))
    with pytest.raises(ValueError, match=message):
        fastmlp.train(path, epochs=1, **options)


def test_a_missing_library_is_named_with_how_to_install_it(tmp_path, monkeypatch):
    path = write(tmp_path / "rows.csv", ".csv")
    monkeypatch.setitem(__import__("sys").modules, "polars", None)
    with pytest.raises(ImportError, match=r'reading tables needs polars: pip install "fastmlp\[tables\]"'):
        read_source(path)


@pytest.mark.parametrize(
    ("target", "task", "told"),
    [
        ("name", "classify", "task: classify, as the target holds text"),
        ("few", "classify", "task: classify, as the target holds 3 different whole numbers"),
        ("many", "regress", "task: regress, as the target holds 60 different whole numbers"),
        ("fractions", "regress", "task: regress, as the target holds fractions"),
    ],
)
def test_the_task_is_guessed_from_the_target_and_said(target, task, told):
    table = polars.DataFrame(
        {
            "name": ["a", "b", "c"] * 20,
            "few": [1, 2, 3] * 20,
            "many": list(range(60)),
            "fractions": [i / 7 for i in range(60)],
        }
    )
    said = []
    run = fastmlp.train(table, target=target, epochs=1, say=said.append)
    assert run.model.task == task
    assert any(line.startswith(told) for line in said), said


def test_the_last_column_is_the_target_and_said():
    said = []
    fastmlp.train(TABLE.drop_nulls(), epochs=1, test_fraction=0, validation_fraction=0, say=said.append)
    assert "target: kind (the last column)" in said


def test_weights_decide_what_is_learned():
    """Rows that count nothing might as well say anything."""
    random = np.random.default_rng(0)
    x = random.standard_normal(400)
    lies = np.arange(400) % 2 == 0
    table = polars.DataFrame({"x": x, "w": np.where(lies, 0.0, 1.0), "y": np.where((x > 0) ^ lies, "high", "low")})
    model = fastmlp.train(table, weight="w", epochs=20, test_fraction=0).model
    predicted = fastmlp.predict(model, polars.DataFrame({"x": [-2.0, 2.0]})).values
    assert predicted.tolist() == ["low", "high"]
