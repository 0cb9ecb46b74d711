"Every entry of the catalogue of data sets, and the table that it is read from."

import tomllib
from importlib.resources import files

import pytest

from plurality_nb.data import catalog
from plurality_nb.data.catalog import SOURCES, Source, is_hub_id
from plurality_nb.data.formats import FORMATS

TABLE = files("plurality_nb") / "resources" / "sources.toml"
TEXTS = ("id", "format", "licence", "votes", "rule")


def test_the_catalogue_is_the_table():
    assert list(SOURCES) == list(tomllib.loads(TABLE.read_text(encoding="utf-8")))
    assert len(SOURCES) == len(set(source.id for source in SOURCES.values()))


def test_the_table_is_read_on_first_use():
    assert "_sources" not in vars(catalog._Catalog())


@pytest.mark.parametrize("name", SOURCES)
def test_an_entry_is_complete(name):
    source = SOURCES[name]
    assert isinstance(source, Source)
    assert all(isinstance(getattr(source, field), str) for field in TEXTS)
    assert all(getattr(source, field).strip() for field in TEXTS)
    assert source.reason is None or source.reason.endswith(".")


@pytest.mark.parametrize("name", SOURCES)
def test_an_entry_can_be_opened(name):
    source = SOURCES[name]
    assert source.format in FORMATS
    is_fetched = is_hub_id(source.id) or source.files is not None
    assert is_fetched or name in ("sample", "alpaca_eval")
    if source.files is not None:
        assert source.files.startswith("https://")
        assert ("{subset}" in source.files) == bool(source.subsets)
    assert source.config is None or source.data_dir is None
    assert source.judges == () or (len(source.judges) == 2 and source.files is not None)


@pytest.mark.parametrize("name", [name for name in SOURCES if SOURCES[name].label_source])
def test_a_label_that_is_not_an_annotators_has_its_reason(name):
    assert SOURCES[name].reason
