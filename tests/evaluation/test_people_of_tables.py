"Matched slices and tables of labels cover people where these are named."

import numpy as np
import pandas as pd
import pytest

from plurality_nb.data.build import to_comparisons, with_columns
from plurality_nb.errors import ContractError
from plurality_nb.evaluation import tables
from plurality_nb.evaluation.bootstrap import MIN_GROUPS
from plurality_nb.evaluation.by_trait import audience_gains
from plurality_nb.evaluation.ceilings import estimate_ceilings
from plurality_nb.evaluation.comparison import compare_models
from plurality_nb.evaluation.contrast import contrast_gains
from plurality_nb.evaluation.correlation import correlate
from plurality_nb.evaluation.crowds import score_crowds
from plurality_nb.evaluation.labels import label_agreement, reliability_curve
from plurality_nb.evaluation.matching import match_slices
from plurality_nb.evaluation.scores import score_models
from plurality_nb.evaluation.tables import resampling_remark


def labelled(prompts=60, people=4, leaning=1.5, seed=0):
    "Scores of prompts and a label by each person, who lean to one of them."
    rng = np.random.default_rng(seed)
    wanted = rng.normal(size=prompts)
    lean = leaning * rng.normal(size=people)
    labels = rng.random((prompts, people)) < 1 / (1 + np.exp(-2 * wanted[:, None] - lean))
    scores = np.repeat(1 / (1 + np.exp(-2 * wanted)), people)
    names = np.tile([f"p{k}" for k in range(people)], prompts)
    return scores, labels.ravel().astype(float), np.repeat(np.arange(prompts), people), names


def test_named_labellers_widen_the_intervals_and_unnamed_ones_do_not():
    scores, labels, prompts, names = labelled()
    plain = label_agreement(scores, labels, prompts, n_boot=300)
    named = label_agreement(scores, labels, prompts, n_boot=300, people=names)
    np.testing.assert_allclose(named.value, plain.value)
    assert set(plain.resampled) == {"prompts"} and plain.people.isna().all()
    assert set(named.resampled) == {"prompts and people"} and set(named.people) == {4}
    assert (named.high - named.low >= plain.high - plain.low - 1e-12).all()
    errors = (named.high - named.low)["calibration_error"]
    assert errors > 1.3 * (plain.high - plain.low)["calibration_error"]


def test_a_new_labeller_for_each_label_is_covered_by_prompts():
    scores, labels, prompts, _ = labelled()
    names = np.arange(len(labels)).astype(str)
    plain = label_agreement(scores, labels, prompts, n_boot=100)
    named = label_agreement(scores, labels, prompts, n_boot=100, people=names)
    np.testing.assert_allclose(named[["low", "high"]], plain[["low", "high"]])
    assert set(named.resampled) == {"prompts and people"}


@pytest.mark.parametrize("lacking", ["some", "all", "one person"])
def test_names_that_are_missing_are_no_error(lacking):
    scores, labels, prompts, names = labelled()
    names = names.astype(object)
    if lacking == "some":
        names[::7] = None
    elif lacking == "all":
        names[:] = None
    else:
        names[:] = "ann"
    table = label_agreement(scores, labels, prompts, n_boot=100, people=names)
    assert np.isfinite(table[["low", "high"]].to_numpy()).all()
    assert set(table.resampled) == {"prompts and people" if lacking == "some" else "prompts"}
    assert np.isnan(table.people.iloc[0]) == (lacking != "one person")


def test_one_labeller_who_recurs_is_not_covered():
    scores, labels, prompts, names = labelled(20)
    names = np.arange(len(labels)).astype(str)
    names[prompts < 2] = "ann"  # on two prompts; everyone else on one
    table = label_agreement(scores, labels, prompts, n_boot=100, people=names)
    assert set(table.resampled) == {"prompts"} and np.isfinite(table.low).all()


def test_bins_cover_people_as_well():
    scores, labels, prompts, names = labelled(200)
    curve = reliability_curve(scores, labels, prompts, 3, n_boot=200, people=names)
    plain = reliability_curve(scores, labels, prompts, 3, n_boot=200)
    assert set(curve.resampled) == {"prompts and people"}
    assert (curve.high - curve.low > plain.high - plain.low).sum() >= 2
    with pytest.raises(ContractError, match="groups and people"):
        reliability_curve(scores, labels, prompts, people=names[:-1])


@pytest.mark.longest
@pytest.mark.slow
def test_intervals_of_labels_cover_the_truth_with_people():
    covered = {True: 0, False: 0}
    for seed in range(40):
        scores, labels, prompts, names = labelled(people=4, leaning=2.5, seed=seed)
        for named in covered:
            of = dict(people=names) if named else {}
            row = reliability_curve(scores, labels, prompts, 1, n_boot=200, **of).iloc[0]
            covered[named] += row.low <= 0.5 <= row.high
    assert covered[False] <= 24 and covered[True] >= 33


def crowds(people=5, leaning=0.8, n=240, seed=0):
    "Two slices, in one of which people are more decided; voters lean to the longer response."
    rng = np.random.default_rng(seed)
    lean = leaning * rng.normal(size=people)
    rows = []
    for i in range(n):
        wanted, length = rng.normal() * [1.5, 0.8][i % 2], rng.normal()
        chance = 1 / (1 + np.exp(-wanted - lean * length))
        cast = rng.random(people) < chance
        rows.append(
            dict(
                prompt=f"prompt {i // 4}",
                response_a=f"a{i}",
                response_b=f"b{i}",
                human_a=int(cast.sum()),
                human_b=int(people - cast.sum()),
                human_tie=0,
                ballots=[
                    dict(annotator=f"p{k}", vote="a" if of_a else "b")
                    for k, of_a in enumerate(cast)
                ],
                reward_a=float(wanted + length + 0.5 * rng.normal()),
                reward_b=0.0,
                seen=False,
                quadrant=["single_distinct", "plural_alike"][i % 2],
            )
        )
    return to_comparisons(rows)


def test_matched_slices_cover_people():
    ds = crowds()
    unnamed = with_columns(ds, ballots=[None] * len(ds))
    how = dict(n_boot=400, baselines=False, statistics=["spearman", "corrected"])
    named, plain = match_slices(ds, **how), match_slices(unnamed, **how)
    np.testing.assert_allclose(named.value, plain.value)
    np.testing.assert_allclose(named.gap, plain.gap)
    assert set(named.resampled) == {"prompts and people"} and set(named.people) == {5}
    assert set(plain.resampled) == {"prompts"} and (plain.panel_ratio > 0).all()
    wider = (named.high - named.low) / (plain.high - plain.low)
    assert (wider >= 1 - 1e-9).all() and wider.max() > 1.05
    np.testing.assert_allclose(wider.fillna(1), named.widened.fillna(1), rtol=0.2)
    assert resampling_remark(named) == "intervals cover prompts and 5 people"
    assert "wider by a factor" in resampling_remark(plain)


@pytest.mark.parametrize("n_boot", [0, 60])
def test_few_resamples_and_none_are_no_error(n_boot):
    table = match_slices(crowds(n=80), n_boot=n_boot, baselines=False)
    assert table.value.notna().all()
    assert set(table.resampled) == ({"prompts and people"} if n_boot else {""})
    assert (table.gap[table.quadrant == table.reference] == 0).all()


def test_a_person_adds_as_much_as_to_the_plain_correlation():
    ds = with_columns(crowds(), human_tie=[0] * 240)
    same = with_columns(ds, quadrant=["single_distinct"] * 120 + ["plural_alike"] * 120)
    how = dict(n_boot=400, baselines=False, statistics=["spearman"])
    plain = correlate(same, **how).set_index("quadrant")
    for row in match_slices(same, **how).itertuples():  # slices alike: weights near one
        assert row.value == pytest.approx(plain.value[row.quadrant], abs=0.03)
        assert row.widened == pytest.approx(plain.widened[row.quadrant], rel=0.3)


def test_a_person_without_whom_a_slice_is_gone_is_no_error(recwarn):
    ds = crowds(n=80)
    alone = [q == "plural_alike" for q in ds["quadrant"]]
    ballots = [
        [ballot for ballot in of if not lone or ballot["annotator"] == "p0"]
        for of, lone in zip(ds["ballots"], alone)
    ]
    cast = [[ballot["vote"] for ballot in of] for of in ballots]
    ds = with_columns(
        ds,
        ballots=ballots,
        human_a=[votes.count("a") for votes in cast],
        human_b=[votes.count("b") for votes in cast],
    )
    table = match_slices(ds, n_boot=100, baselines=False, statistics=["spearman"])
    assert set(table.quadrant) == {"single_distinct", "plural_alike"}
    assert not recwarn.list


@pytest.mark.parametrize("prompts", [MIN_GROUPS - 1, MIN_GROUPS])
def test_labels_of_few_prompts_say_nothing_of_intervals(prompts):
    scores, labels, groups, names = labelled(prompts)
    table = label_agreement(scores, labels, groups, n_boot=100, people=names)
    has_interval = prompts == MIN_GROUPS
    assert (table.low.notna() == has_interval).all()
    assert set(table.resampled) == ({"prompts and people"} if has_interval else {""})


@pytest.mark.parametrize(
    "prompts, n_boot", [(MIN_GROUPS - 1, 50), (MIN_GROUPS, 50), (MIN_GROUPS, 0)]
)
def test_gains_of_few_prompts_say_nothing_of_intervals(prompts, n_boot):
    rng = np.random.default_rng(0)
    losses = dict(group=np.repeat(np.arange(prompts), 4), annotator=np.tile(list("abcd"), prompts))
    losses |= dict(value=np.tile(list("xyxy"), prompts))
    losses |= {name: rng.random(4 * prompts) for name in ("whole_loss", "own_loss")}
    table = audience_gains(pd.DataFrame(losses), n_boot=n_boot)
    has_interval = prompts == MIN_GROUPS and n_boot > 0
    assert (table.low.notna() == has_interval).all()
    assert ((table.resampled != "") == has_interval).all()


def test_a_loss_that_is_missing_leaves_what_people_add_elsewhere():
    rng = np.random.default_rng(0)
    lean = np.repeat(rng.normal(size=4), 40)
    losses = pd.DataFrame(
        dict(
            group=np.tile(np.arange(40), 4),
            annotator=np.repeat(list("abcd"), 40),
            value=np.repeat(list("xxyy"), 40),
            whole_loss=rng.random(160) + lean,
            own_loss=rng.random(160) + lean,
        )
    )

    def of_x(losses):
        table = audience_gains(losses, n_boot=200)
        return table[(table.group_of_people == "x") & (table.model == "own")].iloc[0]

    whole = of_x(losses)
    losses.loc[159, "own_loss"] = np.nan  # of y
    assert of_x(losses).widened == whole.widened > 1.1


def crowded(fewest):
    "Scored pairs of two slices; those with one vote alone go with their voter."
    rng = np.random.default_rng(0)
    pairs, panel = 96, 7
    wanted = rng.normal(size=pairs)
    lean = rng.normal(size=panel)
    rows = []
    for pair in range(pairs):
        voters = rng.permutation(panel)[: rng.integers(fewest, 4)]
        strength = wanted[pair] + lean[voters] + rng.normal(size=len(voters))
        votes = ["tie" if abs(s) < 0.4 else "ab"[int(s < 0)] for s in strength]
        rows.append(
            dict(
                prompt=f"prompt {pair // 4}",
                response_a=f"one {pair}",
                response_b=f"other {pair}",
                human_a=votes.count("a"),
                human_b=votes.count("b"),
                human_tie=votes.count("tie"),
                ballots=[
                    dict(annotator=f"p{k}", vote=vote, traits={}) for k, vote in zip(voters, votes)
                ],
                kind=["easy", "hard"][pair % 2],
            )
        )
    ds = to_comparisons(rows)
    return with_columns(ds, reward_a=wanted + rng.normal(size=pairs), reward_b=np.zeros(pairs))


def compare(ds, by, n_boot):
    models = dict(mine=ds, other=with_columns(ds, reward_a=np.sin(np.arange(len(ds)))))
    return compare_models(models, by=by, baseline="other", n_boot=n_boot)


def contrast(ds, by, n_boot):
    models = dict(mine=ds, other=with_columns(ds, reward_a=np.sin(np.arange(len(ds)))))
    return contrast_gains(models, "other", by=by, focus=["hard"], n_boot=n_boot)


TABLES = [
    correlate,
    match_slices,
    score_models,
    score_crowds,
    estimate_ceilings,
    compare,
    contrast,
]


SOME_LEFT_OUT = [  # people who voted alone, or did not; pairs drawn with unequal chances, or not
    (1, True),
    pytest.param(1, False, marks=pytest.mark.slow),
    pytest.param(2, True, marks=pytest.mark.slow),
    pytest.param(2, False, marks=pytest.mark.slow),
]


@pytest.mark.parametrize("fewest, selected", SOME_LEFT_OUT)
@pytest.mark.parametrize("table_of", TABLES)
def test_people_left_out_together_are_people_left_out_one_by_one(
    table_of, fewest, selected, monkeypatch
):
    ds = crowded(fewest)
    if selected:
        ds = with_columns(ds, inclusion=np.where(np.arange(len(ds)) % 3, 0.2, 0.9))
    together = table_of(ds, "kind", n_boot=50)
    monkeypatch.setattr(tables, "_copies_at_once", lambda pairs: 1)
    one_by_one = table_of(ds, "kind", n_boot=50)
    assert (together.widened > 1.01).any()
    numbers = together.select_dtypes("number").columns
    np.testing.assert_allclose(together[numbers], one_by_one[numbers], rtol=1e-9, atol=1e-12)


def test_slices_of_usual_size_are_copied_several_times():
    assert [tables._copies_at_once(pairs) for pairs in (15, 500, 5000)] == [46, 8, 1]
