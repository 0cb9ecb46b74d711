"Committed results can be read by every reader of JSON."

import json
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent / "benchmarks"
RESULTS = sorted((BENCHMARKS / "results").glob("*.jsonl"))


def refuse(constant):
    raise ValueError(f"{constant} is no JSON")


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_lines_are_strict_json(path):
    lines = path.read_text().splitlines()
    assert lines
    for line in lines:
        json.loads(line, parse_constant=refuse)


def test_what_is_no_number_is_kept_as_null(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    from result_lines import keep

    values = dict(low=float("-inf"), table=[dict(value=float("nan")), (1.5, float("inf"))], n=3)
    keep(values, tmp_path / "lines.jsonl", append=True)
    want = dict(low=None, table=[dict(value=None), [1.5, None]], n=3)
    assert json.loads((tmp_path / "lines.jsonl").read_text(), parse_constant=refuse) == want
    assert json.loads(capsys.readouterr().out) == want
