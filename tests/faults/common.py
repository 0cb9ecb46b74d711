"What a breaking trial reports: which kind of fault, how it was provoked, and whether the product held."

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass
class Trial:
    kind: str  # what is broken: servers, files, kills, ...
    name: str  # how, in a few words: `usage below zero`
    held: bool  # no vote lost, doubled or invented, no file harmed, and a clear error where one is due
    what_happened: str = ""  # what was seen where it did not hold


def summary_line(trials: Iterable[Trial], size: str) -> str:
    "One JSON line of a kind: how many faults were tried, how many held, and which did not."
    trials = list(trials)
    kind = trials[0].kind
    fell = {trial.name: trial.what_happened for trial in trials if not trial.held}
    line = {
        "kind": kind,
        "tried": len(trials),
        "held": len(trials) - len(fell),
        "fell": fell,
        "command": f"python tests/faults --size {size} {kind}",
        "cpus": os.cpu_count(),
        "versions": {"python": platform.python_version()},
    }
    return json.dumps(line)
