"""What the estimators compute, in plain NumPy float64 without shuffling: short, slow, and independent of fastmlp.

N rows, D inputs, C outputs. ``coefs`` and ``intercepts`` are lists, an entry a layer, of W (inputs, units), b (units,).
Targets T (N, C) are zeros and ones for classifiers, one column for two classes.
"""

from itertools import pairwise

import numpy as np
from scipy.special import xlogy

ACTIVATIONS = {
    "identity": lambda Z: Z,
    "logistic": lambda Z: 1 / (1 + np.exp(-Z)),
    "tanh": np.tanh,
    "relu": lambda Z: np.where(Z.real > 0, Z, 0),
    "leaky_relu": lambda Z: np.where(Z.real > 0, Z, 0.01 * Z),
    "silu": lambda Z: Z / (1 + np.exp(-Z)),
    "gelu": lambda Z: 0.5 * Z * (1 + np.tanh(np.sqrt(2 / np.pi) * (Z + 0.044715 * Z**3))),
}
OUTPUTS = {
    "softmax": lambda Z: np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True),
    "logistic": ACTIVATIONS["logistic"],
    "identity": ACTIVATIONS["identity"],
    "exp": np.exp,
}
LOSSES = {
    "softmax": lambda T, P: -(T * np.log(P)).sum(axis=1),
    "logistic": lambda T, P: -(T * np.log(P) + (1 - T) * np.log(1 - P)).sum(axis=1),
    "identity": lambda T, P: 0.5 * ((T - P) ** 2).mean(axis=1),
    "exp": lambda T, P: (xlogy(T, T / P) - T + P).sum(axis=1),
}


def derivative(name, Z):
    """The derivative of an activation by a complex step, exact to rounding (Squire and Trapp, 1998)."""
    return ACTIVATIONS[name](Z + 1e-200j).imag / 1e-200


def initial(sizes, activation, seed):
    """Draw coefs and intercepts as scikit-learn does (Glorot and Bengio, 2010)."""
    random, coefs, intercepts = np.random.RandomState(seed), [], []
    for inputs, units in pairwise(sizes):
        bound = np.sqrt((2 if activation == "logistic" else 6) / (inputs + units))
        coefs.append(random.uniform(-bound, bound, (inputs, units)))
        intercepts.append(random.uniform(-bound, bound, units))
    return coefs, intercepts


def smoothed(T, label_smoothing, output):
    return (1 - label_smoothing) * T + label_smoothing / (T.shape[1] if output == "softmax" else 2)


def outputs(coefs, intercepts, X, activation, output):
    """Return the outputs (N, C), the inputs of every layer and the weighted inputs of every hidden layer."""
    inputs, weighted = [X], []
    for W, b in zip(coefs[:-1], intercepts[:-1], strict=True):
        weighted.append(inputs[-1] @ W + b)
        inputs.append(ACTIVATIONS[activation](weighted[-1]))
    return OUTPUTS[output](inputs[-1] @ coefs[-1] + intercepts[-1]), inputs, weighted


def loss(coefs, intercepts, X, T, weights, activation, output, alpha):
    """Return the mean loss by the rows' weights, and of alpha / 2 |W|^2 the share of so many rows."""
    P = outputs(coefs, intercepts, X, activation, output)[0]
    penalty = 0.5 * alpha * sum((W**2).sum() for W in coefs) / weights.sum()
    return np.average(LOSSES[output](T, P), weights=weights) + penalty


def gradients(coefs, intercepts, X, T, weights, activation, output, alpha):
    """Return the gradients of coefs, then of intercepts; of several numbers, the sum's, as scikit-learn."""
    P, inputs, weighted = outputs(coefs, intercepts, X, activation, output)
    G = (P - T) * weights[:, None] / weights.sum()
    dcoefs, dintercepts = [], []
    for l in reversed(range(len(coefs))):
        dcoefs.insert(0, inputs[l].T @ G + alpha * coefs[l] / weights.sum())
        dintercepts.insert(0, G.sum(axis=0))
        if l:
            G = (G @ coefs[l].T) * derivative(activation, weighted[l - 1])
    return dcoefs + dintercepts


def sgd_step(state, gradient, rate, momentum, nesterov):
    """Return what a step adds to one array; ``state`` keeps its velocity."""
    state["v"] = momentum * state.get("v", 0) - rate * gradient
    return momentum * state["v"] - rate * gradient if nesterov else state["v"]


def adam_step(state, gradient, rate, beta_1, beta_2, epsilon):
    """Return what a step adds to one array (Kingma and Ba, 2015, the order of section 2's end)."""
    state["t"] = t = state.get("t", 0) + 1
    state["m"] = beta_1 * state.get("m", 0) + (1 - beta_1) * gradient
    state["v"] = beta_2 * state.get("v", 0) + (1 - beta_2) * gradient**2
    return -rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t) * state["m"] / (np.sqrt(state["v"]) + epsilon)


def train(
    parameters,
    X,
    T,
    weights=None,
    *,
    activation,
    output,
    epochs,
    batch_size,
    rate,
    solver="adam",
    alpha=1e-4,
    learning_rate_decay=1.0,
    weight_decay=0.0,
    label_smoothing=0.0,
):
    """Train on all rows in order, ``epochs`` times; return coefs, intercepts and each epoch's mean of the minibatches.

    weight_decay takes rate * weight_decay * W off the weights too (Loshchilov and Hutter, 2019).
    """
    coefs, intercepts = ([np.array(values) for values in group] for group in parameters)
    weights = np.ones(len(X)) if weights is None else weights
    T = smoothed(T, label_smoothing, output)
    states = [{} for _ in coefs + intercepts]
    losses = []
    for _ in range(epochs):
        total = 0.0
        for start in range(0, len(X), batch_size):
            rows = slice(start, min(start + batch_size, len(X)))
            batch = (X[rows], T[rows], weights[rows], activation, output, alpha)
            total += (rows.stop - start) * loss(coefs, intercepts, *batch)
            found = gradients(coefs, intercepts, *batch)
            for W in coefs:
                W -= rate * weight_decay * W
            for values, gradient, state in zip(coefs + intercepts, found, states, strict=True):
                if solver == "adam":
                    values += adam_step(state, gradient, rate, 0.9, 0.999, 1e-8)
                else:
                    values += sgd_step(state, gradient, rate, 0.9, True)
        losses.append(total / len(X))
        rate *= learning_rate_decay
    return coefs, intercepts, losses
