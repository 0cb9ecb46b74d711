"The checker of what Quarto is given finds each kind of fault, planted, and nothing in the site itself."

import importlib.util
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
pytest.importorskip("nbdev")
spec = importlib.util.spec_from_file_location("quarto_check", ROOT / ".ci" / "quarto.py")
quarto = sys.modules["quarto_check"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(quarto)
SOUND = (ROOT / "_quarto.yml").read_text(encoding="utf-8")


def test_the_site_has_no_faults():
    assert quarto.check(ROOT) == {}


@pytest.mark.parametrize(
    "old, new, wanted",
    [
        ("  type: website\n", "  type: website\n  type: website\n", "'type' occurs twice"),
        ("toc: true", "table-of: true", "key: format.html.table-of"),
        ("toc-depth: 3", "toc-depth: three", "value: format.html.toc-depth: 'three', not int"),
        ("toc-depth: 3", "toc-depth: true", "value: format.html.toc-depth: True, not int"),
        ("toc: true", 'toc: "true"', "value: format.html.toc: 'true', not bool"),
        ("code-overflow: scroll", "code-overflow: hide", "'hide', not scroll or wrap"),
        ("style: docked", "style: fixed", "value: website.sidebar.style: 'fixed'"),
        ("icon: github", "symbol: github", "key: website.navbar.right[0].symbol"),
        ("[source, issue]", "[source, issues]", "value: website.repo-actions[1]: 'issues'"),
        ("website:\n  search", "web:\n  search", "key: web"),
    ],
)
def test_faults_of_the_configuration(old, new, wanted):
    assert SOUND.count(old) >= 1
    found = quarto.yaml_faults(SOUND.replace(old, new, 1), quarto.PLACES)
    assert len(found) == 1 and wanted in found[0]


@pytest.mark.parametrize(
    "entry, wanted",
    [
        ("{text: A, link: index.ipynb}", "is nothing that may stand here"),
        ("{section: A, contents: [{text: 3, href: index.ipynb}]}", "contents[0].text: 3, not str"),
        ("{section: A, contents: index.ipynb}", "contents: 'index.ipynb', not a list"),
    ],
)
def test_faults_of_the_sidebar(entry, wanted):
    text = f"website: {{sidebar: {{contents: [index.ipynb, {entry}]}}}}"
    found = quarto.yaml_faults(text, quarto.PLACES)
    assert len(found) == 1 and wanted in found[0]


@pytest.mark.parametrize(
    "old, new, lost",
    [
        ("css: styles.css", "css: gone.css", "no nbs/gone.css"),
        ("light: [cosmo, theme.scss]", "light: [cosmo, gone.scss]", "no nbs/gone.scss"),
        ("light: [cosmo,", "light: [cosmos,", "no theme cosmos"),
        ("explorer_dark.png", "gone.png", "no nbs/images/gone.png"),
        ("href: glossary.ipynb", "href: gone.ipynb", "no nbs/gone.ipynb"),
        ("sidebar.yml]", "bar.yml]", "no nbs/bar.yml"),
    ],
)
def test_files_that_are_not_there(old, new, lost):
    assert old in SOUND
    config = quarto.yaml.safe_load(SOUND.replace(old, new, 1))
    assert quarto.file_faults(config, ROOT / "nbs") == [f"file: {lost}"]


@pytest.mark.parametrize(
    "text, wanted",
    [
        ("$web-font-path: false;", "no layer; begin with"),
        ("/*-- scss:default --*/\n$web-font-path: false;", "no layer 'scss:default'"),
        ("$web-font-path: false;\n/*-- scss:rules --*/\n", "code before the first layer"),
        ("/*-- scss:defaults --*/\n$web-font-pth: false;", "$web-font-pth is no variable"),
        ("/*-- scss:rules --*/\nbody { color: red;", "braces do not match"),
    ],
)
def test_faults_of_a_theme(text, wanted):
    found = quarto.scss_faults(text)
    assert len(found) == 1 and wanted in found[0]


@pytest.mark.parametrize(
    "text, wanted",
    [
        ("::: {.callout-note}\ntext", "a div is not closed"),
        ("text\n\n:::", "a div is closed twice"),
        ("::: {.callout-hint}\ntext\n:::", "no class .callout-hint"),
        ("::: {.column-wide}\ntext\n:::", "no class .column-wide"),
        ("{{< figure x.png >}}", "shortcode: no figure"),
        ("{{< include x.qmd", "shortcode: not closed"),
    ],
)
def test_faults_of_markdown(text, wanted):
    found = quarto.markdown_faults(text)
    assert len(found) == 1 and wanted in found[0]


@pytest.mark.parametrize(
    "text",
    [
        "::: {.callout-note}\n:::: {.column-margin}\ntext\n::::\n:::",
        "```\n::: {.callout-hint}\n```\n\nand `{{< figure >}}` in backticks",
        "{{< include x.qmd >}}",
        "a ::: in a line",
    ],
)
def test_sound_markdown(text):
    assert quarto.markdown_faults(text) == []


def test_front_matter_and_options_of_a_page(tmp_path):
    nb = nbformat.v4.new_notebook()
    nb.cells = [
        nbformat.v4.new_raw_cell("---\ntitle: A\noutputfile: a.html\n---"),
        nbformat.v4.new_code_cell("#| echo: no\n#| export\n#| fig-widht: 3\n1"),
    ]
    nbformat.write(nb, tmp_path / "a.ipynb")
    assert quarto.page_faults(tmp_path / "a.ipynb") == [
        "key: outputfile",
        "option: echo: no",
        "option: fig-widht: 3",
    ]
