"""What reports are drawn with: axes, lines, tables, pictures."""

import struct
import zlib
from base64 import b64decode
from math import inf, nan
from xml.etree import ElementTree

import numpy as np
import pytest

from fastmlp.report.axis import Axis, axis_of, tick_labels
from fastmlp.report.figures import number, plural, seconds
from fastmlp.report.frame import AxisTitle
from fastmlp.report.line_chart import Lines, Series, line_chart, moved_apart
from fastmlp.report.markup import Markup, element
from fastmlp.report.picture import grey_pixels, png_uri, signed_pixels
from fastmlp.report.table import Cell, heat_table


def test_elements_escape_text_and_attributes_but_not_markup():
    inner = element("b", "1 < 2 & 3")
    assert inner == "<b>1 &lt; 2 &amp; 3</b>"
    assert element("p", inner, "<i>", class_='"x"', aria_label=None) == (
        '<p class="&quot;x&quot;"><b>1 &lt; 2 &amp; 3</b>&lt;i&gt;</p>'
    )
    assert element("img", src="a.png") == '<img src="a.png"/>'
    assert isinstance(inner, Markup)


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (-3.2, 7.9), (0.0821, 0.0829), (1e-7, 3e-7), (1e6, 9e6), (5, 5.0000001)]
)
def test_ticks_are_even_and_on_the_axis(low, high):
    axis = Axis(low, high)
    ticks = axis.ticks()
    slack = 1e-6 * (high - low)
    assert 2 <= len(ticks) <= 7
    assert low - slack <= ticks[0]
    assert ticks[-1] <= high + slack
    np.testing.assert_allclose(np.diff(ticks), ticks[1] - ticks[0], rtol=1e-5)
    assert len(set(tick_labels(ticks))) == len(ticks) or high - low < 1e-4 * high


def test_epochs_are_marked_by_whole_numbers():
    assert Axis(1, 3).ticks(whole=True) == [1, 2, 3]
    assert Axis(1, 20).ticks(whole=True) == [5, 10, 15, 20]


def test_losses_that_span_decades_get_a_log_axis():
    axis = axis_of([2.0, 0.5, 0.002], padding=0.0, may_be_log=True)
    assert axis.is_log
    assert axis.share(0.002) == pytest.approx(0)
    assert axis.share(2.0) == pytest.approx(1)
    assert axis.share((2.0 * 0.002) ** 0.5) == pytest.approx(0.5)
    np.testing.assert_allclose(axis.ticks(), [0.003, 0.01, 0.03, 0.1, 0.3, 1])
    assert not axis_of([2.0, 1.0], may_be_log=True).is_log
    assert not axis_of([2.0, 0.0], may_be_log=True).is_log
    assert len(axis_of([1e-30, 1e30], may_be_log=True).ticks()) <= 7


@pytest.mark.parametrize("values", [[], [nan, inf], [0.0], [3.0, 3.0], [-1e-300]])
def test_an_axis_of_next_to_nothing_has_a_length(values):
    axis = axis_of(values)
    assert axis.low < axis.high
    assert all(0 <= axis.share(value) <= 1 for value in values if np.isfinite(value))


@pytest.mark.parametrize(
    ("ticks", "as_percent", "labels"),
    [
        ([0.0, 0.05, 0.1], False, ["0.00", "0.05", "0.10"]),
        ([-20.0, 0.0, 20.0], False, ["-20", "0", "20"]),
        ([1e-6, 2e-6], False, ["1e-06", "2e-06"]),
        ([0.1, 0.3, 1], False, ["0.1", "0.3", "1"]),
        ([0.94, 0.96, 0.98], True, ["94%", "96%", "98%"]),
        ([0.995, 1.0], True, ["99.5%", "100.0%"]),
        ([], False, []),
    ],
)
def test_ticks_are_written_alike(ticks, as_percent, labels):
    assert tick_labels(ticks, as_percent) == labels


def drawn(*series, x=None):
    x = range(1, len(series[0].values) + 1) if x is None else x
    lines = Lines(x, series, AxisTitle("epoch", whole=True), AxisTitle("loss"))
    return ElementTree.fromstring(line_chart(lines))


def test_lines_are_labelled_at_their_ends_and_described():
    chart = drawn(Series("training", [3.0, 1.0]), Series("validation", [4.0, 2.0], 1))
    labels = ["".join(label.itertext()) for label in chart.iter("text") if "label" in label.get("class")]
    assert labels == ["training1", "validation2"]
    assert chart.get("aria-label") == "loss by epoch: training from 3 to 1; validation from 4 to 2"
    assert [title.text for title in chart.iter("title")] == [
        "epoch 1: training 3, validation 4",
        "epoch 2: training 1, validation 2",
    ]


def test_lines_fall_from_the_upper_left_to_the_lower_right():
    (path,) = drawn(Series("training", [3.0, 2.0, 1.0])).iter("path")
    points = [point.split() for point in path.get("d")[1:].split("L")]
    across, down = np.array(points, dtype=float).T
    np.testing.assert_allclose(across, [0, 500, 1000])
    assert list(down) == sorted(down)
    assert 0 < down[0] < down[2] < 200


def test_a_line_has_a_gap_where_a_value_is_not_finite():
    (path,) = drawn(Series("training", [1.0, 2.0, nan, 4.0, inf])).iter("path")
    assert path.get("d").count("M") == 2
    assert path.get("d").count("L") == 1


@pytest.mark.parametrize("values", [[5.0], [nan], [nan, nan], [0.1] * 1000])
def test_any_line_can_be_drawn(values):
    assert drawn(Series("training", values)).tag == "svg"


def test_labels_are_moved_apart_and_stay_inside():
    assert moved_apart([10, 100], 30, 200) == [10, 100]
    assert moved_apart([100, 95], 30, 200) == [125, 95]
    assert moved_apart([199, 198, 50], 30, 200) == [200, 170, 50]


def test_heat_tables_shade_what_is_not_blank():
    table = ElementTree.fromstring(heat_table("", ["a", "b"], [("a", [Cell("9", 0.9), Cell("", 0.0, True)])], "about"))
    nine, blank = table.findall(".//tbody/tr/td")
    assert nine.get("style") == "--shade:90%"
    assert blank.get("style") is None


def decoded(uri):
    """Return the header and the bytes of a PNG's rows."""
    data = b64decode(uri.removeprefix("data:image/png;base64,"), validate=True)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, start = {}, 8
    while start < len(data):
        (length,) = struct.unpack_from(">I", data, start)
        name, content = data[start + 4 : start + 8], data[start + 8 : start + 8 + length]
        assert struct.unpack_from(">I", data, start + 8 + length) == (zlib.crc32(name + content),)
        chunks[name] = content
        start += 12 + length
    return struct.unpack(">IIBBBBB", chunks[b"IHDR"]), zlib.decompress(chunks[b"IDAT"])


def test_grey_pictures_are_pngs():
    header, rows = decoded(png_uri(grey_pixels(np.array([[0.0, 1.0, 2.0], [4.0, 5.0, nan]]), 0.0, 4.0)))
    assert header == (3, 2, 8, 0, 0, 0, 0)
    assert list(rows) == [0, 0, 64, 128, 0, 255, 255, 0]


def test_signed_pictures_are_clear_at_zero_and_opaque_at_the_limit():
    header, rows = decoded(png_uri(signed_pixels(np.array([[-2.0, 0.0, 1.0]]), 2.0)))
    assert header == (3, 1, 8, 6, 0, 0, 0)
    negative, zero, positive = (tuple(rows[start : start + 4]) for start in (1, 5, 9))
    assert (negative[3], zero[3], positive[3]) == (255, 0, 128)
    assert negative[2] > negative[0]  # blue
    assert positive[0] > positive[2]  # orange


def test_large_pictures_are_thinned_and_flat_ones_drawn():
    assert grey_pixels(np.ones((1000, 500)), 1.0, 1.0).shape == (125, 63)


@pytest.mark.parametrize(
    ("value", "text"), [(0.08230, "0.0823"), (12345.6, "12,346"), (1e-05, "1e-05"), (-2.5, "-2.5"), (nan, "nan")]
)
def test_numbers(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.000451, "0.451 ms"), (0.9996, "1 s"), (1.234, "1.23 s"), (200.4, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_seconds(value, text):
    assert seconds(value) == text


def test_plurals():
    assert [plural(1, "row"), plural(60_000, "row")] == ["1 row", "60,000 rows"]
