"What an experiment found stands under its title, with numbers that the page has below."

import json
import re
from pathlib import Path

import numpy as np
import pytest

PAGES = sorted((Path(__file__).parents[1] / "nbs" / "experiments").glob("*.ipynb"))
NUMBER = re.compile(r"-?\d*\.\d+")


def cells(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_begins_with_what_was_found(path):
    title, first = ("".join(cell["source"]) for cell in cells(path)[:2])
    # SmolLM2's study has its finding as the title.
    assert first.startswith(("**What was found", "1. **")) or "margins of a hundredth" in title


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_numbers_of_the_finding_stand_in_the_page(path):
    _, first, *rest = cells(path)
    found = "".join(first["source"])
    if not found.startswith("**What was found"):
        pytest.skip("its finding is held by a test of its own")
    numbers = np.abs([float(n) for n in NUMBER.findall(json.dumps(rest, ensure_ascii=False))])
    missing = []
    for number in NUMBER.findall(found):
        half_a_digit = 0.5 * 10 ** -len(number.partition(".")[2]) * (1 + 1e-6)
        if not (np.abs(numbers - abs(float(number))) <= half_a_digit).any():
            missing.append(number)
    assert not missing
