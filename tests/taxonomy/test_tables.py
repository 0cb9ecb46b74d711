"Every line of the tables of rules does what its example shows."

import pytest

from plurality_nb.data.sample import load_sample
from plurality_nb.taxonomy import spelling
from plurality_nb.taxonomy.facts import meanings_of
from plurality_nb.taxonomy.quantities import number_key
from plurality_nb.taxonomy.responses import Response
from plurality_nb.taxonomy.spelling import plain_spelling, rewrites
from plurality_nb.taxonomy.tables import table_rows, vocabulary
from plurality_nb.taxonomy.words import read_words

RULES = rewrites("words") + rewrites("digits")
UNITS = table_rows("units.tsv")
VOCABULARY = table_rows("vocabulary.tsv")
MEANINGS = table_rows("meanings.tsv")
WORD_LISTS = table_rows("word_lists.tsv")


def keys_of(text):
    return [word.key for word in read_words(text)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.before)
def test_a_rewrite_makes_of_its_example_what_the_table_shows(rule):
    assert rule.before != rule.after
    assert rule.apply(rule.before) == rule.after
    assert rule.reason


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.before)
def test_a_rule_matches_only_texts_that_hold_what_it_needs(rule):
    texts = [other.before for other in RULES]
    texts += [text for column in ("response_a", "response_b") for text in load_sample()[column]]
    for text in texts:
        for case in (text, text.upper(), text.replace("s", "\u017f").replace("i", "\u0131")):
            if rule.pattern.search(case):
                assert rule.may_match(case, spelling._folded(case))


def test_every_number_word_passes_for_what_number_words_need():
    hyphen = next(rule for rule in RULES if "-(?!" in rule.pattern.pattern)
    for table in ("ones", "teens", "tens"):
        for word in vocabulary(table):
            assert hyphen.may_match(f"{word}-day", f"{word}-day")


def test_every_rule_has_a_stage_and_every_function_a_rule():
    assert len(RULES) == len(table_rows("rewrites.tsv"))
    named = {row["replacement"].removeprefix("=") for row in table_rows("rewrites.tsv")}
    assert set(spelling._COMPUTED) <= named


@pytest.mark.parametrize("row", UNITS, ids=lambda row: row["example"])
def test_a_unit_is_read_as_its_example_shows(row):
    assert keys_of(row["example"]) == [row["key"]]
    assert {number_key(7, name) for name in row["names"].split()} == {row["key"]}


@pytest.mark.parametrize("row", VOCABULARY, ids=lambda row: row["example"])
def test_a_word_of_the_vocabulary_is_read_as_its_example_shows(row):
    assert row["word"].lower() in row["example"].lower()
    assert " · ".join(keys_of(row["example"])) == row["keys"]


@pytest.mark.parametrize("row", MEANINGS, ids=lambda row: f"{row['aspect']}, {row['meaning']}")
def test_a_meaning_is_found_in_its_example(row):
    assert meanings_of(Response(row["example"]).parts, row["aspect"]) == {row["meaning"]}
    assert meanings_of(row["words"].split(), row["aspect"]) == {row["meaning"]}


@pytest.mark.parametrize("row", WORD_LISTS, ids=lambda row: row["list"])
def test_a_word_list_is_sorted_and_in_lower_case(row):
    words = row["words"].split()
    assert words == sorted(set(words))
    assert row["words"] == row["words"].lower()
    assert row["reason"]


def test_names_occur_once():
    names = [name for row in UNITS for name in row["names"].split()]
    assert len(names) == len(set(names))
    words = [(row["table"], row["word"]) for row in VOCABULARY]
    assert len(words) == len(set(words))


def test_a_table_with_a_broken_line_is_refused(monkeypatch):
    from plurality_nb.taxonomy import tables

    monkeypatch.setattr(tables, "resource_lines", lambda name: ["a\tb", "1\t2", "3"])
    with pytest.raises(ValueError, match=r"broken\.tsv, line 3: want 2 columns, got 1"):
        tables.table_rows("broken.tsv")


@pytest.mark.parametrize(
    "text, digits",
    [
        ("2 trillion", "2000000000000"),
        ("two trillion", "2000000000000"),
        ("3.5 trillion", "3500000000000"),
        ("1,500 trillion", "1500000000000000"),
        ("2e12", "2000000000000"),
        ("2.3 million", "2300000"),
        ("0.5 trillion", "500000000000"),
        ("2 billion", "2000000000"),
    ],
)
def test_large_whole_numbers_are_digits(text, digits):
    assert plain_spelling(text) == digits
