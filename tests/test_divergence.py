"""A loss that stops being finite, and fuzzing: whatever comes in, the interpreter lives and says what is wrong."""

import contextlib
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from networks import clusters

from fastmlp import DivergedError, FastmlpError, Trainer

X, y = clusters(np.random.default_rng(0), rows=60, inputs=6, classes=3)


def small_trainer(**options):
    return Trainer(**{"hidden": (4,), "epochs": 1, "batch_size": 16, **options})


# ---- divergence ----


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_divergence_ends_training_in_that_epoch_with_the_last_finite_parameters(dtype, momentum):
    # the rate of the third epoch is far too high
    options = {"dtype": dtype, "momentum": momentum, "learning_rate_decay": 1e100, "learning_rate": 1e-99}
    heard = []
    trainer = small_trainer(epochs=9, **options)
    with pytest.raises(DivergedError, match=r"epoch 3.*learning_rate=1e\+101.*input_scale"):
        trainer.fit(X, y, callbacks=(heard.append,))
    assert len(heard) == len(trainer.history_.loss) == 2
    finite = small_trainer(epochs=2, **options)
    finite.fit(X, y)
    for name, value in trainer.parameters.items():
        np.testing.assert_array_equal(value, finite.parameters[name])
    assert trainer.predict(X).shape == (60,)


def test_divergence_in_the_first_epoch_keeps_the_start():
    trainer = small_trainer(learning_rate=1e30, epochs=9)
    with pytest.raises(DivergedError, match="epoch 1"):
        trainer.fit(X, y)
    assert all(np.isfinite(value).all() for value in trainer.parameters.values())
    assert trainer.history_.loss == []


def test_inputs_without_scaling_diverge_with_a_message_about_scaling():
    with pytest.raises(DivergedError, match="input_scale"):
        small_trainer(epochs=20, learning_rate=1.0).fit(X * 1e15, y)


@pytest.mark.parametrize("epochs", range(1, 8))
def test_biases_that_overflow_are_not_kept(epochs):
    # inputs so small that only biases grow; their scores, and so the loss, stay finite an epoch longer
    options = {"learning_rate": 1.5e38, "learning_rate_decay": 1.0, "momentum": 0.9, "sampling": "choice", "l2": 0.0}
    trainer = small_trainer(hidden=(), epochs=epochs, batch_size=20, seed=7, **options)
    with contextlib.suppress(DivergedError):
        trainer.fit(np.full((60, 6), 1e-30), np.arange(60) % 3)
    assert all(np.isfinite(value).all() for value in trainer.parameters.values())


def test_diverged_error_is_an_arithmetic_error_of_this_library():
    assert issubclass(DivergedError, FastmlpError)
    assert issubclass(DivergedError, ArithmeticError)


@settings(max_examples=60)
@given(
    scale=st.floats(-30, 30).map(lambda exponent: 10.0**exponent),
    rate=st.floats(-30, 38).map(lambda exponent: 10.0**exponent),
    hidden=st.sampled_from([(), (4,), (5, 3)]),
    l2=st.sampled_from([0.0, 0.1]),
)
def test_parameters_are_finite_whatever_happens(scale, rate, hidden, l2):
    trainer = small_trainer(hidden=hidden, learning_rate=rate, l2=l2, epochs=3, learning_rate_decay=1.0)
    try:
        history = trainer.fit(X * scale, y)
        assert np.isfinite(history.loss).all()
    except DivergedError:
        pass
    assert all(np.isfinite(value).all() for value in trainer.parameters.values())


# ---- fuzzing ----

shapes = arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=6)
any_dtype = st.one_of(
    arrays_of.boolean_dtypes(),
    arrays_of.integer_dtypes(),
    arrays_of.unsigned_integer_dtypes(),
    arrays_of.floating_dtypes(),
    arrays_of.complex_number_dtypes(),
    arrays_of.unicode_string_dtypes(max_len=3),
    arrays_of.byte_string_dtypes(max_len=3),
    arrays_of.datetime64_dtypes(),
    st.just(np.dtype(object)),
)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.complex_numbers())


@st.composite
def weird_arrays(draw):
    dtype = draw(any_dtype)
    elements = scalars if dtype.kind == "O" else None
    array = draw(arrays_of.arrays(dtype, draw(shapes), elements=elements))
    return draw(st.sampled_from([array, array.T, array[..., ::-1] if array.ndim else array, array.tolist()]))


weird = st.one_of(weird_arrays(), scalars, st.dictionaries(st.text(max_size=2), scalars, max_size=2), st.just(object()))


def count(things):
    try:
        return len(things)
    except TypeError:  # a single thing, or an array without dimensions
        return 1


@settings(max_examples=100)
@given(rows=weird, dtype=st.sampled_from(["float32", "float64"]))
def test_weird_rows_are_trained_on_or_refused(rows, dtype):
    labels = np.arange(count(rows)) % 2
    assert_trained_or_refused(rows, labels, dtype)


@settings(max_examples=100)
@given(labels=weird)
def test_weird_labels_are_trained_on_or_refused(labels):
    rows = np.ones((count(labels), 2))
    assert_trained_or_refused(rows, labels)


def refusal_of(call):
    """The message with which a call is refused, None if it is not."""
    try:
        call()
    except DivergedError:
        return None
    except (ValueError, TypeError) as error:
        return str(error)
    return None


def assert_trained_or_refused(rows, labels, dtype="float32"):
    trainer = small_trainer(hidden=(3,), dtype=dtype)
    message = refusal_of(lambda: trainer.fit(rows, labels))
    if message is None:
        assert np.isfinite(trainer.predict_proba(rows)).all()
    else:
        assert re.match("X|y", message)


@settings(max_examples=100)
@given(option=st.sampled_from(list(small_trainer().options.__dataclass_fields__)), value=weird)
def test_weird_options_are_taken_or_refused_by_name(option, value):
    message = refusal_of(lambda: Trainer(**{option: value}))
    assert message is None or option in message
