"""Find where users would disagree, train reward models whose margins follow their votes, and
measure whether it helped.

    import plurality_nb as pn

Each public name is loaded with its module when it is first used (PEP 562), so that importing the
package takes a few milliseconds and imports neither PyTorch nor datasets.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from plurality_nb.data.build import validate
    from plurality_nb.data.loading import load_comparisons
    from plurality_nb.data.split import split_by_group
    from plurality_nb.data.trl import from_trl, to_trl
    from plurality_nb.errors import ContractError
    from plurality_nb.evaluation.comparison import compare_models
    from plurality_nb.evaluation.correlation import correlate, side_by_side
    from plurality_nb.judges.collect import collect_votes, plan_votes
    from plurality_nb.judges.registry import load_judge
    from plurality_nb.reports import plots
    from plurality_nb.reports.explorer import explore
    from plurality_nb.rewards.model import RewardModel, score
    from plurality_nb.rewards.probe import cross_score, train_probe
    from plurality_nb.rewards.run import train_model
    from plurality_nb.rewards.trainer import MarginConfig, MarginTrainer
    from plurality_nb.simulation.users import simulate_votes
    from plurality_nb.studies.evaluate import evaluate_models, write_report
    from plurality_nb.taxonomy.quadrants import label_taxonomy
    from plurality_nb.votes.calibration import calibrate_votes
    from plurality_nb.votes.inspection import inspect_comparisons
    from plurality_nb.votes.margins import add_margins, draw_labels
    from plurality_nb.votes.selection import select_pairs

_HOMES = {
    "load_comparisons": "data.loading",
    "validate": "data.build",
    "from_trl": "data.trl",
    "to_trl": "data.trl",
    "split_by_group": "data.split",
    "inspect_comparisons": "votes.inspection",
    "label_taxonomy": "taxonomy.quadrants",
    "load_judge": "judges.registry",
    "plan_votes": "judges.collect",
    "collect_votes": "judges.collect",
    "calibrate_votes": "votes.calibration",
    "draw_labels": "votes.margins",
    "add_margins": "votes.margins",
    "select_pairs": "votes.selection",
    "simulate_votes": "simulation.users",
    "MarginConfig": "rewards.trainer",
    "MarginTrainer": "rewards.trainer",
    "train_model": "rewards.run",
    "train_probe": "rewards.probe",
    "cross_score": "rewards.probe",
    "RewardModel": "rewards.model",
    "score": "rewards.model",
    "correlate": "evaluation.correlation",
    "side_by_side": "evaluation.correlation",
    "compare_models": "evaluation.comparison",
    "evaluate_models": "studies.evaluate",
    "write_report": "studies.evaluate",
    "explore": "reports.explorer",
    "plots": "reports.plots",
    "ContractError": "errors",
}

__all__ = [
    "load_comparisons",
    "validate",
    "from_trl",
    "to_trl",
    "split_by_group",
    "inspect_comparisons",
    "label_taxonomy",
    "load_judge",
    "plan_votes",
    "collect_votes",
    "calibrate_votes",
    "draw_labels",
    "add_margins",
    "select_pairs",
    "simulate_votes",
    "MarginConfig",
    "MarginTrainer",
    "train_model",
    "train_probe",
    "cross_score",
    "RewardModel",
    "score",
    "correlate",
    "side_by_side",
    "compare_models",
    "evaluate_models",
    "write_report",
    "explore",
    "plots",
    "ContractError",
]


def __getattr__(name: str) -> object:
    "The public name, from the module where it lives."
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_HOMES[name]}")
    value = module if _HOMES[name].endswith(f".{name}") else getattr(module, name)
    globals()[name] = value  # found without this function from now on
    return value


def __dir__() -> list[str]:
    "Names that completion offers."
    return sorted([*__all__, "__version__"])
