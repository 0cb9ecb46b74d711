"Every source on a small file in its true schema, its votes counted by hand."

import gzip
import json

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset, DatasetDict

from plurality_nb.data import opening as sources
from plurality_nb.data.catalog import SOURCES
from plurality_nb.data.formats import FORMATS, detect_format
from plurality_nb.data.loading import load_comparisons, read_comparisons
from plurality_nb.data.voters import Counting
from plurality_nb.errors import ContractError


def talk(*said):
    return [dict(role="user" if i % 2 == 0 else "assistant", content=s) for i, s in enumerate(said)]


def webgpt(a, b):
    quote = dict(title=["T"], extract=["E"])
    return dict(
        question=dict(dataset="eli5", id="q1", full_text="Why is the sky blue?"),
        quotes_0=quote,
        answer_0="It is the sea.",
        tokens_0=dict(prefix=[1], completion=[2]),
        score_0=a,
        quotes_1=quote,
        answer_1="Light scatters.",
        tokens_1=dict(prefix=[1], completion=[2]),
        score_1=b,
    )


def summary(choice, worker, first="hot tea", second="Tea is hot."):
    return dict(
        info=dict(
            id="t3_1",
            post="My tea is too hot.",
            title="Tea",
            subreddit="tea",
            site=None,
            article=None,
        ),
        summaries=[
            dict(text=first, policy="sup1", note="ok"),
            dict(text=second, policy="ref", note=None),
        ],
        choice=choice,
        worker=worker,
        batch="batch3",
        split="train",
        extra=dict(confidence=5),
    )


def multipref(*prefs):
    def note(who, p):
        return dict(
            evaluator=who,
            overall_pref=p,
            helpful_pref="Tie",
            overall_confidence="fairly-confident",
            time_spent=9,
            timestamp="2024",
        )

    return dict(
        comparison_id="c1",
        prompt_id="p1",
        text="Name a tea.",
        completion_a="Assam",
        completion_b="Oolong",
        model_a="x",
        model_b="y",
        source="s",
        category="qa",
        normal_worker_annotations=[note(f"w{i}", p) for i, p in enumerate(prefs[:2])],
        expert_worker_annotations=[note(f"e{i}", p) for i, p in enumerate(prefs[2:])],
    )


def helpsteer2(strength, *each):
    return dict(
        split="train",
        prompt="Name a tea.",
        response_1="Assam",
        response_2="Oolong",
        preference_strength=strength,
        preference_statement="s",
        preference_elaboration="e",
        three_most_similar_preferences=[dict(statement="s", elaboration="e", strength=strength)],
        all_preferences_unprocessed=[dict(strength=s, justification="j") for s in each],
    )


def helpsteer3(overall, *each):
    return dict(
        domain="general",
        language="english",
        context=talk("Hi", "Hello!", "Name a tea."),
        response1="Assam",
        response2="Oolong",
        overall_preference=overall,
        individual_preference=[
            dict(score=s, reasoning="r", feedback1="f", feedback2="f") for s in each
        ],
    )


def farm(preference, who, flip=False):
    outputs = (
        dict(output_1="Oolong", output_2="Assam")
        if flip
        else dict(output_1="Assam", output_2="Oolong")
    )
    return dict(
        instruction="Name a tea.",
        **outputs,
        preference=preference,
        annotator_index=who,
        dataset="helpful_base",
        datasplit="eval",
    )


def pandalm(*votes):
    return dict(
        idx=0,
        motivation_app="m",
        cmp_key="x_y",
        instruction="Correct it.",
        input="recieve",
        response1="receive",
        response2="recieve",
        **{f"annotator{i + 1}": v for i, v in enumerate(votes)},
    )


def mt_bench(winner, judge, turn=1, flip=False):
    a, b = talk("Hi", "Hello", "More", "a2"), talk("Hi", "Hey", "More", "b2")
    a, b = (b, a) if flip else (a, b)
    return dict(
        question_id=81,
        model_a="x",
        model_b="y",
        winner=winner,
        judge=judge,
        conversation_a=a,
        conversation_b=b,
        turn=turn,
    )


def arena(winner, a, b, who):
    return dict(
        question_id="q",
        model_a="x",
        model_b="y",
        winner=winner,
        judge=who,
        conversation_a=a,
        conversation_b=b,
        turn=len(a) // 2,
        anony=True,
        language="English",
        tstamp=1.0,
        openai_moderation=dict(categories=dict(hate=False)),
        toxic_chat_tag=dict(m=dict(flagged=False)),
    )


def community(who, country, first, second=None):
    row = dict(
        conversation_id=f"c{who}",
        annotator_id=who,
        assigned_lang="en",
        wave=1,
        annotator_age="25-34",
        annotator_gender="f",
        annotator_education_level="b",
        annotator_political="m",
        annotator_ethnicity="x",
        annotator_country=country,
        is_pregenerated_first_prompt=True,
        in_balanced_subset=True,
        first_turn_prompt="Name a tea.",
        first_turn_feedback="ok",
        first_turn_preferred_response=f"response_{first}",
        **{f"first_turn_response_{k}": f"Tea {k}" for k in "abcd"},
    )
    for turn in ("second", "third", "fourth"):
        given = second if turn == "second" else None
        row |= {
            f"{turn}_turn_prompt": "Another." if given else None,
            f"{turn}_turn_preferred_response": given and f"response_{given}",
            f"{turn}_turn_feedback": None,
            **{f"{turn}_turn_response_{k}": f"More {k}" if given else None for k in "abcd"},
        }
    return row


def prism(user, *turns):
    history = []
    for i, (asked, made) in enumerate(turns):
        history.append(
            dict(
                turn=i,
                role="user",
                content=asked,
                model_name=None,
                model_provider=None,
                score=None,
                if_chosen=None,
                within_turn_id=None,
            )
        )
        best = max(s for _, s in made)
        history += [
            dict(
                turn=i,
                role="model",
                content=c,
                model_name="m",
                model_provider="p",
                score=s,
                if_chosen=s == best,
                within_turn_id=j,
            )
            for j, (c, s) in enumerate(made)
        ]
    return dict(
        conversation_id=f"c-{user}",
        user_id=user,
        conversation_type="unguided",
        opening_prompt=turns[0][0],
        conversation_turns=len(turns),
        conversation_history=history,
        performance_attributes=dict(values=1),
        choice_attributes=dict(values=1),
        open_feedback="fine",
    )


def shp(label):
    return dict(
        post_id="p",
        domain="tea",
        upvote_ratio=0.9,
        history="Which tea?",
        c_root_id_A="a",
        c_root_id_B="b",
        created_at_utc_A=1,
        created_at_utc_B=2,
        score_A=9,
        score_B=2,
        human_ref_A="Assam",
        human_ref_B="Oolong",
        labels=label,
        seconds_difference=1.0,
        score_ratio=4.5,
    )


def ultra(*scores):
    note = {
        k: dict(Rating="5", Rationale="r")
        for k in ("helpfulness", "honesty", "instruction_following", "truthfulness")
    }
    return dict(
        source="evol_instruct",
        instruction="Name a tea.",
        models=["m"] * len(scores),
        correct_answers=["x"],
        incorrect_answers=["y"],
        completions=[
            dict(
                model="m",
                response=f"Tea {i}",
                annotations=note,
                overall_score=s,
                critique="c",
                principle="p",
                custom_system_prompt="s",
            )
            for i, s in enumerate(scores)
        ],
    )


def collective(**rankings):
    def said(text):
        return [dict(role="assistant", content=text)]

    return dict(
        prompt_id="p",
        prompt=dict(id="p", messages=[dict(role="user", content="Name a tea.")]),
        responses=[dict(response_index=k, messages=said(f"Tea {k}")) for k in "ABCD"],
        metadata=dict(
            assessments=[
                dict(
                    annotator_id=who,
                    ranking_blocks=dict(
                        world=[dict(ranking=r, rationale="x")], personal=[dict(ranking="A>B>C>D")]
                    ),
                )
                for who, r in rankings.items()
            ]
        ),
    )


def judged(**more):
    return dict(
        id=1,
        model_a="x",
        model_b="y",
        winner_model_a=0,
        winner_model_b=0,
        winner_tie=1,
        question="Name a tea.",
        answer_a="Assam",
        answer_b="Oolong",
        **more,
    )


def binarized(chosen, rejected):
    return dict(
        prompt="Name a tea.",
        prompt_id="p",
        chosen=talk("Name a tea.", "Assam"),
        rejected=talk("Name a tea.", "Oolong"),
        messages=talk("Name a tea.", "Assam"),
        score_chosen=chosen,
        score_rejected=rejected,
    )


def arena_100k(winner, a, b, who, spell=json.dumps):
    return dict(
        question_id="q",
        model_a="x",
        model_b="y",
        winner=winner,
        conversation_a=spell(a),
        conversation_b=spell(b),
        turn=len(a) // 2,
        anony=True,
        language="English",
        tstamp=1.7e9,
        conv_metadata=dict(sum_assistant_a_tokens=9, header_count_a=dict(h1=0)),
        is_code=False,
        is_refusal=False,
        dedup_tag=dict(high_freq=False, sampled=True),
        category_tag=dict(math_v01=dict(math=False)),
        judge_hash=who,
    )


def vote_of(who, word, flip=False):
    sides = (
        dict(response_a="No", response_b="Yes") if flip else dict(response_a="Yes", response_b="No")
    )
    return dict(prompt="Tea?", **sides, annotator=who, vote=word)


# Formats whose columns do not say who is a language model: what the user says.
SAID = {"mt_bench": dict(judges=["gpt-4"]), "ratings": dict(format="ratings")}

# format: rows in its schema, then what must come of them:
# (A's text, B's text) to label and votes of people (a, b, tie) or of judges
N = (None, None, None)
CASES = {
    "webgpt": ([webgpt(-1.0, 1.0)], {("It is the sea.", "Light scatters."): (0, N, N)}),
    "webgpt_raw": (
        [
            dict(
                records=[
                    dict(question=dict(full_text="Why?"), quotes={}, answer=a, tokens={}, score=x)
                    for a, x in (("No.", -0.5), ("Yes.", 0.5))
                ]
            )
        ],
        {("No.", "Yes."): (0, N, N)},
    ),
    "ratings": (
        [dict(prompt="Tea?", response_a="Assam", response_b="Stone", rating_a=7, rating_b=3.5)],
        {("Assam", "Stone"): (1, N, N)},
    ),
    "webgpt tie": ([webgpt(0.0, 0.0)], {("It is the sea.", "Light scatters."): (0.5, N, N)}),
    "summaries": (
        [summary(1, "w1"), summary(0, "w2", "Tea is hot.", "hot tea"), summary(0, "w3")],
        {("hot tea", "Tea is hot."): (None, (1, 2, 0), N)},
    ),
    "shp": ([shp(0)], {("Assam", "Oolong"): (0, N, N)}),
    "hh": (
        [
            dict(
                chosen="\n\nHuman: Tea?\n\nAssistant: Yes",
                rejected="\n\nHuman: Tea?\n\nAssistant: No",
            )
        ],
        {("Yes", "No"): (1, N, N)},
    ),
    "trl": ([dict(prompt="Tea?", chosen="Yes", rejected="No")], {("Yes", "No"): (1, N, N)}),
    "ultrafeedback_binarized": ([binarized(8.5, 3.0)], {("Assam", "Oolong"): (1, N, (1, 0, 0))}),
    "ultrafeedback_binarized tie": (
        [binarized(8.0, 8.0)],
        {("Assam", "Oolong"): (0.5, N, (0, 0, 1))},
    ),
    "multipref": (
        [multipref("A-is-clearly-better", "Tie", "B-is-slightly-better", "A-is-slightly-better")],
        {("Assam", "Oolong"): (None, (2, 1, 1), N)},
    ),
    "helpsteer2": ([helpsteer2(-2, -3, -1, 1, 0, -100)], {("Assam", "Oolong"): (1, (2, 1, 1), N)}),
    "helpsteer2 all abstain": ([helpsteer2(1, -100, -100)], {("Assam", "Oolong"): (0, N, N)}),
    "helpsteer3": ([helpsteer3(2, 3, 1, -1, None)], {("Assam", "Oolong"): (0, (1, 2, 0), N)}),
    "alpaca_farm": (
        [farm(1, 3), farm(2, 5), farm(1, 7, flip=True), farm(0, 9)],
        {("Assam", "Oolong"): (None, (1, 2, 1), N)},
    ),
    "pandalm": ([pandalm(1, 0, 1)], {("receive", "recieve"): (None, (2, 0, 1), N)}),
    "mt_bench": (
        [
            mt_bench("model_a", "expert_1"),
            mt_bench("model_a", "expert_2", flip=True),
            mt_bench("tie", "author_1"),
            mt_bench("model_b", ["gpt-4", "pair"]),
            mt_bench("model_b", "expert_1", turn=2),
        ],
        {("Hello", "Hey"): (None, (1, 1, 1), (0, 1, 0))},
    ),
    "votes_long": (
        [
            vote_of("kim", "A"),
            vote_of("lou", "model_b"),
            vote_of("max", "left", flip=True),
            vote_of("kim", "both"),
            vote_of("eve", ""),
        ],
        {("Yes", "No"): (None, (0, 2, 1), N)},
    ),
    "votes_wide": (
        [
            dict(prompt="Tea?", response_a="Yes", response_b="No", rater_1=1, rater_2=2, rater_3=0),
            dict(prompt="Tea?", response_a="No", response_b="Yes", rater_1=1, rater_2=None),
        ],
        {("Yes", "No"): (None, (0, 2, 1), N)},
    ),
    "arena": (
        [
            arena("tie (bothbad)", talk("Hi", "Hello"), talk("Hi", "Hey"), "arena_user_1"),
            arena(
                "model_a",
                talk("Hi", "Hello", "x", "y"),
                talk("Hi", "Hey", "x", "z"),
                "arena_user_2",
            ),
        ],
        {("Hello", "Hey"): (0.5, (0, 0, 1), N)},
    ),
    "arena 100k": (
        [
            arena_100k("model_b", talk("Hi", "Hello"), talk("Hi", "Hey"), "h1"),
            arena_100k("tie (bothbad)", talk("Hi", "Hello"), talk("Hi", "Hey"), "h2", str),
            arena_100k("model_a", talk("Hi", "Hello", "x", "y"), talk("Hi", "Hey", "x", "z"), "h3"),
        ],
        {("Hello", "Hey"): (None, (0, 1, 1), N)},
    ),
    "arena_55k": (
        [
            dict(
                id=1,
                model_a="x",
                model_b="y",
                prompt=json.dumps(["Hi"]),
                response_a=json.dumps(["Hello"]),
                response_b=json.dumps(["Hey"]),
                winner_model_a=0,
                winner_model_b=1,
                winner_tie=0,
            )
        ],
        {("Hello", "Hey"): (0, N, N)},
    ),
    "community_alignment": (
        [community(1, "in", "b"), community(2, "us", "a")],
        {
            ("Tea a", "Tea b"): (None, (1, 1, 0), N),
            ("Tea b", "Tea c"): (1, (1, 0, 0), N),
            ("Tea b", "Tea d"): (1, (1, 0, 0), N),
            ("Tea a", "Tea c"): (1, (1, 0, 0), N),
            ("Tea a", "Tea d"): (1, (1, 0, 0), N),
        },
    ),
    "prism": (
        [
            prism(
                "u1", ("Tea?", [("x", 10), ("y", 90), ("z", 10)]), ("More?", [("p", 60), ("q", 50)])
            )
        ],
        {
            ("x", "y"): (0, (0, 1, 0), N),
            ("x", "z"): (0.5, (0, 0, 1), N),
            ("y", "z"): (1, (1, 0, 0), N),
            ("p", "q"): (1, (1, 0, 0), N),
        },
    ),
    "collective_alignment": (
        [collective(p="B>A=C>D", q="A>B>C>D")],
        {
            ("Tea A", "Tea B"): (None, (1, 1, 0), N),
            ("Tea A", "Tea C"): (None, (1, 0, 1), N),
            ("Tea A", "Tea D"): (None, (2, 0, 0), N),
            ("Tea B", "Tea C"): (None, (2, 0, 0), N),
            ("Tea B", "Tea D"): (None, (2, 0, 0), N),
            ("Tea C", "Tea D"): (None, (2, 0, 0), N),
        },
    ),
    "ukpconvarg1": (
        [
            dict(
                arg1=dict(text="It is hot.", stance="Yes"),
                arg2=dict(text="It is wet.", stance="Yes"),
                debateMetaData=dict(title="Tea?", description="Is it good?"),
                mTurkAssignments=[
                    dict(turkID=f"W{i}", value=value)
                    for i, value in enumerate(["a1", "a1", "equal"])
                ],
            )
        ],
        {("It is hot.", "It is wet."): (None, (2, 0, 1), N)},
    ),
    "cobbler": (
        [
            dict(
                instruction="Name a tea.",
                responses=dict(m="Assam", n="Stone", o="Oolong"),
                wins_by_people={
                    "human_annotations/annot_1.json": dict(m=2, n=0, o=1),
                    "human_annotations/annot_2.json": dict(m=1, n=0, o=2),
                },
                wins_by_judges=dict(x=dict(m=1, n=1, o=0), y=dict(m=1, n=0, o=None)),
            )
        ],
        {
            ("Assam", "Stone"): (None, (2, 0, 0), (1, 0, 1)),
            ("Assam", "Oolong"): (None, (1, 1, 0), (1, 0, 0)),
            ("Stone", "Oolong"): (None, (0, 2, 0), (1, 0, 0)),
        },
    ),
    "mqm": (
        [
            dict(
                source="Tee?",
                target_language="English",
                translations=dict(X="Tea?", Y="T?"),
                penalties=dict(p=dict(X=0.1, Y=5.1), q=dict(X=0.0, Y=0.0), r=dict(X=1.0, Y=None)),
            )
        ],
        {("Tea?", "T?"): (None, (1, 0, 1), N)},
    ),
    "ultrafeedback": (
        [ultra(8.5, 7.0, 8.5)],
        {
            ("Tea 0", "Tea 1"): (None, N, (1, 0, 0)),
            ("Tea 0", "Tea 2"): (None, N, (0, 0, 1)),
            ("Tea 1", "Tea 2"): (None, N, (0, 1, 0)),
        },
    ),
    "llmbar": (
        [dict(input="Name a tea.", output_1="Assam", output_2="Stone", label=1)],
        {("Assam", "Stone"): (1, N, N)},
    ),
    "llmbar judges": (
        [
            dict(
                input="Name a tea.",
                output_1="Assam",
                output_2="Stone",
                label=2,
                votes=[dict(winner=w, judge="j") for w in ("1", "2", "2", None)],
            )
        ],
        {("Assam", "Stone"): (0, N, (1, 2, 0))},
    ),
    "alpaca_eval": (
        [
            dict(
                instruction="Name a tea.",
                output_1="Assam",
                output_2="Oolong",
                generator_1="x",
                generator_2="y",
                preference=1.25,
            )
        ],
        {("Assam", "Oolong"): (None, N, (0.75, 0.25, 0))},
    ),
    "alpaca_eval null": (
        [dict(instruction="Name a tea.", output_1="Assam", output_2="Oolong", preference=None)],
        {("Assam", "Oolong"): (None, N, N)},
    ),
    "arena_llm_judges": (
        [judged(logits=[0.0, 0.0, 0.0], logits_reversed=[-50.0, 50.0, -50.0])],
        {("Assam", "Oolong"): (0.5, N, (4 / 3, 1 / 3, 1 / 3))},
    ),
    "sheet": (
        [
            dict(
                pair_id="",
                prompt="Tea?",
                conversation=json.dumps(talk("Tea?")),
                response_a="Yes",
                response_b="No",
                vote=v,
                annotator=w,
            )
            for v, w in (("a", "kim"), ("Tie", "lou"), ("", "max"))
        ],
        {("Yes", "No"): (None, (1, 0, 1), N)},
    ),
}


def seen_as(row, a):
    "Label and votes of a row where `a` is response A."
    label, votes = (
        row["label"],
        [tuple(row[f"{w}_{o}"] for o in ("a", "b", "tie")) for w in ("human", "judge")],
    )
    if row["response_a"] != a:
        label, votes = None if label is None else 1 - label, [(v[1], v[0], v[2]) for v in votes]
    return label, *votes


@pytest.mark.parametrize("name", CASES)
def test_votes_counted_by_hand(name, tmp_path):
    rows, want = CASES[name]
    if name == "sheet":
        from plurality_nb.data.schema import pair_id

        rows = [r | dict(pair_id=pair_id("Tea?", "Yes", "No")) for r in rows]
    named = SAID.get(name, {}).get("format")
    assert detect_format(rows[0]) == (name.split()[0] if named is None else "comparisons")
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    ds = load_comparisons(path, **SAID.get(name, {}))
    assert len(ds) == len(want)
    for (a, b), (label, human, judge) in want.items():
        row = next(r for r in ds if {r["response_a"], r["response_b"]} == {a, b})
        got = seen_as(row, a)
        assert got[0] == label and got[1] == human
        assert got[2] == (N if judge == N else pytest.approx(judge))
    keeps_order = name.split()[0] not in (
        "hh",
        "trl",
        "ultrafeedback_binarized",
        "summaries",
        "alpaca_farm",
        "mt_bench",
        "votes_long",
        "votes_wide",
    )
    if keeps_order:  # the source's own order, whoever won
        assert [(r["response_a"], r["response_b"]) for r in ds] == list(want)


SPELLINGS = {
    "JSON": lambda x: json.dumps(x),
    "Python": str,
    "NumPy": lambda x: (
        str(np.array(x, dtype=object))
        if isinstance(x, list) and x and isinstance(x[0], dict)
        else str(x)
    ),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("name", CASES)
def test_a_csv_holds_the_same_votes(name, spelling, tmp_path):
    from plurality_nb.data.schema import FEATURES, pair_id

    rows = [
        r | dict(pair_id=pair_id("Tea?", "Yes", "No")) if name == "sheet" else r
        for r in CASES[name][0]
    ]

    def spell(x):
        return SPELLINGS[spelling](x) if isinstance(x, (list, dict)) else x

    pd.DataFrame([{c: spell(x) for c, x in r.items()} for r in rows]).to_csv(
        tmp_path / "x.csv", index=False
    )
    said = SAID.get(name, {})
    ds, want = load_comparisons(tmp_path / "x.csv", **said), load_comparisons(rows, **said)
    for c in FEATURES:
        assert ds[c][:] == want[c][:], c


def test_arena_100k_in_its_own_schema():
    "Conversations are text there, and a hash tells who judged."
    rows = CASES["arena 100k"][0]
    assert detect_format(rows[0]) == "arena"
    ds, account = read_comparisons(rows)
    assert account["left_out"] == {"several turns, in which the sides differ": 1}
    assert [(b["annotator"], b["vote"]) for b in ds["ballots"][0]] == [
        ("h1", "b"),
        ("h2", "tie"),
    ] and ds["language"][:] == ["English"]
    with pytest.raises(
        ContractError,
        match="row 0: `conversation_a`: want a list or an object, or text that holds one as JSON",
    ):
        load_comparisons([rows[0] | dict(conversation_a="Hi"), rows[1]])


def test_every_format_has_a_case():
    assert {k.split()[0] for k in CASES} == set(FORMATS) - {"comparisons"}
    assert {s.format for s in SOURCES.values()} <= set(FORMATS)


def test_webgpt_prefers_the_higher_score_and_the_prompt_is_kept():
    "A loader that takes answer_0 for the chosen one in every row, or drops the question, fails here."
    ds = load_comparisons(
        [webgpt(-0.5, 0.5), webgpt(0.5, -0.5) | dict(answer_0="Another.")], merge=False
    )
    won = [r["response_a"] if r["label"] == 1 else r["response_b"] for r in ds]
    assert won == ["Light scatters.", "Another."]
    for name, rows in [(k, v[0]) for k, v in CASES.items() if k != "sheet"]:
        for prompt in load_comparisons(rows, **SAID.get(name, {}))["prompt"]:
            assert prompt[-1]["role"] == "user" and prompt[-1]["content"].strip(), name


def test_the_authors_own_webgpt_file(tmp_path):
    (tmp_path / "comparisons.jsonl").write_text(
        "".join(json.dumps(r["records"]) + "\n" for r in CASES["webgpt_raw"][0])
    )
    ds = load_comparisons(tmp_path / "comparisons.jsonl")
    assert (ds["response_a"][:], ds["label"][:]) == (["No."], [0])


def test_who_voted():
    ds = load_comparisons(
        [multipref("A-is-clearly-better", "Tie", "B-is-slightly-better", "A-is-slightly-better")]
    )
    assert [(b["annotator"], b["vote"], b["traits"]) for b in ds["ballots"][0]] == [
        (w, v, [dict(name="expertise", value=e)])
        for w, v, e in sorted(
            [
                ("w0", "a", "normal"),
                ("w1", "tie", "normal"),
                ("e0", "b", "expert"),
                ("e1", "a", "expert"),
            ],
            key=lambda x: x[0][0] == "e",
        )
    ]
    ds = load_comparisons(
        [
            prism("u1", ("Tea?", [("x", 10), ("y", 90)])),
            prism("u2", ("Tea?", [("x", 70), ("y", 20)])),
        ],
        people=[
            dict(user_id="u1", age="18-24", location=dict(birth_country="NO")),
            dict(user_id="u2", age="65+", location=dict(birth_country="IT")),
        ],
    )
    assert (ds["human_a"][0], ds["human_b"][0]) == (1, 1)
    from plurality_nb.votes.audience import restrict_votes

    old = restrict_votes(ds, {"age": "65+"})
    assert (old["human_a"][0], old["human_b"][0]) == (1, 0)
    assert restrict_votes(ds, {"location.birth_country": ["NO", "IT"]})["human_b"][0] == 1


def test_rules_leave_rows_out_and_say_so(caplog):
    people = Counting(annotators_are="people")
    rows = [mt_bench("model_a", "x"), mt_bench("model_a", "x", turn=2)]
    ds, account = read_comparisons(rows, counting=people)
    assert (
        account["left_out"] == {"a later turn, before which the sides differ": 1} and len(ds) == 1
    )
    assert "left out 1 rows" in caplog.text


BAD = {
    "webgpt": dict(question=None),
    "webgpt_raw": dict(records=[dict(answer="x")]),
    "summaries": dict(summaries=[dict(text="x")]),
    "shp": dict(labels=3),
    "multipref": dict(normal_worker_annotations=[dict(evaluator="w", overall_pref="C")]),
    "helpsteer2": dict(all_preferences_unprocessed="__import__('os')"),
    "helpsteer3": dict(response1=None),
    "alpaca_farm": dict(preference=3),
    "pandalm": dict(annotator2=7),
    "mt_bench": dict(winner="both"),
    "arena": dict(conversation_a="[{"),
    "arena_55k": dict(winner_model_b=0),
    "community_alignment": dict(first_turn_preferred_response="response_e"),
    "prism": dict(conversation_history=[dict(role="user")]),
    "collective_alignment": dict(responses=3),
    "ukpconvarg1": dict(mTurkAssignments=[dict(turkID="W", value="a3")]),
    "cobbler": dict(wins_by_people=dict(annot_1=dict(m="first", n=0, o=1))),
    "mqm": dict(penalties="none"),
    "ultrafeedback": dict(completions=[dict(), dict()]),
    "llmbar": dict(label=0),
    "alpaca_eval": dict(preference=3.5),
    "arena_llm_judges": dict(logits=[1, 2]),
    "hh": dict(chosen="\n\nHuman: x\n\nAssistant: 1\n\nHuman: y\n\nAssistant: 2"),
    "trl": dict(rejected=7),
    "votes_long": dict(vote="good"),
    "votes_wide": dict(rater_2="maybe"),
    "ultrafeedback_binarized": dict(score_chosen="9"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_rows_of_each_schema_are_named(name):
    row = CASES[name][0][0]
    other = json.loads(json.dumps(row))
    rows = [other, row | BAD[name]]
    with pytest.raises(ContractError, match="row 1: "):
        load_comparisons(rows)
    are_judges = name in ("alpaca_eval", "ultrafeedback", "ultrafeedback_binarized")
    counting = Counting(annotators_are="judges" if are_judges else "people")
    ds, account = read_comparisons(rows, strict=False, counting=counting)
    assert account["rejected_rows"] == [1] and len(ds) >= 1


@pytest.fixture
def hub(monkeypatch, tmp_path):
    "A Hub of one's own: what was asked for, and what it gives."
    asked, shelf = [], {}

    def load_dataset(id, config=None, **kwargs):
        asked.append((id, config, kwargs))
        key = (id, config, kwargs.get("data_dir"), kwargs.get("data_files"))
        return DatasetDict({s: Dataset.from_list(rows) for s, rows in shelf[key].items()})

    def download(url):
        asked.append((url, None, {}))
        path = tmp_path / f"{len(asked)}"
        path.write_text("".join(json.dumps(r.get("records", r)) + "\n" for r in shelf[url]))
        return str(path)

    monkeypatch.setattr(sources, "load_dataset", load_dataset)
    monkeypatch.setattr(
        sources,
        "hf_hub_download",
        lambda repo, file, repo_type: download(
            f"https://huggingface.co/datasets/{repo}/resolve/main/{file}"
        ),
    )
    monkeypatch.setattr(sources, "_download_file", lambda url, path: download(url))
    monkeypatch.setenv("PLURALITY_CACHE", str(tmp_path / "cache"))
    return asked, shelf


# Those whose files hold no rows are read by name in test_published.py.
OTHERS = ("sample", "alpaca_eval", "ukpconvarg1", "cobbler", "wmt23_sxs_mqm")


@pytest.mark.parametrize("name", [k for k in SOURCES if k not in OTHERS])
def test_named_sources_find_their_configuration(name, hub):
    asked, shelf = hub
    s = SOURCES[name]
    rows = next(v[0] for k, v in CASES.items() if k.split()[0] == s.format)[:3]
    if s.files:
        for subset in s.subsets or [None]:
            shelf[s.files.format(subset=subset)] = rows
    else:
        shelf[s.id, s.config, s.data_dir, None] = {s.split or "train": rows, "test": rows[:1]}
    if s.people:
        shelf[s.id, s.people, None, None] = dict(train=[dict(user_id="u1", age="18-24")])
    ds = load_comparisons(name)
    assert len(ds) >= 1 and set(ds["source"]) == {name}
    if "/" in s.id and " " not in s.id:  # its id on the Hub is another name for it
        first = [*asked]
        asked.clear()
        same = load_comparisons(s.id)
        assert same.to_dict() == ds.to_dict() and (asked == first or s.files)
    assert all(key == s.id or key.startswith("https://") for key, *_ in asked) and not any(
        "trust_remote_code" in how for *_, how in asked
    )
    if s.people:
        assert ds["ballots"][0][0]["traits"] == [dict(name="age", value="18-24")]
    if s.label_source:
        assert set(ds["label_source"]) == {s.label_source}


def test_subsets_splits_and_judges(hub):
    _, shelf = hub
    shelf["Anthropic/hh-rlhf", None, "harmless-base", None] = dict(
        train=CASES["hh"][0],
        test=[
            dict(
                chosen="\n\nHuman: Tea?\n\nAssistant: Hot",
                rejected="\n\nHuman: Tea?\n\nAssistant: No",
            )
        ],
    )
    assert {"Hot", "No"} == {
        r
        for s in "ab"
        for r in load_comparisons("hh_rlhf:harmless-base", split="test")[f"response_{s}"]
    }
    with pytest.raises(ContractError, match=r"one of .'train', 'test'.*--split"):
        load_comparisons("hh_rlhf:harmless-base", split="dev")
    with pytest.raises(ContractError, match="harmless-base"):
        load_comparisons("hh_rlhf:harmful")
    with pytest.raises(
        ContractError, match=r"a data set that can be fetched, got KeyError.*hf auth login"
    ):
        load_comparisons("nobody/nothing")
    s = SOURCES["arena_llm_judges"]
    folder = s.files.rpartition("/")[0]

    def verdict(id, *logits):
        return dict(
            id=id,
            llm_judge="org/J",
            winner_gt="tie",
            winner_pred="A",
            **{f"logit_{k}": x for k, x in zip("ABC", logits)},
        )

    shelf[s.files] = [
        judged(),
        judged() | dict(id=2, question="Hi"),
        judged() | dict(id=3, question="Ho"),
    ]
    shelf[f"{folder}/llm-judges/J.jsonl"] = [
        verdict(2, 0.0, 0.0, 0.0),
        verdict(1, 9.0, -90.0, -90.0),
    ]
    shelf[f"{folder}/llm-judges-reversed/J.jsonl"] = [
        verdict(1, 9.0, -90.0, -90.0),
        verdict(2, None, None, None),
    ]
    ds = load_comparisons("arena_llm_judges:J")
    assert [ds[f"judge_{o}"][0] for o in ("a", "b", "tie")] == pytest.approx([1, 1, 0], abs=1e-6)
    assert [ds[f"judge_{o}"][1] for o in ("a", "b", "tie")] == pytest.approx([1 / 3] * 3)
    assert (
        ds["judge_a"][2] is None
        and load_comparisons("arena_llm_judges")["judge_a"][:] == [None] * 3
    )
    for x in SOURCES["llmbar"].subsets:
        shelf[SOURCES["llmbar"].files.format(subset=x)] = [
            dict(input=f"Tea? {x}", output_1="Yes", output_2="Stone", label=1)
        ]
    assert (
        len(load_comparisons("llmbar")) == 5
        and load_comparisons("llmbar:Natural")["prompt"][0][0]["content"] == "Tea? Natural"
    )
    for x in SOURCES["summarize_from_feedback"].subsets:
        shelf[SOURCES["summarize_from_feedback"].files.format(subset=x)] = [
            summary(1, "w"),
            summary(0, "v") | dict(split="valid2"),
        ]
    assert load_comparisons("summarize_from_feedback:batch3")["label"][:] == [
        0
    ] and load_comparisons("summarize_from_feedback:batch3", split="validation")["label"][:] == [1]
    shelf["nvidia/HelpSteer2", None, "preference", None] = dict(
        train=[helpsteer2(1, 1), helpsteer2(-1, -1) | dict(split="val", prompt="Another?")]
    )
    assert load_comparisons("helpsteer2")["label"][:] == [0] and load_comparisons(
        "helpsteer2", split="val"
    )["label"][:] == [1]
    with pytest.raises(
        ContractError, match=r"a file that can be fetched, got KeyError.*give its path"
    ):
        load_comparisons("webgpt")
    with pytest.raises(ContractError, match=r"annotations\.json.*get it there"):
        load_comparisons("alpaca_eval")
    with pytest.raises(
        ContractError, match=r"`split`: want one of \['train', 'val'\], got 'bogus'"
    ):
        load_comparisons("helpsteer2", split="bogus")
    assert load_comparisons("helpsteer2", split="validation")["label"][:] == [1]
    cnndm = SOURCES["summarize_from_feedback"].files.format(subset="cnndm2")
    shelf[cnndm] = [summary(1, "w") | dict(split="valid1")]
    with pytest.raises(
        ContractError,
        match=r"summarize_from_feedback:cnndm2: `split`: want one of \['valid1'\], got 'train'",
    ):
        load_comparisons("summarize_from_feedback:cnndm2")
    assert len(load_comparisons("summarize_from_feedback:cnndm2", split="validation")) == 1


def test_a_hub_id_of_a_source_is_that_source(hub):
    _, shelf = hub
    shelf[SOURCES["webgpt"].files] = CASES["webgpt_raw"][0]
    assert load_comparisons("openai/webgpt_comparisons")["source"][:] == ["webgpt"]
    shelf["Anthropic/hh-rlhf", None, "harmless-base", None] = dict(train=CASES["hh"][0])
    assert load_comparisons("Anthropic/hh-rlhf:harmless-base")["source"][:] == ["hh_rlhf"]
    shelf["nvidia/HelpSteer2", None, "preference", None] = dict(train=[helpsteer2(1, 1)])
    for id in ("nvidia/HelpSteer2", "nvidia/helpsteer2", "nvidia/HelpSteer2:preference"):
        assert load_comparisons(id)["source"][:] == ["helpsteer2"]
    shelf[SOURCES["alpaca_farm"].files] = CASES["alpaca_farm"][0]
    for id in ("tatsu-lab/alpaca_eval", "tatsu-lab/alpaca_eval:alpaca_farm_human_crossannotations"):
        assert load_comparisons(id)["source"][:] == ["alpaca_farm"]
    with pytest.raises(
        ContractError, match="alpaca_farm, which has no subsets, got alpaca_farm:other"
    ):
        load_comparisons("tatsu-lab/alpaca_eval:other")
    shelf["allenai/multipref", "human_overall_binarized", None, None] = dict(
        train=[dict(prompt="Hi", chosen="a", rejected="b")]
    )
    assert load_comparisons("allenai/multipref:human_overall_binarized")["source"][:] == [
        "allenai/multipref"
    ]
    s = SOURCES["arena_llm_judges"]
    shelf[s.files] = [judged()]
    for f in s.judges:
        shelf[f"{s.files.rpartition('/')[0]}/{f}/J.jsonl"] = [
            dict(id=1, logit_A=0.0, logit_B=0.0, logit_C=0.0)
        ]
    assert load_comparisons(f"{s.id}:J")["judge_a"][:] == pytest.approx([2 / 3])


@pytest.mark.parametrize(
    "name, only",
    [
        ("webgpt", "train"),
        ("sample", "train"),
        ("pandalm", "test"),
        ("alpaca_farm", "validation"),
        ("collective_alignment", "train"),
        ("llmbar:Natural", "train"),
    ],
)
def test_a_split_that_a_source_has_not_is_an_error(name, only, hub):
    _, shelf = hub
    s = SOURCES[name.partition(":")[0]]
    if s.files:
        shelf[s.files.format(subset=name.partition(":")[2])] = next(
            v[0] for k, v in CASES.items() if k == s.format
        )
    for split in ("bogus", "validation" if only != "validation" else "test"):
        with pytest.raises(
            ContractError,
            match=f"`split`: want '{only}', the only one of {s and name.partition(':')[0]}, got '{split}'",
        ):
            load_comparisons(name, split=split)
    assert load_comparisons(name, split=only).to_dict() == load_comparisons(name).to_dict()


def test_pandalm_is_fetched_from_github(hub):
    asked, shelf = hub
    url = "https://raw.githubusercontent.com/WeOpenML/PandaLM/main/data/testset-v1.json"
    shelf[url] = CASES["pandalm"][0]
    assert load_comparisons("pandalm")["human_a"][:] == [2] and asked[-1][0] == url


def test_any_trl_form_on_the_hub_and_in_a_file(hub, tmp_path):
    _, shelf = hub
    user, yes, no = (
        talk("Tea?", "Yes")[0],
        dict(role="assistant", content="Yes"),
        dict(role="assistant", content="No"),
    )
    forms = [
        dict(prompt="Tea?", chosen="Yes", rejected="No"),
        dict(prompt=[user], chosen=[yes], rejected=[no]),
        dict(chosen=[user, yes], rejected=[user, no]),
        dict(chosen="Tea? Yes", rejected="Tea? No"),
    ]
    for i, form in enumerate(forms):
        shelf[f"some/data{i}", "default", None, None] = dict(train=[form])
        ds = load_comparisons(f"some/data{i}:default")
        assert ds["source"][:] == [f"some/data{i}"]
        assert {ds["response_a"][0]: ds["label"][0]} in ({"Yes": 1}, {"No": 0})
        (tmp_path / "x.jsonl").write_text(json.dumps(form) + "\n")
        (tmp_path / "x.json").write_text(json.dumps([form]))
        pd.DataFrame([form]).to_parquet(tmp_path / "x.parquet")
        for kind in ("jsonl", "json", "parquet"):
            assert load_comparisons(tmp_path / f"x.{kind}")["pair_id"][:] == ds["pair_id"][:]


def test_gzip_and_folders(tmp_path):
    rows = CASES["pandalm"][0]
    with gzip.open(tmp_path / "x.json.gz", "wt") as f:
        json.dump(rows, f)
    Dataset.from_list(rows).save_to_disk(tmp_path / "one")
    DatasetDict(train=Dataset.from_list(rows), test=Dataset.from_list(rows)).save_to_disk(
        tmp_path / "two"
    )
    for path, split in [("x.json.gz", None), ("one", None), ("two", None), ("two", "test")]:
        assert load_comparisons(tmp_path / path, split=split)["human_a"][:] == [2]


def test_files_from_the_web_are_fetched_once_and_whole(monkeypatch, tmp_path):
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    asked = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            found = self.path != "/none.json"
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", "10" if self.path == "/cut.json" else "2")
            self.end_headers()
            self.wfile.write(b"[]")

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("PLURALITY_CACHE", str(tmp_path))
    url = f"http://127.0.0.1:{server.server_port}"
    assert sources._fetch(f"{url}/x.json").read_bytes() == b"[]" and sources._fetch(
        f"{url}/x.json"
    ).name.endswith("x.json")
    assert asked == ["/x.json"]
    for name in ("none", "cut"):
        with pytest.raises(
            ContractError,
            match=f"{name}.json: `data`: want a file that can be fetched, got .*give its path",
        ):
            sources._fetch(f"{url}/{name}.json")
    assert len(list((tmp_path / "downloads").iterdir())) == 1
    server.shutdown()
