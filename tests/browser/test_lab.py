"The explorer in a real JupyterLab: what a user clicks, what the kernel and the files then hold."

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
SETUP = """
import numpy as np
from plurality_nb.data.build import with_columns
from plurality_nb.data.loading import load_comparisons
from plurality_nb.data.schema import QUADRANTS
from plurality_nb.judges.collect import collect_votes
from plurality_nb.judges.registry import load_judge
from plurality_nb.reports.explorer import explore
from plurality_nb.simulation.users import sample_population, simulate_votes
from plurality_nb.taxonomy.quadrants import quadrant_of

judged = collect_votes(load_comparisons('sample'), load_judge('population'), progress=False)
ds = simulate_votes(judged, sample_population(), n=20)
written = np.array([QUADRANTS.index(quadrant) for quadrant in ds['written_quadrant']])
centres = .25 + .5 * np.stack([written // 2, written % 2])
plurality, alike = np.clip(np.random.default_rng(0).normal(centres, .15), 0, 1)
responses = ds['response_b'][:]
responses[0] = '<img src="x" onerror="window.harmed=1"><script>window.harmed=1</script>'
ds = with_columns(
    ds,
    response_b=responses,
    plurality=plurality,
    indistinguishability=alike,
    quadrant=quadrant_of(plurality, alike),
    reward_a=[len(text) / 200 for text in ds['response_a']],
    reward_b=[len(text) / 200 for text in ds['response_b']],
    seen=[False] * len(ds),
)
"""
SHOW = "panel = explore({'longer': ds}, notes='notes.json')\npanel"


@pytest.fixture(scope="module")
def lab(browser, tmp_path_factory):
    "The address of a JupyterLab with its own settings on a notebook that calls `explore`, and its folder."
    pytest.importorskip("jupyterlab", reason="JupyterLab is not installed: pip install '.[dev]'")
    pytest.importorskip("anywidget", reason="anywidget is not installed: pip install '.[dev]'")
    home = tmp_path_factory.mktemp("lab")
    work = home / "work"
    settings = home / "settings"
    settings.mkdir()
    work.mkdir()
    (settings / "overrides.json").write_text(
        json.dumps(
            {
                "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
                "@jupyterlab/apputils-extension:notification": {
                    "fetchNews": "false",
                    "checkForUpdates": False,
                },
                "@jupyterlab/apputils-extension:themes": {
                    "theme": os.environ.get("LAB_THEME", "JupyterLab Light")
                },
            }
        )
    )
    nb = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(SETUP), nbformat.v4.new_code_cell(SHOW)],
        metadata=dict(kernelspec=dict(name="python3", display_name="Python 3", language="python")),
    )
    nbformat.write(nb, work / "explore.ipynb")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    token = secrets.token_hex(16)
    own = {f"JUPYTER_{k}_DIR": str(home / k.lower()) for k in ("CONFIG", "RUNTIME", "DATA")}
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        f"--port={port}",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={token}",
        f"--notebook-dir={work}",
        f"--LabApp.app_settings_dir={settings}",
        "--LabApp.news_url=",
        "--LabApp.extension_manager=readonly",
    ]
    with open(home / "log", "w") as log:
        server = subprocess.Popen(
            command,
            env=os.environ | own | dict(PYTHONPATH=path, TQDM_DISABLE="1", OMP_NUM_THREADS="1"),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        for _ in range(150):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token={token}", timeout=2)
                break
            except (urllib.error.URLError, OSError):
                if server.poll() is not None:
                    break
                time.sleep(0.2)
        else:
            server.terminate()
        assert server.poll() is None, (home / "log").read_text()[-3000:]
        yield f"http://127.0.0.1:{port}/lab/tree/explore.ipynb?token={token}", work
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()


def open_notebook(browser, address, width=1280, height=1000):
    page = browser.new_context(viewport=dict(width=width, height=height)).new_page()
    page.set_default_timeout(30_000)
    page.errors = []
    page.on("pageerror", lambda e: page.errors.append(str(e)))
    page.goto(address)
    page.get_by_text("(ipykernel) | Idle").wait_for()
    return page


def run_all(page):
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.locator(".px-list .px-row").first.wait_for(timeout=60_000)


def count(page):
    return int(page.locator(".px-total b").inner_text().replace(",", ""))


def settled(get, wanted, seconds=20):
    "Waits until the value that `get` finds passes `wanted`."
    end = time.time() + seconds
    value = get()
    while not wanted(value) and time.time() < end:
        time.sleep(0.05)
        value = get()
    assert wanted(value), value
    return value


def settled_at(get, value):
    "Waits until `get` finds a value."
    return settled(get, lambda current: current == value)


def keys(page):
    return [float(x) for x in page.locator(".px-row .px-key").all_inner_texts()]


def forest(page):
    return page.locator(".px-track").evaluate_all(
        "tracks => tracks.map(t => t.getAttribute('aria-label'))"
    )


def pairs_in(page, quadrant):
    return int(page.locator(f".px-cell.px-{quadrant} strong").inner_text().replace(",", ""))


def test_explorer_in_jupyterlab(browser, lab):
    from plurality_nb.data.loading import load_comparisons

    address, work = lab
    page = open_notebook(browser, address)
    run_all(page)
    page.locator(".px-track").first.wait_for()

    # texts of the data stay texts
    assert "onerror" in page.locator(".px-side-b .px-text").inner_text()
    assert (
        page.evaluate("window.harmed") is None
        and page.locator(".px-root img, .px-root script").count() == 0
    )

    # filters
    everything = count(page)
    assert (
        everything
        == 256
        == sum(
            pairs_in(page, q)
            for q in ("single_distinct", "single_alike", "plural_distinct", "plural_alike")
        )
    )
    page.locator(".px-cell.px-plural_distinct").click()
    settled(lambda: count(page), lambda n: n == pairs_in(page, "plural_distinct"))
    page.get_by_label("find").fill("write")
    some = settled(lambda: count(page), lambda n: 0 < n < pairs_in(page, "plural_distinct"))
    assert page.locator(".px-row").count() == some

    # order
    page.get_by_label("sort by").select_option("judge against people")
    found = settled(lambda: keys(page), lambda k: len(k) == some)
    assert found == sorted(found, reverse=True)
    page.get_by_role("button", name="high first; turn the order").click()
    settled(lambda: keys(page), lambda k: k == sorted(found))

    # keys, in spite of the notebook's own shortcuts
    where = page.locator(".px-where")
    page.locator(".px-list").focus()
    for key, place in [("j", 2), ("ArrowDown", 3), ("k", 2), ("End", some), ("Home", 1)]:
        page.keyboard.press(key)
        settled_at(where.inner_text, f"{place} / {some}")
    assert page.locator(".jp-CodeCell").count() == 2
    assert page.locator(".px-row[aria-selected=true]").count() == 1 and page.locator(
        ".px-list"
    ).get_attribute("aria-activedescendant")

    # thresholds
    page.get_by_role("button", name="clear filters").click()
    settled(lambda: count(page), lambda n: n == everything)
    before, plural = forest(page), pairs_in(page, "plural_distinct")
    page.get_by_label("plural from").fill("0.8")
    fewer = settled(lambda: pairs_in(page, "plural_distinct"), lambda n: n < plural)
    settled(lambda: forest(page), lambda t: t != before and t[:2] == before[:2])  # overall stays
    page.locator(".px-cell.px-plural_distinct").click()
    settled(lambda: count(page), lambda n: n == fewer)

    # a note and two tags
    prompt = page.locator(".px-talk").inner_text()
    page.get_by_label("note", exact=True).fill("both answers are fine")
    for tag in ("style", "ask again"):
        page.get_by_label("add a tag").fill(tag)
        page.keyboard.press("Enter")
    notes = settled(
        lambda: (
            json.loads((work / "notes.json").read_text()) if (work / "notes.json").exists() else {}
        ),
        lambda d: any(len(e["tags"]) == 2 for e in d.values()),
    )
    ((pair, entry),) = notes.items()
    assert entry == dict(note="both answers are fine", tags=["ask again", "style"])

    # the way out
    page.get_by_label("file to save the selection to").fill("picked.jsonl")
    page.get_by_role("button", name="save selection").click()
    settled(
        page.locator(".px-out [role=status]").inner_text,
        lambda t: t == f"{fewer} pairs in picked.jsonl",
    )
    picked = load_comparisons(work / "picked.jsonl")
    assert len(picked) == fewer and set(picked["quadrant"]) == {"plural_distinct"}
    assert dict(zip(picked["pair_id"], zip(picked["note"], picked["tags"])))[pair] == (
        "both answers are fine",
        "ask again, style",
    )

    # another kernel, the same notes
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.get_by_role("menuitem", name="Restart Kernel and Run All Cells…", exact=True).click()
    page.get_by_role("button", name="Confirm Kernel Restart").or_(
        page.get_by_role("button", name="Restart", exact=True)
    ).click()
    page.locator(".px-noted").first.wait_for(state="detached")
    page.locator(".px-row").first.wait_for(timeout=60_000)
    settled(lambda: count(page), lambda n: n == everything)
    page.get_by_role("combobox", name="notes").select_option("style")
    settled(lambda: count(page), lambda n: n == 1)
    settled(
        page.get_by_label("note", exact=True).input_value, lambda t: t == "both answers are fine"
    )
    assert page.locator(".px-talk").inner_text() == prompt and sorted(
        page.locator(".px-chip").all_inner_texts()
    ) == ["ask again ×", "style ×"]
    assert page.errors == []
    page.context.close()


def test_explorer_fits(browser, lab):
    "Nothing sticks out, and responses stand beside or below each other as the width allows."
    page = open_notebook(browser, lab[0])
    run_all(page)
    root = page.locator(".px-root")
    page.keyboard.press("Control+b")  # the side bar goes
    for width, beside in [(1280, True), (390, False)]:
        page.set_viewport_size(dict(width=width, height=1000))
        settled_at(lambda: root.bounding_box()["width"] > 620, beside)
        out = root.evaluate("""r => [...r.querySelectorAll('*')].filter(e => e.getBoundingClientRect().right > r.getBoundingClientRect().right + 1
                               && !e.closest('.px-track, .px-axis, .px-list')).map(e => e.className)""")
        assert out == []
        a, b = (page.locator(f".px-side-{s}").bounding_box() for s in "ab")
        assert (b["x"] > a["x"] + 50) == beside and (b["y"] > a["y"] + 20) != beside
    page.context.close()
