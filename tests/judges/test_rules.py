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
from plurality_nb.judges.verdicts import (
    claimed_sides,
    is_introduction,
    lone_verdict,
    read_verdict,
)

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


@pytest.mark.parametrize("rule", named("only_answer"))
def test_a_rule_for_whole_answers_reads_no_line(rule):
    assert re.fullmatch(rule.pattern, rule.example) and read_verdict(rule.example) == "first"
    assert lone_verdict(rule.example) is None
    assert read_verdict(rule.example, cut_off=True) is None
    assert read_verdict(f"The text ends in a dialogue.\n{rule.example}") is None


@pytest.mark.parametrize("rule", named("whole_answer"))
def test_a_whole_answer_is_read_as_it_stands(rule):
    verdict = "tie" if rule.name == "tie_alone" else "first"
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
    heading, *with_reasons = rules_of("opening")
    assert re.match(heading.pattern, heading.example)
    assert read_verdict(f"{heading.example}\nB. Long and exact.") is None
    for rule in with_reasons:
        assert re.match(rule.pattern, rule.example), rule.name
        assert read_verdict(rule.example) == "first", rule.name


@pytest.mark.parametrize("rule", named("reasoning"))
def test_reasoning_is_left_out_and_has_to_end(rule):
    match = re.fullmatch(rule.pattern, rule.example)
    assert match["closed"] is not None
    assert read_verdict(f"{rule.example}B") == read_verdict(f"{rule.example}\n\nB") == "second"
    assert read_counts(f"{rule.example}A=3 B=7", 10) == (3, 7, 0)
    unfinished = rule.example.removesuffix(match["closed"])
    assert read_verdict(unfinished) is None
    assert read_verdict(f"{unfinished}\n\nMy answer is B") is None


def test_the_end_of_reasoning_alone():
    (rule,) = rules_of("reasoning_end")
    assert re.search(rule.pattern, rule.example)
    assert read_verdict(f"{rule.example}B") == "second"


@pytest.mark.parametrize("rule", named("turn"))
def test_marks_around_an_answer(rule):
    assert re.search(rule.pattern, rule.example)
    assert read_verdict(rule.example) == "second"


@pytest.mark.parametrize("rule", named("introduction"))
def test_an_introduction_leaves_a_claim_to_the_judge(rule):
    assert is_introduction(rule.example)
    introduction = rule.example.strip()
    assert read_verdict(f"{introduction} Response A is better.") == "first"
    assert read_verdict(f"The first one, {introduction} Response A is better.") is None


@pytest.mark.parametrize("rule", named("other_language"))
def test_verdicts_in_other_languages(rule):
    assert re.fullmatch(rule.pattern, rule.example) and read_verdict(rule.example) == "first"
    for text in (rule.example, rule.reason):
        assert read_verdict(re.sub("A(?![a-z])", "B", text)) == "second"
    assert read_verdict(f"Response A says: {rule.example}") is None


@pytest.mark.parametrize(
    "rule", [*named("tail"), *named("setting"), *named("earlier"), *named("counts_introduction")]
)
def test_the_example_of_a_setting_is_recognised(rule):
    assert re.search(rule.pattern, rule.example)
    assert rule.reason.endswith(".")


def test_what_follows_a_claim():
    follows = {rule.name: rule.example for rule in rules_of("tail")}
    assert read_verdict(CLAIM + follows["may_follow"]) == "first"
    assert read_verdict(CLAIM + follows["takes_back"]) is None
    assert read_verdict(CLAIM + follows["in_one_respect"]) is None


def test_what_stands_around_a_verdict():
    settings = {rule.name: rule.example for rule in rules_of("setting")}
    assert read_verdict(f"{settings['own_heading']}\nB") == "second"
    assert read_verdict(f"It is short.\n\n{settings['own_heading']}\n\nB") == "second"
    for name in ("somebody_elses", "announcement", "command", "goes_on"):
        assert read_verdict(f"{settings[name]}\nB") is None, name
        assert read_verdict(f"{settings[name]}\n\nResponse B is better.") is None, name
    assert read_verdict(f"{CLAIM}. {settings['disowned']}") is None
    assert read_verdict(f"{settings['deliberation']} {CLAIM}.") is None
    assert read_verdict(settings["second_thought"]) is None
    assert read_verdict(settings["contrast"], cut_off=True) is None
    assert read_verdict(f"{CLAIM}.\n\n{settings['reasons_follow']}\n\nIt is short.") == "first"


def test_what_stands_earlier_in_a_sentence():
    earlier = {rule.name: rule.example for rule in rules_of("earlier")}
    assert read_verdict(f"{earlier['reports_a_claim']}, but {CLAIM}.") is None
    assert read_verdict(f"{earlier['reports']} and {CLAIM}.") is None
    assert read_verdict(f"{earlier['subject_of_a_tie']}equally good.") == "tie"


def test_counts_have_an_introduction():
    (rule,) = rules_of("counts_introduction")
    assert read_counts(f"Both are short.\n{rule.example}A=7 B=3", 10) == (7, 3, 0)
    assert read_counts("Both are short.\nIts estimate: A=7 B=3", 10) is None


def test_counts():
    (rule,) = rules_of("counts")
    assert read_counts(rule.example, 10) == (7, 2, 1)
