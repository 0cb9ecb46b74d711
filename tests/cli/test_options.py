"The texts of the options: each has one, and each text has an option."

import tomllib
from dataclasses import fields, is_dataclass
from importlib import import_module
from importlib.resources import files

import pytest
import typer

import plurality_nb.cli
from plurality_nb.cli.app import commands
from plurality_nb.cli.options import option_texts

PATH = files("plurality_nb") / "resources" / "options.toml"
TEXTS = tomllib.loads(PATH.read_text(encoding="utf-8"))
MODULES = sorted(
    path.stem
    for path in type(PATH)(plurality_nb.cli.__path__[0]).glob("*.py")
    if not path.stem.startswith("_")
)


def option_groups():
    "Dataclasses of options by name."
    groups = {}
    for module in MODULES:
        for name, value in vars(import_module(f"plurality_nb.cli.{module}")).items():
            if is_dataclass(value) and name.endswith("Options"):
                groups[name] = value
    return groups


GROUPS = option_groups()


def test_every_section_is_a_group_and_every_group_has_a_section():
    assert set(TEXTS) == set(GROUPS)


@pytest.mark.parametrize("name", GROUPS)
def test_every_option_of_a_group_has_a_text_and_every_text_an_option(name):
    options = {option.name for option in fields(GROUPS[name])}
    assert set(option_texts(GROUPS[name])) == options | {"panel"}


@pytest.mark.parametrize("section, option", [(s, o) for s, texts in TEXTS.items() for o in texts])
def test_a_text_is_a_sentence_or_a_heading(section, option):
    text = TEXTS[section][option]
    assert text == text.strip()
    assert text.endswith((".", "'")) or option == "panel"


def all_commands():
    "Name and click command of every command, those of groups too."
    todo = list(typer.main.get_command(commands).commands.items())
    while todo:
        name, command = todo.pop()
        inner = getattr(command, "commands", {})
        todo += [(f"{name} {n}", c) for n, c in inner.items()]
        if not inner:
            yield name, command


COMMANDS = dict(all_commands())


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_explains_itself_and_its_options(name):
    command = COMMANDS[name]
    assert command.help
    silent = [p.name for p in command.params if not p.help and p.name != "help"]
    assert not silent


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_no_flag_belongs_to_two_options(name):
    flags = [flag for p in COMMANDS[name].params for flag in (*p.opts, *p.secondary_opts)]
    assert len(flags) == len(set(flags))
