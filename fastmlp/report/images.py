"""The parts of a report that are pictures of rows: the worst mistakes, and the weights of the first layer."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.report.figures import percent
from fastmlp.report.markup import Markup, element
from fastmlp.report.picture import grey_pixels, png_uri, signed_pixels
from fastmlp.report.shell import section
from fastmlp.report.story import Mistake
from fastmlp.report.table import pairs_table

_MOST_UNITS = 64
_FULL_COLOUR = 99.5  # the percentile of |weights| from which on colours are full: a few would pale all others


def worst_mistakes(mistakes: Sequence[Mistake]) -> Markup:
    """Return a card for each mistake: the row as a picture or a table, and what it was taken for."""
    seen = [mistake.pixels for mistake in mistakes if mistake.pixels is not None]
    low = min((float(np.nanmin(pixels)) for pixels in seen), default=0.0)
    high = max((float(np.nanmax(pixels)) for pixels in seen), default=1.0)
    cards = [_card(mistake, low, high) for mistake in mistakes]
    class_ = "cards pictures" if seen else "cards"
    note = "Test rows that were predicted wrongly with the highest probability."
    return section("Worst mistakes", element("ul", *cards, class_=class_), note=note)


def _card(mistake: Mistake, low: float, high: float) -> Markup:
    taken = f"row {mistake.row}: {mistake.truth} taken for {mistake.predicted}"
    shown: list[Markup] = []
    if mistake.pixels is not None:
        shown.append(element("img", src=png_uri(grey_pixels(mistake.pixels, low, high)), alt=taken))
    verdict = element("p", element("b", mistake.truth), " taken for ", element("b", mistake.predicted, class_="wrong"))
    surety = element(
        "p", element("span", percent(mistake.probability)), " ", element("span", f"row {mistake.row}"), class_="note"
    )
    if mistake.fields:
        shown_after = [pairs_table(list(mistake.fields.items()), f"Fields of {taken}")]
    else:
        shown_after = []
    return element("li", *shown, verdict, surety, *shown_after)


def first_layer(weights: NDArray[Any], shape: tuple[int, int]) -> Markup:
    """Return the weights (D, H) of the first layer, a picture (h, w) of each unit's; of many, the largest."""
    units = weights.shape[1]
    chosen = np.arange(units)
    note = "One picture per unit: blue weights are negative, orange ones positive, no colour is 0."
    if units > _MOST_UNITS:
        chosen = np.sort(np.argsort(-(weights**2).sum(axis=0), kind="stable")[:_MOST_UNITS])
        note += f" The {_MOST_UNITS} of {units} units with the largest weights."
    limit = float(np.percentile(np.abs(weights[:, chosen]), _FULL_COLOUR))
    pictures = [
        element("img", src=png_uri(signed_pixels(weights[:, unit].reshape(shape), limit)), alt="", title=f"unit {unit}")
        for unit in chosen
    ]
    about = f"First-layer weights of {len(chosen)} units as pictures"
    return section(
        "First-layer weights", element("div", *pictures, class_="units", role="img", aria_label=about), note=note
    )
