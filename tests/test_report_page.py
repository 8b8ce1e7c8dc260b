"""The report as a page: its parts, what is left out, hostile text, and how a browser shows it."""

import re
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import browser
import numpy as np
import pytest
import stories

from fastmlp import History
from fastmlp.report import Mistake, Story, write_report

WIDTHS = (390, 1280)
HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror="document.title=\'hit\'">', "</style>&amp;'")


def written(tmp_path, story):
    path = tmp_path / "report.html"
    write_report(path, story)
    return path


def parsed(tmp_path, story):
    """Return the page as a tree: it is well-formed XML too."""
    return ElementTree.fromstring(written(tmp_path, story).read_text(encoding="utf-8"))


def text(element):
    return "".join(element.itertext())


def headings(page):
    return [text(heading) for heading in page.iter("h2")]


def of_class(page, name):
    return [element for element in page.iter() if name in element.get("class", "").split()]


# ---- parts ----


def test_every_part_of_a_run_on_images(tmp_path):
    story = stories.digits()
    page = parsed(tmp_path, story)
    assert headings(page) == [
        "Learning curves",
        "Confusion matrix",
        "Classes",
        "Worst mistakes",
        "First-layer weights",
        "Configuration",
        "Command",
        "Times",
    ]
    assert [text(title) for title in page.iter("h1")] == ["digits"]
    figures = {text(tile.find("dt")): text(tile.find("dd")) for tile in page.find(".//header/dl")}
    assert figures["test accuracy"] == f"{story.evaluation.figures['accuracy']:.2%}"
    assert figures["epochs"] == "5"
    assert figures["test rows"] == "359"
    assert text(page.find(".//code")) == story.command


def test_what_is_missing_is_left_out(tmp_path):
    page = parsed(tmp_path, Story("empty", "", {}, History()))
    assert headings(page) == []
    assert not list(page.iter("svg"))
    assert not list(page.iter("table"))


def test_without_a_test_set_there_is_no_confusion(tmp_path):
    page = parsed(tmp_path, replace(stories.digits(), evaluation=None, mistakes=(), weights=None))
    assert headings(page) == ["Learning curves", "Configuration", "Command", "Times"]


def test_without_validation_rows_only_losses_and_rates_are_drawn(tmp_path):
    page = parsed(tmp_path, Story("run", "", {}, stories.history(3, validation=False)))
    assert [text(title) for title in page.findall(".//figcaption/strong")] == ["Loss", "Learning rate"]


def test_scores_are_drawn_where_there_are_no_accuracies(tmp_path):
    history = stories.history(3, validation=False)
    history.validation_score = [0.1, 0.5, 0.4]
    page = parsed(tmp_path, Story("run", "", {}, history))
    captions = [text(caption) for caption in page.iter("figcaption")]
    assert captions[1] == "Validation score highest 0.5 in epoch 2"


def test_the_confusion_matrix_holds_every_count(tmp_path):
    story = stories.digits()
    (heat,) = of_class(parsed(tmp_path, story), "heat")
    rows = [[int(text(cell) or 0) for cell in row.iter("td")] for row in heat.find("tbody")]
    np.testing.assert_array_equal(rows, story.evaluation.confusion)
    assert [text(name) for name in heat.find("thead").iter("th")] == list("0123456789")


@pytest.mark.parametrize(("classes", "heading"), [(30, "Confusion matrix"), (31, "Most confused classes")])
def test_many_classes_are_listed_by_pairs(tmp_path, classes, heading):
    page = parsed(tmp_path, stories.table([f"class {number}" for number in range(classes)]))
    assert heading in headings(page)
    assert len(of_class(page, "heat")) == (heading == "Confusion matrix")


def test_the_most_confused_pair_comes_first(tmp_path):
    story = stories.table([f"class {number}" for number in range(40)])
    story.evaluation.confusion[5, 9] = 15
    (pairs, _) = of_class(parsed(tmp_path, story), "plain")
    first = [text(cell) for cell in pairs.find("tbody/tr")]
    assert first[:3] == ["class 5", "class 9", "15"]


def test_each_class_has_its_figures(tmp_path):
    (table,) = of_class(parsed(tmp_path, stories.table()), "plain")
    rows = [[text(cell) for cell in row] for row in table.find("tbody")]
    assert [row[0] for row in rows] == ["Adelie", "Chinstrap", "Gentoo"]
    assert [row[4] for row in rows] == ["20", "20", "20"]
    assert rows[0][2] == "0.850"  # rows 0, 7 and 14 of 20 are taken for the next class


def test_mistakes_are_pictures_or_fields(tmp_path):
    picture = Mistake(3, "cat", "dog", 0.875, np.array([[0, 9], [np.nan, 4]]))
    fields = Mistake(4, "cat", "cow", 0.5, fields={"legs": "4"})
    bare = Mistake(5, "cat", "hen", 0.25)
    page = parsed(tmp_path, Story("animals", "", {}, History(), mistakes=[picture, fields, bare]))
    first, second, third = page.iter("li")
    assert "cat taken for dog" in text(first)
    assert "87.50%" in text(first)
    assert first.find("img").get("alt") == "row 3: cat taken for dog"
    assert "legs4" in text(second)
    assert list(third.iter("table")) == list(third.iter("img")) == []


def test_weights_are_drawn_of_64_units_at_most(tmp_path):
    weights = np.random.default_rng(0).normal(size=(12, 100))
    weights[:, 7] = 0  # the smallest is not among them
    page = parsed(tmp_path, Story("run", "", {}, History(), weights=weights, image_shape=(3, 4)))
    titles = [picture.get("title") for picture in page.iter("img")]
    assert len(titles) == 64
    assert "unit 7" not in titles
    assert "64 of 100 units" in text(page)


def test_weights_of_no_images_are_not_drawn(tmp_path):
    assert not list(parsed(tmp_path, replace(stories.digits(), mistakes=(), image_shape=None)).iter("img"))


@pytest.mark.parametrize(("rows", "points"), [(40, 40), (2000, 500)])
def test_a_regression_is_drawn_as_points(tmp_path, rows, points):
    page = parsed(tmp_path, stories.regression(rows))
    assert headings(page) == ["Learning curves", "Predictions", "Command", "Times"]
    (group,) = of_class(page, "points")
    assert len(group) == points
    assert {"RMSE", "MAE", "R²"} <= {text(name) for name in page.iter("dt")}


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "none"), (True, "yes"), ((64, 32), "64, 32"), ((), "none"), (1e-05, "1e-05"), ("relu", "relu")],
)
def test_options_are_written_for_readers(tmp_path, value, shown):
    page = parsed(tmp_path, Story("run", "", {"option": value}, History()))
    (row,) = page.iter("tr")
    assert [text(cell) for cell in row] == ["option", shown]


def test_weights_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"weights must be \(64, units\) for images of 8 x 8 pixels, got \(63, 4\)"):
        Story("run", "", {}, History(), weights=np.zeros((63, 4)), image_shape=(8, 8))


def test_values_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"values must be two arrays of one shape, got \(3,\) and \(4,\)"):
        Story("run", "", {}, History(), values=(np.zeros(3), np.zeros(4)))


# ---- text from elsewhere ----


def hostile_story():
    first, second, third = HOSTILE
    story = stories.table(HOSTILE)
    mistake = Mistake(1, second, first, 0.5, fields={first: second, third: third})
    return replace(story, title=first, command=second, config={third: first}, timings={second: 1.0}, mistakes=[mistake])


def test_labels_columns_and_commands_stay_text(tmp_path):
    page = parsed(tmp_path, hostile_story())
    assert not list(page.iter("script"))
    assert not list(page.iter("img"))
    assert text(page.find(".//h1")) == HOSTILE[0]
    assert text(page.find(".//code")) == HOSTILE[1]
    assert [text(cell) for cell in page.findall(".//li//td")] == [HOSTILE[1], HOSTILE[2]]


def test_a_command_that_is_no_text_is_written_all_the_same(tmp_path):
    page = parsed(tmp_path, Story("run", "fastmlp-train caf\udce9.csv", {}, History()))
    assert text(page.find(".//code")) == "fastmlp-train caf\\udce9.csv"


def test_the_page_refers_to_nothing_and_forbids_scripts(tmp_path):
    html = written(tmp_path, stories.digits()).read_text(encoding="utf-8")
    assert set(re.findall(r'(?:src|href)="([a-z]+:)', html)) == {"data:"}
    assert not re.search(r"url\(|@import|<script|<link|<iframe", html)
    assert "default-src &#x27;none&#x27;" in html


# ---- what can be read by everybody ----


def test_language_headings_and_names_of_pictures(tmp_path):
    page = parsed(tmp_path, stories.digits())
    assert page.get("lang") == "en"
    assert page.find("head/title").text == "digits"
    levels = [int(element.tag[1]) for element in page.iter() if re.fullmatch("h[1-6]", element.tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    named = [element for element in page.iter() if element.get("role") in ("img", "region")]
    assert named
    assert all(element.get("aria-label") for element in named)
    assert all(picture.get("alt") for picture in page.findall(".//li/img"))


def luminance(colour):
    shares = np.array(colour) / 255
    return np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]


def contrast(one, other):
    """As WCAG 2 defines it."""
    darker, lighter = sorted([luminance(one), luminance(other)])
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_stands_out(tmp_path, theme):
    style = parsed(tmp_path, stories.table()).find("head/style").text
    block = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[theme]
    digits = dict(re.findall(r"--(\w+): #(\w{6})", block))
    colours = {name: np.array([int(code[i : i + 2], 16) for i in (0, 2, 4)]) for name, code in digits.items()}
    strongest = float(re.search(r"--strongest: ([\d.]+)", block)[1])
    for name in ("ink", "muted", "blue", "orange", "green", "purple", "gold", "grey"):
        assert contrast(colours[name], colours["paper"]) >= 4.5, name
    for mark in ("blue", "orange"):
        shaded = strongest * colours[mark] + (1 - strongest) * colours["raised"]
        assert contrast(colours["ink"], shaded) >= 4.5, mark


# ---- in a browser ----


@pytest.mark.parametrize("width", WIDTHS)
def test_a_browser_shows_all_of_it_without_loading_anything(tmp_path, width):
    story = stories.digits()
    seen = browser.look_at(written(tmp_path, story), width)
    assert seen["window"] == width
    assert seen["width"] <= width
    assert seen["headings"][:2] == ["digits", "Learning curves"]
    assert f"{story.evaluation.figures['accuracy']:.2%}" in seen["text"]
    assert f"row {story.mistakes[0].row}" in seen["text"]
    assert seen["images"] == [["data:image/png;base64,", 8, 8]] * (len(story.mistakes) + 16)
    assert min(seen["charts"]) > 150
    assert [name for name in seen["loaded"] if not name.startswith("data:")] == []
    assert seen["scripts"] == 0


def test_wide_tables_and_long_words_scroll_inside_their_box(tmp_path):
    story = stories.table([f"a class of long name {number}" for number in range(30)])
    assert browser.look_at(written(tmp_path, replace(story, command="x" * 300)), 390)["width"] <= 390


def test_hostile_text_is_shown_and_does_nothing(tmp_path):
    seen = browser.look_at(written(tmp_path, hostile_story()), 390)
    assert seen["width"] <= 390
    assert seen["scripts"] == 0
    assert seen["images"] == []
    assert all(each in seen["text"] for each in HOSTILE)


def test_a_picture_of_the_page_is_not_blank(tmp_path):
    blank = tmp_path / "blank.html"
    blank.write_text("<!DOCTYPE html><title>blank</title>", encoding="utf-8")
    page = written(tmp_path, stories.digits())
    assert len(browser.screenshot(page, 1280)) > 5 * len(browser.screenshot(blank, 1280))


def test_a_dark_screen_gets_a_dark_page(tmp_path):
    background = browser.look_at(written(tmp_path, stories.table()), 390, browser.DARK)["background"]
    assert luminance([int(part) for part in re.findall(r"\d+", background)]) < 0.1
