"""How columns become inputs, against the same done by hand in NumPy."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import fastmlp
from fastmlp.preparation import fit_preparation

polars = pytest.importorskip("polars", reason='tables need polars: pip install "fastmlp[tables]"')


def inputs(training, rows=None):
    preparation = fit_preparation(training, 1.0)
    return preparation.inputs_of(training if rows is None else rows), preparation.names


def test_numbers_are_standardised_and_gaps_filled_with_the_mean_and_marked():
    values = np.array([1.0, 2.0, np.nan, 7.0, np.nan, 4.0])
    X, names = inputs(polars.DataFrame({"a": values, "b": [3, 3, 3, 3, 3, 9]}))
    filled = np.where(np.isnan(values), np.nanmean(values), values)
    marks = np.isnan(values).astype(float)
    by_hand = [(column - column.mean()) / column.std() for column in (filled, np.array([3.0, 3, 3, 3, 3, 9]), marks)]
    assert X.dtype == np.float32
    assert_allclose(X, np.column_stack(by_hand), rtol=1e-6, atol=1e-6)
    assert names == ["a", "b", "missingindicator_a"]


def test_what_is_learned_of_training_rows_is_applied_to_others():
    training = polars.DataFrame({"a": [0.0, 2.0, 4.0, 6.0]})
    X, _ = inputs(training, polars.DataFrame({"a": [3.0, None, 30.0]}))
    assert_allclose(X[:, 0], (np.array([3.0, 3.0, 30.0]) - 3) / np.sqrt(5), rtol=1e-6)


def test_categories_are_one_hot_and_rare_unseen_ones_pooled():
    training = polars.DataFrame({"c": ["red"] * 6 + ["green"] * 7 + ["rare"] * 2 + ["odd"] * 3})
    X, names = inputs(training, polars.DataFrame({"c": ["red", "green", "rare", "odd", "never seen"]}))
    assert names == ["c_green", "c_red", "c_infrequent_sklearn"]
    assert_array_equal(X, [[0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 1], [0, 0, 1]])


def test_a_missing_category_is_a_category():
    training = polars.DataFrame({"c": ["red"] * 6 + ["green"] * 7 + [None] * 5})
    X, names = inputs(training)
    assert len(names) == 3
    assert_array_equal(X[-1], [0, 0, 1])
    assert_array_equal(X.sum(axis=1), 1)


def test_columns_are_found_by_name_whatever_their_order_and_company():
    training = polars.DataFrame({"a": [1.0, 2, 3, 4], "b": [10.0, 20, 30, 50]})
    preparation = fit_preparation(training, 1.0)
    other = training.select(polars.lit("x").alias("more"), "b", "a")
    assert_array_equal(preparation.inputs_of(other), preparation.inputs_of(training))
    with pytest.raises(fastmlp.DataError, match="columns that the model was trained on are missing: 'b'"):
        preparation.inputs_of(training.select("a"))
    with pytest.raises(fastmlp.DataError, match="trained on a table with columns such as 'a', got an array"):
        preparation.inputs_of(np.ones((3, 2)))


def test_numbers_may_come_as_text_and_text_as_numbers():
    training = polars.DataFrame({"a": [1.0, 2, 3, 4], "c": ["1", "2", "1", "2"]})
    preparation = fit_preparation(training, 1.0)
    other = polars.DataFrame({"a": ["1", "2.0", "3e0", "4"], "c": [1, 2, 1, 2]})
    assert_array_equal(preparation.inputs_of(other), preparation.inputs_of(training))


def test_columns_that_hold_nothing_are_left_out():
    X, names = inputs(polars.DataFrame({"nothing": [None, None, None], "a": [1, 2, 3]}))
    assert names == ["a"]
    assert X.shape == (3, 1)
    with pytest.raises(fastmlp.DataError, match="no column holds any value to learn from"):
        fit_preparation(polars.DataFrame({"nothing": [None, None]}), 1.0)


@pytest.mark.parametrize("column", [[[1], [2]], [{"x": 1}, {"x": 2}], [b"a", b"b"]])
def test_what_is_neither_number_nor_text_is_refused_by_name(column):
    with pytest.raises(fastmlp.DataError, match=r"column 'odd' must hold numbers or text, got .*: leave it out"):
        fit_preparation(polars.DataFrame({"odd": column}), 1.0)


def test_only_training_rows_are_looked_at(tmp_path):
    """Neither the test rows' mean nor their categories are known to the model."""
    training = polars.DataFrame({"a": [0.0, 1.0] * 20, "c": ["u", "v"] * 20, "y": ["no", "yes"] * 20})
    other = training.with_columns(a=polars.lit(1000.0), c=polars.lit("w"))
    model = fastmlp.train(training, test=other, validation=other, epochs=1).model
    scaler = model.preparation.transformer.named_transformers_["numbers"][-1]
    encoder = model.preparation.transformer.named_transformers_["categories"]
    assert_allclose(scaler.mean_, 0.5)
    assert_array_equal(encoder.categories_[0], ["u", "v"])


def test_rows_set_aside_are_not_looked_at():
    table = polars.DataFrame({"a": np.arange(100.0), "y": ["no", "yes"] * 50})
    run = fastmlp.train(table, epochs=1, validation_fraction=0)
    scaler = run.model.preparation.transformer.named_transformers_["numbers"][-1]
    aside = run.test.X["a"].to_numpy()
    assert len(aside) == 20
    assert_allclose(scaler.mean_, np.setdiff1d(np.arange(100.0), aside).mean())


def test_the_preparation_is_kept_with_the_model(tmp_path):
    table = polars.DataFrame({"a": [1.0, None, 3.0] * 9, "c": ["u", "v", None] * 9, "y": ["no", "yes", "no"] * 9})
    model = fastmlp.train(table, epochs=2).model
    fastmlp.save(model, tmp_path / "model")
    loaded = fastmlp.load(tmp_path / "model")
    assert_array_equal(loaded.preparation.inputs_of(table), model.preparation.inputs_of(table))
    assert_array_equal(loaded.predict_proba(table), model.predict_proba(table))
