"What the report must never do: run what a name says, differ between two runs, or promise what the tables do not hold."

import json
import re

import pandas as pd
import pytest

from plurality_nb.data.build import with_columns
from plurality_nb.data.sample import load_sample
from plurality_nb.errors import ContractError
from plurality_nb.evaluation.correlation import correlate
from plurality_nb.reports import findings
from plurality_nb.reports import page as report
from plurality_nb.rewards.model import score
from plurality_nb.simulation.users import sample_population, simulate_votes
from plurality_nb.studies.evaluate import write_report
from plurality_nb.studies.measure import measure_models

NASTY = '</script><script>alert("$x_{1}$")</script> --> é 模型'


@pytest.fixture(scope="module")
def ds():
    sample = load_sample()
    return with_columns(
        simulate_votes(sample, sample_population(), 5), quadrant=sample["written_quadrant"][:]
    )


def test_foreign_text_is_escaped_everywhere(ds, tmp_path):
    models = {NASTY: score(ds, "longer response"), "random": score(ds, "random")}
    measured = dict(models=models, training={NASTY: dict(objective=NASTY)}) | measure_models(
        models, n_boot=20, progress=False
    )
    account = dict(
        format="x", read=1, kept=1, rejected={NASTY: 1}, left_out={}, empty=0, identical=0, merged=0
    )
    page = write_report(
        measured,
        tmp_path / "r.html",
        NASTY,
        settings={NASTY: NASTY},
        command=NASTY,
        account=account,
    ).read_text("utf-8")
    scripts = re.findall("<script>(.*?)</script>", page, re.S)  # the page's own, for its search
    assert page.count("<script") == len(scripts) == 1 and "alert(" not in scripts[0]
    assert "alert(&#34;" in page
    note = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert (
        note["title"] == NASTY
        and NASTY in {r["model"] for r in note["correlation"]}
        and note["loading"]["rejected"] == {NASTY: 1}
    )
    assert (
        not re.findall(r"""(?:src|href)=["'](?!#|data:)""", page)
        and "url(http" not in page
        and "@import" not in page
    )
    again = write_report(
        measured,
        tmp_path / "r.html",
        NASTY,
        settings={NASTY: NASTY},
        command=NASTY,
        account=account,
    ).read_text("utf-8")
    assert page == again and sorted(p.name for p in tmp_path.iterdir()) == ["r.html", "r.json"]


def test_a_few_pairs_without_quadrants_still_make_a_page(ds, tmp_path):
    few = with_columns(ds, quadrant=[None] * 256, human_tie=[0] * 256).select(range(3))
    measured = dict(models={"m": score(few, "random")}) | measure_models(
        {"m": score(few, "random")}, None, n_boot=20, progress=False
    )
    page = write_report(measured, tmp_path / "r.html").read_text("utf-8")
    headings = re.findall("<h2[^>]*>(.*?)</h2>", page)
    assert "Taxonomy" not in headings and "Training" not in headings and "Calibration" in headings
    assert '<small class="reason">fewer than 5 prompts' in page  # wraps, unlike an interval
    assert "too few prompts" in page and "nan" not in re.sub(r"<svg.*?</svg>", "", page, flags=re.S)


def test_nothing_is_left_when_it_fails(ds, tmp_path, monkeypatch):
    models = {"m": score(ds, "random")}
    monkeypatch.setattr(report.json, "dumps", lambda *a, **k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        report.write_page(
            models, correlate(models, n_boot=0), tmp_path / "r.html", settings=dict(a=1)
        )
    assert not list(tmp_path.iterdir())
    monkeypatch.undo()
    with pytest.raises(ContractError, match="json"):
        report.write_page(models, correlate(models, n_boot=0), tmp_path / "r.json")


def test_sentences_follow_the_intervals():
    base = dict(statistic="spearman", n=200, groups=200, tie_rate=0.1, split=0.2, se=0.1)

    def row(model, value, low, high, **more):
        interval = dict(value=value, low=low, high=high)
        return base | dict(model=model, quadrant="overall") | interval | more

    table = pd.DataFrame(
        [
            row("x", 0.3, 0.1, 0.5),
            row("y", 0.1, -0.1, 0.3),
            row("z", -0.4, -0.6, -0.2),
            row("random", 0.0, -0.1, 0.1),
        ]
    )
    gap = pd.DataFrame(
        [
            row("y", -0.2, -0.3, -0.1, p=0.01, p_holm=0.01, detectable=0.3, verdict="worse"),
            row("z", 0.0, -0.2, 0.2, p=0.9, p_holm=0.9, detectable=0.3, verdict="cannot tell"),
        ]
    )
    sentences = findings.state_findings(["x", "y", "z"], table, gap.assign(baseline="x"))
    assert (
        "0.30 [0.10, 0.50], so it follows people" in sentences[1]
        and "cannot tell from chance" in sentences[2]
        and "goes against people" in sentences[3]
    )
    assert any("y follows people worse than x: difference -0.20" in s for s in sentences)
    assert any(
        "z and x cannot be told apart: difference 0.00" in s and "0.30 or more" in s
        for s in sentences
    )


def test_limits_name_what_is_missing(ds):
    models = {"m": score(ds, "random")}
    one = {
        "m": with_columns(
            models["m"],
            human_a=[1] * 256,
            human_b=[0] * 256,
            human_tie=[0] * 256,
            source=[None] * 256,
        )
    }
    table = correlate(one, None, n_boot=0, baselines=False)
    text = " ".join(findings.limits(one, table, training={"m": {}}))
    assert (
        "One vote a pair" in text
        and "What m had been trained on is not known" in text
        and "Simulated" not in text
    )
    assert "Simulated" in findings.limits(models, correlate(models, n_boot=0))[0]
    assert "not known here" not in " ".join(findings.limits(models, correlate(models, n_boot=0)))
    few = {"m": models["m"].select(range(30))}
    assert "here are 30" in " ".join(findings.limits(few, correlate(few, None, n_boot=0)))
