from pathlib import Path

import pytest

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(
    scope="module"
)  # not longer: while Playwright runs, nothing else in the process can call `asyncio.run`
def browser():
    "Chromium, or a skip that says what is missing."
    import shutil

    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next(
        (
            p
            for p in [
                "/usr/bin/chromium",
                *map(shutil.which, ["chromium", "chromium-browser", "google-chrome"]),
            ]
            if p and Path(p).exists()
        ),
        None,
    )
    if path is None:
        pytest.skip("no chromium on this machine")
    with api.sync_playwright() as p:
        opened = p.chromium.launch(executable_path=path, args=FLAGS)
        yield opened
        opened.close()
