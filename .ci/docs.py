"""Checks the documentation's pages without Quarto: processes every notebook as nbdev does for the site and reads what comes out.

    python .ci/docs.py [ROOT]   name each fault with its page; exit 1 if there is any

A page's fault is
- `build`: nbdev cannot process it. It runs a page's imports, exports and `show_doc`s, so a cell that mixes an import with other code must run without
  the cells before it;
- `title`: no `# title`, no `> description` under it, or more text in that cell, which nbdev drops;
- `link`: a local link, an anchor or a link to a file of the repository that leads nowhere. Anchors are Pandoc's, as on the site. Pages are linked as
  `.ipynb`, which works in JupyterLab, on GitHub and on the site; files outside `nbs/` by their address on GitHub, since they are not on the site.
  What nbdev links from backticks may be a method or a private name, which have no entry of their own: their class or page is enough;
- `image`: one that is not there, or comes from the network;
- `name`: a name in backticks that nbdev does not link and nobody knows. Names are words with an underscore, a dot, a `()` or a capital inside; they are known
  if the package's source, its authored data, `settings.ini`, the page's own code and outputs or `KNOWN` has them as a word. So what was renamed or removed is
  reported wherever prose still names it;
- `error`: an error or a traceback among the outputs;
- `sidebar`: a page that `nbs/sidebar.yml` lacks, names twice, or names in vain.
The links of README.md and CONTRIBUTING.md are checked as GitHub shows them.
"""

import os
import re
import shutil
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urldefrag

import nbformat
import yaml
from bs4 import BeautifulSoup
from markdown_it import MarkdownIt

sys.path.insert(0, str(Path(__file__).parent))
from pages import notebooks, process

MARKDOWN = MarkdownIt("commonmark", dict(html=True)).enable("table")
NAME = re.compile(r"(?:[A-Za-z_]\w*)(?:\.[A-Za-z_]\w*)*(?:\(\))?")
KNOWN = {  # other people's names that prose mentions and no code of ours does
    "annotator_age",  # an example of a column that a user may have
    "dataloader_num_workers",  # a setting of transformers' trainer
}
SKIP = shutil.ignore_patterns(
    ".venv*",
    ".git",
    "__pycache__",
    ".ipynb_checkpoints",
    "*.egg-info",
    "build",
    "dist",
    "demo",
    "_docs",
    "_proc",
)


@dataclass
class Page:
    path: str  # of the notebook under nbs/
    front: dict  # title, description, output-file
    soup: BeautifulSoup  # what a reader sees
    words: set  # of its code and outputs
    faults: list = field(default_factory=list)

    @property
    def url(self):
        return str(
            Path(self.path).with_name(self.front.get("output-file", Path(self.path).stem + ".html"))
        )


def pandoc_id(text: str) -> str:
    "The identifier that Pandoc, and so Quarto, gives a heading."
    text = re.sub(r"[^\w\s.-]", "", text.lower())
    return re.sub(r"^[\W\d_]+", "", re.sub(r"\s+", "-", text.strip())) or "section"


def github_id(text: str) -> str:
    "The identifier that GitHub gives a heading."
    return re.sub(r"[^\w\s-]", "", text.lower().strip()).replace(" ", "-")


def anchors(soup: BeautifulSoup, slug=pandoc_id) -> set:
    "All that a link's `#...` may name."
    seen, found = (
        Counter(),
        {t["id"] for t in soup.find_all(id=True)}
        | {t["name"] for t in soup.find_all("a", attrs=dict(name=True))},
    )
    for h in soup.find_all(re.compile("^h[1-6]$")):
        text, given = re.fullmatch(
            r"(.*?)\s*(?:\{#([\w.:-]+)[^}]*\})?", h.get_text().strip(), re.S
        ).groups()
        name = given or slug(text)
        found.add(f"{name}-{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return found


def rendered(text: str) -> str:
    "Markdown as HTML; formulas are left out, whose underscores would read as emphasis."
    return MARKDOWN.render(
        re.sub(r"\$\$.+?\$\$|(?<![\\$\w])\$(?=\S)[^$\n`]+(?<=\S)\$(?!\d)", " ", text, flags=re.S)
    )


def with_attachments(source: str, attachments: dict) -> str:
    "Markdown whose links to attached images lead somewhere."

    def link(match: re.Match) -> str:
        return "(data:)" if match[1] in attachments else match[0]

    return re.sub(r"\(attachment:([^)]+)\)", link, source)


def read_page(path: str, file: Path) -> Page:
    "A processed notebook as a page; front matter stands in the first raw cell."
    front, parts, text, faults = {}, [], [], []
    for c in nbformat.read(file, 4).cells:
        if c.cell_type == "raw":
            front = yaml.safe_load(c.source.strip().strip("-")) or {}
        elif c.cell_type == "markdown":
            parts.append(rendered(with_attachments(c.source, c.get("attachments", {}))))
        else:
            text.append(c.source)
            for o in c.outputs:
                data = o.get("data", {})
                shown = "".join(o.get("text", "")) + "".join(data.get("text/plain", ""))
                if o.output_type == "error" or "Traceback (most recent call last)" in shown:
                    faults.append(
                        f"error: an output of the cell that begins with {c.source[:60]!r}"
                    )
                if "text/markdown" in data:
                    parts.append(rendered("".join(data["text/markdown"])))
                elif "text/html" in data:
                    parts.append("".join(data["text/html"]))
                text.append(shown)
    soup = BeautifulSoup("\n".join(parts), "html.parser")
    return Page(
        path,
        front,
        soup,
        set(
            re.findall(
                r"\w+", " ".join([*text, *(p.get_text() for p in soup.find_all(["pre", "table"]))])
            )
        ),
        faults,
    )


def check_title(page: Page, source: Path) -> None:
    for k in ("title", "description"):
        if not str(page.front.get(k) or "").strip():
            page.faults.append(f"title: no {k}; begin with `# Title` and `> What it is for`")
    first = next(
        (c.source for c in nbformat.read(source, 4).cells if c.cell_type == "markdown"), ""
    )
    lines = [line for line in first.splitlines() if line.strip()]
    extra = [line for line in lines if not line.startswith(("# ", ">"))]
    if extra:
        page.faults.append(
            f"title: nbdev drops the text beside title and description, {extra[0][:60]!r}; move it to a cell of its own"
        )


class Site:
    "What links may lead to."

    def __init__(self, root: Path, pages: dict, settings: dict):
        self.root, self.pages = root, pages
        self.by_url = {p.url: p for p in pages.values()}
        self.home = f"{settings.get('doc_host', '')}{settings.get('doc_baseurl', '')}/"
        self.code = f"{settings.get('git_url', '')}/blob/{settings.get('branch', 'main')}/"
        self.ids = {k: anchors(p.soup) for k, p in pages.items()}

    def fault(self, page: Page, href: str) -> str | None:
        "Why `href` on `page` leads nowhere; None where it leads somewhere."
        target, anchor = urldefrag(href)
        anchor = unquote(anchor)
        if target.startswith(self.code):
            exists = (self.root / unquote(target.removeprefix(self.code))).exists()
            return None if exists else "no such file in the repository"
        if target.startswith(self.home):
            goal = self.by_url.get(unquote(target.removeprefix(self.home)) or "index.html")
            if goal is None:
                return "no such page on the site"
            # methods and private names have no entry of their own: their class or page is enough
            if anchor.startswith("_") or anchor.rpartition(".")[0] in self.ids[goal.path]:
                return None
            return self.anchor_fault(goal, anchor)
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            return None
        if not target:
            return self.anchor_fault(page, anchor)
        return self.local_fault(page, unquote(target), anchor)

    def local_fault(self, page: Page, target: str, anchor: str) -> str | None:
        path = os.path.normpath(Path(page.path).parent / target)
        if path.startswith(".."):
            return f"outside nbs/, so not on the site; link to {self.code}..."
        if path.endswith(".html"):
            goal = self.by_url.get(path)
            goal = goal or self.pages.get(path.removesuffix(".html") + ".ipynb")
            if goal is None:
                return "no such page"
            better = os.path.relpath(goal.path, Path(page.path).parent)
            return f"opens on the site at best; link to {better}"
        if path in self.pages:
            return self.anchor_fault(self.pages[path], anchor)
        is_file = (self.root / "nbs" / path).exists() and not path.endswith(".ipynb")
        return None if is_file else "no such file"

    def anchor_fault(self, goal: Page, anchor: str) -> str | None:
        if not anchor or anchor in self.ids[goal.path]:
            return None
        near = [i for i in self.ids[goal.path] if i.lower() == pandoc_id(anchor)]
        hint = f"; the site has #{near[0]}" if near else ""
        return f"no such anchor on {goal.path}{hint}"


def image_sources(soup: BeautifulSoup) -> list[str]:
    "What a page shows: images, and their other forms for dark or narrow pages."
    images = [tag.get("src", "") for tag in soup.find_all("img")]
    return images + [tag.get("srcset", "") for tag in soup.select("picture source")]


def check_links(page: Page, site: Site) -> None:
    for a in page.soup.find_all("a", href=True):
        if why := site.fault(page, a["href"]):
            page.faults.append(f"link: {a['href']}: {why}")
    for src in image_sources(page.soup):
        if src.startswith("data:"):
            continue
        if re.match(r"(https?:)?//", src):
            page.faults.append(f"image: {src} comes from the network")
        elif not (site.root / "nbs" / Path(page.path).parent / unquote(src)).is_file():
            page.faults.append(f"image: no {src}")


def check_names(page: Page, known: set) -> None:
    for code in page.soup.find_all("code"):
        name = code.get_text()
        if code.find_parent(["pre", "a"]):
            continue
        telling = NAME.fullmatch(name) and (
            re.search(r"_|\.|\(\)$", name) or re.search(r"[a-z][A-Z]", name)
        )
        if telling and (
            lost := [w for w in re.findall(r"\w+", name) if w not in known and w not in page.words]
        ):
            page.faults.append(f"name: `{name}`: nobody knows {lost[0]!r}")


def check_sidebar(root: Path, pages: dict) -> list:
    "Pages and entries that have no counterpart."

    def hrefs(entry):
        if isinstance(entry, str):
            yield entry
        elif isinstance(entry, list):
            yield from (h for e in entry for h in hrefs(e))
        elif isinstance(entry, dict):
            yield from ([entry["href"]] if "href" in entry else []) + list(
                hrefs(entry.get("contents", []))
            )

    bar = root / "nbs" / "sidebar.yml"
    if not bar.exists():
        return ["sidebar: no nbs/sidebar.yml"]
    listed = Counter(
        h
        for h in hrefs(yaml.safe_load(bar.read_text())["website"]["sidebar"]["contents"])
        if h.endswith(".ipynb")
    )
    return (
        [
            f"sidebar: nbs/{p} is missing; add it to nbs/sidebar.yml, in the section where a reader would look"
            for p in pages
            if p not in listed
        ]
        + [f"sidebar: names nbs/{h}, which does not exist" for h in listed if h not in pages]
        + [f"sidebar: names nbs/{h} {n} times" for h, n in listed.items() if n > 1]
    )


def check_markdown(root: Path, name: str) -> list:
    "Links of a Markdown file at the top, as GitHub shows it."
    file = root / name
    if not file.exists():
        return []
    soup = BeautifulSoup(rendered(file.read_text(encoding="utf-8")), "html.parser")
    ids, faults = anchors(soup, github_id), []
    for tag, attribute in [("a", "href"), ("img", "src"), ("source", "srcset")]:
        for t in soup.find_all(tag, attrs={attribute: True}):
            target, anchor = urldefrag(t[attribute])
            if re.match(r"[a-z][a-z0-9+.-]*:|//", target):
                continue
            if target and not (root / unquote(target)).exists():
                faults.append(f"link: {t[attribute]}: no such file")
            elif not target and anchor not in ids:
                faults.append(f"link: {t[attribute]}: no such heading")
    return faults


def check(root: Path) -> dict:
    "All faults: page to list."
    from configparser import ConfigParser

    parser = ConfigParser(delimiters=["="], interpolation=None)
    parser.read(root / "settings.ini", encoding="utf-8")
    settings = parser["DEFAULT"]
    with tempfile.TemporaryDirectory() as tmp:
        copy, out = Path(tmp).resolve() / "tree", Path(tmp).resolve() / "pages"
        shutil.copytree(root, copy, ignore=SKIP, symlinks=True)
        failed = process(copy, out)
        pages = {p: read_page(p, out / p) for p in notebooks(root) if p not in failed}
        for p, why in failed.items():  # its links and names are read from the notebook as it stands
            front = dict(title="?", description="?")
            pages[p] = read_page(p, copy / "nbs" / p)
            pages[p].front = front | {
                "output-file": re.sub(r"^\d+[a-zA-Z]*_", "", Path(p).stem.lower()) + ".html"
            }
            pages[p].faults.append(f"build: {why}")
        site = Site(copy, pages, settings)
        sources = [
            *(copy / "plurality_nb").rglob("*.*"),
            copy / "settings.ini",
            copy / "_quarto.yml",
            copy / "Makefile",
        ]
        known = set(KNOWN).union(
            *(
                re.findall(r"\w+", f.read_text(encoding="utf-8", errors="ignore"))
                for f in sources
                if f.is_file()
            )
        )
        from nbdev.doclinks import NbdevLookup

        known |= {w for s in NbdevLookup().syms for w in s.split(".")} | set(
            dir(__import__("builtins"))
        )
        for p, page in pages.items():
            if p not in failed:
                check_title(page, copy / "nbs" / p)
            check_links(page, site)
            check_names(page, known)
        faults = {f"nbs/{p}": page.faults for p, page in pages.items()}
        faults["nbs/sidebar.yml"] = check_sidebar(copy, pages)
        faults |= {n: check_markdown(copy, n) for n in ("README.md", "CONTRIBUTING.md")}
    return {k: list(dict.fromkeys(v)) for k, v in faults.items() if v}


if __name__ == "__main__":
    faults = check(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1]).resolve())
    for page, found in faults.items():
        for f in found:
            print(f"{page}: {f}", file=sys.stderr)
    sys.exit(bool(faults))
