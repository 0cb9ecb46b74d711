"What a study refuses before its first step: names that leave its folder, and what cannot work."

import contextlib
import json
import random
import re
from pathlib import Path

import pytest

from plurality_nb.data.build import to_comparisons
from plurality_nb.data.loading import load_comparisons
from plurality_nb.data.sample import load_sample
from plurality_nb.data.saving import save_comparisons
from plurality_nb.errors import ContractError
from plurality_nb.simulation.users import annotate, sample_population, simulate_votes
from plurality_nb.studies.config import Pairs, load_study
from plurality_nb.studies.run import StudyError, plan_study, run_study
from plurality_nb.studies.stages import Job, Session, load_pairs, load_people
from plurality_nb.studies.steps import study_steps

TEXT = """
pairs = [{data = "pairs.parquet"}]
people = [{data = "people.parquet", name = "people"}]
[[ways]]
name = "keen"
[[arms]]
objective = "margin"
[training]
settings = {max_steps = 5}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    crowd, sample = sample_population(), load_sample().select(range(60))
    save_comparisons(annotate(sample.select(range(40)), crowd), tmp_path / "pairs.parquet")
    save_comparisons(
        simulate_votes(sample.select(range(30, 60)), crowd, 5), tmp_path / "people.parquet"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def study_of(folder, text):
    (folder / "study.toml").write_text(text)
    return load_study(folder / "study.toml")


@pytest.mark.parametrize(
    "name",
    [
        "..",
        ".",
        "a/../../b",
        "/etc/x",
        "..\\\\b",
        "~",
        ".hidden",
        "a.",
        "a ",
        " a",
        "con",
        "NUL.x",
        "x" * 200,
        "a\\nb",
    ],
)
def test_names_that_leave_the_folder_are_refused(folder, name):
    for old, new in [
        ('name = "keen"', f'name = "{name}"'),
        ('name = "people"', f'name = "{name}"'),
        ('objective = "margin"', f'objective = "margin"\nname = "{name}"'),
    ]:
        before = sorted(folder.parent.iterdir())
        with pytest.raises(ContractError, match="`name`: want"):
            study_of(folder, TEXT.replace(old, new))
        assert sorted(folder.parent.iterdir()) == before


@pytest.mark.parametrize("first, second", [("keen", "Keen"), ("a b", "a_b"), ("é", "É")])
def test_names_of_one_file_are_refused(folder, first, second):
    ways = f'[[ways]]\nname = "{first}"\n[[ways]]\nname = "{second}"\n'
    with pytest.raises(ContractError, match="a name of its own"):
        study_of(folder, TEXT.replace('[[ways]]\nname = "keen"\n', ways))


def test_steps_that_would_write_one_file_are_refused(folder):
    ways = '[[ways]]\nname = "a"\n[[ways]]\nname = "a-people"\n'
    study = study_of(folder, TEXT.replace('[[ways]]\nname = "keen"\n', ways))
    for act in (plan_study, run_study):
        with pytest.raises(ContractError, match="different files"):
            act(study, folder / "out", progress=False)
    assert not (folder / "out").exists()


def test_a_name_that_was_changed_later_stays_inside(folder):
    study = study_of(folder, TEXT)
    study.ways[0].name = "../../away"
    with pytest.raises(ContractError, match="stays in the folder"):
        run_study(study, folder / "out", progress=False)


PROBLEMS = [
    ('data = "pairs.parquet"', 'data = "gone.parquet"', "No such file here"),
    ('data = "pairs.parquet"', 'data = "pairs.parquet", columns = {chosen = "good"}', "good"),
    ('name = "people"}', 'name = "people", min_votes = 50}', "votes of people or more"),
    ('name = "keen"', 'name = "keen"\nmodel = "oracle"', "`judge`: want one of"),
    ('name = "keen"', 'name = "keen"\nmodel = "recorded:gone.csv"', "No such file here"),
    ('name = "keen"', 'name = "keen"\nmodel = "chat:m"\nsettings = {tepid = 1}', "`tepid`"),
    ('name = "keen"', 'name = "keen"\nmodel = "local:./gone"', "No such folder here"),
    ("max_steps = 5", "max_stpes = 5", "`max_stpes`"),
    ("[training]", '[[references]]\nmodel = "./gone"\n[training]', "No such folder here"),
]


@pytest.mark.parametrize("old, new, why", PROBLEMS)
def test_a_dry_run_finds_what_the_run_would_find(folder, command_line, old, new, why):
    assert old in TEXT
    study = study_of(folder, TEXT.replace(old, new))
    plan = plan_study(study, folder / "out", progress=False)
    problems = [problem for problem in plan.problem if problem]
    assert problems and all(why in problem for problem in problems)
    with pytest.raises(StudyError, match=why.replace("`", ".")):
        run_study(study, folder / "out", progress=False)
    code, out, err = command_line(
        "study", "run", "study.toml", "--out", "out", "--dry-run", "--json"
    )
    assert code == 1 and "would fail: " in err and why in err
    assert [step["problem"] for step in json.loads(out) if step["problem"]] == problems


def test_a_dry_run_finds_files_of_others(folder):
    (folder / "out").mkdir()
    (folder / "out" / "summary.csv").write_text("mine")
    with pytest.raises(ContractError, match="not made by this study"):
        plan_study(study_of(folder, TEXT), folder / "out", progress=False)


def mutated(text, rng):
    "JSON or TOML that somebody has damaged."
    where = rng.randrange(len(text))
    return [
        text[:where],
        text[:where] + text[where + 1 :],
        text.replace("{", "[", 1).replace("}", "]", 1),
        "[]",
        "{}",
        "null",
        '{"settings": [], "inputs": 3}',
        '{"settings": {}, "inputs": {}, "hash": 3}',
    ][rng.randrange(8)]


def test_damaged_notes_and_files_give_the_own_error_and_delete_nothing(folder):
    study = study_of(folder, TEXT)
    run_study(study, folder / "out", only="margins", progress=False)
    rng = random.Random(0)
    notes = [p for p in (folder / "out").rglob("*.json")]
    for number in range(6):
        note = rng.choice(notes)
        text = note.read_text()
        note.write_text(mutated(text, rng))
        before = {
            p: p.read_bytes()
            for p in (folder / "out").rglob("*")
            if p.is_file() and p.suffix != ".json"
        }
        try:
            if number % 5:
                plan_study(study, folder / "out", progress=False)
            else:
                run_study(study, folder / "out", only="margins", progress=False)
        except (ContractError, StudyError) as error:
            assert not re.search(r"(Key|Type|Attribute)Error", str(error)), error
        after = {p for p in (folder / "out").rglob("*") if p.is_file()}
        assert set(before) <= after
        note.write_text(text)


def test_a_file_that_was_changed_is_not_built_upon(folder):
    study = study_of(folder, TEXT)
    run_study(study, folder / "out", only="votes", progress=False)
    votes = folder / "out" / "votes" / "keen.parquet"
    votes.write_bytes(votes.read_bytes()[:-4] + b"PAR2")
    with pytest.raises(Exception, match="changed") as failure:
        run_study(study, folder / "out", only="margins", progress=False)
    assert isinstance(failure.value, ContractError | StudyError)
    assert votes.name in str(failure.value)


@pytest.mark.parametrize("seed", range(30))
def test_damaged_settings_name_their_file_or_key(folder, seed):
    rng = random.Random(seed)
    lines = TEXT.splitlines()
    line = rng.randrange(len(lines))
    lines[line] = rng.choice(
        [
            "[[",
            "people = 3",
            "pairs = {}",
            "seeds = ['a']",
            "way = 1",
            "= 2",
            "\x00",
            "[judge]\nvotes = 'ten'",
            "arms = [1]",
            "[statistics]\nlevel = true",
        ]
    )
    with contextlib.suppress(ContractError):
        study_of(folder, "\n".join(lines))


def test_a_missing_study_is_said_first(folder):
    with pytest.raises(ContractError, match=r"FileNotFoundError|No such file"):
        load_study(Path("gone.toml"))


@pytest.mark.parametrize("near", [True, False])
def test_a_study_leaves_out_near_duplicates_of_its_evaluation(near, folder, caplog):
    texts = ["I have two eggs and flour. What can I cook for my friends tonight?", "Name a prime."]
    changed = texts[0].replace("friends", "guests")

    def save(name, prompts):
        rows = [dict(prompt=p, response_a="Yes", response_b="No", label=1) for p in prompts]
        save_comparisons(to_comparisons(rows), folder / name)

    save("people.parquet", texts)
    save("pairs.parquet", [texts[1].upper(), changed, "Name a town."])
    study = study_of(folder, f"exclude_near = {str(near).lower()}\n{TEXT}")
    step = next(s for s in study_steps(study) if s.make is load_pairs)
    assert step.settings["exclude_near"] is near and Pairs(data="x").group_by is None
    session = Session(study, "votes.sqlite", progress=False)
    inputs = {"load people/people": folder / "people.parquet"}
    account = load_pairs(Job(folder / "fresh.parquet", inputs, session), step.settings)
    assert (account["excluded"], account["excluded_near"]) == ((2, 1) if near else (1, 0))
    assert ("near-duplicates" in caplog.text) is near


VOTES = ["kim,links,swapped", "kim,rechts,swapped", "ann,links,original", "gpt-4,links,original"]


@pytest.mark.parametrize(
    "keep, votes", [("", (1, 1)), ('repeats = "first"', (1, 1)), ('repeats = "all"', (1, 2))]
)
def test_a_study_reads_votes_as_other_commands_do(keep, votes, folder):
    lines = [f"Tea?,Yes,No,{vote}" for vote in VOTES]
    header = "prompt,response_a,response_b,wer,urteil,order"
    (folder / "votes.csv").write_text("\n".join([header, *lines]))
    source = f"""
[[people]]
data = "votes.csv"
name = "people"
format = "votes_long"
columns = {{vote = "urteil", annotator = "wer", shown_turned = "order"}}
vote_words = {{links = "a", rechts = "b"}}
judges = ["gpt-4"]
{keep}
"""
    head, _, rest = TEXT.partition('people = [{data = "people.parquet", name = "people"}]')
    study = study_of(folder, f"{head}{source}{rest}")
    step = next(s for s in study_steps(study) if s.make is load_people)
    assert ("repeats" in step.settings) == bool(keep) and step.settings["judges"] == ["gpt-4"]
    load_people(
        Job(folder / "x.parquet", {}, Session(study, "v.sqlite", progress=False)), step.settings
    )
    row = load_comparisons(folder / "x.parquet", merge=False)[0]
    assert row["judge_a"] == 1 and sum(row[f"human_{o}"] or 0 for o in ("a", "b")) == sum(votes)


def test_settings_of_votes_that_are_not_given_leave_steps_as_they_were(folder):
    for step in study_steps(study_of(folder, TEXT)):
        assert not {"repeats", "judges", "annotators_are", "vote_words"} & step.settings.keys()
