"The numbers of the first screen are those of the committed results."

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def differences(pairs, name, data="ukp", votes="people", features="minilm"):
    "Value and interval of a difference in Spearman's correlation, as the first screen writes them."
    wanted = dict(kind="size", data=data, features=features, votes=votes, trained=pairs)
    results = ROOT / "tests" / "benchmarks" / "results" / "votes_help.jsonl"
    lines = [json.loads(line) for line in results.read_text().splitlines()]
    found = [line for line in lines if wanted.items() <= line.items()][-1]
    value, low, high = found["differences"][name]["spearman"][:3]
    return f"{value:+.3f}".replace("0.", "."), f"[{low:.3f}, {high:.3f}]".replace("0.", ".")


@pytest.mark.parametrize(
    ("pairs", "name", "of_data"),
    [
        (1000, "signed margin - bt", {}),
        (1000, "signed margin - bt", dict(features="smollm2")),
        (100, "signed margin - bt", {}),
        (9604, "signed margin - bt", {}),
        (300, "votes - bt", dict(data="cobbler", votes="judges")),
        (3872, "votes - bt", dict(data="cobbler", votes="judges")),
    ],
)
def test_gains_are_those_of_the_study(pairs, name, of_data):
    value, interval = differences(pairs, name, **of_data)
    readme = (ROOT / "README.md").read_text()
    if value.endswith(".000"):
        value = ".000"
    assert f"{value} {interval}" in readme
