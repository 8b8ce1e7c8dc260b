"""Training runs to report on: digits that were really learned, a table, a regression."""

from functools import cache

import numpy as np

from fastmlp import History, Trainer
from fastmlp.data import load
from fastmlp.evaluation import evaluate_classes, evaluate_values
from fastmlp.report import Mistake, Story


def history(epochs, validation=True):
    falling = [2.0 * 0.8**epoch for epoch in range(epochs)]
    rising = [1 - loss / 4 for loss in falling]
    return History(
        loss=falling,
        validation_loss=[loss + 0.1 for loss in falling] if validation else [],
        validation_accuracy=rising if validation else [],
        learning_rate=[0.1] * epochs,
        epoch_seconds=[0.5] * epochs,
    )


@cache
def digits():
    data = load("digits")
    trainer = Trainer(hidden=(16,), epochs=5, momentum=0.9, input_scale=data.input_scale)
    learned = trainer.fit(data.X_train, data.y_train, validation_data=(data.X_test, data.y_test))
    probabilities = trainer.predict_proba(data.X_test)
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != data.y_test)
    mistakes = [
        Mistake(
            int(row),
            str(data.y_test[row]),
            str(predicted[row]),
            float(probabilities[row].max()),
            data.X_test[row].reshape(8, 8),
        )
        for row in wrong[np.argsort(-probabilities[wrong].max(axis=1))]
    ]
    return Story(
        title="digits",
        command="fastmlp-train digits --hidden 16",
        config={"data": "digits", "hidden": (16,), "threads": None, "nesterov": False},
        history=learned,
        timings={"training": 1.5},
        evaluation=evaluate_classes(data.y_test.astype(np.int64), probabilities, list("0123456789")),
        mistakes=mistakes,
        weights=trainer.parameters["W1"],
        image_shape=(8, 8),
        created="2025-01-31",
    )


def table(labels=("Adelie", "Chinstrap", "Gentoo")):
    """Rows of a table; of each class as many rows, of which some are taken for the next class."""
    count = len(labels)
    truth = np.repeat(np.arange(count), 20)
    predicted = truth.copy()
    predicted[::7] = (truth[::7] + 1) % count
    probabilities = np.full((len(truth), count), 0.1 / count)
    probabilities[np.arange(len(truth)), predicted] += 0.9
    mistake = Mistake(7, labels[0], labels[1], 0.93, fields={"island": "Dream", "bill_mm": "40.9"})
    evaluation = evaluate_classes(truth, probabilities, labels)
    return Story("penguins", "fastmlp-train", {}, history(6), evaluation=evaluation, mistakes=[mistake])


def regression(rows):
    truth = np.linspace(0, 10, rows)
    predicted = truth + np.sin(5 * truth)
    return Story(
        "prices",
        "fastmlp-train",
        {},
        history(6, validation=False),
        evaluation=evaluate_values(truth, predicted),
        values=(truth, predicted),
    )
