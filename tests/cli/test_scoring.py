"Scoring, training and labelling from a shell: rows that a model cannot read, and several processes."

import json
import re

import numpy as np
import pytest
from small_models import CHAT, small_model, small_tokenizer

from plurality_nb.data.arrow import take
from plurality_nb.data.loading import load_comparisons
from plurality_nb.data.sample import load_sample
from plurality_nb.data.saving import save_comparisons
from plurality_nb.simulation.users import sample_population, simulate_votes

ROWS = [
    dict(prompt="How do I boil rice?", chosen="Two cups of water.", rejected="In the oven."),
    dict(
        prompt=[
            dict(role="system", content="Be brief."),
            dict(role="user", content="What is a haiku?"),
        ],
        chosen="Three lines.",
        rejected="A fish.",
    ),
    dict(prompt="Name a river.", chosen="The Nile.", rejected="The Moon."),
]
NO_SYSTEM = (
    "{% if messages[0]['role']=='system' %}{{ raise_exception('System role not supported') }}"
    "{% endif %}"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    "A model whose template takes no system prompt, and rows with one."
    folder = tmp_path_factory.mktemp("scoring")
    tokenizer = small_tokenizer()
    tokenizer.chat_template = NO_SYSTEM + CHAT
    tokenizer.save_pretrained(folder / "model")
    small_model("Llama").save_pretrained(folder / "model")
    rows = [
        r | dict(prompt=[dict(role="user", content=r["prompt"])])
        if isinstance(r["prompt"], str)
        else r
        for r in ROWS
    ]
    for name, part in dict(rows=rows, system=[rows[1]]).items():
        lines = "".join(json.dumps(row) + "\n" for row in part)
        (folder / f"{name}.jsonl").write_text(lines)
    return folder


@pytest.fixture
def run(folder, monkeypatch, command_line):
    monkeypatch.chdir(folder)
    return lambda line: command_line(*line.split())


def test_a_refused_row_stops_strictly_and_is_null_leniently(run, folder):
    code, _, err = run("score rows.jsonl --model model --out strict.jsonl")
    assert code == 1
    assert "row 1 ('What is a haiku?'): System role not supported" in err
    assert not (folder / "strict.jsonl").exists()
    code, _, err = run("score rows.jsonl --lenient --model model --out lenient.jsonl")
    assert code == 0, err
    rewards = [json.loads(line)["reward_a"] for line in (folder / "lenient.jsonl").open()]
    assert [reward is None for reward in rewards] == [False, True, False]


def test_nothing_scored_is_a_failure_that_replaces_nothing(run, folder):
    assert run("score rows.jsonl --lenient --model model --out kept.jsonl")[0] == 0
    before = (folder / "kept.jsonl").read_bytes()
    for line in (
        "score system.jsonl --lenient --model model --out kept.jsonl",
        "score rows.jsonl --lenient --model model --max-length 3 --out kept.jsonl",
    ):
        code, _, err = run(line)
        assert code == 1
        assert "`reward_a`: want a reward for some of the pairs, got none of" in err
        assert (folder / "kept.jsonl").read_bytes() == before


def test_training_stops_at_a_refused_row_or_sets_it_aside(run):
    line = "train rows.jsonl --objective bt --model model --max-steps 1 --out trained"
    code, _, err = run(line)
    assert code == 1
    assert "System role not supported. Leave these rows out, or set them aside" in err
    code, out, err = run(f"{line} --lenient")
    assert code == 0, err
    assert "pairs                2" in out


@pytest.mark.parametrize("rank", ["RANK WORLD_SIZE", "OMPI_COMM_WORLD_RANK OMPI_COMM_WORLD_SIZE"])
@pytest.mark.parametrize(
    "line",
    [
        "score rows.jsonl --model model --out ranks.jsonl",
        "taxonomy rows.jsonl --out ranks.jsonl",
        "report rows.jsonl --model model --out ranks.html",
    ],
)
def test_no_command_does_its_work_in_each_process(run, folder, monkeypatch, line, rank):
    for name, value in zip(rank.split(), ("1", "4")):
        monkeypatch.setenv(name, value)
    code, _, err = run(line)
    assert code == 1
    assert "process 1 of 4, each of which would" in err
    assert re.search("Start it (once, )?without torchrun", err)
    assert ("--workers N shares" in err) == (not line.startswith("report"))
    assert not list(folder.glob("ranks*"))


def test_an_ensemble_says_what_it_is_unsure_of(command_line, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    voted = simulate_votes(take(load_sample(), slice(0, 256, 4)), sample_population(), n=10)
    save_comparisons(voted, "voted.parquet")
    train = "train voted.parquet --votes human --objective ties --out mine --ensemble"
    code, _, err = command_line(*train.split(), "2")
    assert code == 0, err
    code, _, err = command_line(*"score voted.parquet --model mine --out scored.parquet".split())
    assert code == 0, err
    select = "select scored.parquet -n 24 --voted --out asked.jsonl --overwrite --by"
    for by, column in dict(epistemic="epistemic_variance", division="expected_entropy").items():
        code, _, err = command_line(*select.split(), by)
        assert code == 0, err
        asked, scored = load_comparisons("asked.jsonl"), load_comparisons("scored.parquet")
        np.testing.assert_allclose(asked["selection_score"][:], asked[column][:], rtol=1e-5)
        assert np.mean(asked[column][:]) > np.mean(scored[column][:])
    code, _, err = command_line(*select.replace("scored", "voted").split(), "epistemic")
    assert code == 1
    assert "--ensemble" in err
    code, _, err = command_line(*train.split(), "1")
    assert "want a whole number >= 2" in err
    code, _, err = command_line(*train.split(), "2", "--model", "some/model")
    assert code == 2
    assert "--model probe" in err
