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
from plurality_nb.augment import collect_votes
from plurality_nb.comparisons import QUADRANTS, with_columns
from plurality_nb.explore import explore
from plurality_nb.judges import load_judge
from plurality_nb.simulation import rate, sample_population
from plurality_nb.sources import load_comparisons
from plurality_nb.taxonomy import quadrant_of
ds = rate(collect_votes(load_comparisons('sample'), load_judge('population'), progress=False), sample_population(), n=20)
written = np.array([QUADRANTS.index(q) for q in ds['written_quadrant']])
scores = np.clip(np.random.default_rng(0).normal(.25+.5*np.stack([written//2, written%2]), .15), 0, 1)
length = np.array([[len(x) for x in ds[f'response_{s}']] for s in 'ab'])/200
ds = with_columns(ds, plurality=scores[0], indistinguishability=scores[1], quadrant=quadrant_of(*scores), reward_a=length[0], reward_b=length[1], seen=[False]*len(ds))
"""
SHOW = "panel = explore({'longer': ds}, notes='notes.json')\npanel"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    "The address of a JupyterLab with its own settings on a notebook that calls `explore`, and its folder."
    pytest.importorskip("jupyterlab", reason="JupyterLab is not installed: pip install '.[dev]'")
    pytest.importorskip("anywidget", reason="anywidget is not installed: pip install '.[dev]'")
    home = tmp_path_factory.mktemp("lab")
    work = home / "work"
    settings = home / "settings"
    settings.mkdir()
    work.mkdir()
    (settings / "overrides.json").write_text(json.dumps({
        "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
        "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
        "@jupyterlab/apputils-extension:themes": {"theme": os.environ.get("LAB_THEME", "JupyterLab Light")}}))
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(SETUP), nbformat.v4.new_code_cell(SHOW)],
                                  metadata=dict(kernelspec=dict(name="python3", display_name="Python 3", language="python")))
    nbformat.write(nb, work / "explore.ipynb")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    token = secrets.token_hex(16)
    own = {f"JUPYTER_{k}_DIR": str(home / k.lower()) for k in ("CONFIG", "RUNTIME", "DATA")}
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0",
               f"--IdentityProvider.token={token}", f"--notebook-dir={work}", f"--LabApp.app_settings_dir={settings}", "--LabApp.news_url=", "--LabApp.extension_manager=readonly"]
    with open(home / "log", "w") as log:
        server = subprocess.Popen(command, env=os.environ | own | dict(PYTHONPATH=path, TQDM_DISABLE="1", OMP_NUM_THREADS="1"), stdout=log, stderr=subprocess.STDOUT)
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


def settled(get, wanted, seconds=10):
    "Waits until what `get` finds passes `wanted`."
    end = time.time() + seconds
    while not wanted(found := get()) and time.time() < end:
        time.sleep(0.05)
    assert wanted(found), found
    return found
