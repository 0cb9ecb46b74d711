"Every rule in resources/judge_words.toml reads its own example, and no rule is dead."

import re

import pytest

from plurality_nb.judges.parsing import read_counts
from plurality_nb.judges.quotations import (
    Rule,
    introduces_report,
    own_words,
    rule_pattern,
    rules_of,
)
from plurality_nb.judges.verdicts import claimed_sides, lone_verdict, read_verdict

VERDICT_OF = {  # what is read from the examples of a kind
    "quotation": None,
    "report": None,
    "label_then_claim": "first",
    "claim_then_label": "first",
    "tie_claim": "tie",
}
CLAIM = "Response A is better"


def named(kind: str) -> list:
    return [pytest.param(rule, id=f"{kind}-{rule.name}") for rule in rules_of(kind)]


def compiled(rule: Rule) -> re.Pattern:
    return re.compile(rule.pattern, re.S | re.M)


@pytest.mark.parametrize(
    "kind, rule",
    [
        pytest.param(kind, rule, id=f"{kind}-{rule.name}")
        for kind in VERDICT_OF
        for rule in rules_of(kind)
    ],
)
def test_the_example_of_a_rule_is_read_by_it(kind, rule):
    assert rule.reason.endswith(".")
    if kind != "report":  # looked for within a clause, see below
        assert compiled(rule).search(rule.example)
    if rule.name != "label":  # a label in quotation marks stays one
        assert read_verdict(rule.example) == VERDICT_OF[kind]


@pytest.mark.parametrize("rule", named("quotation"))
def test_what_a_rule_takes_as_quoted_is_not_the_judges_word(rule):
    assert (CLAIM in own_words(rule.example)) == (CLAIM in rule.example and rule.name == "label")


@pytest.mark.parametrize("rule", named("report"))
def test_without_the_report_the_claim_is_the_judges(rule):
    assert rule.example.endswith(f"{CLAIM}.")
    before = rule.example.removesuffix(f"{CLAIM}.")
    in_clause = rule_pattern("clause", "clause_break").split(before)[-1]
    assert re.search(rf"(?:{rule.pattern})\Z", in_clause) and introduces_report(in_clause)
    assert read_verdict(f"{CLAIM}.") == "first"


@pytest.mark.parametrize("kind", ["label_then_claim", "claim_then_label"])
def test_claims_name_either_response(kind):
    for rule in rules_of(kind):
        turned = re.sub(r"\bA\b", "B", rule.example)
        assert read_verdict(turned) == "second", rule.name


@pytest.mark.parametrize("rule", named("whole_answer"))
def test_a_whole_answer_is_read_as_it_stands(rule):
    verdict = {"label_alone": "first", "tie_alone": "tie"}[rule.name]
    assert re.fullmatch(rule.pattern, rule.example) and lone_verdict(rule.example) == verdict


def test_clauses():
    rules = {rule.name: rule for rule in rules_of("clause")}
    assert all(
        re.search(rule.pattern, rule.example) for name, rule in rules.items() if name != "condition"
    )
    examples = {name: rule.example for name, rule in rules.items()}
    for retracted in ("negation", "tie_negation", "condition", "colon"):
        assert read_verdict(examples[retracted]) is None, retracted
    assert re.search(rules["condition"].pattern, examples["condition"].removeprefix(CLAIM))
    assert read_verdict(examples["clause_start"] + "A is better.") == "first"
    assert read_verdict(f"{CLAIM}. {examples['conclusion']}") == "second"
    assert claimed_sides(examples["clause_break"]) == {"second"}


def test_openings():
    heading, with_reason = rules_of("opening")
    assert re.match(heading.pattern, heading.example)
    assert read_verdict(f"{heading.example}\nB. Long and exact.") is None
    assert re.match(with_reason.pattern, with_reason.example)
    assert read_verdict(with_reason.example) == "first"


def test_counts():
    (rule,) = rules_of("counts")
    assert read_counts(rule.example, 10) == (7, 2, 1)
