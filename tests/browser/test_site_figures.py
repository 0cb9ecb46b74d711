"The site's figures: the landing page's has a form for each page, others are turned dark by style."

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NBS = ROOT / "nbs"
WIDE, NARROW = 1280, 390
FORMS = {
    (WIDE, "light"): "votes_help.svg",
    (WIDE, "dark"): "votes_help_dark.svg",
    (NARROW, "light"): "votes_help_narrow.svg",
    (NARROW, "dark"): "votes_help_narrow_dark.svg",
}
GROUNDS = dict(light="#ffffff", dark="#16171a")


def landing_picture():
    "As the README and the landing page have it."
    pictures = re.findall(r"<picture>.*?</picture>", (ROOT / "README.md").read_text(), re.S)
    (picture,) = [text for text in pictures if "votes_help" in text]
    return picture


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    "A page of the site as plain as it gets: the style sheet, the picture, a notebook's figure."
    folder = tmp_path_factory.mktemp("site")
    (folder / "nbs").symlink_to(NBS)
    figure = '<figure id="drawn"><img src="nbs/images/quadrants.svg"></figure>'
    (folder / "index.html").write_text(
        '<!doctype html><meta name="viewport" content="width=device-width">'
        '<link rel="stylesheet" href="nbs/styles.css"><style>:root { color-scheme: light dark }</style>'
        f"<main>{landing_picture()}{figure}"
        '<table class="dataframe"><tr><td>0.40 [0.29, 0.51]</td></tr></table></main>'
    )
    return folder / "index.html"


@pytest.fixture(params=FORMS, ids=lambda form: f"{form[0]}-{form[1]}")
def page(request, browser, page_file):
    width, scheme = request.param
    context = browser.new_context(viewport=dict(width=width, height=800), color_scheme=scheme)
    page = context.new_page()
    page.goto(page_file.as_uri())
    page.wait_for_function("[...document.images].every(image => image.complete)")
    page.width, page.scheme = width, scheme
    yield page
    context.close()


def test_every_page_gets_its_form_of_the_landing_figure(page):
    shown = page.evaluate("document.querySelector('picture img').currentSrc")
    assert shown.endswith(f"/{FORMS[page.width, page.scheme]}")
    box = page.locator("picture img").bounding_box()
    assert box["x"] + box["width"] <= page.width
    is_stacked = box["height"] > box["width"]
    assert is_stacked == (page.width == NARROW)
    assert page.evaluate("document.documentElement.scrollWidth") <= page.width


def test_other_figures_are_dark_on_dark_pages(page):
    filters = "[...document.images].map(image => getComputedStyle(image).filter)"
    of_picture, of_figure = page.evaluate(filters)
    assert of_picture == "none"
    assert of_figure.startswith("invert") == (page.scheme == "dark")


def test_intervals_stay_on_one_line(page):
    assert page.evaluate("getComputedStyle(document.querySelector('td')).whiteSpace") == "nowrap"


@pytest.mark.parametrize("form", FORMS, ids=FORMS.get)
def test_each_form_has_its_own_ground(form):
    text = (NBS / "images" / FORMS[form]).read_text()
    grounds = {colour for colour in GROUNDS.values() if f"fill: {colour}" in text}
    assert GROUNDS[form[1]] in grounds
