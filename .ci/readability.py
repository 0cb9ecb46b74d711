"""Measures how easily the exported package reads, and holds each figure against its limit.

python .ci/readability.py [ROOT]   print the figures; exit 1 if one is over its limit
"""

import ast
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

LOGGERS = {"_log"}  # one a module, by convention


@dataclass
class Module:
    name: str
    lines: list[str]  # without the blank ones
    tree: ast.Module


@dataclass
class Figure:
    name: str
    value: float
    limit: float
    least: bool = False  # the limit is the least that will do, not the most

    @property
    def holds(self) -> bool:
        return self.value >= self.limit if self.least else self.value <= self.limit


def read_modules(root: Path) -> list[Module]:
    package = root / "plurality_nb"
    modules = []
    for path in sorted(package.rglob("*.py")):
        if path.name == "_modidx.py":
            continue
        text = path.read_text(encoding="utf-8")
        name = ".".join(path.relative_to(package).with_suffix("").parts)
        lines = [line for line in text.splitlines() if line.strip()]
        modules.append(Module(name, lines, ast.parse(text)))
    return modules


def nodes(modules: list[Module]) -> Iterator[ast.AST]:
    for module in modules:
        yield from ast.walk(module.tree)


def count(modules: list[Module], test: Callable[[ast.AST], bool]) -> int:
    return sum(map(test, nodes(modules)))


def is_nested_conditional(node: ast.AST) -> bool:
    if not isinstance(node, ast.IfExp):
        return False
    return any(isinstance(branch, ast.IfExp) for branch in (node.body, node.orelse))


def statements_that_share_a_line(modules: list[Module]) -> int:
    shared = 0
    for node in nodes(modules):
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if isinstance(block, list):
                starts = [statement.lineno for statement in block]
                shared += len(starts) - len(set(starts))
    return shared


def private_parameters(modules: list[Module]) -> list[ast.arg]:
    parameters = []
    for node in nodes(modules):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if not node.name.startswith("_") or node.name.startswith("__"):
            continue
        given = node.args
        every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        parameters += [a for a in every if a is not None and a.arg not in ("self", "cls")]
    return parameters


def top_level_names(module: Module) -> set[str]:
    names: set[str] = set()
    for node in module.tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {x.id for t in node.targets for x in ast.walk(t) if isinstance(x, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return {name for name in names if not name.startswith("__")} - LOGGERS


def homonyms(modules: list[Module]) -> dict[str, list[str]]:
    "Names that several modules define, each in its own meaning."
    defined = defaultdict(list)
    for module in modules:
        for name in top_level_names(module):
            defined[name].append(module.name)
    return {name: where for name, where in sorted(defined.items()) if len(where) > 1}


def named_like_their_module(modules: list[Module]) -> list[str]:
    stems = {m.name.rsplit(".", 1)[-1] for m in modules}
    return sorted(f"{m.name}.{name}" for m in modules for name in top_level_names(m) & stems)


def long_lived_letters(modules: list[Module]) -> int:
    "Local names of one letter that are used over more than five lines."
    found = 0
    for node in nodes(modules):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        lines = defaultdict(list)
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and len(inner.id) == 1:
                lines[inner.id].append(inner.lineno)
        found += sum(max(used) - min(used) > 5 for used in lines.values())
    return found


def public_names(modules: list[Module]) -> int:
    "Names that `import plurality_nb` offers."
    top = next(m for m in modules if m.name == "__init__")
    for node in top.tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name) and target.id == "_HOMES":
                assert isinstance(node.value, ast.Dict)
                return len(node.value.keys)
    return 0


def figures(modules: list[Module]) -> list[Figure]:
    lines = [line for module in modules for line in module.lines]
    per_thousand = 1000 / len(lines)
    parameters = private_parameters(modules)
    annotated = sum(p.annotation is not None for p in parameters)
    over = [sum(len(line) > width for line in lines) for width in (100, 120)]
    return [
        Figure("lines", len(lines), float("inf")),
        Figure("lines over 100 characters [%]", 100 * over[0] / len(lines), 1),
        Figure("lines over 120 characters", over[1], 0),
        Figure("statements that share a line", statements_that_share_a_line(modules), 0),
        Figure(
            "nested conditional expressions [per 1000 lines]",
            count(modules, is_nested_conditional) * per_thousand,
            0.5,
        ),
        Figure(
            "annotated parameters of private functions [%]",
            100 * annotated / max(1, len(parameters)),
            90,
            least=True,
        ),
        Figure("names defined in several modules", len(homonyms(modules)), 0),
        Figure("functions called like a module", len(named_like_their_module(modules)), 0),
        Figure(
            "one-letter locals over more than five lines [per 1000 lines]",
            long_lived_letters(modules) * per_thousand,
            float("inf"),
        ),
        Figure("names of the public API", public_names(modules), 32),
    ]


def main(root: Path) -> int:
    modules = read_modules(root)
    broken = False
    for figure in figures(modules):
        mark = "" if figure.holds else f"   <- limit {figure.limit:g}"
        print(f"{figure.value:10.1f}  {figure.name}{mark}")
        broken = broken or not figure.holds
    for name, where in homonyms(modules).items():
        print(f"{name} is defined in {', '.join(where)}", file=sys.stderr)
    for name in named_like_their_module(modules):
        print(f"{name} is called like a module", file=sys.stderr)
    return int(broken)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1]))
