"""PyTorch computes from exported weights what the models themselves do."""

import json

import numpy as np
import pytest
from exported_models import COLOURS, assert_close, made_up, penguins, some_numbers, trained
from idx_files import SHARED_DATA, needs_agaricus, needs_penguins
from safetensors import safe_open
from safetensors.numpy import load_file

import fastmlp
from fastmlp.exporting import export_torch
from fastmlp.options import ACTIVATIONS


@pytest.fixture
def run(tmp_path):
    """Return a function that exports a model, loads the weights into torch.nn.Sequential and computes from rows."""
    torch = pytest.importorskip("torch", reason="needs torch")
    from safetensors.torch import load_file as load_tensors

    modules = {
        "identity": torch.nn.Identity,
        "logistic": torch.nn.Sigmoid,
        "tanh": torch.nn.Tanh,
        "relu": torch.nn.ReLU,
        "leaky_relu": lambda: torch.nn.LeakyReLU(0.01),
        "silu": torch.nn.SiLU,
        "gelu": lambda: torch.nn.GELU(approximate="tanh"),
    }

    def computed(model, rows):
        path = tmp_path / "weights.safetensors"
        export_torch(model, path)
        activation = modules[metadata(path)["activation"]]
        layers = []
        for inputs, units in zip(model.sizes, model.sizes[1:], strict=False):
            layers += [torch.nn.Linear(inputs, units), activation()]
        network = torch.nn.Sequential(*layers[:-1])
        network.load_state_dict(load_tensors(path))
        with torch.no_grad():
            scores = network(torch.from_numpy(np.asarray(rows, np.float32)))
            return (scores.softmax(1) if model.task == "classify" else scores[:, 0]).numpy()

    return computed


def metadata(path):
    with safe_open(path, framework="numpy") as opened:
        return opened.metadata()


def inputs_of(model, path):
    """Return what the metadata say of the inputs."""
    fastmlp.export(model, path, "torch")
    return metadata(path)["inputs"]


@pytest.mark.parametrize("kind", ["uint8", "float64"])
def test_digits(run, kind):
    from fastmlp.data.digits import load_digits

    digits = load_digits()
    model, rows = trained("digits" if kind == "uint8" else (digits.X_train.astype(kind), digits.y_train))
    assert_close(run(model, rows), model.predict_proba(rows))


@needs_agaricus
def test_sparse_rows(run):
    model, rows = trained(SHARED_DATA / "agaricus" / "agaricus.txt.train")
    assert_close(run(model, rows.toarray()), model.predict_proba(rows))


@needs_penguins
@pytest.mark.parametrize("target", ["species", "body_mass_g"])
def test_penguins(run, target):
    model, rows = penguins(target)
    expected = model.predict_proba(rows) if target == "species" else model.predict(rows)
    assert_close(run(model, model.preparation.inputs_of(rows)), expected)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(run, activation):
    rows = 3 * some_numbers(40, 6) + 5
    model = made_up(rows, activation=activation)
    assert_close(run(model, rows), model.predict_proba(rows))


@pytest.mark.parametrize("labels", [("no", "yes"), ()])
def test_without_hidden_layers(run, labels):
    """The first layer is the last: both the inputs' and the value's scaling are folded into it."""
    rows = 5 + some_numbers(60, 3)
    model = made_up(rows, labels, hidden=(), mean=0.0 if labels else 1e3, scale=1.0 if labels else 20.0)
    assert_close(run(model, rows), model.predict_proba(rows) if labels else model.predict(rows))


def test_sparse_numbers_are_scaled(run):
    from scipy.sparse import csr_array

    rows = csr_array((some_numbers(50, 6) * [1, 10, 100, 0, -3, 1e-3]).astype(np.float32))
    model = made_up(rows)
    assert_close(run(model, rows.toarray()), model.predict_proba(rows))


def test_weights_are_float32_as_sequential_names_them(tmp_path):
    """Without PyTorch."""
    rows = np.random.default_rng(0).integers(0, 256, (20, 4)).astype(np.uint8)
    model = made_up(rows, hidden=(3,), dtype="float64", input_scale=1 / 255)
    export_torch(model, tmp_path / "weights.safetensors")
    arrays = load_file(tmp_path / "weights.safetensors")
    shapes = {"0.weight": (3, 4), "0.bias": (3,), "2.weight": (3, 3), "2.bias": (3,)}
    assert {name: array.shape for name, array in arrays.items()} == shapes
    assert {array.dtype for array in arrays.values()} == {np.dtype("float32")}
    hidden = np.maximum(rows @ arrays["0.weight"].T + arrays["0.bias"], 0)
    scores = np.exp(hidden @ arrays["2.weight"].T + arrays["2.bias"])
    assert_close(scores / scores.sum(axis=1, keepdims=True), model.predict_proba(rows))


def test_metadata(tmp_path):
    polars = pytest.importorskip("polars", reason="needs polars")
    table = polars.DataFrame({"größe (m)": some_numbers(52, holes=0.1), "colour": COLOURS})
    export_torch(made_up(table, activation="silu"), tmp_path / "weights.safetensors")
    about = metadata(tmp_path / "weights.safetensors")
    assert (about["activation"], about["task"], about["inputs"]) == ("silu", "classify", "prepared")
    assert json.loads(about["labels"]) == ["no", "yes", "maybé"]
    assert json.loads(about["input_names"]) == [
        *("größe (m)", "missingindicator_größe (m)", "colour_grün", "colour_red", "colour_None"),
        "colour_infrequent_sklearn",
    ]


def test_which_rows_the_weights_take(run, tmp_path):
    """Where the first layer cannot do it all, the prepared rows are expected, and the metadata say so."""
    path = tmp_path / "weights"
    near = some_numbers(50, 3)
    assert inputs_of(made_up(near), path) == "stored"
    for rows in (near + 20, some_numbers(50, 3, holes=0.2)):
        model = made_up(rows)
        assert inputs_of(model, path) == "prepared"
        assert_close(run(model, model.preparation.inputs_of(rows)), model.predict_proba(rows))
