"For whom a model predicts votes worst."

import json

import numpy as np
import pandas as pd
import pytest

from plurality_nb.data.build import number_column, with_columns
from plurality_nb.data.sample import load_sample
from plurality_nb.data.saving import save_comparisons
from plurality_nb.errors import ContractError
from plurality_nb.evaluation.groups import score_groups, worst_groups
from plurality_nb.simulation.population import Camp, Population, true_shares
from plurality_nb.simulation.users import simulate_votes

CAMPS = dict(many=(0.5, 0.5, 0.5, 0, 0), few=(-0.5, -0.5, -0.5, 0, 0))


def crowd_of(weights):
    camps = (Camp(CAMPS[name], weight, 0.1, name) for name, weight in weights.items())
    return Population(camps=tuple(camps))


def predicting(voted, population):
    shares = true_shares(voted, population)
    columns = {f"prob_{outcome}": shares[:, k] for k, outcome in enumerate(["a", "b", "tie"])}
    rewards = dict(reward_a=shares[:, 0] - shares[:, 1], reward_b=np.zeros(len(voted)))
    return with_columns(voted, **columns, **rewards)


@pytest.fixture(scope="module")
def voted():
    return simulate_votes(load_sample(), crowd_of(dict(many=0.8, few=0.2)), n=10, ballots=True)


@pytest.mark.parametrize("served, missed", [("many", "few"), ("few", "many")])
def test_who_is_not_served_is_found(served, missed, voted):
    models = {"of one camp": predicting(voted, crowd_of({served: 1.0}))}
    worst = worst_groups(score_groups(models, "camp", ["crowd_log_loss"], n_boot=100))
    assert worst.group_of_people.tolist() == [missed]
    assert worst.groups_compared.tolist() == [2]
    assert worst.low[0] < worst.value[0] < worst.high[0]


def test_a_group_alone_is_scored_by_its_own_votes(voted):
    model = predicting(voted, crowd_of(dict(many=0.8, few=0.2)))
    scores = score_groups(model, "camp", ["crowd_log_loss"], n_boot=0)
    probabilities = np.stack([number_column(model, f"prob_{o}") for o in ("a", "b", "tie")], 1)
    for camp in CAMPS:
        losses = []
        for ballots, chances in zip(voted["ballots"], probabilities, strict=True):
            cast = [b["vote"] for b in ballots if b["traits"][0]["value"] == camp]
            if cast:
                logs = dict(zip(("a", "b", "tie"), np.log(chances), strict=True))
                losses.append(-np.mean([logs[vote] for vote in cast]))
        own = scores[(scores.group_of_people == camp) & (scores.model == "model")]
        assert own.value.item() == pytest.approx(np.mean(losses), rel=1e-3)


@pytest.mark.parametrize("statistic, worst", [("crowd_error", max), ("tied_auroc", min)])
def test_the_worst_is_the_largest_error_or_the_smallest_area(statistic, worst, voted):
    model = predicting(voted, crowd_of(dict(many=0.8, few=0.2)))
    scores = score_groups(model, "camp", [statistic], n_boot=50)
    values = scores[scores.model == "model"].value
    assert worst_groups(scores).value.tolist() == [worst(values)]


def test_too_few_predicted_ties_are_as_bad_as_too_many():
    rows = [("many", 0.1), ("few", -0.4), ("others", 0.3)]
    columns = ["group_of_people", "value"]
    scores = pd.DataFrame(rows, columns=columns).assign(
        low=lambda table: table.value - 0.1, model="m", statistic="tie_calibration"
    )
    assert worst_groups(scores).group_of_people.tolist() == ["few"]


@pytest.mark.parametrize("trait", ["country", "annotator", ""])
def test_a_trait_that_nobody_has_is_named(trait, voted):
    with pytest.raises(ContractError, match=r"`trait`: want a trait that the ballots have"):
        score_groups(predicting(voted, crowd_of(dict(many=1.0))), trait)


def test_groups_from_a_shell(command_line, monkeypatch, tmp_path, voted):
    monkeypatch.chdir(tmp_path)
    save_comparisons(predicting(voted, crowd_of(dict(many=1.0))), "mine.parquet")
    line = "correlate mine.parquet --by none --n-boot 50 --groups".split()
    code, out, err = command_line(*line, "camp")
    assert code == 0, err
    assert "mine: worst for camp=few" in out
    code, out, err = command_line(*line, "camp", "--json")
    groups = {row["group_of_people"] for row in json.loads(out)["groups"]}
    assert groups == {"many", "few"}
    code, _, err = command_line(*line, "age")
    assert code == 1
    assert "--groups" in err
