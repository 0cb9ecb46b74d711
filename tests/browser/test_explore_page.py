"The page of `plurality explore` as a user sees it: any data, hostile texts, filters, figures, notes."

import itertools
import json
import threading
import time

import numpy as np
import pytest

from plurality_nb.data.build import with_columns
from plurality_nb.data.sample import load_sample
from plurality_nb.reports.exploration import Exploration
from plurality_nb.reports.preferences import contradicting_rows, disagreeing_rows
from plurality_nb.reports.serving import ExplorerServer
from plurality_nb.rewards.model import score
from plurality_nb.simulation.users import sample_population, simulate_votes
from plurality_nb.taxonomy.quadrants import quadrant_of

KINDS = ["unlabelled", "one row", "no votes", "judge only"]


def scored(ds):
    names = ("longer response", "random")
    return {name: score(ds, name, progress=False) for name in names}


def comparisons(kind):
    "Name of a model to comparisons of one of `KINDS`."
    sample = load_sample()
    if kind == "unlabelled":
        return scored(simulate_votes(sample, sample_population(), 9))
    if kind == "one row":
        return scored(simulate_votes(sample.select([3]), sample_population(), 9))
    if kind == "judge only":
        judge = np.random.default_rng(0).integers(1, 6, (3, len(sample)))
        columns = dict(zip(["judge_a", "judge_b", "judge_tie"], judge))
        return {"model": with_columns(sample, **columns)}
    return {"model": sample}


def hostile():
    "Texts that try to run something, to load something, or to lead somewhere."
    here = "window.harmed = 1"
    there = "http://192.0.2.1"
    return [
        f"<script>{here}</script>",
        f"<img src=x onerror='{here}'>",
        f"<svg/onload='{here}'>",
        f"[click](javascript:{here})",
        f"[click](JaVaScRiPt&colon;{here})",
        f"<javascript:{here}>",
        f"[click](data:text/html,<script>{here}</script>)",
        f"[click]({there}/click '\" onmouseover={here}')",
        f"![picture]({there}/x.png)",
        f"![a](x \"onerror='{here}'\")",
        f"<iframe src='{there}'></iframe><link rel=stylesheet href='{there}/x.css'>",
        f"<style>@import url({there}/x.css)</style><p style='background:url({there}/y.png)'>",
        f"<form action='{there}'><button autofocus onfocus='{here}'>x</button></form>",
        f"<meta http-equiv=refresh content='0;url={there}'><base href='{there}'>",
        f'```"onload="{here}\n<script>{here}</script>\n```',
        f"|<img src=x onerror={here}>|\n|-|\n|[x](vbscript:{here})|",
        f"<details open ontoggle='{here}'><summary>x</summary></details>",
        f"[x]: javascript:{here}\n\n[x] [y][x]",
        f"<a href='javascript:{here}' autofocus>x</a><object data='{there}'></object>",
    ]


def with_hostile_texts():
    texts = hostile()
    ds = simulate_votes(load_sample().select(range(len(texts))), sample_population(), 9)
    prompts = [[dict(role="user", content=text)] for text in texts]
    others = [f"{text}\n\n# another\n\n*text*" for text in texts]
    ballots = [[dict(annotator=t, vote="a", traits=[dict(name=t, value=t)])] * 2 for t in texts]
    ds = with_columns(
        ds, prompt=prompts, response_a=texts, response_b=others, ballots=ballots, source=texts
    )
    return {texts[0]: score(ds, "longer response", progress=False)}


@pytest.fixture
def opened(browser, tmp_path, monkeypatch):
    "Opens the page of comparisons; `page.problems` is what went wrong or left the machine."
    monkeypatch.chdir(tmp_path)
    servers, contexts = [], []

    def open_page(models, width=1280, scheme="light", **view):
        server = ExplorerServer(Exploration(models, "notes.json", n_boot=20, **view))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        context = browser.new_context(viewport=dict(width=width, height=1000), color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.server, page.problems = server, []
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("console", lambda message: page.problems.append(message.text))
        page.on("dialog", lambda dialog: (page.problems.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: noted(page, request.url))
        page.goto(server.address)
        page.locator(".px-row").first.wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    for server in servers:
        server.shutdown()
        server.finish()


def noted(page, url):
    if not url.startswith((page.server.address, "data:,")):
        page.problems.append(url)


def settled(get, wanted, seconds=10):
    "Waits until what `get` finds is as wanted."
    end = time.time() + seconds
    while get() != wanted and time.time() < end:
        time.sleep(0.03)
    assert get() == wanted


def count(page):
    return int(page.locator(".px-total b").inner_text().replace(",", ""))


def exploration(page):
    return page.server._panel.exploration


@pytest.mark.parametrize("kind", KINDS)
def test_any_comparisons_are_shown_with_what_they_have(opened, kind):
    models = comparisons(kind)
    page = opened(models)
    first = next(iter(models.values()))
    assert count(page) == len(first)
    assert page.locator(".px-side-a .px-text").inner_text() == first["response_a"][0]
    assert page.locator(".px-cell").count() == 0  # no quadrants
    voted = kind in ("unlabelled", "one row")
    shown = page.locator(".px-reader > .px-voices .px-voice").all_inner_texts()
    judged = kind == "judge only"
    assert shown == (["people", *models] if voted else ["judge"] * judged)
    assert page.locator(".px-plot").count() == page.locator(".px-forest").count() == voted
    assert page.get_by_label("contradicts the majority").count() == voted
    assert page.get_by_label("with judge's votes").count() == judged
    if len(first) > 1:
        page.keyboard.press("j")
        page.locator(".px-list").press("j")
        settled(page.locator(".px-where").inner_text, f"2 / {len(first)}")
    assert page.problems == []


@pytest.mark.parametrize(
    "kind, width, scheme",
    [
        ("unlabelled", 1280, "dark"),
        ("unlabelled", 390, "light"),
        ("one row", 390, "dark"),
        ("no votes", 1280, "light"),
        ("judge only", 390, "dark"),
    ],
)
def test_nothing_sticks_out(opened, kind, width, scheme):
    page = opened(comparisons(kind), width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    out = page.evaluate("""[...document.querySelectorAll('.px *')].filter(e =>
        e.getBoundingClientRect().right > innerWidth && !e.closest('.px-plot, .px-axis, .px-list'))
        .map(e => e.className)""")
    assert out == []
    rows = page.evaluate("""[...document.querySelectorAll('.px-row')].filter(e =>
        e.scrollHeight > e.clientHeight + 1).length""")
    assert rows == 0
    dark = page.evaluate("getComputedStyle(document.querySelector('.px')).backgroundColor")
    assert (sum(map(int, dark[4:-1].split(", "))) < 200) == (scheme == "dark")
    a, b = (page.locator(f".px-side-{side}").bounding_box() for side in "ab")
    assert (b["x"] > a["x"] + 50) == (width == 1280)


UNKNOWN_ELEMENTS = """[...document.querySelectorAll('.px-root *')].filter(e =>
    ['A', 'IMG', 'SCRIPT', 'STYLE', 'SVG', 'IFRAME', 'LINK', 'OBJECT', 'FORM', 'META', 'BASE']
    .includes(e.tagName.toUpperCase()) || [...e.attributes].some(a => a.name.startsWith('on')
    || ['href', 'src', 'srcset', 'action', 'data', 'background'].includes(a.name)))
    .map(e => e.outerHTML)"""
RAW_TEXT = """(() => {
    const raw = [...document.querySelectorAll('.px-check')].find(e => e.innerText === 'raw text');
    raw.click();
    const text = document.querySelector('.px-side-a .px-text').textContent;
    raw.click();
    return text;
})()"""


def test_texts_that_would_harm_are_read_and_nothing_else(opened):
    models = with_hostile_texts()
    page = opened(models)
    texts = next(iter(models.values()))
    page.locator(".px-who > summary").click()
    for raw_text in texts["response_a"]:
        settled(lambda: page.evaluate(RAW_TEXT), raw_text)
        page.locator(".px-side-a .px-text").click()
        assert page.evaluate(UNKNOWN_ELEMENTS) == []
        page.locator(".px-list").press("j")
    assert page.evaluate("window.harmed") is None
    assert page.problems == []


def test_too_few_prompts_give_no_correlation(opened):
    page = opened(comparisons("one row"))
    values = page.locator(".px-value")
    values.first.wait_for()
    assert values.all_text_contents() == ["–", "–"]
    assert page.locator(".px-point").count() == 0
    assert page.get_by_text("–: fewer than 5 prompts").is_visible()
    assert page.get_by_text("95% intervals").count() == 0
    assert "fewer than 5 prompts" in page.locator(".px-track").first.get_attribute("aria-label")


def test_the_page_could_not_load_or_run_anything_anyway(opened):
    page = opened(comparisons("one row"))
    page.evaluate("""() => {
        const image = new Image(); image.src = 'http://192.0.2.1/x.png';
        const script = document.createElement('script'); script.textContent = 'window.harmed = 1';
        document.body.append(image, script);
    }""")
    assert page.evaluate("window.harmed") is None
    assert (
        page.evaluate("fetch('http://192.0.2.1/').then(() => 'loaded', () => 'refused')")
        == "refused"
    )
    assert len([text for text in page.problems if "Content Security Policy" in text]) >= 3


FORMATTED = "# Head\n\n**Strong** and *weak* `code`\nnext line\n\n- one\n  1. deep\n\n> said\n\n|x|y|\n|-|-|\n|1|2|\n\n```py\n<b> = 1\n```"


def test_markdown_is_formatted_and_its_words_are_compared(opened):
    ds = load_sample().select([0])
    ds = with_columns(ds, response_a=[FORMATTED], response_b=[FORMATTED.replace("deep", "flat")])
    page = opened({"model": ds})
    side = page.locator(".px-side-a .px-text")
    for selector, text in {
        ".px-h1": "Head",
        "strong": "Strong",
        "em": "weak",
        "p code": "code",
        "ul li ol li": "deep",
        "blockquote": "said",
        "td >> nth=1": "2",
        "pre": "<b> = 1",
        "mark": "deep",
    }.items():
        assert side.locator(selector).inner_text().strip() == text
    page.get_by_label("mark differences").uncheck()
    assert side.locator("mark").count() == 0
    page.get_by_label("raw text").check()
    assert side.text_content() == FORMATTED


def test_texts_that_run_from_right_to_left(opened):
    ds = load_sample().select([0])
    mixed = "שלום עולם\n\nand English."
    page = opened({"model": with_columns(ds, response_a=[mixed], response_b=["مرحبا **بالعالم**"])})
    page.get_by_label("raw text").uncheck()
    starts = """selector => { const range = document.createRange();
        const element = document.querySelector(selector); range.selectNodeContents(element);
        const box = element.getBoundingClientRect(), text = range.getBoundingClientRect();
        return text.left - box.left > box.right - text.right + 20 }"""
    assert page.evaluate(starts, ".px-side-a p:nth-of-type(1)")
    assert not page.evaluate(starts, ".px-side-a p:nth-of-type(2)")
    assert page.evaluate(starts, ".px-side-b p")
    assert (
        page.evaluate("getComputedStyle(document.querySelector('.px-side-b .px-text')).direction")
        == "rtl"
    )


def test_both_responses_scroll_together(opened):
    ds = load_sample().select([0])
    long, longer = ("\n\n".join(f"line {k}" for k in range(n)) for n in (60, 90))
    page = opened({"model": with_columns(ds, response_a=[long], response_b=[longer])})
    parts = """() => [...document.querySelectorAll('.px-response .px-text')].map(e =>
        Math.round(10 * e.scrollTop / (e.scrollHeight - e.clientHeight)) / 10)"""
    scroll = "([side, part]) => { const e = document.querySelector(`.px-side-${side} .px-text`); e.scrollTop = part * (e.scrollHeight - e.clientHeight) }"
    page.evaluate(scroll, ["a", 0.5])
    settled(lambda: page.evaluate(parts), [0.5, 0.5])
    page.wait_for_timeout(200)
    page.evaluate(scroll, ["b", 1])
    settled(lambda: page.evaluate(parts), [1, 1])
    page.get_by_label("scroll together").uncheck()
    page.wait_for_timeout(200)
    page.evaluate(scroll, ["a", 0])
    page.wait_for_timeout(200)
    assert page.evaluate(parts) == [0, 1]


@pytest.fixture(scope="module")
def everything():
    "Two models, one of which was trained on some prompts, a judge, votes by people with traits, quadrants."
    ds = simulate_votes(load_sample().select(range(64)), sample_population(), 9)
    rng = np.random.default_rng(0)
    judge = rng.integers(1, 6, (3, len(ds)))
    plurality, alike = rng.random((2, len(ds)))
    voters = [
        dict(
            annotator=f"p{k}",
            vote="ab"[k % 2],
            traits=[dict(name="country", value="NOSE"[k % 2 * 2 :][:2])],
        )
        for k in range(6)
    ]
    ds = with_columns(
        ds,
        **dict(zip(["judge_a", "judge_b", "judge_tie"], judge)),
        plurality=plurality,
        indistinguishability=alike,
        quadrant=quadrant_of(plurality, alike),
        ballots=[voters] * len(ds),
    )
    models = scored(ds)
    seen = [number % 4 == 0 for number in range(len(ds))]
    return models | {"random": with_columns(models["random"], seen=seen)}


def test_filters_find_where_models_fail(opened, everything):
    page = opened(everything)
    facts = exploration(page).facts
    rival = page.get_by_label("contradicts the majority")
    for name in ("*", "longer response", "judge"):
        rival.select_option(name)
        settled(lambda: count(page), int(contradicting_rows(facts, name).sum()))
    assert page.locator(".px-row").first.locator("small").all_inner_texts() == ["people", "judge"]
    page.get_by_label("models disagree").check()
    both = contradicting_rows(facts, "judge") & disagreeing_rows(facts)
    settled(lambda: count(page), int(both.sum()))
    page.get_by_role("button", name="clear filters").click()
    settled(lambda: count(page), len(facts.rows))
    page.get_by_label("training").select_option("seen")
    settled(lambda: count(page), int(facts.seen.sum()))
    assert page.locator(".px-row .px-seen").count() == page.locator(".px-row").count() > 0
    assert page.locator(".px-facts .px-seen").inner_text() == "seen in training"
    page.get_by_label("training").select_option("unseen")
    settled(lambda: page.locator(".px-row .px-seen").count(), 0)
    page.get_by_label("sort by").select_option("random against people")
    bars = page.locator(".px-row").first.locator("small").all_inner_texts
    settled(bars, ["people", "random"])
    page.get_by_label("sort by").select_option("longer response against judge")
    settled(bars, ["judge", "longer response"])
    assert page.problems == []


def test_points_of_the_figures_lead_to_their_pairs(opened, everything):
    page = opened(everything)
    for place in (0, 4, 8):
        track = page.locator(".px-track").nth(place)
        label = track.get_attribute("aria-label")
        track.click()
        settled(lambda: count(page), int(label.split()[-2]))  # within one turn
        assert exploration(page).facts.counted[exploration(page).rows].all()
    name = label.split(", ", 2)[-1].split(":")[0]
    assert page.get_by_label("sort by").input_value() == f"{name} against people"
    page.get_by_role("button", name="clear filters").click()
    settled(lambda: count(page), 64)
    page.get_by_label("whose predictions").select_option("random")
    spots = page.locator(".px-spot")
    pairs = "spots => spots.reduce((sum, spot) => sum + parseInt(spot.ariaLabel), 0)"
    settled(lambda: spots.evaluate_all(pairs), 64)
    widths = spots.evaluate_all("spots => spots.map(spot => spot.offsetWidth)")
    largest = spots.nth(int(np.argmax(widths)))
    wanted = int(largest.get_attribute("aria-label").split()[0])
    largest.click(force=True)
    settled(lambda: count(page), wanted)
    settled(page.locator(".px-spot[aria-pressed=true]").count, 1)
    view, facts = exploration(page).view, exploration(page).facts
    for row in exploration(page).rows:
        assert round(20 * facts.share["people"][row]) == view.spot[1]
    page.get_by_role("button", name="all points").click()
    settled(lambda: count(page), 64)
    assert page.problems == []


def test_who_voted_what(opened, everything):
    page = opened(everything)
    assert page.locator(".px-who > summary").inner_text() == "who voted what (6)"
    page.locator(".px-who > summary").click()
    room = page.locator(".px-who")
    assert room.locator(".px-said").all_inner_texts() == ["3 A · 0 tie · 0 B", "0 A · 0 tie · 3 B"]
    assert room.locator("li").nth(1).inner_text() == "B p1 country: SE"


def texts_of(models):
    "Everything that can be found of each pair."
    for pair in next(iter(models.values())):
        turns = [turn["content"] for turn in pair["prompt"]]
        yield "\n".join([*turns, pair["response_a"], pair["response_b"]])


def test_notes_outlast_the_page_and_selections_are_saved(opened, everything, tmp_path):
    page = opened(everything)
    page.get_by_label("note", exact=True).fill("why?")
    page.get_by_label("add a tag").fill("odd")
    page.keyboard.press("Enter")
    settled(page.locator(".px-tags [role=status]").inner_text, "kept in notes.json")
    page.get_by_label("note", exact=True).fill("why so?")
    page.reload()  # at once: what was typed is kept all the same
    page.locator(".px-noted").first.wait_for()
    settled(page.get_by_label("note", exact=True).input_value, "why so?")
    (entry,) = json.loads((tmp_path / "notes.json").read_text()).values()
    assert entry == dict(note="why so?", tags=["odd"])
    page.get_by_label("file to save the selection to").fill("few.jsonl")
    page.get_by_label("find").fill("what")
    page.get_by_role("button", name="save selection").click()
    found = sum("what" in text.lower() for text in texts_of(everything))
    settled(page.locator(".px-out [role=status]").inner_text, f"{found} pairs in few.jsonl")
    assert len((tmp_path / "few.jsonl").read_text().splitlines()) == found
    assert page.problems == []


def test_full_screen_and_the_end_of_the_command(opened):
    page = opened(comparisons("no votes"))
    page.get_by_role("button", name="full screen").click()
    settled(lambda: page.evaluate("document.fullscreenElement?.className"), "px-root")
    page.get_by_role("button", name="full screen").click()
    settled(lambda: page.evaluate("document.fullscreenElement"), None)
    page.server.shutdown()
    page.server.server_close()
    page.locator(".px-list").press("j")
    page.get_by_role("alert").wait_for()
    assert "has ended" in page.get_by_role("alert").inner_text()


def at_point(page):
    "What the point says that the keyboard is at; None elsewhere."
    return page.evaluate("document.activeElement.dataset.point && document.activeElement.ariaLabel")


def test_points_of_the_figures_are_reached_by_keyboard(opened, everything):
    page = opened(everything)
    stops = "all => all.filter(point => point.tabIndex == 0).length"
    for points in (page.locator(".px-track"), page.locator(".px-spot")):
        assert points.count() > 3 and points.evaluate_all(stops) == 1
    page.locator(".px-track").first.focus()
    first = at_point(page)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    third = at_point(page)
    assert third == page.locator(".px-track").nth(2).get_attribute("aria-label")
    page.keyboard.press("Home")
    assert at_point(page) == first
    page.keyboard.press("End")
    last = at_point(page)
    page.keyboard.press("Enter")
    settled(lambda: count(page), int(last.split()[-2]))
    assert at_point(page) == last
    page.keyboard.press("Tab")  # leaves the figure, whatever its number of points
    assert at_point(page) is None
    page.get_by_role("button", name="clear filters").click()
    settled(lambda: count(page), 64)
    page.locator(".px-spot[tabindex='0']").focus()
    page.keyboard.press("Home")  # the lowest share of votes for A
    start = at_point(page)
    page.keyboard.press("ArrowRight")
    assert at_point(page) not in (start, None)
    page.keyboard.press("End")
    pairs = int(at_point(page).split()[0])
    page.keyboard.press("Enter")
    settled(lambda: count(page), pairs)
    settled(page.locator(".px-spot[aria-pressed=true]").count, 1)
    assert page.evaluate("document.activeElement.ariaPressed") == "true"
    page.keyboard.press("Enter")
    settled(lambda: count(page), 64)
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.className") == "px-list"
    assert page.problems == []


OTHER_POINT = """all => all.findLastIndex(point => { // which a click reaches, and the tab key does not
    const box = point.getBoundingClientRect();
    const middle = [box.left + box.width / 2, box.top + box.height / 2];
    return point.tabIndex < 0 && point.contains(document.elementFromPoint(...middle));
})"""


def test_the_keyboard_goes_on_from_a_point_that_was_clicked(opened, everything):
    page = opened(everything)
    stops = "all => all.filter(point => point.tabIndex == 0).map(point => point.dataset.point)"
    for points in (page.locator(".px-track"), page.locator(".px-spot")):
        points.last.scroll_into_view_if_needed()
        clicked = points.nth(points.evaluate_all(OTHER_POINT))
        name, label = (clicked.get_attribute(a) for a in ("data-point", "aria-label"))
        pairs = next(w for w, of in itertools.pairwise(label.split()) if of.startswith("pair"))
        clicked.click(force=True)
        settled(lambda: count(page), int(pairs))
        page.wait_for_timeout(300)  # the figures may be drawn anew
        assert page.evaluate("document.activeElement.dataset.point") == name
        assert points.evaluate_all(stops) == [name]
        back = "key: 'ArrowLeft', altKey: true, bubbles: true, cancelable: true"
        key = f"document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {{{back}}}))"
        assert page.evaluate(key)  # a page back is left to the browser
        page.get_by_role("button", name="clear filters").click()
        settled(lambda: count(page), 64)
    assert page.problems == []
