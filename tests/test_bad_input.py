"""Wrong input is refused where it comes in, by a message that names the argument."""

import numpy as np
import pytest
from networks import clusters
from scipy import sparse

from fastmlp import Trainer

X, y = clusters(np.random.default_rng(0), rows=60, inputs=6, classes=3)


def small_trainer(**options):
    return Trainer(**{"hidden": (4,), "epochs": 1, "batch_size": 16, **options})


@pytest.fixture(scope="module")
def fitted():
    trainer = small_trainer()
    trainer.fit(X, y)
    return trainer


def with_number(value, row=3, column=2):
    changed = X.copy()
    changed[row, column] = value
    return changed


BAD_X = {
    "flat": (X[:, 0], ValueError, r"X must have 2 dimensions .* got shape \(60,\)"),
    "a cube": (X[:, :, None], ValueError, r"X must have 2 dimensions .* got shape \(60, 6, 1\)"),
    "a number": (3.0, ValueError, r"X must have 2 dimensions .* got shape \(\)"),
    "no rows": (X[:0], ValueError, r"X must have at least one row .* got shape \(0, 6\)"),
    "no columns": (X[:, :0], ValueError, r"X must have at least one row and one column, got shape \(60, 0\)"),
    "nothing": (None, (TypeError, ValueError), "X must "),
    "empty list": ([], ValueError, "X must "),
    "ragged": ([[1.0, 2.0], [3.0]], (TypeError, ValueError), "X must "),
    "NaN": (with_number(np.nan), ValueError, r"X must be finite: NaN .* at row 3, column 2"),
    "infinity": (with_number(-np.inf, 59, 5), ValueError, r"X must be finite: .* at row 59, column 5"),
    "beyond float32": (with_number(1e39), ValueError, r"X must be finite: .* float32 .* at row 3, column 2"),
    "strings": (X.astype(str), TypeError, "X must hold real numbers, got dtype <U"),
    "complex": (X * 1j, TypeError, "X must hold real numbers, got dtype complex128"),
    "dates": (X.astype("datetime64[s]"), TypeError, "X must hold real numbers, got dtype datetime64"),
    "objects": (np.full((60, 6), object()), TypeError, "X must hold real numbers"),
    "a table of records": (np.zeros((60, 6), "i4,f4"), TypeError, "X must hold real numbers"),
}
BAD_Y = {
    "too short": (y[:59], ValueError, "y must have a label for each of the 60 rows, got 59"),
    "two columns": (np.stack([y, y], axis=1), ValueError, r"y must have 1 dimension .* got shape \(60, 2\)"),
    "a number": (3, ValueError, "y must have 1 dimension"),
    "nothing": (None, ValueError, "y must have 1 dimension"),
    "fractions": (y + 0.5, ValueError, "y must hold class labels"),
    "NaN": (np.where(y == 0, np.nan, y), ValueError, "y must not hold NaN"),
    "complex": (y * 1j, TypeError, "y must hold integers or strings, got dtype complex128"),
    "dates": (y.astype("datetime64[s]"), TypeError, "y must hold integers or strings, got dtype datetime64"),
    "strings and numbers": (np.array(["a", 1] * 30, object), TypeError, "y must hold labels of one type"),
    "None among strings": (np.array(["a", None] * 30, object), TypeError, "y must hold labels of one type"),
    "without order": (np.array([None, None] * 30), TypeError, "y must "),
    "mixed types without order": (np.array([3, (3,)] * 30, object), TypeError, "y must "),
    "one class": (np.full(60, 7), ValueError, "y must hold at least 2 classes, got only 7"),
}
BAD_VALIDATION = {
    "not a pair": (X, TypeError, r"validation_data must be a pair \(X, y\)"),
    "other columns": ((X[:, :5], y), ValueError, "validation X must have 6 columns as in training, got 5"),
    "no rows": ((X[:0], y[:0]), ValueError, "validation X must have at least one row"),
    "NaN": ((with_number(np.nan), y), ValueError, "validation X must be finite"),
    "labels missing": ((X, y[:50]), ValueError, "validation y must have a label for each of the 60 rows, got 50"),
    "unseen labels": ((X, y + 2), ValueError, "validation y holds labels that training has not seen: 3, 4"),
    "words": (
        (X, y.astype(str).astype(object)),
        ValueError,
        "validation y holds labels .* has not seen: '0', '1', '2'",
    ),
    "other kind of labels": ((X, y.astype(str)), (TypeError, ValueError), "validation y"),
}
BAD_OPTIONS = [
    ("hidden", ((0,), (-3,), (8, 0)), ValueError),
    ("hidden", (0, -1), ValueError),
    ("hidden", ("128", (2.5,), (True,), None, 1.5), TypeError),
    ("batch_size", (0, -1), ValueError),
    ("batch_size", (2.0, "8", None, True), TypeError),
    ("epochs", (0, -1), ValueError),
    ("epochs", (1.5, None), TypeError),
    ("threads", (0, -2), ValueError),
    ("threads", (1.0, "2"), TypeError),
    ("max_steps", (0,), ValueError),
    ("seed", (-1,), ValueError),
    ("seed", (0.5, "a"), TypeError),
    ("learning_rate", (0, -0.1, np.nan, np.inf), ValueError),
    ("learning_rate", ("fast", None), TypeError),
    ("learning_rate_decay", (0, -1, np.nan), ValueError),
    ("l2", (-1e-9, np.inf), ValueError),
    ("momentum", (-0.1, 1, 1.5, np.nan), ValueError),
    ("input_scale", (0, np.nan, np.inf), ValueError),
    ("input_scale", ("1/255",), TypeError),
    ("nesterov", (1, "yes", None), TypeError),
    ("nesterov", (True,), ValueError),  # needs momentum
    ("hidden", (np.array(3.0),), (TypeError, ValueError)),
    ("sampling", ("shufle", None, 1, np.ones(2)), (TypeError, ValueError)),
    ("init", ("xavier", -1.0, np.nan), ValueError),
    ("dtype", ("float16", "int32", "bfloat16"), ValueError),
]


@pytest.mark.parametrize(("bad", "error", "message"), BAD_X.values(), ids=BAD_X.keys())
def test_bad_x_is_refused_by_fit(bad, error, message):
    with pytest.raises(error, match=f"^{message}"):
        small_trainer().fit(bad, y)


@pytest.mark.parametrize(("bad", "error", "message"), BAD_X.values(), ids=BAD_X.keys())
def test_bad_x_is_refused_by_a_fitted_trainer(fitted, bad, error, message):
    for use in (fitted.predict, lambda X: fitted.score(X, y), lambda X: fitted.loss_and_gradients(X, y)):
        with pytest.raises(error, match=f"^{message}"):
            use(bad)


@pytest.mark.parametrize(("bad", "error", "message"), BAD_Y.values(), ids=BAD_Y.keys())
def test_bad_y_is_refused(bad, error, message):
    with pytest.raises(error, match=f"^{message}"):
        small_trainer().fit(X, bad)


@pytest.mark.parametrize(("bad", "error", "message"), BAD_VALIDATION.values(), ids=BAD_VALIDATION.keys())
def test_bad_validation_data_is_refused(bad, error, message):
    with pytest.raises(error, match=f"^{message}"):
        small_trainer().fit(X, y, validation_data=bad)


@pytest.mark.parametrize(
    ("option", "value", "error"),
    [(option, value, error) for option, values, error in BAD_OPTIONS for value in values],
    ids=str,
)
def test_bad_options_are_refused(option, value, error):
    with pytest.raises(error, match=option):
        Trainer(**{option: value})


def test_an_option_that_does_not_exist_is_refused():
    with pytest.raises(TypeError, match="learning_rat"):
        Trainer(learning_rat=0.1)


def test_a_callback_that_cannot_be_called_is_refused():
    with pytest.raises(TypeError, match="callback"):
        small_trainer().fit(X, y, callbacks=("print",))
    with pytest.raises(TypeError, match="callback"):
        small_trainer().fit(X, y, callbacks=print)


def test_use_before_fit_is_refused():
    trainer = small_trainer()
    for use in (lambda: trainer.predict(X), lambda: trainer.parameters, lambda: trainer.loss_and_gradients(X, y)):
        with pytest.raises(ValueError, match="call fit first"):
            use()


def test_other_columns_than_in_training_are_refused(fitted):
    with pytest.raises(ValueError, match=r"^X must have 6 columns as in training, got 5"):
        fitted.predict(X[:, :5])


def test_labels_that_training_has_not_seen_have_no_gradient(fitted):
    with pytest.raises(ValueError, match=r"^y holds labels that training has not seen: 3"):
        fitted.loss_and_gradients(X, y + 1)


def test_a_refused_fit_leaves_the_trainer_as_it_was(fitted):
    before, history = fitted.parameters, fitted.history_
    with pytest.raises(ValueError, match="X must"):
        fitted.fit(X[:0], y)
    assert fitted.history_ is history
    assert all((value == before[name]).all() for name, value in fitted.parameters.items())


GOOD = {"W1": np.ones((6, 4)), "b1": np.ones(4), "W2": np.ones((4, 3)), "b2": np.ones(3)}
BAD_PARAMETERS = {
    "a layer missing": {"W1": GOOD["W1"], "b1": GOOD["b1"]},
    "a layer too many": {**GOOD, "W3": np.ones((3, 3)), "b3": np.ones(3)},
    "other names": {"w1": 1, "b1": 1, "W2": 1, "b2": 1},
    "another width": {**GOOD, "W1": np.ones((6, 5)), "b1": np.ones(5), "W2": np.ones((5, 3))},
    "widths that do not agree": {**GOOD, "W2": np.ones((5, 3))},
    "a bias too long": {**GOOD, "b2": np.ones(4)},
    "a flat matrix": {**GOOD, "W1": np.ones(24)},
    "NaN": {**GOOD, "b1": np.full(4, np.nan)},
    "beyond float32": {**GOOD, "b1": np.full(4, 1e39)},
    "strings": {**GOOD, "b1": np.array(["x"] * 4)},
    "complex": {**GOOD, "b1": np.full(4, 1j)},
    "ragged": {**GOOD, "W1": [[1.0], [1.0, 2.0]]},
    "a list": [GOOD["W1"], GOOD["b1"]],
    "other inputs than fitted": {**GOOD, "W1": np.ones((7, 4))},
}


@pytest.mark.parametrize("bad", BAD_PARAMETERS.values(), ids=BAD_PARAMETERS.keys())
def test_bad_parameters_are_refused_and_the_old_ones_kept(fitted, bad):
    before = fitted.parameters
    with pytest.raises((ValueError, TypeError), match=r"parameters|W\d|b\d"):
        fitted.parameters = bad
    assert all((value == before[name]).all() for name, value in fitted.parameters.items())


def test_parameters_that_do_not_fit_the_data_are_refused():
    trainer = small_trainer()
    trainer.parameters = GOOD
    with pytest.raises(ValueError, match="parameters"):
        trainer.fit(X, y % 2)


def test_a_network_that_no_memory_holds():
    rows = sparse.csr_array((8, 2**31 - 2))  # its weights would take more than there are addresses
    with pytest.raises(MemoryError, match="allocate"):
        Trainer(hidden=(100_000,), epochs=1).fit(rows, np.arange(8) % 2)
