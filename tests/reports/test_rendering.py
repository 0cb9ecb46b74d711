"Formatted texts: no word is lost, nothing but known elements, in time."

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plurality_nb.reports.differences import Piece
from plurality_nb.reports.rendering import ELEMENTS, Node, formatted_pair, parse_markdown

PARTS = [
    "*",
    "**",
    "_",
    "`",
    "```\n",
    "# ",
    "- ",
    "1. ",
    "> ",
    "|",
    "|-|-|\n",
    "\n",
    "\n\n",
    "    ",
]
TEXTS = st.lists(st.sampled_from([*PARTS, "word ", "<b>", "&amp;", "é", "[x](y) ", "![p](q)"])).map(
    "".join
)


def leaves(node):
    for child in node.children:
        if isinstance(child, Piece):
            yield child
        else:
            assert isinstance(child, Node) and child.tag in ELEMENTS
            yield from leaves(child)


@settings(max_examples=150, deadline=None)
@given(a=TEXTS, b=TEXTS)
def test_words_survive_and_all_differences_are_marked(a, b):
    pair = formatted_pair(a, b)
    for node, text in zip(pair, (a, b)):
        read = "".join(piece.text for piece in leaves(node))
        assert read.count("word") == text.count("word")
        assert read.count("é") == text.count("é") and read.count("<b>") == text.count("<b>")
    same = ["".join(p.text for p in leaves(node) if not p.differs) for node in pair]
    assert "".join(same[0].split()) == "".join(same[1].split())
    assert not any(piece.differs for node in formatted_pair(a, a) for piece in leaves(node))


@pytest.mark.parametrize(
    "text",
    ["[" * 9000, "*a **b " * 3000, "> " * 5000, "|a" * 4000 + "\n" + "|-" * 4000, "![[" * 3000],
)
def test_texts_made_to_take_long_do_not(text):
    start = time.process_time()
    parse_markdown(text)
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    "address", ["javascript:x()", "JavaScript:x()", "vbscript:x", "data:text/html,x", "file:///etc"]
)
def test_addresses_that_run_something_are_not_even_titles(address):
    nodes = [parse_markdown(f"[x]({address})"), parse_markdown(f"![x]({address})")]
    for node in nodes:
        assert [child.tag for child in node.children] == ["p"]
        assert [piece.text for piece in leaves(node)][-1].endswith(f"[x]({address})")
