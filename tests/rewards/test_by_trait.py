"Probes that know a trait of the voters, scored on people and prompts that they were not trained on."

import json
import logging
from dataclasses import replace

import numpy as np
import pytest
import torch

from plurality_nb.data.build import number_column, with_columns
from plurality_nb.data.orientation import swap_sides
from plurality_nb.data.saving import save_comparisons
from plurality_nb.errors import ContractError
from plurality_nb.evaluation.by_trait import audience_gains
from plurality_nb.rewards import conditioning
from plurality_nb.rewards.conditioning import Penalties, WholeCrowd, fit_audiences
from plurality_nb.rewards.ensemble import train_ensemble
from plurality_nb.rewards.model import RewardModel, score
from plurality_nb.rewards.new_people import audience_losses
from plurality_nb.rewards.probe import train_probe
from plurality_nb.rewards.probe_model import ProbeInputs
from plurality_nb.simulation.population import opposite_camps
from plurality_nb.simulation.trials import simulated_comparisons, trial_population
from plurality_nb.simulation.users import simulate_votes
from plurality_nb.votes.audience import VotesByTrait, leave_out_people, votes_by_trait

pytestmark = pytest.mark.usefixtures("one_thread", "reading")
HOW = dict(votes="human", max_steps=25, progress=False)


def made_inputs(ds, encoder=None, progress=True):
    "Numbers instead of embeddings."
    sides = (3 * np.array(ds[f"features_{side}"][:]) for side in "ab")
    return ProbeInputs(*(torch.from_numpy(x.astype(np.float32)) for x in sides))


@pytest.fixture(scope="module")
def reading():
    with pytest.MonkeyPatch.context() as patch:
        for module in ("probe", "probe_model", "new_people"):
            patch.setattr(f"plurality_nb.rewards.{module}.probe_inputs", made_inputs)
        patch.setattr(conditioning, "_PENALTIES", [100.0, 10.0, 1.0])
        yield


def voted_world(weight=0.5, people=40, prompts=50):
    "Pairs on which users of two camps voted, of whom one likes what the other dislikes."
    tastes = tuple((-1) ** k for k in range(6))
    crowd = trial_population(camps=opposite_camps(weight, mean=tastes, spread=0.3))
    pairs = simulated_comparisons(prompts, 2, crowd, plural=1.0, blur=0.05)
    return simulate_votes(pairs, crowd.panel(people), 5, ballots=True)


def with_trait(ds, value_of):
    "The same ballots with another trait, by the voter's name."
    ballots = [
        [
            b | dict(traits=[*b["traits"], dict(name="team", value=value_of(b["annotator"]))])
            for b in of_pair
        ]
        for of_pair in ds["ballots"]
    ]
    return with_columns(ds, ballots=ballots)


@pytest.fixture(scope="module")
def world():
    return voted_world()


@pytest.fixture(scope="module")
def model(world, reading):
    return train_probe(world, "votes", by_trait="camp", **HOW)


def differences(scored):
    return number_column(scored, "reward_a") - number_column(scored, "reward_b")


def test_new_people_of_a_camp_are_predicted_better_on_new_prompts(world):
    how = dict(folds=2, max_steps=25, progress=False)
    losses = audience_losses(world, "camp", "votes", **how)
    assert len(losses) == 5 * len(world) and losses.notna().all(axis=None)
    gains = audience_gains(losses, n_boot=300).set_index(["group_of_people", "model"])
    for part in ("overall", "majority", "minority"):
        assert gains.low[part, "gain"] > 0
    assert gains.people["overall", "gain"] == 40
    assert gains.resampled["overall", "gain"] == "prompts and people"
    assert gains.value["worst", "gain"] > 0.02


def test_a_trait_that_says_nothing_does_no_harm(world):
    objective = "ties"
    dealt = np.random.default_rng(0).permutation(40) % 2
    teams = with_trait(world, lambda name: f"team {dealt[int(name.split()[1])]}")
    model = train_probe(teams, objective, by_trait="team", **HOW)
    whole = train_probe(teams, objective, **HOW)
    record = model.settings["by_trait"]
    assert record["own_loss"] - record["whole_loss"] < 0.002
    both = [m.score(teams, progress=False) for m in (whole, model)]
    np.testing.assert_allclose(differences(both[0]), differences(both[1]), atol=1e-6)


@pytest.mark.parametrize("objective", ["votes", "bt", "ties", "categorical", "crowd"])
def test_a_probe_by_trait_is_saved_and_scores_for_those_asked(objective, tmp_path, world):
    majority = number_column(world, "human_a") > number_column(world, "human_b")
    pairs = with_columns(world, label=majority * 1.0, label_source=["majority"] * len(world))
    model = train_probe(pairs, objective, by_trait="camp", folds=2, **HOW)
    loaded = RewardModel.load(model.save(tmp_path / "mine"))
    assert loaded.audiences.people == model.audiences.people
    whole = score(pairs, loaded, progress=False)
    for camp in ("majority", "minority"):
        scored = score(pairs, loaded, progress=False, audience=f"camp={camp}")
        again = model.for_audience(dict(camp=camp)).score(pairs, progress=False)
        np.testing.assert_allclose(differences(scored), differences(again), atol=1e-5)
        assert np.abs(differences(scored) - differences(whole)).max() > 1e-3
        predicts = np.isfinite(number_column(scored, "prob_tie"))
        assert predicts.all() == (objective in ("ties", "categorical", "crowd"))
        turned = score(swap_sides(pairs), loaded, progress=False, audience=f"camp={camp}")
        np.testing.assert_allclose(differences(turned), -differences(scored), atol=1e-4)
    own = RewardModel.load(loaded.for_audience("camp=minority").save(tmp_path / "own"))
    assert own.name.endswith("for camp=minority") and own.audiences is None


@pytest.mark.parametrize("objective", ["ties", "categorical", "crowd"])
def test_an_audience_that_ties_more_is_predicted_more_ties(objective, world, model):
    ties = train_probe(world, objective, **HOW)
    ties.audiences = replace(model.audiences)
    model = ties
    offsets = model.audiences
    n = len(offsets.values)
    offsets.ties, offsets.spreads = torch.full((n,), 0.8), torch.full((n,), -0.5)
    offsets.weights = torch.zeros(n, len(model.probe.mean))
    rare = score(world, model, progress=False)
    often = score(world, model.for_audience("camp=majority"), progress=False)
    assert number_column(often, "prob_tie").mean() > 1.2 * number_column(rare, "prob_tie").mean()


def test_a_value_of_few_people_falls_back_to_the_whole_crowd(world, caplog):
    few = with_trait(world, lambda name: "rare" if name in ("user 1", "user 2") else "usual")
    model = train_probe(few, "votes", by_trait="team", **HOW)
    with caplog.at_level(logging.WARNING):
        scored = score(few, model, progress=False, audience="team=rare")
    assert "team=rare (2 people who voted): the scores are the whole crowd's" in caplog.text
    whole = score(few, model, progress=False)
    np.testing.assert_array_equal(differences(scored), differences(whole))


@pytest.mark.parametrize("audience", ["camp=left", "age=7", dict(camp="MAJORITY")])
def test_an_unknown_audience_is_told_those_known(audience, model, world):
    with pytest.raises(ContractError, match=r"camp= and one of: m[ai]"):
        score(world, model, progress=False, audience=audience)


@pytest.mark.parametrize("other", ["random", "longer response"])
def test_models_without_a_trait_say_so(other, world):
    with pytest.raises(ContractError, match="by_trait"):
        score(world, other, audience="camp=majority")
    with pytest.raises(ContractError, match="by_trait"):
        train_probe(world, "votes", **HOW).for_audience("camp=majority")


@pytest.mark.parametrize(
    "settings, wanted",
    [
        (dict(by_trait="age"), r"\['annotator', 'camp'\], got 'age'"),
        (dict(by_trait="camp", votes="judge", objective="crowd"), "'human'"),
    ],
)
def test_wrong_traits_stop_before_the_work(settings, wanted, world):
    judged = with_columns(world, **{f"judge_{k}": number_column(world, f"human_{k}") for k in "ab"})
    judged = with_columns(judged, judge_tie=[0.0] * len(judged))
    with pytest.raises(ContractError, match=wanted):
        train_probe(judged, **dict(HOW, objective="votes") | settings)


@pytest.mark.parametrize("wrong", ["values", "people", "trait"])
def test_a_broken_folder_is_named(wrong, model, tmp_path):
    path = model.save(tmp_path / "mine") / "config.json"
    config = json.loads(path.read_text())
    config[wrong] = config[wrong][:1] if wrong != "trait" else 3
    path.write_text(json.dumps(config))
    with pytest.raises(ContractError, match=r"weights of a probe|another kind of `trait`"):
        RewardModel.load(path.parent)


def test_an_ensemble_is_not_trained_by_trait(world):
    with pytest.raises(ContractError, match="`by_trait`: want one probe"):
        train_ensemble(world, "votes", by_trait="camp", **HOW)


def made_crowd(people, votes_each=4, seed=0):
    "Votes on pairs whose second feature the people of the south dislike."
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(200, 4)) / 2
    outputs = torch.tensor(np.stack([x[:, 0], 0 * x[:, 0]])[None]).float()
    group = np.arange(200) % 40
    whole = WholeCrowd(
        "votes", 0.5, outputs, torch.tensor(x).float(), torch.eye(4)[0], group % 5, group
    )
    person = np.repeat(np.arange(people), votes_each)
    pair = rng.integers(200, size=len(person))
    sign = np.where(person % 2, -1, 1)
    is_b = rng.random(len(pair)) > 1 / (1 + np.exp(-x[pair, 0] - 3 * sign * x[pair, 1]))
    return whole, VotesByTrait(
        pair, person, person % 2, is_b * 1, ["north", "south"], list(map(str, range(people)))
    )


def test_fewer_people_are_shrunken_more(monkeypatch):
    monkeypatch.setattr(conditioning, "_PENALTIES", [10.0])
    sizes = []
    for people in (20, 60, 400):
        whole, votes = made_crowd(people)
        crowd = conditioning._crowd_of(whole, cast := conditioning._Cast(*votes[:4], 2, False))
        offsets = conditioning._fit_offsets(crowd, cast, Penalties(10.0, 10.0))
        sizes.append(float(offsets[:, 1:].norm()))
    assert sizes[0] < sizes[1] < sizes[2]


def test_many_votes_of_few_people_count_as_few():
    whole, votes = made_crowd(10, votes_each=200)
    crowd = conditioning._crowd_of(whole, cast := conditioning._Cast(*votes[:4], 2, False))
    of_few = conditioning._fit_offsets(crowd, cast, Penalties(10.0, 10.0))
    alone = conditioning._fit_offsets(
        crowd, conditioning._Cast(*votes[:4], 2, True), Penalties(10.0, 10.0)
    )
    assert of_few[:, 1:].norm() < alone[:, 1:].norm() / 2


def test_each_annotator_may_be_a_value(world):
    fit = train_probe(world, "votes", by_trait="annotator", **HOW)
    record = fit.settings["by_trait"]
    assert len(fit.audiences.values) == 40 and set(fit.audiences.people) == {1}
    assert record["whole_loss"] - record["own_loss"] > record["gain_error"]
    assert fit.for_audience("annotator=user 3").name == "votes for annotator=user 3"


@pytest.mark.parametrize("named", [True, False])
def test_people_are_left_out_with_or_without_names(named, world):
    ballots = world["ballots"][:]
    if not named:
        ballots = [[b | dict(annotator=None) for b in of_pair] for of_pair in ballots]
    ds = with_columns(world, ballots=ballots)
    votes = votes_by_trait(ds, "camp")
    assert len(votes.names) == (40 if named else 5 * len(ds))
    out = set(votes.names[:7])
    left = votes_by_trait(leave_out_people(ds, out), "camp")
    kept = [votes.names[person] not in out for person in votes.person]
    assert len(left.pair) == sum(kept)
    np.testing.assert_array_equal(left.outcome, votes.outcome[kept])
    totals = sum(
        np.nan_to_num(number_column(leave_out_people(ds, out), f"human_{k}")) for k in "ab"
    )
    assert totals.sum() == (left.outcome < 2).sum()


def test_nobody_has_enough_people(caplog):
    whole, votes = made_crowd(4)
    fit = fit_audiences(whole, votes, "region")
    assert fit.audiences.differs == [False, False] and "no value has 5 people" in caplog.text


def test_by_trait_from_the_shell(world, monkeypatch, tmp_path, command_line):
    monkeypatch.chdir(tmp_path)
    save_comparisons(world, "voted.parquet")
    train = "train voted.parquet --objective votes --votes human --by-trait"
    code, out, err = command_line(*f"{train} camp --out mine".split())
    assert code == 0, err
    assert "people and prompts held out" in out and "worst: m" in out
    rows = "score voted.parquet --model mine"
    code, _, err = command_line(*f"{rows} --for camp=minority --out own.parquet".split())
    assert code == 0, err
    note = json.loads((tmp_path / "own.parquet.json").read_text())["settings"]["score"]
    assert note["settings"]["audience"] == "camp=minority" and note["model"].endswith("minority")
    for line, status, said in [
        (f"{rows} --for camp=left --out x.parquet", 1, "`--for`: want camp= and one of: m"),
        (f"{rows} --for minority --out x.parquet", 1, "`--for`: want one trait and its value"),
        ("score voted.parquet --model random --for camp=x --out x.parquet", 1, "--by-trait"),
        (f"{train} age --out x", 1, "`--by-trait`: want one that the ballots have"),
        (f"{train} camp --ensemble 3 --out x", 2, "got an ensemble"),
        (f"{train} camp --model base --out x", 2, "got a full model"),
    ]:
        code, _, err = command_line(*line.split())
        assert code == status and said in " ".join(err.split()), err
    assert not list(tmp_path.glob("x*"))
