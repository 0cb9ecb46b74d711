"What tables that people bring are read as, or which options are proposed for them."

import csv

import pyarrow as pa
import pytest

import plurality_nb as pn
from plurality_nb.data.cells import DecimalCommaCell, read_cell
from plurality_nb.data.saving import save_comparisons
from plurality_nb.errors import ContractError


@pytest.mark.parametrize(
    "first, second",
    [
        ("response 1", "response 2"),
        ("Response A", "Response-B"),
        ("response_0", "response_1"),
        ("Text 2", "Text 1"),
    ],
)
def test_a_proposed_mapping_never_exchanges_the_sides(first, second):
    sides = sorted([first, second]) if first.startswith("Text") else [first, second]
    with pytest.raises(ContractError) as e:
        pn.load_comparisons([{"what": "Tea or coffee?", first: "Tea.", second: "Coffee."}])
    message = str(e.value)
    exchanged = f"response_a={sides[1]}"
    assert exchanged not in message and f"response_b={sides[0]}" not in message


@pytest.mark.parametrize("first, second", [("response 1", "response 2"), ("reply_0", "reply_1")])
def test_two_columns_that_differ_in_a_number_are_proposed_in_its_order(first, second):
    with pytest.raises(ContractError, match=f"response_a={first},response_b={second}"):
        pn.load_comparisons([{"prompt": "Tea?", first: "Yes.", second: "No.", "Anna": "1"}])


@pytest.mark.parametrize("word", ["NA", "n/a", "N/A", "NaN", "null", "-", " ", ""])
def test_a_missing_cell_of_a_rater_is_no_vote(tmp_path, word):
    file = tmp_path / "wide.tsv"
    head = "prompt\tresponse_a\tresponse_b\trater_1\trater_2\n"
    file.write_text(f"{head}Tea?\tYes.\tNo.\tA\t{word}\nMilk?\tYes.\tNo.\tB\ttie\n")
    ds = pn.load_comparisons(file)
    assert sum(ds["human_a"][:]) + sum(ds["human_b"][:]) + sum(ds["human_tie"][:]) == 3


def test_no_answer_and_no_preference_are_kept_apart(tmp_path):
    "`none` may be either, so it is asked about."
    file = tmp_path / "wide.tsv"
    head = "prompt\tresponse_a\tresponse_b\trater_1\trater_2\n"
    file.write_text(f"{head}Tea?\tYes.\tNo.\tA\tB\nMilk?\tYes.\tNo.\tA\tnone\n")
    with pytest.raises(ContractError, match="--vote-words"):
        pn.load_comparisons(file)


@pytest.mark.parametrize(
    "first, second",
    [
        ("a_response", "b_response"),
        ("response_one", "response_two"),
        ("output_one", "output_two"),
        ("response1_text", "response2_text"),
        ("response_alpha", "response_beta"),
        ("answer_a_text", "answer_b_text"),
        ("reponse_a", "reponse_b"),
    ],
)
def test_names_that_are_as_close_to_both_sides_are_proposed_for_neither(first, second):
    for row in ({first: "Tea.", second: "Coffee."}, {second: "Coffee.", first: "Tea."}):
        with pytest.raises(ContractError) as e:
            pn.load_comparisons([{"what": "Tea or coffee?"} | row])
        message = str(e.value)
        for exchanged in (f"response_a={second}", f"response_b={first}"):
            assert exchanged not in message
        assert "chosen=" not in message or "chosen=COLUMN" in message


def test_the_name_of_rejected_responses_is_not_proposed_for_chosen_ones():
    with pytest.raises(ContractError) as e:
        pn.load_comparisons([{"what": "Tea?", "dispreferred": "No.", "liked": "Yes."}])
    assert "chosen=dispreferred" not in str(e.value)


@pytest.mark.parametrize("values", [("A", "B"), ("4", "5"), ("tie", "NA")])
@pytest.mark.parametrize("name", ["rater", "score"])
def test_votes_and_ratings_are_not_proposed_as_responses(name, values):
    row = {"question": "Tea?", "resp_one": "Yes.", "resp_two": "No."}
    with pytest.raises(ContractError) as e:
        pn.load_comparisons([row | dict(zip((f"{name}_1", f"{name}_2"), values))])
    assert f"={name}_" not in str(e.value)


def test_short_responses_are_still_proposed_by_their_columns_names():
    with pytest.raises(ContractError, match="response_a=reply_0,response_b=reply_1"):
        pn.load_comparisons([{"prompt": "2 + 2?", "reply_0": "4", "reply_1": "5"}])


@pytest.mark.parametrize("names", [("model_a", "model_b"), ("response_a", "response_b")])
def test_a_vote_for_what_is_called_na_is_not_lost(tmp_path, names):
    row = {"prompt": "Tea?", "response_a": "Yes.", "response_b": "No."}
    row |= {"vote": "NA", "annotator": "Ann"} | dict(zip(names, ("NA", "maybe")))
    with pytest.raises(ContractError, match="a or no vote"):
        pn.load_comparisons([row])
    for meaning, n_votes in (("a", 1), ("none", 0)):
        ds = pn.load_comparisons([row], vote_words={"NA": meaning})
        assert (ds["human_a"][0] or 0) == n_votes


def test_texts_and_names_called_na_or_null_are_kept(tmp_path):
    file = tmp_path / "long.csv"
    file.write_text("prompt,response_a,response_b,vote,annotator\nnull,NA,n/a,A,Ann\n")
    ds = pn.load_comparisons(file)
    assert ds["prompt"][0][0]["content"] == "null"
    assert (ds["response_a"][0], ds["response_b"][0], ds["human_a"][0]) == ("NA", "n/a", 1)


HEAD = "prompt;response_a;response_b"


@pytest.mark.parametrize("counts", ["human_a;human_b", "votes_a;votes_b"])
@pytest.mark.parametrize("cell", ["2,000", "12,000", "1,234", "1,234,567"])
def test_a_count_whose_comma_may_set_thousands_apart_is_refused(tmp_path, counts, cell):
    file = tmp_path / "counts.csv"
    file.write_text(f"{HEAD};{counts}\nTea?;Yes.;No.;{cell};1\n")
    if cell.count(",") > 1 and counts.startswith("votes"):
        file.write_text(f"{HEAD};{counts}\nMilk?;Yes.;No.;1;1\nTea?;Yes.;No.;{cell};1\n")
    with pytest.raises(ContractError, match=f"got '{cell}'.*two thousand as 2000"):
        pn.load_comparisons(file)


def test_decimal_commas_are_numbers_in_all_columns_of_votes_and_scores(tmp_path):
    file = tmp_path / "votes.csv"
    file.write_text(f"{HEAD};label;annotator\nTea?;1,5;2,5;0,5;Ann\nMilk?;Yes.;No.;1;Ann\n")
    ds = pn.load_comparisons(file)
    assert ds["human_tie"][:] == [1, 0] and ds["human_a"][:] == [0, 1]
    assert (ds["response_a"][0], ds["response_b"][0]) == ("1,5", "2,5")
    file.write_text(f"{HEAD};votes_a;votes_b;reward_a\nTea?;Yes.;No.;2,0;1;1,234\n")
    ds = pn.load_comparisons(file)
    assert ds["human_a"][0] == 2 and ds["reward_a"][0] == pytest.approx(1.234)


def test_a_saved_file_that_a_spreadsheet_writes_with_semicolons_keeps_its_types(tmp_path):
    file = tmp_path / "saved.csv"
    row = {"prompt": "Tea?", "response_a": "Yes.", "response_b": "No.", "human_a": 1, "human_b": 0}
    save_comparisons(pn.load_comparisons([row | {"note": "1,5", "weight": 2.5}]), file)
    rows = csv.reader(file.read_text(encoding="utf-8").splitlines())
    cells = [[cell.replace("2.5", "2,5") for cell in row] for row in rows]
    with file.open("w", encoding="utf-8", newline="") as f:
        csv.writer(f, delimiter=";").writerows(cells)
    ds = pn.load_comparisons(file)
    assert ds["note"][:] == ["1,5"] and ds["weight"][:] == [2.5]
    cell = read_cell(DecimalCommaCell("1,5"), pa.string())
    assert type(cell) is str
