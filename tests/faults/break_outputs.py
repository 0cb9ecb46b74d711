"""Breaks whatever writes files: outputs that are inputs or somebody else's, full disks, kills.

Files are harmed through the events that Python announces before it opens, renames or removes one:
at a chosen event the disk is full, or the process ends as by SIGKILL. A limit on the size of files
does the same in the middle of a write, to every library that writes.
"""

import contextlib
import io
import os
import re
import resource
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from common import Trial

KIND = "outputs"
# What a process that was killed may leave: hidden, with the output's name and the process in it;
# and a study's note that a step was begun.
LEFTOVER = re.compile(r"\..+\.(\d+-[0-9a-f]+\.(tmp|gone)|saving|lock)|.+\.begun")
FILE = "out.parquet"


@dataclass(frozen=True)
class Command:
    "A command in a folder of inputs; `{out}` is the name that it writes to, where it writes."

    line: str
    out: str = FILE  # a name of the right kind
    inputs: tuple[str, ...] = ("rated.jsonl",)  # that it reads
    changed: str = "--seed 1"  # options that give another result
    overwrites: bool = True  # whether it has --overwrite
    in_place: bool = False  # adds to a database, whose bytes do not repeat

    @property
    def writes(self) -> bool:
        return "{out}" in self.line

    def words(self, out: str | None = None, changed: bool = False) -> list[str]:
        line = self.line.format(out=shlex.quote(out or self.out))
        return shlex.split(f"{line} {self.changed}" if changed else line)


VOTED = ("voted.parquet",)
# Every command of `plurality --help`; a test compares the two lists.
COMMANDS = {
    "inspect": Command("inspect rated.jsonl"),
    "sources": Command("sources", inputs=()),
    "formats": Command("formats", inputs=()),
    "convert": Command("convert rated.jsonl --out {out}", changed="--limit 3"),
    "taxonomy": Command(
        "taxonomy sample --limit 8 --out {out}", inputs=(), changed="--alike-at 0.6"
    ),
    "vote": Command("vote rated.jsonl --judge recorded:voted.parquet --votes 4 --out {out}"),
    "calibrate": Command("calibrate voted.parquet --folds 2 --out {out}", inputs=VOTED),
    "draw-labels": Command("draw-labels voted.parquet --out {out}", inputs=VOTED),
    "margin": Command("margin voted.parquet --kind permuted --out {out}", inputs=VOTED),
    "export": Command(
        "export voted.parquet --out {out}",
        out="pairs.jsonl",
        inputs=VOTED,
        changed="--scale 2",
    ),
    "train": Command(
        "train labelled.parquet --objective bt --out {out}",
        out="model",
        inputs=("labelled.parquet",),
        overwrites=False,
    ),
    "score": Command("score rated.jsonl --model random --out {out}"),
    "select": Command("select rated.jsonl --n 4 --by random --voted --out {out}"),
    "select sheet": Command(
        "select rated.jsonl --n 4 --by random --voted --out {out}", out="sheet.csv"
    ),
    "correlate": Command("correlate scored.parquet --by none --n-boot 0", inputs=()),
    "stand-in": Command("stand-in scored.parquet --by none --n-boot 0", inputs=()),
    "report": Command(
        "report scored.parquet --by none --n-boot 0 --out {out}",
        out="page.html",
        inputs=("scored.parquet",),
        changed="--title Other",
    ),
    "demo": Command("demo --n-boot 0 --out {out}", out="demo", inputs=()),
    "store show": Command("store show one.sqlite", inputs=("one.sqlite",)),
    "store merge": Command(
        "store merge one.sqlite --out {out}",
        out="both.sqlite",
        inputs=(),
        changed="",
        overwrites=False,
        in_place=True,
    ),
    "study init": Command(
        "study init {out}", out="new.toml", inputs=(), changed="", overwrites=False
    ),
    "study run": Command(
        "study run study.toml --only margins --out {out}",
        out="study",
        inputs=("labelled.parquet",),
        changed="--only taxonomy",  # so that the earlier run did a part
        overwrites=False,
    ),
}


QUICK = ["vote", "margin", "select sheet", "store merge", "study init"]  # at small size


class _Faults:
    "Counts what happens to files of a folder, and harms one of these events."

    def __init__(self) -> None:
        self.root = ""
        self.count = 0
        self.at = -1  # number of the event that is harmed
        self.harm: Callable[[], None] = lambda: None
        sys.addaudithook(self)  # for good, so there is one for all trials

    def __call__(self, event: str, args: tuple) -> None:
        if not self.root or not self._changes_a_file(event, args):
            return
        self.count += 1
        if self.count - 1 == self.at:
            self.harm()

    def _changes_a_file(self, event: str, args: tuple) -> bool:
        if event == "open":
            path, _, flags = args
            changes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)
        else:
            changes = event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir")
            path = args[0] if changes else ""
        return bool(changes) and isinstance(path, str | Path) and self._is_inside(path)

    def _is_inside(self, path: str | Path) -> bool:
        return os.path.abspath(path).startswith(self.root)

    @contextlib.contextmanager
    def harming(self, root: Path, at: int, harm: Callable[[], None]) -> Iterator[None]:
        self.root, self.count, self.at, self.harm = str(root), 0, at, harm
        try:
            yield
        finally:
            self.root = ""


_faults: list[_Faults] = []


def faults() -> _Faults:
    if not _faults:
        _faults.append(_Faults())
    return _faults[0]


def fill_disk() -> None:
    raise OSError(28, "No space left on device")


def end_process() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def run(words: list[str]) -> tuple[int, str]:
    "Runs a command in this process: exit code and what it said."
    from plurality_nb.cli import app

    argv, said = sys.argv, io.StringIO()
    sys.argv = ["plurality", *words]
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            app.main()
        code = 0
    except SystemExit as stop:
        code = int(stop.code or 0)
    finally:
        sys.argv = argv
    return code, said.getvalue()


def run_in_fork(words: list[str], root: Path, at: int = -1, limit: int = 0) -> int:
    """Runs a command in a fork that is killed at an event, or at a size of files; its exit code, or
    the signal below zero."""
    child = os.fork()
    if child == 0:
        if limit:
            resource.setrlimit(resource.RLIMIT_FSIZE, (abs(limit), resource.RLIM_INFINITY))
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL if limit < 0 else signal.SIG_IGN)
        with faults().harming(root, at, end_process):
            code, _ = run(words)
        os._exit(code)
    return _wait(child)


def _wait(child: int) -> int:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -signal.SIGKILL


def contents(root: Path) -> dict[str, bytes]:
    "The bytes of all visible files, by their path; links by where they point."
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if any(LEFTOVER.fullmatch(part) for part in name.split("/")):
            continue
        if path.is_symlink():
            found[name] = os.readlink(path).encode()
        elif path.is_file():
            found[name] = _without_times(name, path.read_bytes())
    return found


def _without_times(name: str, text: bytes) -> bytes:
    "The notes of a study's steps without how long each took; everything else as it is."
    if "/stages/" not in name:
        return text
    return re.sub(rb'"seconds": [0-9.e-]+', b"", text)


def write_inputs(root: Path) -> None:
    "What the commands read: somebody's rated pairs, and what earlier stages wrote."
    import json

    from plurality_nb.data.build import with_columns
    from plurality_nb.data.loading import load_comparisons
    from plurality_nb.data.saving import save_comparisons
    from plurality_nb.judges.store import VoteStore

    rows = [
        dict(
            prompt=f"Which tea is number {i}?",
            response_a=f"Assam {i}, since it is strong.",
            response_b=f"Oolong {i}.",
            human_a=i % 4,
            human_b=3 - i % 3,
        )
        for i in range(24)
    ]
    (root / "rated.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    ds = load_comparisons(root / "rated.jsonl")
    numbers = list(range(24))
    voted = with_columns(
        ds,
        judge_a=[float(i % 3) for i in numbers],
        judge_b=[float(2 - i % 2) for i in numbers],
        judge_tie=[0.0] * 24,
        label=[float(i % 2) for i in numbers],
        label_source=["drawn"] * 24,
    )
    save_comparisons(voted, root / "voted.parquet")
    save_comparisons(voted, root / "labelled.parquet")
    scored = with_columns(
        voted, reward_a=[i % 5 / 2 for i in numbers], reward_b=[1.0] * 24, seen=[False] * 24
    )
    save_comparisons(scored, root / "scored.parquet", dict(score=dict(model="mine", settings={})))
    with VoteStore(root / "one.sqlite"):
        pass
    (root / "study.toml").write_text(
        'pairs = [{data = "labelled.parquet"}]\n'
        'people = [{data = "rated.jsonl", name = "people"}]\n'
        '[judge]\nmodel = "recorded:voted.parquet"\n'
        '[[arms]]\nobjective = "margin"\n'
    )


class Bench:
    "A folder with inputs that each trial finds as new."

    def __init__(self, folder: Path) -> None:
        self.template = folder / "template"
        self.root = folder / "work"
        self.template.mkdir()
        write_inputs(self.template)

    def fresh(self) -> Path:
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(self.template, self.root)
        os.chdir(self.root)
        return self.root


def _harm_done(before: dict, after: dict, allowed: dict) -> str:
    "What is different from before, other than by an output that is whole."
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name), after.get(name)
        if now != was and (now is None or now != allowed.get(name)):
            return f"{name} was {'lost' if now is None else 'changed or left half-written'}"
    return ""


def refusals(bench: Bench, name: str, command: Command) -> Iterator[Trial]:
    "Names that no command may write to."

    def refused(what: str, out: str, *more: str) -> Trial:
        before = contents(bench.root)
        code, said = run([*command.words(out), *more])
        what_happened = _harm_done(before, contents(bench.root), {})
        if not what_happened and code == 0:
            what_happened = "exit code 0"
        if not what_happened and "(--debug shows where)" in said:
            what_happened = said
        return Trial(KIND, f"{name}: {what}", not what_happened, what_happened)

    suffix = Path(command.out).suffix
    for given in command.inputs:
        root = bench.fresh()
        yield refused("an input", given)
        yield refused("an input, in other words", f"./gone/../{given}")
        yield refused("an input, whole path", str(root / given))
        if command.overwrites:
            yield refused("an input, although --overwrite", given, "--overwrite")
        (root / f"link{suffix}").symlink_to(root / given)
        yield refused("a link to an input", f"link{suffix}")
        os.link(root / given, root / f"hard{suffix}")
        yield refused("another name of an input", f"hard{suffix}")
    root = bench.fresh()
    foreign = root / f"mine{suffix}"
    if suffix:
        foreign.write_text("mine")
    else:
        foreign.mkdir()
        files = {"demo": "report.html", "study run": "taxonomy.parquet"}
        precious = foreign / files.get(name, "precious.txt")
        precious.parent.mkdir(parents=True, exist_ok=True)
        precious.write_text("mine")
    yield refused("somebody's file", foreign.name)
    (root / "file").write_text("mine")
    yield refused("below a file", f"file/{command.out}")
    yield refused("a name too long", f"{'x' * 300}{suffix}")
    if Path("/proc/self").exists():
        yield refused("where nothing can be written", f"/proc/{command.out}")
    if suffix and name != "study init":
        (root / "folder").mkdir()
        yield refused("a folder", "folder")


def _after(bench: Bench, command: Command) -> tuple[dict, dict, int]:
    "Files after an earlier run, those after another run, and how many events the latter has."
    root = bench.fresh()
    code, said = run(command.words(changed=bool(command.changed)))
    if code:
        raise RuntimeError(said)
    shutil.rmtree(f"{root}.earlier", ignore_errors=True)
    shutil.copytree(root, f"{root}.earlier", symlinks=True)
    before = contents(root)
    with faults().harming(root, -1, fill_disk):
        run(command.words())
    return before, contents(root), faults().count


def _back_to_earlier(root: Path) -> None:
    shutil.rmtree(root)
    shutil.copytree(f"{root}.earlier", root, symlinks=True)
    os.chdir(root)


def _interrupted(bench: Bench, command: Command, how: str, number: int) -> str:
    "What went wrong in a run that is harmed in some way; empty where nothing did."
    words = command.words()
    if how == "disk full at event":
        with faults().harming(bench.root, number, fill_disk):
            code, said = run(words)
        return said if "(--debug shows where)" in said else ""
    if how == "killed at event":
        run_in_fork(words, bench.root, at=number)
        return ""
    deadly = how == "killed at bytes"
    code = run_in_fork(words, bench.root, limit=-number if deadly else number)
    return "" if code else "exit code 0"


def interruptions(bench: Bench, name: str, command: Command, most: int) -> Iterator[Trial]:
    "A full disk or a kill at some of the events of a run that replaces an earlier output."
    before, golden, events = _after(bench, command)
    harms = [
        (how, number)
        for number in range(0, events, max(1, events // most))
        for how in ("disk full at event", "killed at event")
    ]
    for size in (20, 700)[:most]:
        harms += [("disk full at bytes", size), ("killed at bytes", size)]
    for how, number in harms:
        _back_to_earlier(bench.root)
        what_happened = _interrupted(bench, command, how, number)
        if not command.in_place:
            harm = _harm_done(before, contents(bench.root), golden)
            what_happened = harm or what_happened
        code, said = run(command.words())
        if not what_happened and code and name != "study init":
            what_happened = f"the next run was refused: {said[-300:]}"
        yield Trial(KIND, f"{name}: {how} {number}", not what_happened, what_happened)


def trials(size: str) -> Iterator[Trial]:
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        try:
            for name, command in COMMANDS.items():
                if not command.writes or (size == "small" and name not in QUICK):
                    continue
                if name != "store merge":
                    yield from refusals(bench, name, command)
                most = 5 if size == "full" and name != "demo" else 1
                yield from interruptions(bench, name, command, most)
        finally:
            os.chdir(here)
