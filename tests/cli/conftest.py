import pytest


@pytest.fixture
def run(monkeypatch, command_line, tmp_path):
    "Runs commands in an empty folder."
    monkeypatch.chdir(tmp_path)
    return command_line
