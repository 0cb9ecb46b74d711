"""Keeps package and README in step with the notebooks.

python .ci/sync.py --write   export the package, clean the notebooks, write README.md
python .ci/sync.py --check   name what `--write` would change; exit 1 if there is anything
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WARNING = "<!-- Generated from nbs/index.ipynb by `make sync`. Do not edit by hand. -->\n"


def write_readme(root: Path) -> None:
    "README.md from `nbs/index.ipynb`: nbdev's own processors, then nbconvert. The title stays, and no Quarto is needed."
    import nbformat
    from nbconvert import MarkdownExporter
    from nbdev import processors as p
    from nbdev.process import NBProcessor
    from traitlets.config import Config

    keep = [
        p.populate_language,
        p.strip_ansi,
        p.hide_line,
        p.filter_stream_,
        p.rm_export,
        p.clean_magics,
        p.hide_,
    ]
    path = root / "nbs" / "index.ipynb"
    nbp = NBProcessor(path, procs=keep)
    nbp.process()
    outputs = {
        c.id: [o for o in c.get("outputs", []) if o.get("name") != "stderr"]
        for c in nbformat.read(path, 4).cells
    }
    cells = [
        nbformat.v4.new_markdown_cell(c.source)
        if c.cell_type == "markdown"
        else nbformat.v4.new_code_cell(c.source, outputs=outputs[c.id])
        for c in nbp.nb.cells
    ]
    nb = nbformat.v4.new_notebook(cells=cells, metadata=dict(language_info=dict(name="python")))
    plain = Config(
        NbConvertBase=dict(
            display_data_priority=["image/svg+xml", "image/png", "text/markdown", "text/plain"]
        )
    )
    body, files = MarkdownExporter(config=plain).from_notebook_node(nb)
    if files.get("outputs"):
        raise SystemExit(
            f"nbs/index.ipynb: figures as cell outputs do not reach README.md: {list(files['outputs'])}"
        )
    body = re.sub(
        r"\]\((?!https?:|#|mailto:)", "](nbs/", body
    )  # the README stands one folder above the notebook
    body = re.sub(r'<(source|img)([^>]*?) (srcset|src)="(?!https?:|data:)', r'<\1\2 \3="nbs/', body)
    body = re.sub(r"\n{3,}", "\n\n", body)
    (root / "README.md").write_text(WARNING + "\n" + body.strip() + "\n", encoding="utf-8")


def tidy_modules(root: Path) -> None:
    """Makes the exported modules read like written ones.

    nbdev writes a page's description as one long docstring, and makes some imports of the package's
    own modules relative and leaves others absolute."""
    package = root / "plurality_nb"
    for path in package.rglob("[!_]*.py"):
        folders = ["plurality_nb", *path.relative_to(package).parent.parts]

        def absolute(match: re.Match, folders: list[str] = folders) -> str:
            above = folders[: len(folders) - len(match[2]) + 1]
            module = ".".join([*above, match[3]] if match[3] else above)
            return f"{match[1]}from {module} import"

        text = path.read_text(encoding="utf-8")
        fixed = re.sub(r"^( *)from (\.+)([\w.]*) import", absolute, text, flags=re.M)
        docstring = re.match(r'"""(.*?)"""', fixed)
        if docstring:
            wrapped = textwrap.fill(docstring[0], 98, break_long_words=False)
            fixed = wrapped + fixed[docstring.end() :]
        path.write_text(fixed, encoding="utf-8")


def write(root: Path) -> None:
    "Exports, cleans and writes the README in `root`."
    subprocess.run(["nbdev_export"], cwd=root, check=True)
    tidy_modules(root)
    subprocess.run(["ruff", "format", "-q", "plurality_nb"], cwd=root, check=True)
    subprocess.run(["nbdev_clean"], cwd=root, check=True)
    write_readme(root)


def tree(root: Path) -> dict:
    "The generated files and the notebooks: relative path to bytes."
    found = [p for d in ["plurality_nb", "nbs"] for p in (root / d).rglob("*")]
    skip = {"__pycache__", ".ipynb_checkpoints"}
    files = [
        p
        for p in found
        if p.is_file() and not skip & set(p.parts) and p.name not in ("sidebar.yml", "nbdev.yml")
    ]
    return {
        str(p.relative_to(root)): p.read_bytes() for p in [*files, root / "README.md"] if p.exists()
    }


def check() -> int:
    "Exports and cleans a copy of the tree and compares."
    with tempfile.TemporaryDirectory() as tmp:
        copy = Path(tmp) / ROOT.name
        ignore = shutil.ignore_patterns(
            ".venv*", ".git", "__pycache__", "*.egg-info", "build", "demo", "_docs", "_proc"
        )
        shutil.copytree(ROOT, copy, ignore=ignore, symlinks=True)
        write(copy)
        before, after = tree(ROOT), tree(copy)
    stale = sorted(k for k in before.keys() | after.keys() if before.get(k) != after.get(k))
    for k in stale:
        print(f"out of step with the notebooks: {k}", file=sys.stderr)
    if stale:
        print("run `make sync`", file=sys.stderr)
    return bool(stale)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--write", action="store_true")
    mode.add_argument("--check", action="store_true")
    args = parser.parse_args()
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    if args.check:
        sys.exit(check())
    write(ROOT)
