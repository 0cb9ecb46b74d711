"Words of place beside a column of the order in which responses were shown."

import pytest

from plurality_nb.data.loading import load_comparisons
from plurality_nb.errors import ContractError

TEXTS = dict(prompt="Tea?", response_a="Assam", response_b="A stone")
MODELS = dict(model_a="tea-7b", model_b="tea-70b")

# Column to its value where B was shown first, and where A was.
READ = {
    "order": ("BA", "AB"),
    "display_order": ("b,a", "a,b"),
    "shown": ("BA", "AB"),
    "shown_first": ("b", "a"),
    "left_response": ("response_b", "response_a"),
    "presented_first": ("B", "A"),
    "left": ("A stone", "Assam"),
    "left_model": ("tea-70b", "tea-7b"),
    "Order": ("swapped", "original"),
    "b_first": (True, False),
    "first_is_b": ("yes", "no"),
    "top": ("B first", "A first"),
}
# The same, of columns that are not read as they are.
ASKED = {
    "shown_first": (2, 1),
    "order": (2, 1),
    "a_first": (False, True),
    "right": ("a", "b"),
    "position_of_a": ("right", "left"),
    "left_response": ("2", "1"),
}


def rows_of(column, values, words=("left", "left")):
    return [
        TEXTS | MODELS | {"annotator": f"p{i}", "vote": word, column: value}
        for i, (word, value) in enumerate(zip(words, values))
    ]


@pytest.mark.parametrize("words", [("left", "left"), ("First", "1st"), ("right one", "second")])
@pytest.mark.parametrize("column", READ)
def test_places_stop_beside_an_order_and_are_turned_by_it(column, words):
    rows = rows_of(column, READ[column], words)
    with pytest.raises(ContractError, match=f"--map shown_turned={column};"):
        load_comparisons(rows)
    ds = load_comparisons(rows, columns=dict(shown_turned=column))
    assert [ds[f"human_{side}"][0] for side in ("a", "b", "tie")] == [1, 1, 0]
    ds = load_comparisons(rows, vote_words={word: "a" for word in words})
    assert [ds[f"human_{side}"][0] for side in ("a", "b", "tie")] == [2, 0, 0]


@pytest.mark.parametrize("column", ASKED)
def test_an_order_that_cannot_be_read_is_asked_for(column):
    with pytest.raises(ContractError, match=f"beside `{column}`.*add a column `shown_turned`"):
        load_comparisons(rows_of(column, ASKED[column]))


def test_a_response_that_reads_as_a_flag_is_refused():
    texts = dict(prompt="Tea?", response_a="Yes", response_b="No", vote="left", left="No")
    with pytest.raises(ContractError, match="beside `left`"):
        load_comparisons([texts])
    with pytest.raises(ContractError, match="`left`: want true or false, or the order"):
        load_comparisons([texts], columns=dict(shown_turned="left"))


@pytest.mark.parametrize("column", ["order", "swapped", "b_first"])
def test_raters_are_turned_as_well(column):
    value = dict(order="BA").get(column, True)
    rows = [TEXTS | {"rater_1": "left", "rater_2": "right", "rater_3": "left", column: value}]
    with pytest.raises(ContractError, match=f"--map shown_turned={column}"):
        load_comparisons(rows)
    ds = load_comparisons(rows, columns=dict(shown_turned=column))
    assert [ds[f"human_{side}"][0] for side in ("a", "b", "tie")] == [1, 2, 0]


@pytest.mark.parametrize(
    "counts",
    [("left_votes", "right_votes"), ("votes_first", "votes_second"), ("left_vote", "right_vote")],
)
def test_counts_of_a_place_stop_beside_an_order(counts):
    row = TEXTS | dict(zip(counts, (3, 1)))
    assert load_comparisons([row])["human_a"][0] == 3
    with pytest.raises(ContractError, match=f"`{counts[0]}` beside `order`"):
        load_comparisons([row | dict(order="BA")])
    ds = load_comparisons(
        [row | dict(order="BA")], columns=dict(zip(("human_a", "human_b"), counts))
    )
    assert ds["human_a"][0] == 3


@pytest.mark.parametrize(
    "other",
    [
        dict(trial=1),
        dict(left_handed=True),
        dict(order=17),
        dict(note="AB test"),
        dict(first="tea"),
    ],
)
def test_other_columns_do_not_stop_places(other):
    assert load_comparisons([TEXTS | dict(annotator="p", vote="left") | other])["human_a"][0] == 1


@pytest.mark.parametrize("word", ["A", "response_a", "Assam"])
def test_words_of_a_response_need_no_order(word):
    rows = [TEXTS | dict(annotator="p", vote=word, order="BA")]
    assert load_comparisons(rows)["human_a"][0] == 1


NAMES = {
    "a model": dict(model_a="gpt-4", model_b="llama"),
    "a system": dict(system_1="gpt-4", system_2="llama"),
    "a policy": dict(policy1="gpt-4", policy2="llama"),
    "a response": dict(response_a="gpt-4", response_b="llama"),
}


@pytest.mark.parametrize("shape", ["one row a vote", "one column a rater"])
@pytest.mark.parametrize("name", NAMES)
def test_a_vote_by_name_stays_with_its_response(name, shape):
    words = dict(zip(("p1", "p2", "p3", "p4", "p5"), ("left", "gpt-4", "llama", "B", "tie")))
    texts = TEXTS | NAMES[name] | dict(swapped=True)
    rows = [texts | dict(winner=word, annotator=who) for who, word in words.items()]
    columns = dict(shown_turned="swapped")
    if shape == "one column a rater":
        rows = [texts | words]
        columns["raters"] = "p1+p2+p3+p4+p5"
    ds = load_comparisons(rows, annotators_are="people", columns=columns)
    votes = {b["annotator"]: b["vote"] for b in ds["ballots"][0]}
    assert votes == dict(p1="b", p2="a", p3="b", p4="a", p5="tie")


@pytest.mark.parametrize("words", [dict(links="a"), {"1": "a"}])
def test_words_that_were_explained_are_places(words):
    (word,) = words
    row = TEXTS | MODELS | dict(winner=word, annotator="kim", swapped=True)
    columns = dict(shown_turned="swapped")
    assert load_comparisons([row], columns=columns, vote_words=words)["label"][:] == [0]


@pytest.mark.parametrize("models", [("A", "B"), ("left", "right"), ("1st", "2nd")])
def test_a_word_that_is_a_place_and_another_ones_name_is_refused(models):
    row = TEXTS | dict(zip(("model_a", "model_b"), models)) | dict(annotator="kim", swapped=True)
    columns = dict(shown_turned="swapped")
    with pytest.raises(ContractError, match="can be read as a or b"):
        load_comparisons([row | dict(winner=models[0])], columns=columns)
    plain = [row | dict(winner="tie", swapped=True)]
    assert load_comparisons(plain, columns=columns)["label"][:] == [0.5]


def test_names_of_places_are_asked_about_in_turned_rows():
    row = TEXTS | dict(model_left="x", model_right="y", winner="x", annotator="kim", swapped=True)
    columns = dict(shown_turned="swapped")
    with pytest.raises(ContractError, match="--map model_a=model_left,model_b=model_right"):
        load_comparisons([row], columns=columns)
    named = columns | dict(model_a="model_left", model_b="model_right")
    assert load_comparisons([row], columns=named)["label"][:] == [1]
    assert load_comparisons([row | dict(swapped=False)], columns=columns)["label"][:] == [1]
