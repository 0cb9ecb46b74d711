"""Takes the explorer's pictures for the README and the tutorial: `python .ci/picture.py [WHERE]`, which needs Chromium.

nbs/images/explorer.png and explorer_dark.png show the panel on the authored sample, as the tutorial opens it."""

import io
import sys
import threading
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

import plurality_nb as pn
from plurality_nb.reports.exploration import Exploration
from plurality_nb.reports.serving import ExplorerServer

IMAGES = Path(__file__).parents[1] / "nbs" / "images"
NAMES = dict(light="explorer.png", dark="explorer_dark.png")
SIZE = dict(width=1200, height=940)
COLOURS = 128  # a third of the bytes of all colours, and the same to the eye


def exploration() -> Exploration:
    "As in nbs/tutorials/explore.ipynb."
    ds = pn.label_taxonomy(pn.load_comparisons("sample"), alike_as="same_meaning")
    ds = pn.collect_votes(ds, pn.load_judge("population"))
    ds = pn.simulate_votes(pn.add_margins(pn.draw_labels(ds)), n=20)
    models = {"baseline": pn.cross_score(ds, "bt"), "margin": pn.cross_score(ds, "margin")}
    return Exploration(models, contradicts="margin", sort="margin against people")


def take(page: Page, address: str, path: Path) -> None:
    "One picture, in few colours."
    page.goto(address)
    page.locator(".px-track").first.wait_for()
    page.wait_for_timeout(500)  # until nothing fades any more
    shot = page.locator(".px").screenshot()
    image = Image.open(io.BytesIO(shot)).convert("RGB")
    image = image.quantize(COLOURS, dither=Image.Dither.NONE)
    image.save(path, optimize=True)
    print(path, f"{path.stat().st_size // 1024} kB")


def main(where: Path) -> None:
    server = ExplorerServer(exploration())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        for scheme, name in NAMES.items():
            context = browser.new_context(viewport=SIZE, color_scheme=scheme)
            take(context.new_page(), server.address, where / name)
        browser.close()
    server.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES)
