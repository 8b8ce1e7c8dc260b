"""The mathematics of fastmlp in plain NumPy float64: short, slow, and independent of what it checks.

Dimensions: N rows of data, B rows of a minibatch, D inputs, H units of a layer, C classes.
The first functions have the names and the argument order of ``fastmlp.kernels``. The others train a whole network,
whose parameters are a dict {"W1": (D, H), "b1": (H,), "W2": ...}; the activation between its layers is ReLU.
"""

import numpy as np


def matmul_bias(X, W, b):
    """X (B, D), W (D, H), b (H,) -> X W + b (B, H)."""
    return np.asarray(X, np.float64) @ np.asarray(W, np.float64) + b


def relu(Z):
    return np.maximum(np.asarray(Z, np.float64), 0.0)


def relu_mask(A):
    """1 where A > 0, else 0: the derivative of ReLU, which is 0 at 0."""
    return np.where(np.asarray(A) > 0, 1.0, 0.0)


def softmax_nll(scores, y):
    """Scores (B, C), y (B,) -> mean of -log softmax(scores)[n, y_n], and its gradient (B, C)."""
    scores = np.asarray(scores, np.float64)
    rows = np.arange(len(scores))
    shifted = scores - scores.max(axis=1, keepdims=True)
    log_softmax = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    dscores = np.exp(log_softmax)
    dscores[rows, y] -= 1.0
    return -log_softmax[rows, y].mean(), dscores / len(scores)


def backward_update(X, G, W, learning_rate, l2=0.0):
    """In place, for X (B, D), G (B, H), W (D, H): W -= learning_rate * (X^T G + 2 l2 W)."""
    W -= learning_rate * (np.asarray(X, np.float64).T @ np.asarray(G, np.float64) + 2.0 * l2 * W)


def layers_of(parameters):
    """Return [(W1, b1), (W2, b2), ...]."""
    return [(parameters[f"W{l}"], parameters[f"b{l}"]) for l in range(1, len(parameters) // 2 + 1)]


def forward(parameters, X):
    """Return [X, A1 (B, H1), A2 (B, H2), ..., scores (B, C)]."""
    *hidden, (W_out, b_out) = layers_of(parameters)
    activations = [np.asarray(X, np.float64)]
    for W, b in hidden:
        activations.append(relu(matmul_bias(activations[-1], W, b)))
    activations.append(matmul_bias(activations[-1], W_out, b_out))
    return activations


def penalty(parameters, l2):
    return l2 * sum((np.asarray(W, np.float64) ** 2).sum() for W, _ in layers_of(parameters))


def loss(parameters, X, y, l2=0.0):
    """Mean negative log-likelihood + l2 * sum |W|^2; biases are not regularised."""
    return softmax_nll(forward(parameters, X)[-1], y)[0] + penalty(parameters, l2)


def gradients(parameters, X, y, l2=0.0):
    """Return the gradient of ``loss`` for each of the parameters, under the same names."""
    activations = forward(parameters, X)
    _, dZ = softmax_nll(activations.pop(), y)
    found = {}
    for l in range(len(activations), 0, -1):
        A, W = activations[l - 1], np.asarray(parameters[f"W{l}"], np.float64)
        found[f"W{l}"] = A.T @ dZ + 2.0 * l2 * W
        found[f"b{l}"] = dZ.sum(axis=0)
        dZ = (dZ @ W.T) * relu_mask(A)
    return {name: found[name] for name in parameters}


def train(
    parameters,
    X,
    y,
    orders,
    batch_size,
    learning_rate,
    learning_rate_decay=1.0,
    l2=0.0,
    momentum=0.0,
    nesterov=False,
    solver="sgd",
    learning_rate_schedule="decay",
):
    """Train on rows orders[epoch] in minibatches, the last of an epoch as short as it comes out.

    sgd: V = momentum V - rate dW; then W += V, or for nesterov W += momentum V - rate dW.
    adam: averages M of dW and V of dW^2, over their sums of weights; W -= rate M / sqrt(V) (Kingma and Ba, 2015).
    Returns the parameters and a loss for each epoch: the mean over its rows, each row as it was before its
    minibatch's update, + l2 * sum |W|^2 at the end of the epoch.
    """
    weights = {name: np.array(value, np.float64) for name, value in parameters.items()}
    velocity = {name: np.zeros_like(value) for name, value in weights.items()}
    squares = {name: np.zeros_like(value) for name, value in weights.items()}
    losses, step = [], 0
    steps = sum(-(-len(order) // batch_size) for order in orders)
    for epoch, order in enumerate(orders):
        rate = learning_rate * learning_rate_decay**epoch
        total = 0.0
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            total += len(rows) * loss(weights, X[rows], y[rows])
            if learning_rate_schedule == "linear":
                rate = learning_rate * (steps - step) / steps
            step += 1
            for name, gradient in gradients(weights, X[rows], y[rows], l2).items():
                if solver == "adam":
                    velocity[name] = 0.9 * velocity[name] + 0.1 * gradient
                    squares[name] = 0.999 * squares[name] + 0.001 * gradient**2
                    M, V = velocity[name] / (1 - 0.9**step), squares[name] / (1 - 0.999**step)
                    # epsilon as fastmlp and the paper's faster form have it: beside the uncorrected square root
                    weights[name] -= rate * M / (np.sqrt(V) + 1e-8 / np.sqrt(1 - 0.999**step))
                    continue
                velocity[name] = momentum * velocity[name] - rate * gradient
                weights[name] += momentum * velocity[name] - rate * gradient if nesterov else velocity[name]
        losses.append(total / len(order) + penalty(weights, l2))
    return weights, losses
