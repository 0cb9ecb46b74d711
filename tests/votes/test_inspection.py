"What `plurality inspect` says of real files, against an independent computation."

import gzip
import json
import sys
from collections import Counter
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from plurality_nb.cli import app as cli
from plurality_nb.data.loading import load_comparisons
from plurality_nb.data.schema import group_id
from plurality_nb.votes.inspection import inspect_comparisons


@pytest.fixture
def inspect(monkeypatch, capsys):
    def call(*args):
        monkeypatch.setattr(sys, "argv", ["plurality", "inspect", *map(str, args), "--json"])
        with pytest.raises(SystemExit) as e:
            cli.main()
        assert not e.value.code
        return json.loads(capsys.readouterr().out)

    return call


def alpha(counts):
    "Krippendorff's nominal alpha from its definition: observed over expected disagreement of pairable values."
    counts = np.concatenate([counts, counts[:, [1, 0, 2]]])
    counts = counts[counts.sum(1) > 1]
    n = counts.sum(1)
    observed = ((n**2 - (counts**2).sum(1)) / (n - 1)).sum() / n.sum()
    total = counts.sum(0)
    return 1 - observed / ((n.sum() ** 2 - (total**2).sum()) / (n.sum() * (n.sum() - 1)))


def split_of(counts):
    "How often two of those who chose a side differ, on each pair where two did."
    votes = ["a" * a + "b" * b for a, b in counts[:, :2].astype(int) if a + b > 1]
    return np.array([np.mean([x != y for x, y in combinations(cast, 2)]) for cast in votes])


def lengths(texts):
    n = pd.Series([len(t) for t in texts])
    return dict(mean=n.mean(), median=n.quantile(0.5), p95=n.quantile(0.95), max=n.max())


def test_pandalm(real, inspect):
    path = real("pandalm_testset_part.json")
    card = inspect(path, "--lenient")
    raw = pd.read_json(path, dtype=False)
    good = raw[
        [isinstance(a, str) and isinstance(b, str) for a, b in zip(raw.response1, raw.response2)]
    ]
    prompt = [f"{i}\n\n{x}" if x else i for i, x in zip(good.instruction, good.input)]
    pairs = {}
    for p, a, b, *votes in zip(
        prompt, good.response1, good.response2, good.annotator1, good.annotator2, good.annotator3
    ):
        first = pairs.setdefault((p, *sorted([a, b])), (a, {}))
        for person, v in enumerate(votes):
            side = "tie" if v == 0 else "a" if (a if v == 1 else b) == first[0] else "b"
            if a == b and v:
                side = "a" if v == 1 else "b"
            first[1][person] = side  # a person votes once a pair: the last vote counts
    cast = [Counter(of_person.values()) for _, of_person in pairs.values()]
    counts = np.array([[c["a"], c["b"], c["tie"]] for c in cast])
    n = counts.sum(1)
    assert (
        card["loading"]["read"] == 568
        and sum(card["loading"]["rejected"].values()) == 5
        and len(good) == 563
    )
    assert card["rows"] == card["pairs"] == len(pairs) and card["loading"]["repeated"] == 563 - len(
        pairs
    )
    assert card["groups"] == len(set(prompt)) and card["turns"] == {"1": len(pairs)}
    assert (
        card["loading"]["empty"]
        == ((good.response1.str.strip() == "") | (good.response2.str.strip() == "")).sum()
    )
    assert card["labels"] == dict(a=0, b=0, tie=0, none=len(pairs), sources={})
    votes = card["votes"]["human"]
    assert votes["pairs"] == len(pairs) and votes["votes"] == n.sum() == 3 * len(pairs)
    assert votes["per_pair"]["pairs"] == {str(k): int(v) for k, v in sorted(Counter(n).items())}
    assert votes["tie_rate"] == pytest.approx((counts[:, 2] / n).mean())
    assert votes["split"] == pytest.approx(split_of(counts).mean())
    assert votes["agreement"]["alpha"] == pytest.approx(alpha(counts))
    same = [
        np.mean([x == y for x, y in combinations("a" * a + "b" * b + "t" * t, 2)])
        for a, b, t in counts
    ]
    assert votes["agreement"]["pairwise"] == pytest.approx(np.mean(same))
    assert sum(votes["share_histogram"]) == len(pairs)
    assert card["voters"] == dict(annotators=3, ballots=3 * len(pairs), abstained=0, traits={})
    for k, v in lengths([t for _, a, b in pairs for t in (a, b)]).items():
        assert card["response"][k] == pytest.approx(v)


def test_hh(real, inspect):
    path = real("hh_harmless_base_test.jsonl.gz")
    card = inspect(path, "--lenient", "--no-merge")
    with gzip.open(path, "rt") as file:
        rows = [json.loads(line) for line in file]
    keep = []
    for r in rows:
        c, d = (r[k].split("\n\nAssistant:") for k in ("chosen", "rejected"))
        if c[:-1] == d[:-1] and all("\n\nHuman:" not in s[-1] for s in (c, d)):
            keep.append((c, d))
    assert card["loading"]["read"] == len(rows) == 2312 and card["rows"] == len(keep)
    assert card["loading"]["rejected"] == {"sides differ before the last turn": 2312 - len(keep)}
    assert card["turns"] == {
        str(k): v
        for k, v in sorted(
            Counter(len(c) - 2 + sum(x.count("\n\nHuman:") for x in c) for c, _ in keep).items()
        )
    }
    prompts = ["\n\nAssistant:".join(c[:-1]) for c, _ in keep]
    assert card["groups"] == len({group_id([dict(role="user", content=p)]) for p in prompts})
    assert card["loading"]["identical"] == sum(c[-1] == d[-1] for c, d in keep)
    assert card["labels"]["a"] + card["labels"]["b"] == len(keep) and card["labels"][
        "sources"
    ] == dict(annotator=len(keep))
    assert abs(card["labels"]["a"] / len(keep) - 0.5) < 0.05
    assert card["votes"] == dict(human=None, judge=None)
    assert card["response"]["mean"] == pytest.approx(
        np.mean([len(s[-1].removeprefix(" ")) for pair in keep for s in pair])
    )


def test_alpaca_eval(real, inspect):
    path = real("alpaca_eval_gpt4_turbo_votes.jsonl.gz")
    card = inspect(path)
    raw = pd.read_json(path, lines=True)
    share = 2 - raw.preference
    votes = card["votes"]["judge"]
    assert card["rows"] == len(raw) == 2974 and card["groups"] == raw.instruction.nunique() == 552
    assert (
        votes["votes"] == pytest.approx(2974, rel=1e-6)
        and votes["tie_rate"] == 0
        and votes["per_pair"]["mean"] == pytest.approx(1)
    )
    assert votes["decisiveness"] == pytest.approx((2 * share - 1).abs().mean(), rel=1e-5)
    unsure = share[(share != 0) & (share != 1)]  # certainty is as one vote, which cannot divide
    assert votes["split"] == pytest.approx((2 * unsure * (1 - unsure)).mean(), rel=1e-3)
    assert (
        np.abs(np.array(votes["share_histogram"]) - np.histogram(share, 10, (0, 1))[0]).sum() <= 4
    )  # shares on an edge
    assert card["rows_per_group"]["max"] == raw.instruction.value_counts().max()


def test_llmbar(real, inspect):
    path = real("llmbar_judge_votes.jsonl")
    card = inspect(path)
    raw = pd.read_json(path, lines=True)
    counts = np.array(
        [[sum(v["winner"] == w for v in votes) for w in ("1", "2")] for votes in raw.votes]
    )
    votes = card["votes"]["judge"]
    assert (
        votes["votes"] == counts.sum()
        and votes["per_pair"]["min"] == counts.sum(1).min()
        and votes["per_pair"]["max"] == counts.sum(1).max()
    )
    assert votes["split"] == pytest.approx(split_of(counts).mean())
    assert (
        votes["share_histogram"]
        == np.histogram(counts[:, 0] / counts.sum(1), 10, (0, 1))[0].tolist()
    )
    assert card["labels"] == dict(
        a=int((raw.label == 1).sum()),
        b=int((raw.label == 2).sum()),
        tie=0,
        none=0,
        sources=dict(annotator=280),
    )
    assert card["groups"] == raw.input.nunique()


def test_the_function_shows_what_the_command_prints(real, monkeypatch, capsys):
    path = real("llmbar_judge_votes.jsonl")
    monkeypatch.setattr(sys, "argv", ["plurality", "inspect", str(path)])
    with pytest.raises(SystemExit):
        cli.main()
    assert str(inspect_comparisons(load_comparisons(path))) == capsys.readouterr().out.rstrip("\n")
