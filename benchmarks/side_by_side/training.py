"""An epoch of the same work in every system, each in the way its own users would write it, in its own process.

Every function of TRAINED takes (work, data, threads, turns). It calls ``turns()`` when it is ready and after each
epoch, which returns whether to train another, and returns its weights [(W (inputs, units), b (units,)), ...].
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from suite.data import Data, load
from suite.work import L2, WORK, Work

from .child import peak_bytes

MANY = 1_000_000
LEAST_FLOP = 4e10
"""Of the epochs of a turn: small networks train several in one, every system as many."""
AS_STORED, FLOATS, UNEVEN = "as stored", "floats", "uneven floats"
"""Rows as they are kept in memory; scaled floats; and these, each row with a brightness of its own: no levels of one
unit, so that they are never multiplied as bytes."""
Weights = list[tuple[np.ndarray, np.ndarray]]


def train(turns, threads: int, system: str, work: str, rows: str = AS_STORED) -> dict:
    """Train in one of the systems; return what was trained on, the accuracy on the test rows and the peak memory.

    rows: what fastmlp is given, one of AS_STORED, FLOATS and UNEVEN
    """
    data = given_as(rows, WORK[work], load(WORK[work]))
    turns.laps = max(1, round(LEAST_FLOP / WORK[work].flop(len(data.y_train))))
    weights = TRAINED[system].train(WORK[work], data, threads, turns)
    peak = peak_bytes()
    score = accuracy(weights, data.X_test * data.scale, data.y_test)
    return {"data": data.name, "rows": len(data.y_train), "accuracy": score, "peak_bytes": peak}


def label(work: Work, rows: str = AS_STORED) -> str:
    """Return what tables call training such a network on such rows, one of AS_STORED, FLOATS and UNEVEN."""
    return ", ".join([work.network, str(work.batch_size), *([] if rows == AS_STORED else [rows])])


def given_as(rows: str, work: Work, data: Data) -> Data:
    """Return the data with rows as they are stored, or as FLOATS or UNEVEN ones, of the work's dtype, and scale 1."""
    if rows == AS_STORED:
        return data
    X = scaled(work, data)
    if rows == UNEVEN:
        X *= np.random.default_rng(0).uniform(0.9, 1.0, (len(X), 1)).astype(X.dtype)
    return replace(data, X_train=X, X_test=data.X_test * data.scale, scale=1.0)


def accuracy(weights: Weights, X: np.ndarray, y: np.ndarray) -> float:
    """Return the share of rows that a network of ReLU layers gets right, computed alike for every system."""
    for W, b in weights[:-1]:
        X = np.maximum(X @ W + b, 0)
    W, b = weights[-1]
    return float(((X @ W + b).argmax(axis=1) == y).mean())


def scaled(work: Work, data: Data) -> np.ndarray:
    """Return the training rows in the work's dtype, already scaled: fastmlp alone scales as it trains."""
    return data.X_train * np.asarray(data.scale, work.dtype)


# ---- fastmlp ----


def train_fastmlp(work, data, threads, turns):
    from fastmlp import Trainer

    trainer = Trainer(**work.trainer_options(), epochs=MANY, input_scale=data.scale, threads=threads)
    trainer.parameters = named(work.start())
    turns()
    trainer.fit(data.X_train, data.y_train, callbacks=[lambda figures: not turns()])
    return [(trainer.parameters[f"W{l}"], trainer.parameters[f"b{l}"]) for l in range(1, len(work.sizes))]


def named(weights: Weights) -> dict[str, np.ndarray]:
    """Return weights and biases as fastmlp names them: W1, b1, W2 ..."""
    layers = enumerate(weights, 1)
    return {f"{kind}{l}": array for l, layer in layers for kind, array in zip("Wb", layer, strict=True)}


# ---- NumPy ----


def train_numpy(work, data, threads, turns):
    X, y, weights = scaled(work, data), data.y_train, work.start()
    random = np.random.default_rng(0)
    while turns():
        order = random.permutation(len(y))
        for first in range(0, len(y), work.batch_size):
            rows = order[first : first + work.batch_size]
            numpy_step(weights, X[rows], y[rows], work.rate)
    return weights


def numpy_step(weights, X, y, rate):
    """Train on a minibatch; whatever can be done in place is."""
    activations = [X]
    for W, b in weights:
        Z = activations[-1] @ W
        Z += b
        if len(activations) < len(weights):
            np.maximum(Z, 0, out=Z)
        activations.append(Z)
    G = activations.pop()
    G -= G.max(axis=1, keepdims=True)
    np.exp(G, out=G)
    G /= G.sum(axis=1, keepdims=True)
    G[np.arange(len(y)), y] -= 1
    G /= len(y)
    for W, b in reversed(weights):
        A = activations.pop()
        dW, db = A.T @ G, G.sum(axis=0)
        if activations:
            G = G @ W.T
            G *= A > 0
        dW *= rate
        W *= 1 - 2 * rate * L2
        W -= dW
        b -= rate * db


# ---- scikit-learn ----


def train_sklearn(work, data, threads, turns):
    X, y = scaled(work, data), data.y_train
    model = sklearn_model(work, X[: work.batch_size], np.unique(y))
    while turns():
        model.partial_fit(X, y)
    return list(zip(model.coefs_, model.intercepts_, strict=True))


def sklearn_model(work: Work, X, classes: np.ndarray):
    """Return an MLPClassifier with the work's initial weights. X (rows, D): some rows, of the kind to be trained on."""
    import sklearn
    from sklearn.neural_network import MLPClassifier

    options = work.trainer_options()
    model = MLPClassifier(
        work.sizes[1:-1],
        solver="sgd",
        learning_rate_init=options["learning_rate"],
        momentum=options["momentum"],
        nesterovs_momentum=options["nesterov"],
        batch_size=work.batch_size,
        alpha=2 * L2 * work.batch_size,  # its penalty is alpha / 2 |W|^2, divided by the rows of a minibatch
        random_state=np.random.RandomState(0),  # an integer would give every epoch the same order
    )
    sklearn.set_config(assume_finite=True)  # partial_fit would look at all of X for NaN in every epoch
    model.partial_fit(X, np.resize(classes, X.shape[0]), classes=classes)
    set_sklearn_weights(model, work.start())
    return model


def set_sklearn_weights(model, weights: Weights) -> None:
    """Set the weights; of two classes scikit-learn makes one logistic unit, which gets the difference of two."""
    for (W, b), coefs, intercepts in zip(weights, model.coefs_, model.intercepts_, strict=True):
        same = coefs.shape == W.shape
        coefs[...], intercepts[...] = (W, b) if same else (W[:, 1:] - W[:, :1], b[1:] - b[:1])


# ---- PyTorch ----


def train_torch(work, data, threads, turns):
    import torch

    network = torch_network(work, threads)
    options = work.trainer_options()
    optimizer = torch.optim.SGD(
        [
            {"params": [layer.weight for layer in network[::2]], "weight_decay": 2 * L2},
            {"params": [layer.bias for layer in network[::2]]},
        ],
        lr=options["learning_rate"],
        momentum=options["momentum"],
        nesterov=options["nesterov"],
        fused=True,
    )
    X, y = torch.from_numpy(scaled(work, data)), torch.from_numpy(data.y_train)
    while turns():
        for rows in torch.randperm(len(y)).split(work.batch_size):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(X[rows]), y[rows]).backward()
            optimizer.step()
    return [(layer.weight.detach().numpy().T, layer.bias.detach().numpy()) for layer in network[::2]]


def torch_network(work: Work, threads: int):
    """Return a torch.nn.Sequential with the work's initial weights."""
    import torch

    torch.set_num_threads(threads)
    network = torch.nn.Sequential()
    for W, b in work.start():
        linear = torch.nn.Linear(*W.shape, dtype=getattr(torch, work.dtype))
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(W.T))
            linear.bias.copy_(torch.from_numpy(b))
        network.extend([linear, torch.nn.ReLU()])
    del network[-1]
    return network


# ---- JAX ----


def train_jax(work, data, threads, turns):
    import jax
    from jax import numpy as jnp

    jax.config.update("jax_enable_x64", work.dtype == "float64")

    def loss(weights, X, y):
        for W, b in weights[:-1]:
            X = jax.nn.relu(X @ W + b)
        W, b = weights[-1]
        log_probabilities = jax.nn.log_softmax(X @ W + b)
        picked = jnp.take_along_axis(log_probabilities, y[:, None], axis=1)
        return -picked.mean() + L2 * sum((W**2).sum() for W, _ in weights)

    def step(weights, X, y):
        gradients = jax.grad(loss)(weights, X, y)
        return jax.tree.map(lambda weight, gradient: weight - work.rate * gradient, weights, gradients)

    def epoch(weights, X, y, order):
        whole = len(order) - len(order) % work.batch_size
        batches = order[:whole].reshape(-1, work.batch_size)
        weights, _ = jax.lax.scan(lambda weights, rows: (step(weights, X[rows], y[rows]), None), weights, batches)
        return step(weights, X[order[whole:]], y[order[whole:]]) if whole < len(order) else weights

    compiled = jax.jit(epoch, donate_argnums=0)
    X, y = jnp.asarray(scaled(work, data)), jnp.asarray(data.y_train)
    weights = jax.tree.map(jnp.asarray, work.start())
    random = np.random.default_rng(0)
    while turns():
        weights = jax.block_until_ready(compiled(weights, X, y, jnp.asarray(random.permutation(len(y)))))
    return [(np.asarray(W), np.asarray(b)) for W, b in weights]


# ---- all of them ----


@dataclass(frozen=True)
class Trained:
    """How a system trains, and what it can train."""

    train: Callable[..., Weights]
    rules: tuple[str, ...] = ("sgd",)
    least_classes: int = 2
    dense: bool = False

    def can(self, work: Work) -> bool:
        """Return whether it can do the work, and whether that is not the same to it as work on other data."""
        return work.rule in self.rules and work.sizes[-1] >= self.least_classes and (self.dense or not work.dense)


MOMENTA = ("sgd", "momentum", "nesterov")
TRAINED = {
    "fastmlp": Trained(train_fastmlp, (*MOMENTA, "adam"), dense=True),
    "numpy": Trained(train_numpy),
    # two classes are one logistic unit to it: not the same network
    "sklearn": Trained(train_sklearn, MOMENTA, least_classes=3),
    "torch": Trained(train_torch, MOMENTA),
    "jax": Trained(train_jax),
}
