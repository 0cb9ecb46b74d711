"The checker of the documentation finds each kind of fault, planted in a small site, and nothing in a sound one."

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
pytest.importorskip("nbdev")


def load(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / ".ci" / f"{name}.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


docs = load("docs")
PIXEL = b"\x89PNG\r\n\x1a\n"


def page(path, *cells, title="# A page\n\n> What it is for."):
    "Writes a notebook; cells are Markdown, or code in a tuple with its outputs."
    nb = nbformat.v4.new_notebook(
        metadata=dict(kernelspec=dict(name="python3", display_name="python3", language="python"))
    )
    nb.cells = [nbformat.v4.new_markdown_cell(title)]
    for c in cells:
        nb.cells.append(
            nbformat.v4.new_markdown_cell(c)
            if isinstance(c, str)
            else nbformat.v4.new_code_cell(c[0], outputs=list(c[1:]))
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nb, path)


@pytest.fixture
def site(tmp_path):
    for n in ("settings.ini", "_quarto.yml"):
        shutil.copy(ROOT / n, tmp_path / n)
    (tmp_path / "plurality_nb").mkdir()
    (tmp_path / "plurality_nb" / "x.py").write_text("def some_thing(an_argument): pass\n")
    page(
        tmp_path / "nbs" / "index.ipynb",
        "[other](more/01_other.ipynb#two-words-and-more), `some_thing`, `an_argument`, $a_b$ and $c_d$",
        "## A heading\n\n[here](#a-heading) ![](images/dot.png)\n\n```\n`nobody_knows` [x](nowhere.ipynb)\n```",
    )
    page(
        tmp_path / "nbs" / "more" / "01_other.ipynb",
        "## Two *words*, and more!\n\n[up](../index.ipynb), `of_the_page`",
        ("of_the_page = 1",),
    )
    (tmp_path / "nbs" / "images").mkdir()
    (tmp_path / "nbs" / "images" / "dot.png").write_bytes(PIXEL)
    (tmp_path / "nbs" / "sidebar.yml").write_text(
        "website: {sidebar: {contents: [{section: All, contents: [index.ipynb, {text: Other, href: more/01_other.ipynb}]}]}}"
    )
    (tmp_path / "README.md").write_text(
        "# Top\n\n[page](nbs/index.ipynb) [top](#top) [far](https://example.org)"
    )
    return tmp_path


def test_a_sound_site_has_no_faults(site):
    assert docs.check(site) == {}


@pytest.mark.parametrize(
    "text, wanted",
    [
        ("[x](nowhere.ipynb)", "link: nowhere.ipynb: no such file"),
        ("[x](more/01_other.ipynb#three)", "no such anchor on more/01_other.ipynb"),
        ("[x](more/01_other.ipynb#Two-words-and-more)", "the site has #two-words-and-more"),
        ("[x](#nothing)", "link: #nothing: no such anchor"),
        ("[x](more/01_other.html)", "link to more/01_other.ipynb"),
        ("[x](more/other.html)", "link to more/01_other.ipynb"),
        ("[x](../README.md)", "outside nbs/"),
        (
            "[x](https://github.com/plurality-nb/plurality_nb/blob/main/GONE.md)",
            "no such file in the repository",
        ),
        ("[x](https://plurality-nb.github.io/plurality_nb/gone.html)", "no such page on the site"),
        ("<a href='gone.csv'>x</a>", "link: gone.csv: no such file"),
        ("![x](images/gone.png)", "image: no images/gone.png"),
        (
            "<picture><source srcset='images/dim.png'><img src='images/dot.png'></picture>",
            "image: no images/dim.png",
        ),
        ("![x](https://example.org/x.png)", "comes from the network"),
        ("call `some_old_thing` first", "name: `some_old_thing`: nobody knows 'some_old_thing'"),
        ("call `renamed_away()`", "nobody knows 'renamed_away'"),
        ("a `GoneTrainer`", "nobody knows 'GoneTrainer'"),
    ],
)
def test_faults_of_the_text(site, text, wanted):
    page(site / "nbs" / "index.ipynb", text)
    found = docs.check(site)
    assert list(found) == ["nbs/index.ipynb"] and len(found["nbs/index.ipynb"]) == 1
    assert wanted in found["nbs/index.ipynb"][0]


@pytest.mark.parametrize(
    "title, wanted",
    [
        ("Only text", "title: no title"),
        ("# Only a title", "title: no description"),
        ("# A\n\n> b\n\nLost words.", "drops the text beside title"),
    ],
)
def test_titles(site, title, wanted):
    page(site / "nbs" / "index.ipynb", "text", title=title)
    assert wanted in docs.check(site)["nbs/index.ipynb"][0]


@pytest.mark.parametrize(
    "output",
    [
        nbformat.v4.new_output("error", ename="ValueError", evalue="x", traceback=["x"]),
        nbformat.v4.new_output(
            "stream", name="stderr", text="Traceback (most recent call last):\n ..."
        ),
    ],
)
def test_errors_among_outputs(site, output):
    page(site / "nbs" / "index.ipynb", ("1/0", output))
    assert docs.check(site) == {
        "nbs/index.ipynb": ["error: an output of the cell that begins with '1/0'"]
    }


def test_a_page_that_nbdev_cannot_process(site):
    page(
        site / "nbs" / "index.ipynb",
        ("#| export\ndef f(): pass",),
        ("x = 1",),
        ("import os\nx + 1",),
    )
    assert docs.check(site)["nbs/index.ipynb"][0].startswith(
        "build: NameError(\"name 'x' is not defined\")"
    )


def test_the_sidebar_names_every_page_once(site):
    page(site / "nbs" / "new.ipynb", "text")
    (site / "nbs" / "sidebar.yml").write_text(
        "website: {sidebar: {contents: [index.ipynb, index.ipynb, gone.ipynb, more/01_other.ipynb]}}"
    )
    assert docs.check(site)["nbs/sidebar.yml"] == [
        "sidebar: nbs/new.ipynb is missing; add it to nbs/sidebar.yml, in the section where a reader would look",
        "sidebar: names nbs/gone.ipynb, which does not exist",
        "sidebar: names nbs/index.ipynb 2 times",
    ]


def test_links_of_the_readme(site):
    (site / "README.md").write_text(
        "# A top\n\n[x](gone.md) [y](#nothing) [z](#a-top) ![](nbs/images/gone.svg)"
    )
    assert docs.check(site) == {
        "README.md": [
            "link: gone.md: no such file",
            "link: #nothing: no such heading",
            "link: nbs/images/gone.svg: no such file",
        ]
    }


def test_the_command_names_faults_and_fails(site):
    def run():
        return subprocess.run(
            [sys.executable, ROOT / ".ci" / "docs.py", site], capture_output=True, text=True
        )

    assert run().returncode == 0
    page(site / "nbs" / "index.ipynb", "[x](nowhere.ipynb)")
    broken = run()
    assert (
        broken.returncode == 1
        and broken.stderr.strip() == "nbs/index.ipynb: link: nowhere.ipynb: no such file"
    )


@pytest.mark.parametrize(
    "text, wanted",
    [
        ("Do the intervals hold?", "do-the-intervals-hold"),
        ("1. First, a 2nd", "first-a-2nd"),
        ("`vote_share`", "vote_share"),
        ("Judge.ask", "judge.ask"),
        ("123", "section"),
    ],
)
def test_identifiers_are_pandocs(text, wanted):
    assert docs.pandoc_id(text.strip("`")) == wanted


def test_plain_pages_link_their_sidebar_from_where_they_stand():
    preview = load("preview")
    front = {
        "more/01_other.ipynb": {"title": "Other & more", "output-file": "other.html"},
        "index.ipynb": {"title": "Top", "output-file": "index.html"},
    }
    entries = [
        {
            "section": "All",
            "contents": ["index.ipynb", {"text": "Else", "href": "more/01_other.ipynb"}],
        }
    ]
    bar = preview.sidebar(entries, front, "more/01_other.ipynb")
    assert (
        '<a href="../index.html">Top</a>' in bar
        and '<a href="other.html" aria-current=page>Else</a>' in bar
    )


def test_plain_pages_keep_outputs_and_hide_what_echo_hides(tmp_path):
    preview = load("preview")
    page(
        tmp_path / "x.ipynb",
        ("#| echo: false\nsecret()", nbformat.v4.new_output("stream", text="<shown>")),
        ("visible()",),
    )
    text = preview.markdown(nbformat.read(tmp_path / "x.ipynb", 4))
    assert (
        "secret" not in text
        and "&lt;shown&gt;" in text
        and "visible()" in text
        and "#|" not in text
    )
