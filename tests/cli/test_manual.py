"The page of commands and the examples: whole, right, and made from the commands."

import json
import re
import shlex
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from plurality_nb.cli.app import command_examples
from plurality_nb.cli.manual import (
    all_commands,
    command_text,
    options_list,
    reference_entry,
    show_manual,
)
from plurality_nb.data.build import with_columns
from plurality_nb.data.sample import load_sample
from plurality_nb.data.saving import save_comparisons
from plurality_nb.rewards.objectives import OBJECTIVES
from plurality_nb.simulation.users import sample_population, simulate_votes
from plurality_nb.votes.margins import MARGINS

TABLE = files("plurality_nb") / "resources" / "examples.toml"
EXAMPLES = tomllib.loads(TABLE.read_text(encoding="utf-8"))
NAMES = list(all_commands())


def parsed(line):
    "What Typer reads from an example, without running it."
    words = shlex.split(line)
    assert words[0] == "plurality"
    name = words[1] if words[1] in NAMES else " ".join(words[1:3])
    rest = words[1 + len(name.split()) :]
    return name, all_commands()[name].make_context(name, rest).params


def test_every_command_has_an_example_of_its_own():
    assert set(EXAMPLES) == set(NAMES)
    for name in NAMES:
        assert command_examples(name)
        assert all(parsed(line)[0] == name for line in command_examples(name))


@pytest.mark.parametrize("name", NAMES)
def test_the_page_has_every_option_with_type_default_and_text(name):
    soup = BeautifulSoup(options_list(name), "html.parser")
    parameters = [p for p in all_commands()[name].params if p.name != "help"]
    terms, texts = soup.find_all("dt"), soup.find_all("dd")
    assert len(terms) == len(texts) == len(parameters)
    assert len({term["id"] for term in terms}) == len(terms)
    shown = {code.get_text() for term in terms for code in term.find_all("code", recursive=False)}
    for parameter in parameters:
        if parameter.param_type_name == "option":
            assert {*parameter.opts, *parameter.secondary_opts} <= shown
    for term, text in zip(terms, texts):
        kind, default = term.span.get_text().split("; ", 1)
        assert kind and (default == "required" or default.startswith("default: "))
        assert text.get_text().strip() and "`" not in text.get_text()
    assert "Annotated" not in soup.get_text()


@pytest.mark.parametrize("name", NAMES)
def test_no_option_in_a_text_is_left_to_become_a_dash(name):
    text = re.sub(r"```.*?```|`[^`]*`|^    .*$", "", command_text(name), flags=re.S | re.M)
    assert not re.search(r"(?<!\w)--[a-z]", text)


def test_options_keep_what_html_would_eat():
    soup = BeautifulSoup(options_list("select"), "html.parser")
    words = soup.find(id="select-vote-words")
    assert words.code.get_text() == "--vote-words"
    assert "WORD=a|b|tie|none,..." in words.get_text()
    assert "TRAIT=VALUE,..." in soup.find(id="select-where").get_text()


def test_the_page_shows_the_commands_in_order(capsys):
    show_manual()
    assert capsys.readouterr().out  # outside a notebook IPython prints that there is something
    page = json.loads((Path(__file__).parents[2] / "nbs" / "commands.ipynb").read_text())
    shown = next(cell for cell in page["cells"] if "show_manual()" in "".join(cell["source"]))
    assert "#| exec_doc" in "".join(shown["source"])  # run anew whenever the site is built
    assert not shown["outputs"]  # what is kept could fall out of step


@pytest.mark.parametrize("name", ["inspect", "store show", "draw-labels"])
def test_help_shows_the_example(command_line, name):
    code, out, _ = command_line(*name.split(), "--help")
    assert code == 0
    first = " ".join(command_examples(name)[0].split()[:3])
    assert first in " ".join(out.replace("│", " ").split())


def test_pages_of_functions_show_help_and_not_annotations():
    pytest.importorskip("nbdev")
    for name, command in all_commands().items():
        text = reference_entry(command.callback)._repr_markdown_()
        assert "Annotated" not in text
        assert f"../commands.ipynb#{name.replace(' ', '-')}" in text
        assert command_text(name) in text


def test_other_functions_keep_their_signature():
    pytest.importorskip("nbdev")
    for symbol in (command_text, load_sample, BeautifulSoup):
        assert "```python" in reference_entry(symbol)._repr_markdown_()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    "With people's votes on the sample's first pairs, and the same under other names."
    monkeypatch.chdir(tmp_path)
    ds = simulate_votes(load_sample().select(range(48)), sample_population(), 7)
    save_comparisons(with_columns(ds), "people.jsonl")
    frame = ds.to_pandas()[["response_a", "response_b", "human_a", "human_b"]]
    frame["prompt"] = [turns[-1]["content"] for turns in ds["prompt"]]
    frame = frame.rename(columns=dict(human_a="left", human_b="right"))
    frame.to_csv("rated.csv", index=False)
    return tmp_path


@pytest.mark.slow
def test_the_examples_run_one_after_the_other(folder, command_line):
    for name, lines in EXAMPLES.items():
        for line in lines.get("run", []):
            code, _, err = command_line(*shlex.split(line)[1:])
            assert code == 0, (name, line, err)


@pytest.mark.parametrize(
    "name, option, choices", [("margin", "kind", MARGINS), ("train", "objective", OBJECTIVES)]
)
def test_a_choice_between_methods_says_what_each_of_them_does(name, option, choices):
    (parameter,) = [p for p in all_commands()[name].params if p.name == option]
    for choice in choices:
        assert re.search(rf"\b{choice}(:|,| \() ?\w", parameter.help), choice
