"The report as a colleague opens it: from disk, without a network, on a screen, a phone and paper."

import re

import numpy as np
import pytest

from plurality_nb.data.build import with_columns
from plurality_nb.data.sample import load_sample
from plurality_nb.evaluation.disagreement import order_effects
from plurality_nb.judges.collect import add_votes, ask_both_orders
from plurality_nb.rewards.model import score
from plurality_nb.simulation.users import PopulationJudge, sample_population, simulate_votes
from plurality_nb.studies.evaluate import write_report
from plurality_nb.studies.measure import measure_models

WIDTHS = [1280, 390]


@pytest.fixture(scope="module")
def page_file(tmp_path_factory, browser):
    sample, crowd = load_sample(), sample_population()
    asked = ask_both_orders(sample, PopulationJudge(crowd), progress=False).votes
    scores = np.random.default_rng(0).random((2, 256))
    ds = with_columns(
        simulate_votes(add_votes(sample, asked), crowd, 7),
        quadrant=sample["written_quadrant"][:],
        plurality=scores[0],
        indistinguishability=scores[1],
    )
    name = '<img src="https://example.org/x.png" onerror="alert(1)"> with a name as long as a Hub id may be'
    models = {name: score(ds, "longer response"), "random": score(ds, "random")}
    history = [dict(step=i, loss=0.7 - i / 100) for i in range(5)]
    found = dict(
        models=models, training={name: dict(objective="margin", history=history), "random": {}}
    ) | measure_models(models, n_boot=50, progress=False)
    account = dict(
        format="comparisons",
        read=258,
        kept=256,
        rejected={"`x` is <b>odd</b>": 2},
        left_out={},
        empty=0,
        identical=1,
        merged=0,
    )
    return write_report(
        found,
        tmp_path_factory.mktemp("report") / "report.html",
        order=order_effects(asked, sample["group"][:]),
        account=account,
        title="<script>alert(1)</script>",
    )


@pytest.fixture(
    params=[(w, c) for w in WIDTHS for c in ("light", "dark")], ids=lambda p: f"{p[0]}-{p[1]}"
)
def page(request, browser, page_file):
    width, scheme = request.param
    context = browser.new_context(viewport=dict(width=width, height=800), color_scheme=scheme)
    page = context.new_page()
    page.asked, page.said = [], []
    page.on("request", lambda r: page.asked.append(r.url))
    page.on("console", lambda m: page.said.append(m.text))
    page.on("pageerror", lambda e: page.said.append(str(e)))
    page.on("dialog", lambda d: (page.said.append(f"dialog: {d.message}"), d.dismiss()))
    page.goto(page_file.as_uri())
    page.width, page.scheme = width, scheme
    yield page
    context.close()


def test_it_asks_for_nothing_and_says_nothing(page, page_file):
    page.wait_for_timeout(200)
    assert set(page.asked) == {page_file.as_uri()} and page.said == []
    assert page.evaluate("document.querySelectorAll('img, iframe, link[href^=http]').length") == 0
    sources = "[...document.querySelectorAll('script')].map(s => s.getAttribute('src'))"
    assert page.evaluate(sources) == [None]


def test_nothing_sticks_out_and_wide_tables_scroll_in_their_box(page):
    assert page.evaluate("document.documentElement.scrollWidth") <= page.width
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") <= page.width
    out = page.evaluate("""[...document.querySelectorAll('main p, main figure, main .scroll, h1, h2, nav a')]
        .filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))""")
    assert out == []
    beyond = """[...document.querySelectorAll('main svg')].filter(e =>
        e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.scroll')).length"""
    assert page.evaluate(beyond) == 0
    if page.width == 390:
        for box in (".scroll:has(table)", "figure .scroll"):
            assert page.evaluate(
                f"[...document.querySelectorAll('{box}')].some(e => e.scrollWidth > e.clientWidth)"
            )


def test_lettering_of_figures_is_legible_on_a_narrow_screen(page):
    if page.width > 390:
        pytest.skip("figures keep within their column")
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    shares = page.evaluate("""[...document.querySelectorAll('figure svg')].map(e =>
        e.getBoundingClientRect().width / e.viewBox.baseVal.width)""")
    assert min(shares) > 0.99  # CSS pixels a point: letters of 8 points have 8 pixels or more


def test_contents_lead_to_sections_that_have_headings(page):
    links = page.evaluate(
        "[...document.querySelectorAll('nav a')].map(a => [a.getAttribute('href'), a.textContent, document.querySelector(a.getAttribute('href'))?.closest('section').querySelector('h2')?.textContent])"
    )
    assert len(links) >= 9 and all(text == heading for _, text, heading in links)
    assert {
        "Summary",
        "Data",
        "Taxonomy",
        "Votes",
        "Training",
        "Correlation with people",
        "Comparison of models",
        "Calibration",
        "Limits",
        "How this was made",
    } <= {t for _, t, _ in links}
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
    wanted = page.evaluate(
        "[...document.querySelectorAll('use')].map(e => e.getAttribute('xlink:href').slice(1))"
    )
    assert set(wanted) <= set(ids)


def test_figures_and_tables_are_told_to_those_who_cannot_see_them(page):
    assert page.evaluate(
        "[...document.querySelectorAll('figure svg')].every(s => s.getAttribute('role') == 'img' && s.getAttribute('aria-label').length > 20)"
    )
    assert page.evaluate(
        "[...document.querySelectorAll('th')].every(h => ['col', 'row'].includes(h.scope))"
    )
    assert page.evaluate(
        "[...document.querySelectorAll('table')].every(t => document.getElementById(t.getAttribute('aria-labelledby')))"
    )


def test_the_first_screen_answers_and_the_rest_opens_when_linked_to(page):
    top = "document.querySelector('{}').getBoundingClientRect().top"
    assert page.evaluate(top.format("figure")) < 900
    assert page.evaluate("document.querySelectorAll('details.fold[open]').length") == 0
    assert page.evaluate("document.querySelectorAll('#summary article').length") == 10
    page.click("nav a[href='#calibration']")
    page.wait_for_timeout(100)
    opened = "[...document.querySelectorAll('details.fold[open]')].map(d => d.querySelector('h2').textContent)"
    assert page.evaluate(opened) == ["Calibration"]


PAIRS = "document.querySelectorAll('#pairs article:not([hidden])').length"
FIELD = "#pairs input[type=search]"


def test_pairs_are_found_by_words_quadrants_and_ids(page):
    page.click("nav a[href='#pairs']")
    page.wait_for_selector(FIELD)
    assert page.evaluate(PAIRS) == 256
    page.fill(FIELD, "Plural, ALIKE")
    in_quadrant = page.evaluate(PAIRS)
    assert 0 < in_quadrant < 256
    assert page.inner_text("#pairs [role=status]") == f"{in_quadrant} of 256 pairs"
    pair_id = page.evaluate("document.querySelector('#pairs .id').textContent")
    page.fill(FIELD, pair_id)
    page.press(FIELD, "Enter")
    assert page.evaluate(PAIRS) == 1
    page.fill(FIELD, "no pair has these words")
    assert page.evaluate(PAIRS) == 0
    page.fill(FIELD, "")
    assert page.evaluate(PAIRS) == 256
    assert page.evaluate("document.documentElement.scrollWidth") <= page.width
    assert set(page.said) == set()


def test_all_pairs_are_there_without_a_script(browser, page_file):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{page_file.as_uri()}#pairs")
    page.click("details:has(#pairs) > summary")
    assert page.locator("#pairs article").count() == 256
    assert not page.locator(FIELD).is_visible()
    assert page.locator("#pairs article").last.is_visible()
    context.close()


def lightness(colour):
    "Mean of the channels of `rgb(...)`, in [0, 1]."
    channels = colour[colour.index("(") + 1 : -1].split(",")[:3]
    return sum(map(int, channels)) / 765


def test_figures_read_on_light_and_on_dark(page):
    ink, ground = page.evaluate(
        "[getComputedStyle(document.querySelector('figure svg')).fill, getComputedStyle(document.body).backgroundColor]"
    )
    if page.scheme == "dark":
        assert lightness(ink) > 0.8
        assert lightness(ground) < 0.2
    else:
        assert lightness(ink) < 0.2
        assert lightness(ground) > 0.9


DRAWN = """
[...document.querySelectorAll('figure svg :is(path, use, circle)')]
  .filter(e => !e.closest('defs') && e.checkVisibility())
  .map(e => getComputedStyle(e))
  .map(s => [[s.fill, s.fillOpacity], [s.stroke, s.strokeOpacity]]
    .filter(([colour, opacity]) => colour.startsWith('rgb') && opacity * s.opacity == 1)
    .map(([colour]) => colour))
  .filter(colours => colours.length)
  .map(colours => colours.join(' '))
"""


def relative_luminance(colour):
    channels = np.array([int(c) for c in re.findall(r"\d+", colour)[:3]]) / 255
    light = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return light @ [0.2126, 0.7152, 0.0722]


def contrast(colour, paper):
    dark, pale = sorted(map(relative_luminance, (colour, paper)))
    return (pale + 0.05) / (dark + 0.05)


def test_all_that_figures_draw_stands_out_from_the_page(page):
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    drawn = set(page.evaluate(DRAWN))
    assert len(drawn) > 5
    for colours in drawn:
        of_it = re.findall(r"rgb\(.*?\)", colours)
        assert max(contrast(colour, paper) for colour in of_it) >= 3, colours


def test_it_prints_without_boxes_that_scroll(page, tmp_path):
    if page.width != 1280:
        pytest.skip("paper has one width")
    page.emulate_media(media="print", color_scheme="dark")
    page.set_viewport_size(dict(width=690, height=980))
    assert page.evaluate("document.documentElement.scrollWidth") <= 690
    assert page.evaluate(
        "[...document.querySelectorAll('.scroll, pre')].every(e => getComputedStyle(e).overflowX == 'visible')"
    )
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    printed = "[...document.querySelectorAll('article')].filter(a => a.checkVisibility()).length"
    assert page.evaluate(printed) == 10
    assert page.pdf(path=tmp_path / "report.pdf")[:4] == b"%PDF"
