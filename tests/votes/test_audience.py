"Labels do not outlive the votes they were made of."

import pytest

from plurality_nb.data.build import with_columns
from plurality_nb.data.loading import load_comparisons
from plurality_nb.errors import ContractError
from plurality_nb.votes.audience import restrict_votes, split_votes, votes_by_trait
from plurality_nb.votes.margins import draw_labels

PAIR = dict(prompt="Which tea?", response_a="Assam", response_b="A stone")


def voted(**votes):
    return load_comparisons(
        [PAIR | dict(annotator=name, vote=vote) for name, vote in votes.items()]
    )


def kept(ds, name):
    row = restrict_votes(ds, dict(annotator=name))[0]
    return row["label"], row["label_source"]


@pytest.mark.parametrize("source", ["drawn", "majority", "annotator"])
@pytest.mark.parametrize("label, vote", [(1.0, "A"), (0.0, "B"), (0.5, "tie")])
def test_a_label_of_votes_that_are_gone_goes_with_them(source, label, vote):
    other = "B" if vote == "A" else "A"
    ds = with_columns(voted(kim=vote, ann=other), label=[label], label_source=[source])
    assert kept(ds, "ann") == (None, None)
    assert kept(ds, "kim") == (label, source)


def test_labels_that_were_drawn_from_all_do_not_stay_for_some():
    ds = voted(kim="A", ann="B", bo="B", cy="tie")
    for seed in range(8):
        drawn = draw_labels(ds, "human", seed=seed)
        names = dict(zip((1.0, 0.0, 0.5), ("kim", "ann", "cy")))
        for label, name in names.items():
            is_of_name = drawn["label"][0] == label
            assert kept(drawn, name) == ((label, "drawn") if is_of_name else (None, None))


def test_labels_of_judges_stay_and_conflicts_end_with_the_second_vote():
    ds = with_columns(voted(kim="A", ann="B"), label=[1.0], label_source=["judge_drawn"])
    assert kept(ds, "ann") == (1.0, "judge_drawn")
    ds = voted(kim="A", ann="B")
    assert ds["label_source"][0] == "conflicting" and kept(ds, "ann") == (None, None)
    both = restrict_votes(ds, dict(annotator=["kim", "ann"]))[0]
    assert both["label_source"] == "conflicting"


@pytest.mark.parametrize("split", [split_votes, votes_by_trait])
def test_a_trait_that_nobody_has_is_answered_by_what_there_is(split):
    with pytest.raises(ContractError, match=r"the ballots have: \['annotator'\], got 'country'"):
        split(voted(kim="A", ann="B"), "country")
    nobody = load_comparisons([PAIR | dict(human_a=1, human_b=2)])
    with pytest.raises(ContractError, match="want ballots that say who voted, got 'annotator'"):
        split(nobody, "annotator")


def test_votes_can_be_split_by_annotator():
    parts = split_votes(voted(kim="A", ann="B"), "annotator")
    votes = {name: (part["human_a"][0], part["human_b"][0]) for name, part in parts.items()}
    assert votes == dict(kim=(1, 0), ann=(0, 1))
