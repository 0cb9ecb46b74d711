"""Builds the site into _docs: by Quarto where it is installed, else as plain pages by Pandoc, and says which.

    python .ci/preview.py [PAGE ...]   e.g. index.ipynb glossary.ipynb; all pages if none is named

Quarto builds what is published. The plain pages have the same texts, formulas, sidebar, style sheet and anchors (Quarto is built on Pandoc) in light and
dark, and neither search nor scripts; they open from disk without a network. Pandoc is the one on PATH or that of `pip install pypandoc_binary`.
"""

import html
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import yaml

ROOT = Path(__file__).resolve().parents[1]
PLAIN = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>
:root {{ color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); --soft: color-mix(in srgb, currentColor 6%, transparent) }}
body {{ margin: 0; font: 16px/1.55 system-ui, sans-serif; display: grid; grid-template-columns: 16rem minmax(0, 1fr) }}
nav {{ padding: 1rem; border-right: 1px solid var(--line); font-size: .88em; height: 100vh; overflow: auto; position: sticky; top: 0; box-sizing: border-box }}
nav ul {{ list-style: none; padding-left: .7em; margin: .2em 0 }} nav summary {{ margin-top: .5em; font-weight: 600 }} nav a[aria-current] {{ font-weight: 700 }}
main {{ padding: 1rem 1.5rem 4rem; max-width: 54rem; min-width: 0 }} a {{ color: light-dark(#1a5fb4, #8ab4f8) }}
pre {{ background: var(--soft); padding: .6em .8em; border-radius: 4px; font-size: .82em; line-height: 1.4 }} .cell-output pre {{ background: none; border-left: 3px solid var(--line) }}
code {{ font-size: .92em }} table {{ border-collapse: collapse }} th, td {{ border-bottom: 1px solid var(--line); padding: .25em .6em; vertical-align: top }}
.lead {{ color: color-mix(in srgb, currentColor 70%, transparent); font-size: 1.08em }} .note {{ font-size: .8em; color: color-mix(in srgb, currentColor 70%, transparent) }}
@media (max-width: 760px) {{ body {{ display: block }} nav {{ position: static; height: auto; max-height: 12rem; border: 0; border-bottom: 1px solid var(--line) }} main {{ padding: 1rem }} }}
</style><link rel="stylesheet" href="{top}styles.css"><nav>{nav}</nav><main><h1>{title}</h1><p class="lead">{lead}</p>{body}
<p class="note">Plain preview without Quarto: no search, no page navigation.</p></main></html>
"""


def pandoc() -> str:
    if found := shutil.which("pandoc"):
        return found
    try:
        import pypandoc

        return pypandoc.get_pandoc_path()
    except (ImportError, OSError):
        sys.exit(
            "neither Quarto nor Pandoc is installed: `pip install pypandoc_binary` for plain pages, or see quarto.org"
        )


def raw(text: str) -> str:
    return f"\n```{{=html}}\n{text}\n```\n"


def markdown(nb) -> str:
    "A processed notebook as one Markdown text for Pandoc."
    out = []
    for c in nb.cells:
        if c.cell_type == "markdown":
            out.append(c.source)
        if c.cell_type != "code":
            continue
        options = dict(re.findall(r"^#\|\s*([\w-]+):\s*(\S+)", c.source, re.M))
        code = re.sub(r"^#\|.*\n?", "", c.source, flags=re.M).strip()
        if code and options.get("echo") != "false":
            out.append(f"````python\n{code}\n````")
        for o in c.outputs:
            data = o.get("data", {})
            if "text/markdown" in data:
                out.append("".join(data["text/markdown"]))
            elif "text/html" in data:
                out.append(raw(re.sub(r"\n\s*\n", "\n", "".join(data["text/html"]))))
            elif "image/svg+xml" in data:
                out.append(raw("".join(data["image/svg+xml"])))
            elif "image/png" in data:
                out.append(
                    raw(
                        f'<img alt="figure" src="data:image/png;base64,{"".join(data["image/png"]).strip()}">'
                    )
                )
            else:
                out.append(
                    raw(
                        f'<div class="cell-output"><pre>{html.escape("".join(data.get("text/plain", o.get("text", ""))))}</pre></div>'
                    )
                )
    return "\n\n".join(out)


def sidebar(entries: list, front: dict, here: str) -> str:
    "The sidebar as nested lists; links relative to the page `here`."

    def item(e):
        if isinstance(e, dict) and "section" in e:
            return f'<li><details open><summary>{html.escape(e["section"])}</summary>{sidebar(e["contents"], front, here)}</details></li>'
        path, text = (e["href"], e.get("text")) if isinstance(e, dict) else (e, None)
        f = front.get(path, {})
        to = os.path.relpath(
            Path(path).with_name(f.get("output-file", Path(path).stem + ".html")), Path(here).parent
        )
        return f'<li><a href="{to}"{" aria-current=page" if path == here else ""}>{html.escape(text or f.get("title", path))}</a></li>'

    return f"<ul>{''.join(item(e) for e in entries)}</ul>"


def with_html_links(text: str, page: str, front: dict) -> str:
    "HTML whose links to notebooks lead to their pages."

    def link(match: re.Match) -> str:
        path = os.path.normpath(Path(page).parent / match[1])
        if path not in front:
            return match[0]
        target = Path(match[1]).with_name(front[path]["output-file"])
        return f'href="{target}{match[2] or ""}"'

    return re.sub(r'href="([^":#]+\.ipynb)(#[^"]*)?"', link, text)


def plain(wanted: list) -> None:
    "Writes the pages into _docs without Quarto."
    from docs import SKIP, notebooks, process

    tool, site = pandoc(), ROOT / "_docs"
    with tempfile.TemporaryDirectory() as tmp:
        copy, out = Path(tmp).resolve() / "tree", Path(tmp).resolve() / "pages"
        shutil.copytree(ROOT, copy, ignore=SKIP, symlinks=True)
        if failed := process(copy, out):
            print(
                "\n".join(
                    f"left out, since nbdev cannot process it: {k}: {v}" for k, v in failed.items()
                ),
                file=sys.stderr,
            )
        pages = {p: nbformat.read(out / p, 4) for p in notebooks(ROOT) if p not in failed}
    front = {p: yaml.safe_load(nb.cells[0].source.strip().strip("-")) for p, nb in pages.items()}
    entries = yaml.safe_load((ROOT / "nbs" / "sidebar.yml").read_text())["website"]["sidebar"][
        "contents"
    ]
    from configparser import ConfigParser

    parser = ConfigParser(delimiters=["="], interpolation=None)
    parser.read(ROOT / "settings.ini", encoding="utf-8")
    home = parser["DEFAULT"]["doc_host"] + parser["DEFAULT"]["doc_baseurl"] + "/"
    shutil.rmtree(site, ignore_errors=True)
    shutil.copytree(
        ROOT / "nbs",
        site,
        ignore=lambda d, names: [
            n for n in names if n.startswith((".", "_")) or n.endswith((".ipynb", ".yml"))
        ],
    )
    for p, nb in pages.items():
        if wanted and p not in wanted:
            continue
        text = subprocess.run(
            [
                tool,
                "-f",
                "markdown",
                "-t",
                "html",
                "--mathml",
                "--wrap=none",
                "--syntax-highlighting=none",
            ],
            input=markdown(nb),
            text=True,
            capture_output=True,
            check=True,
        ).stdout
        up = "../" * p.count("/")

        text = with_html_links(text, p, front).replace(f'href="{home}', f'href="{up}')
        f = front[p]
        (site / p).with_name(f["output-file"]).write_text(
            PLAIN.format(
                title=html.escape(f["title"]),
                lead=html.escape(f.get("description", "")),
                top=up,
                nav=sidebar(entries, front, p),
                body=text,
            ),
            encoding="utf-8",
        )


if __name__ == "__main__":
    if shutil.which("quarto"):
        (
            ROOT / "README.md"
        ).touch()  # nbdev would write it anew by Quarto where the notebook is younger; `make sync` writes it
        subprocess.run(["nbdev_docs"], cwd=ROOT, check=True)
        made = "by Quarto"
    else:
        plain(sys.argv[1:])
        made = "as plain pages by Pandoc, since Quarto is not installed"
    if not (ROOT / "_docs" / "index.html").exists() and not sys.argv[1:]:
        sys.exit("no _docs/index.html came out")
    print(f"built {made}: _docs/index.html")
