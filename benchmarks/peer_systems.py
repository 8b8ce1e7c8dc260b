"""The systems that are compared: each trains the same network in the way its own users would, in its own process.

Every function takes (work, data, threads, turns). It calls ``turns()`` when it is ready and after each epoch, which
returns whether to train another, and returns its weights [(W (inputs, units), b (units,)), ...].
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from statistics import median

import numpy as np
from suite.data import Data
from suite.work import L2, LEARNING_RATE, Work

MANY = 1_000_000
LEAST_FLOP = 1e10
Weights = list[tuple[np.ndarray, np.ndarray]]


def scaled(work: Work, data: Data) -> np.ndarray:
    """Return the training rows in the work's dtype, already scaled: fastmlp alone scales as it trains."""
    return data.X_train * np.asarray(data.scale, work.dtype)


# ---- the floor ----


def train_floor(work, data, threads, turns):
    """Do nothing but the multiply-adds of an epoch, at the peak."""
    from suite.peak import Peak

    peak, flop = Peak(work.dtype, threads), work.flop(len(data.y_train))
    turns.epochs = max(1, round(LEAST_FLOP * threads / flop))  # else starting the threads would count
    while turns():
        peak.seconds(flop * turns.epochs)
    for dtype in ("float32", "float64"):
        peak = Peak(dtype, threads)
        turns.extra[dtype] = median(peak.rate() for _ in range(9))


# ---- fastmlp ----


def train_fastmlp(work, data, threads, turns):
    from fastmlp import Trainer

    trainer = Trainer(**work.trainer_options(), epochs=MANY, input_scale=data.scale, threads=threads)
    trainer.parameters = {
        f"{kind}{l}": array for l, layer in enumerate(work.start(), 1) for kind, array in zip("Wb", layer, strict=True)
    }
    turns()
    trainer.fit(data.X_train, data.y_train, callbacks=[lambda figures: not turns()])
    return [(trainer.parameters[f"W{l}"], trainer.parameters[f"b{l}"]) for l in range(1, len(work.sizes))]


# ---- NumPy ----


def train_numpy(work, data, threads, turns):
    X, y, weights = scaled(work, data), data.y_train, work.start()
    random = np.random.default_rng(0)
    while turns():
        order = random.permutation(len(y))
        for first in range(0, len(y), work.batch_size):
            rows = order[first : first + work.batch_size]
            numpy_step(weights, X[rows], y[rows])
    return weights


def numpy_step(weights, X, y):
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
        dW *= LEARNING_RATE
        W *= 1 - 2 * LEARNING_RATE * L2
        W -= dW
        b -= LEARNING_RATE * db


# ---- scikit-learn ----


def train_sklearn(work, data, threads, turns):
    import sklearn
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        work.sizes[1:-1],
        solver="sgd",
        learning_rate_init=work.trainer_options()["learning_rate"],
        momentum=work.trainer_options()["momentum"],
        nesterovs_momentum=work.rule == "nesterov",
        batch_size=work.batch_size,
        alpha=2 * L2 * work.batch_size,  # its penalty is alpha / 2 |W|^2, divided by the rows of a minibatch
        random_state=np.random.RandomState(0),  # an integer would give every epoch the same order
    )
    X, y = scaled(work, data), data.y_train
    sklearn.set_config(assume_finite=True)  # partial_fit would look at all of X for NaN in every epoch
    model.partial_fit(X[: work.batch_size], y[: work.batch_size], classes=np.unique(y))
    for (W, b), coefs, intercepts in zip(work.start(), model.coefs_, model.intercepts_, strict=True):
        coefs[...], intercepts[...] = W, b
    while turns():
        model.partial_fit(X, y)
    return list(zip(model.coefs_, model.intercepts_, strict=True))


# ---- PyTorch ----


def train_torch(work, data, threads, turns):
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
    optimizer = torch.optim.SGD(
        [
            {"params": [layer.weight for layer in network[::2]], "weight_decay": 2 * L2},
            {"params": [layer.bias for layer in network[::2]]},
        ],
        lr=work.trainer_options()["learning_rate"],
        momentum=work.trainer_options()["momentum"],
        nesterov=work.rule == "nesterov",
        fused=True,
    )
    X, y = torch.from_numpy(scaled(work, data)), torch.from_numpy(data.y_train)
    while turns():
        for rows in torch.randperm(len(y)).split(work.batch_size):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(X[rows]), y[rows]).backward()
            optimizer.step()
    return [(layer.weight.detach().numpy().T, layer.bias.detach().numpy()) for layer in network[::2]]


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
        return jax.tree.map(lambda weight, gradient: weight - LEARNING_RATE * gradient, weights, gradients)

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
class Peer:
    """A system to compare with: its name in the table, what to import and install, and what it can train."""

    title: str
    package: str
    distribution: str
    train: Callable[..., Weights | None]
    rules: tuple[str, ...] = ("sgd",)
    least_classes: int = 2
    dense: bool = False

    def can(self, work: Work) -> bool:
        """Return whether it can do the work, and whether that is not the same to it as work on other data."""
        return work.rule in self.rules and work.sizes[-1] >= self.least_classes and (self.dense or not work.dense)

    def installed(self) -> bool:
        return find_spec(self.package) is not None

    @property
    def version(self) -> str:
        return ".".join(version(self.distribution).split(".")[:2])


EVERY_RULE = ("sgd", "momentum", "nesterov")
PEERS = {
    "floor": Peer("floor", "fastmlp", "fastmlp", train_floor, EVERY_RULE, dense=True),
    "fastmlp": Peer("fastmlp", "fastmlp", "fastmlp", train_fastmlp, EVERY_RULE, dense=True),
    "numpy": Peer("NumPy", "numpy", "numpy", train_numpy),
    # two classes are one logistic unit to it: not the same network
    "sklearn": Peer("scikit-learn", "sklearn", "scikit-learn", train_sklearn, EVERY_RULE, least_classes=3),
    "torch": Peer("PyTorch", "torch", "torch", train_torch, EVERY_RULE),
    "jax": Peer("JAX", "jax", "jax", train_jax),
}
