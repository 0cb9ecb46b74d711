"A source's own columns, other spellings, and what a message says of them."

import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from datasets import Dataset, IterableDataset, IterableDatasetDict

from plurality_nb.data.build import to_comparisons, validate, with_columns
from plurality_nb.data.loading import load_comparisons, read_comparisons
from plurality_nb.data.sample import load_sample
from plurality_nb.data.schema import FEATURES
from plurality_nb.data.trl import from_trl
from plurality_nb.errors import ContractError

SIDES = dict(prompt="Name a tea.", chosen="Assam", rejected="A stone")
PAIR = dict(prompt="Name a tea.", response_a="Assam", response_b="A stone")

OWN = {
    "label: a flag": dict(label=True),
    "label: a word": dict(label="harmless"),
    "label: a number that says who won, as `chosen` does": dict(label=0),
    "source: a number": dict(source=7),
    "source: a list": dict(source=["web"]),
    "group: a topic": dict(group="cooking"),
    "pair_id: a number": dict(pair_id=17),
    "margin: a word": dict(margin="strong"),
    "seen: a word": dict(seen="yes"),
    "seen: a number": dict(seen=1),
    "quadrant: north": dict(quadrant="north"),
    "reward_a: a mapping": dict(reward_a=dict(model=1)),
}


@pytest.mark.parametrize("name", OWN)
def test_own_columns_are_kept_under_another_name_and_said(name, caplog):
    (column, value), *_ = OWN[name].items()
    for read in (load_comparisons, from_trl):
        caplog.clear()
        ds = read([SIDES | OWN[name], SIDES | OWN[name] | dict(prompt="Another tea?")])
        assert ds[f"own_{column}"][:] == [value, value]
        assert column == "label" or set(ds[column]) <= {None, *ds["group"], *ds["pair_id"]}
        assert f"2 rows: `{column}` is kept as `own_{column}`" in caplog.text
    if column != "label":
        ds = load_comparisons([PAIR | OWN[name]])
        assert ds[f"own_{column}"][:] == [value]


def test_a_csv_has_own_columns_too(tmp_path):
    table = pd.DataFrame([SIDES | dict(label="harmless", margin="strong", seen="maybe", group="x")])
    table.to_csv(tmp_path / "x.csv", index=False)
    ds, account = read_comparisons(tmp_path / "x.csv")
    own = {c: ds[c][0] for c in ("own_label", "own_margin", "own_seen", "own_group")}
    assert own == dict(own_label="harmless", own_margin="strong", own_seen="maybe", own_group="x")
    assert len(account["notes"]) == 4


def test_names_that_are_taken_stay_whole():
    ds = load_comparisons([SIDES | dict(label="x", own_label=3, source=7, own_source=8)])
    assert [ds[c][0] for c in ("own_label", "own_label_", "own_source", "own_source_")] == [
        3,
        "x",
        8,
        7,
    ]


WRONG = {
    "a word for a winner": dict(label="harmless"),
    "half a person": dict(human_a=0.5),
    "people below zero": dict(human_b=-1),
    "people in words": dict(human_tie="three"),
    "a judge's infinite vote": dict(judge_a=math.inf),
    "a flag for a vote": dict(human_a=True),
    "an infinite margin": dict(margin=math.inf),
    "a margin beyond float32": dict(margin=3.5e38),
    "a margin in digits": dict(margin="1.5"),
    "a response that is none": dict(response_b=None),
    "a share above one": dict(plurality=1.5),
    "a ballot for nobody": dict(ballots=[dict(annotator="u", vote="left")]),
}
DOORS = {
    "rows": lambda rows: load_comparisons(rows),
    "a generator": lambda rows: load_comparisons(iter(rows)),
    "a table": lambda rows: load_comparisons(Dataset.from_list(rows)),
    "an Arrow table": lambda rows: load_comparisons(pa.Table.from_pylist(rows)),
    "a data frame": lambda rows: load_comparisons(pd.DataFrame(rows, dtype=object)),
    "a stream": lambda rows: load_comparisons(IterableDataset.from_generator(lambda: iter(rows))),
    "streams": lambda rows: load_comparisons(
        IterableDatasetDict(train=IterableDataset.from_generator(lambda: iter(rows)))
    ),
    "to_comparisons": lambda rows: to_comparisons(rows),
    "validate": lambda rows: validate(Dataset.from_list(rows)),
}


@pytest.mark.parametrize("name", WRONG)
def test_every_door_has_the_same_checks(name):
    (column, _), *_ = WRONG[name].items()
    for door, read in DOORS.items():
        with pytest.raises(ContractError, match=f"row 0: `{column}`: want"):
            read([PAIR | WRONG[name]])
            pytest.fail(door)
    if column not in ("label", "response_b"):
        for read in (load_comparisons, from_trl):
            with pytest.raises(ContractError, match=f"row 0: `{column}`: want"):
                read([SIDES | WRONG[name]])


def test_every_door_reads_the_same():
    rows = [PAIR | dict(human_a=3, human_b=1, margin=math.nan), PAIR | dict(prompt="Another?")]
    want = load_comparisons(rows)
    assert want["margin"][:] == [None, None] and want["human_a"][:] == [3, None]
    for door, read in DOORS.items():
        assert {c: read(rows)[c][:] for c in FEATURES} == want.to_dict(), door


def test_new_columns_are_checked_and_fit_an_empty_table():
    ds = to_comparisons([PAIR])
    for column, value in dict(margin=np.inf, human_a=0.5, judge_b=-1, label=0.7, seen="x").items():
        with pytest.raises(ContractError, match=f"`{column}`: want"):
            with_columns(ds, **{column: [value]})
    empty = with_columns(ds.select([]), margin=np.array([]), mood=[])
    assert (len(empty), empty.column_names) == (0, [*FEATURES, "mood"])
    assert {c: empty.features[c] for c in FEATURES} == dict(FEATURES)


SPELLED = {
    "blanks and case": ["Prompt", " Response_A", "RESPONSE_B ", "Human_A", "human b"],
    "no underlines": ["prompt", "ResponseA", "ResponseB", "HumanA", "HumanB"],
    "hyphens": ["PROMPT", "response-a", "response-b", "human-a", "human-b"],
}


@pytest.mark.parametrize("name", SPELLED)
def test_names_are_compared_without_case_and_blanks(name, tmp_path):
    values = ["Name a tea.", "Assam", "A stone", 3, 1]
    table = pd.DataFrame([dict(zip(SPELLED[name], values))])
    table.to_csv(tmp_path / "x.csv", index=False)
    for data in (table, tmp_path / "x.csv"):
        ds = load_comparisons(data)
        assert [ds[c][0] for c in ("response_a", "human_a", "human_b")] == ["Assam", 3, 1]
        assert ds.column_names == [*FEATURES]
    table = table.assign(**{SPELLED[name][3]: -1})
    with pytest.raises(ContractError, match=f"row 0: `{SPELLED[name][3]}`: want a whole number"):
        load_comparisons(table)


def test_a_mapping_is_found_in_any_spelling_and_doubles_are_named():
    row = {" Question": "Name a tea.", "chosen": "Assam", "rejected": "A stone"}
    assert load_comparisons([row], columns=dict(prompt="question"))["prompt"][0]
    with pytest.raises(ContractError, match="--map prompt=Prompt"):
        load_comparisons([{"PROMPT": "x", "Prompt": "y", "chosen": "a", "rejected": "b"}])
    both = load_comparisons([PAIR | dict(Prompt="mine")])
    assert both["Prompt"][:] == ["mine"]


HINTS = {
    "responses": (
        dict(question="Hi", answer_a="x", answer_b="y"),
        "--map prompt=question,response_a=answer_a,response_b=answer_b",
    ),
    "numbered": (
        dict(instruction="Hi", response1="x", response2="y"),
        "--map .*response",
    ),
    "rows inside": (dict(data=[dict(prompt="Hi")]), "save that list as the file"),
    "no header": (
        {"How do I boil rice if I have got no pot and no water, but an oven?": "x", "b": "y"},
        "The first line of a CSV file must contain the names",
    ),
}


@pytest.mark.parametrize("name", HINTS)
def test_hints_look_at_the_columns_that_are_there(name):
    row, message = HINTS[name]
    with pytest.raises(ContractError, match=message):
        load_comparisons([row])


def test_a_mistake_in_many_rows_shows_three_and_a_count():
    rows = [PAIR | dict(label="good", prompt=f"{i}") for i in range(1569)]
    with pytest.raises(ContractError) as error:
        load_comparisons(rows)
    lines = str(error.value).splitlines()
    assert len(lines) == 6 and "1569 invalid rows" in lines[0]
    assert lines[4].strip() == "... and 1566 more: `label` is not 1 (A), 0 (B), 0.5 (tie) or null"
    assert "--map own_label=label" in lines[1]
    rows[7] |= dict(human_a=-1, label=None)
    with pytest.raises(ContractError, match="row 7: `human_a`"):
        load_comparisons(rows)


def test_lenient_loading_says_why_nothing_is_left():
    with pytest.raises(ContractError, match=r"2 x `response_a` is not text\n  row 0: "):
        load_comparisons([PAIR | dict(response_a=1)] * 2, strict=False)
    with pytest.raises(ContractError, match=r"columns without repeats, got \['prompt'\]"):
        load_comparisons(pd.DataFrame([["x", "y"]], columns=["prompt", "prompt"]))


@pytest.mark.parametrize("rows", [0, 3])
def test_none_or_all_of_the_columns_may_be_replaced(rows):
    ds = load_sample().select(range(rows))
    assert with_columns(ds).to_dict() == ds.to_dict()
    every = with_columns(ds, **{name: ds[name][:] for name in ds.column_names})
    assert every.to_dict() == ds.to_dict()
