"""Checks what Quarto will be given, without Quarto: configuration, theme and the Markdown that only Quarto reads.

    python .ci/quarto.py [ROOT]   name each fault with its file; exit 1 if there is any

A fault is
- `yaml`: no YAML, or a key twice in one mapping, which Quarto's reader refuses and PyYAML does not;
- `key`: a key that Quarto does not have at that place;
- `value`: a value of another kind than Quarto takes there;
- `file`: a style sheet, theme, resource or linked page that is not under `nbs/`;
- `scss`: a theme without a layer (`/*-- scss:defaults --*/`), code before the first one, an unknown layer or variable, open braces;
- `fence`, `shortcode`, `option`: a fenced div that is not closed, a shortcode, callout, column class or cell option that Quarto does not have.

`PLACES` has only the keys that this site uses. Their names and kinds are those of Quarto's own schemas
(github.com/quarto-dev/quarto-cli, src/resources/schema: project.yml, definitions.yml, document-options.yml, document-toc.yml, document-code.yml).
A key that is new here is looked up there and added.
"""

import re
import sys
from configparser import ConfigParser
from pathlib import Path

import nbformat
import yaml

HREF = dict(text=str, href=str, icon=str)
ITEM = {**HREF, "aria-label": str}
SIDES = dict(light=[str], dark=[str])
CONTENTS: list = []  # of the sidebar: pages, items, and sections with contents of their own
CONTENTS.append((str, ITEM, dict(section=str, contents=CONTENTS)))
HTML = {
    "theme": SIDES,
    "respect-user-color-scheme": bool,
    "css": str,
    "toc": bool,
    "toc-depth": int,
    "html-math-method": {"plain", "webtex", "gladtex", "mathml", "mathjax", "katex"},
    "code-copy": bool,
    "code-overflow": {"scroll", "wrap"},
}
WEBSITE = {
    "title": str,
    "description": str,
    "site-url": str,
    "repo-url": str,
    "repo-branch": str,
    "repo-actions": [{"none", "edit", "source", "issue"}],
    "search": dict(location={"navbar", "sidebar"}, type={"overlay", "textbox"}),
    "page-navigation": bool,
    "back-to-top-navigation": bool,
    "navbar": dict(background=str, left=[ITEM], right=[ITEM]),
    "sidebar": {"style": {"docked", "floating"}, "collapse-level": int, "contents": CONTENTS},
}
PLACES = {
    "project": {"type": {"website"}, "resources": [str], "output-dir": str},
    "format": dict(html=HTML),
    "website": WEBSITE,
    "metadata-files": [str],
}
FRONT = {"title": str, "description": str, "output-file": str}
LAYERS = ("uses", "defaults", "functions", "mixins", "rules")
VARIABLES = {
    "web-font-path",
    "font-family-sans-serif",
    "font-family-monospace",
}  # Bootstrap's and its themes'
THEMES = {"cosmo", "darkly"}
OPTIONS = {"echo": {"true", "false"}, "output": {"true", "false", "asis"}}  # nbdev removes its own
CALLOUTS = {f"callout-{kind}" for kind in ("note", "tip", "warning", "important", "caution")}
SHORTCODES = {"include", "embed", "meta", "var", "pagebreak", "video", "kbd", "lipsum"}


class Strict(yaml.SafeLoader):
    "A reader that refuses a key which occurs twice, as Quarto's does."

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if twice := [key for key in keys if keys.count(key) > 1]:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {twice[0]!r} occurs twice", node.start_mark
            )
        return super().construct_mapping(node, deep)


def kind(want) -> str:
    if isinstance(want, set):
        return " or ".join(sorted(want))
    return {dict: "a mapping", list: "a list"}.get(type(want)) or getattr(
        want, "__name__", "another kind"
    )


def fits(value, want) -> bool:
    "Whether a value is of the outer kind that is wanted."
    if isinstance(want, set):
        return isinstance(value, str) and value in want
    if isinstance(want, dict | list):
        return isinstance(value, type(want))
    return type(value) is want  # true is no number


def place_faults(value, want, at: str) -> list:
    "What is wrong with a value and all within it."
    if isinstance(want, tuple):
        close = [
            place_faults(value, w, at)
            for w in want
            if fits(value, w) and (not isinstance(w, dict) or {*value} <= {*w})
        ]
        return (
            min(close, key=len)
            if close
            else [f"value: {at}: {value!r} is nothing that may stand here"]
        )
    if not fits(value, want):
        return [f"value: {at}: {value!r}, not {kind(want)}"]
    if isinstance(want, list):
        return [f for i, v in enumerate(value) for f in place_faults(v, want[0], f"{at}[{i}]")]
    if isinstance(want, dict):
        unknown = [f"key: {at}.{k}".replace(": .", ": ") for k in value if k not in want]
        inside = [(v, want[k], f"{at}.{k}".lstrip(".")) for k, v in value.items() if k in want]
        return unknown + [f for each in inside for f in place_faults(*each)]
    return []


def yaml_faults(text: str, want: dict) -> list:
    try:
        return place_faults(yaml.load(text, Strict) or {}, want, "")
    except yaml.YAMLError as e:
        return [f"yaml: {' '.join(str(e).split())}"]


def hrefs(value) -> list:
    "Every page that a configuration links."
    if isinstance(value, list):
        return [h for v in value for h in ([v] if isinstance(v, str) else hrefs(v))]
    if isinstance(value, dict):
        own = [value["href"]] if isinstance(value.get("href"), str) else []
        return own + [h for k in ("contents", "left", "right") for h in hrefs(value.get(k))]
    return []


def file_faults(config: dict, pages: Path) -> list:
    "Files that the configuration names and the site lacks; `nbdev.yml` is written by nbdev."
    html, site = config.get("format", {}).get("html", {}), config.get("website", {})
    themes = [t for side in html.get("theme", {}).values() for t in side]
    lost = [f"file: no theme {t}" for t in themes if not t.endswith(".scss") and t not in THEMES]
    named = [t for t in themes if t.endswith(".scss")]
    named += [html["css"]] if "css" in html else []
    named += config.get("project", {}).get("resources", [])
    named += [f for f in config.get("metadata-files", []) if f != "nbdev.yml"]
    links = hrefs(site.get("navbar", {})) + hrefs(site.get("sidebar", {}))
    named += [h for h in links if not re.match(r"https?:", h)]
    return lost + [f"file: no nbs/{n}" for n in named if not (pages / n).is_file()]


def scss_faults(text: str) -> list:
    "What keeps Quarto from taking a theme apart into its layers."
    faults, marks = [], re.findall(r"^/\*--\s*(.*?)\s*--\*/$", text, re.M)
    layers = [mark.removeprefix("scss:") for mark in marks]
    faults += [f"scss: no layer {m!r}" for m, name in zip(marks, layers) if name not in LAYERS]
    before = re.split(r"^/\*--.*--\*/$", text, maxsplit=1, flags=re.M)[0]
    if not marks:
        return ["scss: no layer; begin with /*-- scss:defaults --*/"]
    if re.sub(r"//.*|/\*.*?\*/", "", before, flags=re.S if "/*" in before else 0).strip():
        faults.append("scss: code before the first layer, which Quarto leaves out")
    code = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)
    faults += [
        f"scss: ${name} is no variable of Bootstrap that this site knows"
        for name in re.findall(r"^\s*\$([\w-]+)\s*:", code, re.M)
        if name not in VARIABLES
    ]
    if code.count("{") != code.count("}"):
        faults.append("scss: braces do not match")
    return faults


def without_code(text: str) -> str:
    "Markdown without what stands in fences or backticks."
    text = re.sub(r"^(`{3,}|~{3,}).*?^\1[`~]*\s*$", "", text, flags=re.M | re.S)
    return re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", text, flags=re.S)


def markdown_faults(text: str) -> list:
    "Divs that are not closed, and classes and shortcodes that Quarto does not have."
    text, faults, opened = without_code(text), [], 0
    for line in re.findall(r"^:{3,}.*$", text, re.M):
        opened += 1 if line.strip(": ") else -1
        if opened < 0:
            break
    if opened:
        faults.append(f"fence: {'a div is not closed' if opened > 0 else 'a div is closed twice'}")
    classes = re.findall(r"\.((?:callout|column)-[\w-]+)", " ".join(re.findall(r"\{[^}]*\}", text)))
    columns = r"column-(body|page|screen|margin)(-(outset|inset))?(-(left|right))?"
    faults += [
        f"fence: no class .{c}"
        for c in classes
        if c not in CALLOUTS and not re.fullmatch(columns, c)
    ]
    used = re.findall(r"\{\{<\s*/?\s*([\w-]+)", text)
    faults += [f"shortcode: no {name}" for name in used if name not in SHORTCODES]
    if text.count("{{<") != text.count(">}}"):
        faults.append("shortcode: not closed")
    return faults


def option_faults(source: str) -> list:
    "Cell options with a colon, which nbdev leaves to Quarto."
    options = re.findall(r"^#\|\s*([\w-]+):\s*(\S+)", source, re.M)
    return [
        f"option: {name}: {value}" for name, value in options if value not in OPTIONS.get(name, ())
    ]


def page_faults(path: Path) -> list:
    "Front matter, Markdown and options of a notebook."
    faults = []
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type == "raw":
            faults += yaml_faults(cell.source.strip().strip("-"), FRONT)
        elif cell.cell_type == "markdown":
            faults += markdown_faults(cell.source)
        else:
            faults += option_faults(cell.source)
    return faults


def generated(root: Path) -> str:
    "The file that nbdev writes from `settings.ini`."
    from nbdev.quarto import _nbdev_yml

    parser = ConfigParser(delimiters=["="], interpolation=None)
    parser.read(root / "settings.ini", encoding="utf-8")
    return _nbdev_yml.format(**parser["DEFAULT"])


def check(root: Path) -> dict:
    "All faults: file to list."
    pages, faults = root / "nbs", {}
    texts = {
        "_quarto.yml": (root / "_quarto.yml").read_text(encoding="utf-8"),
        "nbs/sidebar.yml": (pages / "sidebar.yml").read_text(encoding="utf-8"),
        "settings.ini (nbdev.yml)": generated(root),
    }
    for name, text in texts.items():
        faults[name] = yaml_faults(text, PLACES)
        if not faults[name]:
            faults[name] = file_faults(yaml.safe_load(text), pages)
    for theme in sorted(pages.glob("*.scss")):
        faults[f"nbs/{theme.name}"] = scss_faults(theme.read_text(encoding="utf-8"))
    for page in sorted(pages.rglob("*.ipynb")):
        if ".ipynb_checkpoints" not in page.parts:
            faults[str(page.relative_to(root))] = page_faults(page)
    return {name: found for name, found in faults.items() if found}


if __name__ == "__main__":
    faults = check(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1]).resolve())
    for name, found in faults.items():
        for f in found:
            print(f"{name}: {f}", file=sys.stderr)
    sys.exit(bool(faults))
