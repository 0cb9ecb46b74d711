"What is wrong with a command is said before its long work: nothing is scored, trained or measured."

import pytest

import plurality_nb as pn
from plurality_nb.data.build import with_columns
from plurality_nb.data.sample import load_sample
from plurality_nb.data.saving import save_comparisons
from plurality_nb.rewards import model as rewards
from plurality_nb.simulation.users import sample_population, simulate_votes
from plurality_nb.studies import evaluate, measure


@pytest.fixture
def no_work(monkeypatch):
    "Long work raises."

    def long_work(*args, **kwargs):
        raise AssertionError("long work was begun")

    monkeypatch.setattr(evaluate.RewardModel, "load", long_work)
    monkeypatch.setattr(evaluate, "label_taxonomy", long_work)
    monkeypatch.setitem(measure._MAKERS, "correlation", long_work)


@pytest.fixture
def files(run, tmp_path):
    "People's votes as a file, the folder of a probe in name, and two scored files."
    ds = simulate_votes(load_sample().select(range(40)), sample_population(), 5)
    save_comparisons(ds, "people.parquet")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text('{"kind": "probe", "name": "mine"}')
    for name, flip in [("one", 1), ("two", -1)]:
        numbers = [float(k % 7) * flip for k in range(40)]
        scored = with_columns(ds, reward_a=numbers, reward_b=numbers[::-1], seen=[False] * 40)
        save_comparisons(scored, f"{name}.parquet", dict(score=dict(model=name, settings={})))


@pytest.mark.parametrize(
    "options, message",
    [
        ("--baseline nobody", "`--baseline`: want one of ['mine', 'longer response', 'random']"),
        ("--baseline judge", "`--baseline`: want one of"),
        ("--by mood", "`--by`: want a column of the data"),
        ("--focus nowhere", "`--focus`: want some slices"),
        ("--focus plural_alike --by none", "`--focus`: want slices of the pairs"),
        ("--votes judge", "want votes to measure against"),
        ("--bound 0", "`--bound`"),
        ("--model nowhere", "got 'nowhere'. No such folder here"),
        ("--model min", "got 'min'. Did you mean 'mine'?"),
        ("--model ./nowhere", "no such folder"),
        ("--model user/no--name", "no name that the Hub allows"),
    ],
)
def test_a_report_is_refused_before_a_model_is_loaded(run, files, no_work, options, message):
    code, _, err = run(*"report people.parquet --model mine --out r.html".split(), *options.split())
    assert code == 1 and message in err, err


@pytest.mark.parametrize("command", ["correlate", "report"])
@pytest.mark.parametrize(
    "options, message",
    [
        ("--baseline nobody", "`--baseline`: want one of ['one', 'two', 'longer response'"),
        ("--by mood", "`--by`: want a column of text"),
        ("--by none --focus nowhere", "`--focus`: want slices of the pairs"),
        ("--by source --focus nowhere", "`--focus`: want some slices"),
        ("--votes judge", "want pairs with judge votes"),
    ],
)
def test_scored_files_are_refused_before_they_are_measured(
    run, files, no_work, command, options, message
):
    code, _, err = run(command, "one.parquet", "two.parquet", *options.split())
    assert code == 1 and message in err, err


def test_groups_are_named_as_the_option_is(run, files, no_work, monkeypatch):
    code, _, err = run("correlate", "one.parquet", "--by", "none", "--groups", "country")
    assert code == 1 and "`--groups`: want a trait that the ballots have" in err, err


@pytest.mark.parametrize("model", ["nowhere", "./nowhere", "user/no--name"])
def test_a_model_is_looked_for_before_data_are_read(run, files, no_work, model):
    code, _, err = run("score", "people.parquet", "--model", model, "--out", "s.parquet")
    assert code == 1 and err.startswith("error: `--model`: want"), err


@pytest.mark.parametrize("name", ["random", "longer response"])
def test_baselines_need_no_folder(name):
    assert rewards.find_model(name) == name


def test_what_is_left_out_is_said_once(run, caplog):
    "The check looks at the same rows as the tables, which say what is left out of them."
    ds = simulate_votes(load_sample().select(range(20)), sample_population(), 5)
    numbers = [None, *map(float, range(19))]
    scored = with_columns(ds, reward_a=numbers, reward_b=numbers[::-1], seen=[False] * 20)
    save_comparisons(scored, "part.parquet")
    code, _, err = run("correlate", "part.parquet", "--by", "none", "--n-boot", "0")
    assert code == 0 and caplog.text.count("left out of") == 1, err


@pytest.mark.parametrize(
    "command, message",
    [
        ("stand-in one.parquet", "by `plurality vote`"),
        ("correlate one.parquet --votes judge", "by `plurality vote`"),
        ("correlate bare.parquet", "`--votes judge`"),
    ],
)
def test_votes_that_are_wanted_come_with_the_command_that_gets_them(run, files, command, message):
    bare = pn.load_comparisons("one.parquet", merge=False)
    bare = with_columns(bare, **{f"human_{o}": [None] * 40 for o in ("a", "b", "tie")})
    save_comparisons(bare, "bare.parquet")
    code, _, err = run(*command.split())
    assert code == 1 and "none of 40 (40 unvoted)" in err and message in err, err
    assert "score all rows" not in err.casefold()
