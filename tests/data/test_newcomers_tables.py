"What tables that people bring are read as, or which options are proposed for them."

import pytest

import plurality_nb as pn
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
