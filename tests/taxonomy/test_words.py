"Any text can be read, in reasonable time, and relations between words are symmetric."

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plurality_nb.taxonomy.lexicon import misspelt, opposites, synonyms
from plurality_nb.taxonomy.quantities import same_number
from plurality_nb.taxonomy.words import read_words

HOSTILE = [
    "a" * 20_000,
    "1" * 5_000,
    "1," * 5_000,
    "(" * 10_000,
    "half past " * 2_000,
    "'" * 10_000,
    "- " * 10_000,
    "one " * 3_000,
    "`" * 9_999,
    "f(" * 5_000,
]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_any_text_can_be_read(text):
    assert all(isinstance(word.key, str) and word.key for word in read_words(text))


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: f"{len(text)} of {text[:5]}")
def test_hostile_texts_are_read_in_time(text):
    start = time.process_time()  # of this process alone, however busy the machine is
    read_words(text)
    assert time.process_time() - start < 10


@pytest.mark.parametrize("relation", [synonyms, opposites, same_number, misspelt])
@pytest.mark.parametrize(
    "x, y",
    [("big", "larg"), ("befor", "after"), ("monday", "friday"), ("3 m", "3"), ("teh", "the")],
)
def test_relations_are_symmetric(relation, x, y):
    assert relation(x, y) == relation(y, x)
