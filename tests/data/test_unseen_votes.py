"Votes in shapes and spellings that nothing reads are told."

import json

import pandas as pd
import pytest

from plurality_nb.data.loading import load_comparisons, read_comparisons
from plurality_nb.errors import ContractError

TEXTS = dict(prompt="Tea?", response_a="Assam", response_b="A stone")
UNUSED = {
    "a list": dict(votes=["A", "B", "A"]),
    "a list of numbers": dict(annotations=[1, 0, 1]),
    "a list of ballots": dict(judgments=[dict(who="kim", vote="A")]),
    "a list under any name": dict(answers=["left", "right"]),
    "text": dict(votes="A,B,A"),
    "text with semicolons": dict(people="A; tie; B"),
    "text with blanks": dict(votes="A B A"),
    "a tally": dict(votes="2-1"),
    "a tally with ties": dict(human="2/1/0"),
    "a tally in words": dict(tally="2 to 1"),
    "a mapping": dict(votes=dict(a=2, b=1)),
    "upvotes": dict(upvotes_a=2, upvotes_b=1),
    "up votes by side": dict(a_up_votes=2, b_up_votes=1),
    "yes and no": dict(yes_votes=2, no_votes=1),
    "no after": dict(votes_yes=2, votes_no=1),
    "percent": dict(pct_a=66.7, pct_b=33.3),
    "percent as text": dict(percent_a="67%", percent_b="33%"),
    "side first": dict(a_pct=66.7, b_pct=33.3),
    "win rate": dict(win_rate_a=0.6, win_rate_b=0.4),
}


@pytest.mark.parametrize("name", UNUSED)
def test_votes_in_other_shapes_are_named(name, caplog):
    for sides in (TEXTS, dict(prompt="Tea?", chosen="Assam", rejected="A stone")):
        caplog.clear()
        load_comparisons([sides | UNUSED[name]])
        for column in UNUSED[name]:
            assert f"`{column}`" in caplog.text, (column, caplog.text)
        assert "looks like votes and is not used" in caplog.text


@pytest.mark.parametrize("name", ["a list", "a mapping", "a tally", "percent"])
def test_a_csv_has_them_too(name, tmp_path, caplog):
    row = {c: json.dumps(v) if isinstance(v, list | dict) else v for c, v in UNUSED[name].items()}
    pd.DataFrame([TEXTS | row]).to_csv(tmp_path / "x.csv", index=False)
    load_comparisons(tmp_path / "x.csv")
    assert "looks like votes and is not used" in caplog.text


@pytest.mark.parametrize(
    "other",
    [
        *(dict(votes=17), dict(n_votes=3), dict(tags=["tea", "drink"]), dict(date="2021-01-02")),
        *(dict(scores=[1, 0, 1]), dict(id="1-2"), dict(upside=3), dict(annotations=[])),
    ],
)
def test_other_columns_are_no_votes(other, caplog):
    load_comparisons([TEXTS | other])
    assert "looks like votes" not in caplog.text


SPELLED = [("human_A", "human_B"), ("Human A", "Human B"), ("HUMAN_A", "human_b")]


@pytest.mark.parametrize("names", SPELLED)
def test_a_later_row_is_read_by_its_own_spelling(names, caplog):
    rows = [TEXTS | dict(human_a=1, human_b=0), TEXTS | dict(zip(names, (2, 5)))]
    for data in (rows, rows[::-1]):
        caplog.clear()
        ds = load_comparisons(data)
        assert [ds["human_a"][0], ds["human_b"][0]] == [3, 5]
        assert names[0] not in ds.column_names
        assert "another spelling" in caplog.text or "columns read as" in caplog.text or data != rows


@pytest.mark.parametrize("name", ["human_A", "Human a", "HUMAN-A"])
def test_two_spellings_of_a_count_are_one_only_if_one_is_blank(name):
    ds = load_comparisons([TEXTS | {"human_a": None, name: 2, "human_b": 1}])
    assert ds["human_a"][0] == 2
    for rows in ([{"human_a": 3, name: 2}], [{"human_a": 1}, {"human_a": 3, name: 2}]):
        with pytest.raises(ContractError, match="both"):
            load_comparisons([TEXTS | row | dict(human_b=1) for row in rows])


@pytest.mark.parametrize("name", ["Chosen", "CHOSEN", "chosen "])
def test_texts_of_a_later_row_as_well(name):
    rows = [dict(prompt=f"Tea {i}?", chosen="Assam", rejected="A stone") for i in range(2)]
    rows[1] = {name if c == "chosen" else c: v for c, v in rows[1].items()}
    ds, account = read_comparisons(rows)
    assert len(ds) == 2
    assert f"`{name}` is read as `chosen`" in "".join(account["notes"])


@pytest.mark.parametrize("voters", ["human", "judge"])
@pytest.mark.parametrize("lacking", ["a", "b"])
def test_a_missing_count_is_told(voters, lacking, caplog):
    whole = {f"{voters}_a": 1, f"{voters}_b": 2}
    part = {c: v for c, v in whole.items() if not c.endswith(lacking)}
    load_comparisons([TEXTS | whole, TEXTS | dict(prompt="Coffee?") | part])
    assert f"1 rows: `{voters}_{lacking}` is missing beside a count" in caplog.text
