"What the architecture promises: packages import downwards only, and notebooks show what they export."

import ast
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "plurality_nb"
NOTEBOOKS = [
    p for p in sorted((ROOT / "nbs").rglob("*.ipynb")) if ".ipynb_checkpoints" not in p.parts
]

# Each package may import from itself and from those before it.
ORDER = [
    "errors",
    "progress",
    "data",
    "votes",
    "models",
    "judges",
    "taxonomy",
    "rewards",
    "evaluation",
    "simulation",
    "reports",
    "studies",
    "cli",
]


def imported_modules(path: Path) -> list[str]:
    "Modules of the package that a file imports, also inside functions, relative to the package."
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    modules = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                above = parts[: len(parts) - node.level]
                modules.append(".".join([*above, *([node.module] if node.module else [])]))
            elif node.module and node.module.startswith("plurality_nb."):
                modules.append(node.module.partition(".")[2])
        elif isinstance(node, ast.Import):
            names = [a.name for a in node.names if a.name.startswith("plurality_nb.")]
            modules += [name.partition(".")[2] for name in names]
    return [m for m in modules if m]


MODULES = [p for p in sorted(PACKAGE.rglob("*.py")) if not p.name.startswith("_")]


@pytest.mark.parametrize(
    "path", MODULES, ids=lambda p: ".".join(p.relative_to(PACKAGE).with_suffix("").parts)
)
def test_packages_import_downwards_only(path):
    own = path.relative_to(PACKAGE).with_suffix("").parts[0]
    upwards = [m for m in imported_modules(path) if ORDER.index(m.split(".")[0]) > ORDER.index(own)]
    assert not upwards, (
        f"{path.relative_to(ROOT)} imports {upwards}, which come after {own!r} in ORDER"
    )


def test_every_package_has_its_place_in_the_order():
    found = {p.relative_to(PACKAGE).with_suffix("").parts[0] for p in MODULES}
    assert found == set(ORDER)


def code_cells(path: Path) -> tuple[list[str], list[str]]:
    "Sources of the exported cells and of the others."
    exported, shown = [], []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            (exported if re.match(r"(#\|.*\n)*#\| *exports?\b", source) else shown).append(source)
    return exported, shown


def public_names(source: str) -> list[str]:
    "Public functions, classes and constants that a cell defines."
    names = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [x.id for t in node.targets for x in ast.walk(t) if isinstance(x, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.append(node.target.id)
    return [n for n in names if not n.startswith("_")]


EXPORTING = [p for p in NOTEBOOKS if code_cells(p)[0]]


@pytest.mark.parametrize("path", EXPORTING, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_a_notebook_shows_or_asserts_every_name_that_it_exports(path):
    exported, shown = code_cells(path)
    words = set(re.findall(r"\w+", "\n".join(shown)))
    unseen = [n for source in exported for n in public_names(source) if n not in words]
    assert not unseen, f"no example or assertion uses {unseen}"


@pytest.mark.parametrize("path", EXPORTING, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_an_exported_cell_is_short_and_holds_one_public_definition(path):
    exported, _ = code_cells(path)
    long = [s.splitlines()[1] for s in exported if len(s.splitlines()) > 40]
    assert not long, f"exported cells of more than 40 lines: {long}"
    definitions = [
        [
            n.name
            for n in ast.parse(s).body
            if isinstance(n, ast.FunctionDef | ast.ClassDef) and not n.name.startswith("_")
        ]
        for s in exported
    ]
    assert not [d for d in definitions if len(d) > 1]


# `ds["column"]` of `datasets` is no list: whoever iterates over it fetches each row on its own, some
# fifty times slower than `ds["column"][:]`, or `each_value(ds, "column")` where texts are many.
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in MODULES}


def is_dataset(annotation: ast.expr | None) -> bool:
    return annotation is not None and ast.unparse(annotation) in ("Dataset", "Dataset | None")


def functions(tree: ast.AST) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


# Top-level names are defined once in the package, so that a name says which function is called.
RETURN_DATASETS = {
    f.name for tree in TREES.values() for f in functions(tree) if is_dataset(f.returns)
}


def fields(tree: ast.AST) -> list[tuple[str, bool]]:
    "Names of classes' annotated fields, and whether each is a table."
    return [
        (field.target.id, is_dataset(field.annotation))
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for field in node.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    ]


FIELDS = [field for tree in TREES.values() for field in fields(tree)]
DATASET_FIELDS = {name for name, _ in FIELDS} - {name for name, is_table in FIELDS if not is_table}


def gives_dataset(value: ast.expr, names: set[str]) -> bool:
    "Whether an expression is a table, as far as names and annotations tell."
    if isinstance(value, ast.Name):
        return value.id in names
    if isinstance(value, ast.Attribute):
        return value.attr in DATASET_FIELDS
    if not isinstance(value, ast.Call):
        return False
    called = value.func
    return getattr(called, "attr", getattr(called, "id", None)) in RETURN_DATASETS


def slow_columns(tree: ast.AST) -> list[str]:
    "Columns of tables that are used without `[:]`."
    parent = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    slow = []
    for function in functions(tree):
        of_function = function.args
        every = [*of_function.posonlyargs, *of_function.args, *of_function.kwonlyargs]
        names = {"ds"} | {arg.arg for arg in every if is_dataset(arg.annotation)}
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and gives_dataset(node.value, names):
                names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        for node in ast.walk(function):
            if not (isinstance(node, ast.Subscript) and gives_dataset(node.value, names)):
                continue
            is_text = isinstance(node.slice, ast.JoinedStr) or (
                isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str)
            )
            around = parent[node]
            if is_text and not (isinstance(around, ast.Subscript) and around.value is node):
                slow.append(f"line {node.lineno}: {ast.unparse(node)}")
    return slow


@pytest.mark.parametrize(
    "path", MODULES, ids=lambda p: ".".join(p.relative_to(PACKAGE).with_suffix("").parts)
)
def test_columns_are_read_at_once(path):
    slow = slow_columns(TREES[path])
    assert not slow, f"write `[:]` behind it, or `each_value`: {slow}"


@pytest.mark.parametrize(
    "source",
    [
        "def f(rows: Dataset): return [x for x in rows['group']]",
        "def f(x): return set(regroup(x)['group'])",
        "def f(x):\n chosen = take(x, 3)\n return any(chosen[f'human_{x}'])",
    ],
)
def test_a_slow_column_is_found(source):
    assert slow_columns(ast.parse(source))


def test_a_fast_column_is_not_found():
    assert not slow_columns(ast.parse("def f(rows: Dataset): return rows['group'][:], rows[0]"))
