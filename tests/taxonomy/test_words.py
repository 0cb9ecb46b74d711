"Any text can be read, in reasonable time, and relations between words are symmetric."

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plurality_nb.data.sample import load_sample
from plurality_nb.taxonomy.lexicon import WordIndex, misspelt, opposites, opposites_of, synonyms
from plurality_nb.taxonomy.overlap import same_word
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


def test_an_index_of_words_finds_what_comparing_all_words_finds():
    texts = load_sample()["response_a"][:60]
    texts += ["We recieve the pakage befor noon", "a teh Tokio we begin", "it is 5 km and °c"]
    readings = [read_words(text) for text in texts]
    for words, others in zip(readings, readings[1:] + readings[:1]):
        index = WordIndex((other.key, other.written) for other in others)
        for word in words:
            slow = any(same_word(word, other) for other in others)
            assert index.has(word.key, word.written) == slow


def test_opposites_of_a_word_are_symmetric():
    words = {word.key for text in load_sample()["response_a"] for word in read_words(text)}
    for word in words:
        assert not opposites_of(word) & {word}
        for other in opposites_of(word):
            assert word in opposites_of(other)


@pytest.mark.parametrize("relation", [synonyms, opposites, same_number, misspelt])
@pytest.mark.parametrize(
    "x, y",
    [("big", "larg"), ("befor", "after"), ("monday", "friday"), ("3 m", "3"), ("teh", "the")],
)
def test_relations_are_symmetric(relation, x, y):
    assert relation(x, y) == relation(y, x)
