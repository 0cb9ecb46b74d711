"The folded section on crowds, remarks to read first, and slices of the user's own as focus."

import json

import pytest

from plurality_nb.data.build import with_columns
from plurality_nb.data.sample import load_sample
from plurality_nb.errors import ContractError
from plurality_nb.evaluation.correlation import correlate
from plurality_nb.evaluation.crowds import score_crowds
from plurality_nb.reports.page import write_page
from plurality_nb.rewards.model import score
from plurality_nb.simulation.users import sample_population, simulate_votes
from plurality_nb.studies.measure import MODEL_TABLES, Measurement, make_tables, measure_models


@pytest.fixture(scope="module")
def models():
    sample = load_sample()
    voted = simulate_votes(sample, sample_population(), 5)
    voted = with_columns(voted, quadrant=sample["written_quadrant"][:])
    return {name: score(voted, name) for name in ["longer response", "random"]}


def test_the_section_on_crowds_is_folded_and_explained(models, tmp_path):
    how = dict(by=None, n_boot=50)
    crowds = score_crowds(models, **how)
    path = write_page(
        models,
        correlate(models, **how),
        tmp_path / "r.html",
        further=dict(crowds=crowds),
        remarks=["Cannot be tested with this model. Nothing would show."],
    )
    page = path.read_text()
    start = page.index('<div id="divided-or-indifferent"')
    folded = page[start : page.index("</details>", start)]
    heading = '<details class="fold"><summary><h2 id="divided-or-indifferent-heading"'
    assert heading in page and "less sure of the divided pair" in folded
    assert "noise ceiling" in folded and "<details open" not in page
    numbers = json.loads(path.with_suffix(".json").read_text())
    assert len(numbers["crowds"]) == len(crowds)
    assert numbers["findings"][0].startswith("Cannot be tested with this model")
    assert page.index("Cannot be tested") < page.index("These numbers rest on")


def test_without_the_table_there_is_no_such_section(models, tmp_path):
    page = write_page(models, correlate(models, by=None, n_boot=0), tmp_path / "r.html").read_text()
    assert "Divided or indifferent" not in page and "less sure of the divided pair" not in page


def test_all_tables_are_made_at_once(models):
    tables = measure_models(models, n_boot=40, progress=False)
    assert list(tables) == MODEL_TABLES
    assert set(tables["crowds"].model) == {*models, "noise ceiling"}


@pytest.mark.parametrize("focus", [["plural_alike"], ["single_distinct", "single_alike"]])
def test_the_focus_is_what_the_user_names(models, focus):
    tables = measure_models(models, n_boot=40, progress=False, focus=focus)
    assert set(tables["contrast"].slice) == {f"{' or '.join(focus)}, more than elsewhere"}


@pytest.mark.parametrize("by, match", [("quadrant", "with others left"), (None, "slices of the")])
def test_a_focus_that_is_nowhere_is_an_error(models, by, match):
    measurement = Measurement(models=models, by=by, n_boot=0, baseline="random", focus=["odd"])
    with pytest.raises(ContractError, match=match):
        make_tables(measurement)
