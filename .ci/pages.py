"""Processes notebooks into the pages of the site, as nbdev does.

A module of its own, not a part of `docs.py`: a notebook that runs takes the name `__main__`, and
worker processes could then no longer find a function of the script."""

import os
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path


def notebooks(root: Path) -> list:
    "Of the site, relative to nbs/."
    found = (p.relative_to(root / "nbs") for p in (root / "nbs").rglob("*.ipynb"))
    return sorted(str(p) for p in found if not any(x.startswith((".", "_")) for x in p.parts))


def process_page(root: Path, out: Path, page: str) -> str | None:
    "Runs nbdev's processors on one notebook in `root` into `out`: what went wrong, if anything."
    from nbdev import serve_drv
    from nbdev.processors import FilterDefaults

    here = os.getcwd()
    os.chdir(root)
    to = out / page
    to.parent.mkdir(parents=True, exist_ok=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            serve_drv.main((root / "nbs" / page, to, FilterDefaults))
    except Exception as e:
        return f"{e.__cause__ or e!r}; in: {' '.join(str(e).split())[:160]}"
    finally:
        os.chdir(here)
    return None


def process(root: Path, out: Path) -> dict:
    "Runs nbdev's processors on each notebook in `root` into `out`: path to what went wrong."
    pages = notebooks(root)
    workers = min(os.cpu_count() or 1, 4, len(pages))
    with ProcessPoolExecutor(workers) as pool:
        reasons = pool.map(partial(process_page, root, out), pages, chunksize=4)
        return {page: reason for page, reason in zip(pages, reasons) if reason}
