"Rows of every form meet one contract: what is unknown is left out, what is wrong is refused by name and row."

import math

import numpy as np
import pytest
from datasets import Dataset
from small_models import small_model, small_tokenizer

from plurality_nb.data.build import with_columns
from plurality_nb.data.loading import load_comparisons
from plurality_nb.data.trl import from_trl
from plurality_nb.errors import ContractError
from plurality_nb.rewards.probe import train_probe
from plurality_nb.rewards.targets import training_targets
from plurality_nb.rewards.trainer import MarginConfig, MarginTrainer

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def tokenizer():
    return small_tokenizer()


@pytest.fixture(scope="module")
def model():
    return small_model("Llama")


def talk(role, content):
    return [dict(role=role, content=content)]


def conversations(**columns):
    "Rows as TRL has them, with columns of targets."
    count = len(next(iter(columns.values()))) if columns else 4
    return Dataset.from_dict(
        dict(
            prompt=[talk("user", f"Question {i}") for i in range(count)],
            chosen=[talk("assistant", f"Good answer {i}") for i in range(count)],
            rejected=[talk("assistant", f"Bad {i}") for i in range(count)],
            **columns,
        )
    )


def prepare(folder, model, tokenizer, ds, evaluation=None, **kwargs):
    settings = dict(max_steps=1, report_to="none", use_cpu=True, disable_tqdm=True)
    args = MarginConfig(str(folder), **settings | dict(save_strategy="no") | kwargs)
    return MarginTrainer(model, args, ds, evaluation, processing_class=tokenizer)


def has_nan(model):
    return any(bool(weights.isnan().any()) for weights in model.parameters())


@pytest.mark.parametrize(
    "unknown, form",
    [
        (None, "conversations"),
        (math.nan, "texts"),
        (math.nan, "stream"),
        pytest.param(math.nan, "conversations", marks=pytest.mark.slow),
        pytest.param(None, "texts", marks=pytest.mark.slow),
        pytest.param(None, "stream", marks=pytest.mark.slow),
    ],
)
def test_an_unknown_margin_leaves_the_row_out(unknown, form, tmp_path, tokenizer, caplog):
    rows = conversations(margin=[0.1, unknown, 3.0, 1.0])
    if form == "texts":
        texts = dict(chosen=["Q: a", "Q: b", "Q: c", "Q: d"], rejected=["Q: e"] * 4)
        rows = Dataset.from_dict(texts | dict(margin=[0.1, unknown, 3.0, 1.0]))
    rows = rows.to_iterable_dataset() if form == "stream" else rows
    trainer = prepare(tmp_path, small_model("Llama"), tokenizer, rows, logging_steps=1)
    trainer.train()
    losses = [step["loss"] for step in trainer.state.log_history if "loss" in step]
    assert all(math.isfinite(loss) and loss > 0 for loss in losses)
    assert not has_nan(trainer.model)
    if form == "stream":
        assert "row 1 has no `margin`" in caplog.text
    else:
        assert trainer.train_dataset["row"][:] == [0, 2, 3]
        assert "4 rows, 1 without a margin; 1 dropped" in caplog.text


def test_an_unknown_margin_trains_on_the_label_or_is_refused(tmp_path, model, tokenizer):
    rows = conversations(margin=[0.1, None, 3.0, math.nan])
    trainer = prepare(tmp_path, model, tokenizer, rows, missing="label")
    assert trainer.train_dataset["margin"][:] == pytest.approx([0.1, 0, 3, 0])
    with pytest.raises(ContractError, match="2 without a margin of 4 rows"):
        prepare(tmp_path, model, tokenizer, rows, missing="raise")
    stream = prepare(tmp_path, model, tokenizer, rows.to_iterable_dataset(), missing="label")
    assert [row["margin"] for row in stream.train_dataset] == pytest.approx([0.1, 0, 3, 0])


BAD_TARGETS = [
    ("margin", "margin", ["1", "2", "3"], r"row 0: `margin`: want a finite number >= 0"),
    ("margin", "margin", [1.0, math.inf, 1.0], r"row 1: `margin`: .* got inf"),
    ("margin", "margin", [1.0, 2.0, -0.5], r"row 2: `margin`: .* objective 'signed_margin'"),
    ("margin", "margin", [1.0, 1e39, 1.0], r"row 1: `margin`"),
    ("margin", "margin", [True, False, True], r"row 0: `margin`: .*True \(bool\)"),
    ("margin", "margin", [[1.0], [2.0], [3.0]], r"row 0: `margin`: .*\[1.0\] \(list\)"),
    ("signed_margin", "margin", [1.0, -math.inf, -1.0], r"row 1: `margin`"),
    ("votes", "chosen_share", [0.5, 1.5, 0.1], r"row 1: `chosen_share`: want a number in \[0, 1\]"),
    ("posterior", "chosen_share", [0.5, 0.2, -0.1], r"row 2: `chosen_share`"),
    ("votes", "chosen_share", ["half", "most", "all"], r"row 0: `chosen_share`: .*'half'"),
]


@pytest.mark.parametrize("objective, column, values, message", BAD_TARGETS)
def test_a_wrong_target_is_refused_by_name_and_row(
    objective, column, values, message, tmp_path, model, tokenizer
):
    rows = conversations(**{column: values})
    with pytest.raises(ContractError, match=message):
        prepare(tmp_path, model, tokenizer, rows, objective=objective)
    with pytest.raises(ContractError, match=message):
        trainer = prepare(
            tmp_path, model, tokenizer, rows.to_iterable_dataset(), objective=objective
        )
        list(trainer.train_dataset)


def test_evaluation_rows_are_checked_too(tmp_path, model, tokenizer):
    good = conversations(margin=[1.0, 2.0])
    trainer = prepare(tmp_path, model, tokenizer, good, conversations(margin=[1.0, None, 2.0]))
    measures = trainer.evaluate()
    assert math.isfinite(measures["eval_loss"])
    with pytest.raises(ContractError, match="row 1: `margin`"):
        prepare(tmp_path, model, tokenizer, good, conversations(margin=[1.0, math.inf]))


@pytest.mark.parametrize(
    "broken, message",
    [
        (dict(chosen=["a", None], rejected=["b", "c"]), "row 1: `chosen`"),
        (dict(chosen=[talk("assistant", "a"), []], rejected=[talk("assistant", "b")] * 2), "row 1"),
        (dict(question=["a"], answer=["b"]), "`train_dataset`: want comparisons, or rows with"),
    ],
)
def test_rows_without_a_side_are_refused(broken, message, tmp_path, model, tokenizer):
    with pytest.raises(ContractError, match=message):
        prepare(tmp_path, model, tokenizer, Dataset.from_dict(broken), objective="bt")


@pytest.mark.parametrize("given", [None, [dict(chosen="a", rejected="b")], "rows.jsonl"])
def test_what_is_no_dataset_is_refused(given, tmp_path, model, tokenizer):
    with pytest.raises(ContractError, match="`train_dataset`: want a Dataset or a stream"):
        prepare(tmp_path, model, tokenizer, given, objective="bt")


def test_own_columns_of_trl_rows_are_not_taken_for_facts(tmp_path, model, tokenizer):
    rows = conversations(margin=[1.0, 2.0], weight=["heavy", "light"], people=["x", "y"])
    trainer = prepare(tmp_path, model, tokenizer, rows)
    assert trainer.train_dataset["weight"][:] == [1, 1]


def comparisons():
    texts = [dict(prompt=f"Q {i}", chosen=f"Good {i}", rejected=f"Bad {i}") for i in range(6)]
    return from_trl(texts)


@pytest.mark.parametrize(
    "column, values, message",
    [
        ("margin", ["1", "2", "3", "4", "5", "6"], r"row 0 \(pair_id \w+\): `margin`"),
        ("margin", [1.0, 1.0, math.inf, 1.0, 1.0, 1.0], r"row 2 \(pair_id \w+\): `margin`"),
        ("judge_b", [1.0, 1.0, 1.0, -2.0, 1.0, 1.0], r"row 3 \(pair_id \w+\): `judge_b`"),
        ("human_tie", [0.0, math.inf, 0.0, 0.0, 0.0, 0.0], r"row 1 \(pair_id \w+\): `human_tie`"),
        ("label", [1.0, 0.0, 0.7, 1.0, 1.0, 1.0], r"row 2 \(pair_id \w+\): `label`"),
    ],
)
def test_comparisons_that_nobody_validated_are_checked(column, values, message):
    ds = with_columns(comparisons(), margin=np.ones(6))
    spoilt = ds.remove_columns(column).add_column(column, values)
    with pytest.raises(ContractError, match=message):
        training_targets(spoilt, "margin")
    with pytest.raises(ContractError, match=message):
        train_probe(spoilt, "margin", progress=False)


def voted(**columns):
    rows = [dict(prompt=f"Tea {i}?", response_a="Yes.", response_b="No.") for i in range(4)]
    return load_comparisons([row | columns for row in rows])


@pytest.mark.parametrize("objective", ["bt", "margin", "signed_margin"])
@pytest.mark.parametrize("missing", ["drop", "raise"])
def test_where_no_row_can_be_used_dropping_is_no_remedy(objective, missing):
    with pytest.raises(ContractError, match="Run first: `draw-labels`") as caught:
        training_targets(voted(human_a=2, human_b=1), objective, "human", missing)
    assert "drop" not in str(caught.value) and "`--votes human`" in str(caught.value)
    with pytest.raises(ContractError, match="Run first: `draw-labels`") as caught:
        training_targets(voted(judge_a=2, judge_b=1), objective, "judge", missing)
    assert "human" not in str(caught.value)
