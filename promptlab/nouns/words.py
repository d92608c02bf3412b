"""The closed vocabularies: every word that a column, a key or a verdict may hold, and how people read it.

One map a vocabulary, in the order in which its words are shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal, NamedTuple, get_args

Scope = Literal["cell", "stimulus", "primary", "prompt", "level", "simple", "model", "interaction", "by_prompt", "pair", "arm", "wording"]
Generalise = Literal["these", "like_these"]
CacheUse = Literal["use", "refresh", "off", "imported", "replay"]
Outcome = Literal["ok", "truncated", "refused", "empty", "parse_failed", "error"]
Verdict = Literal["helps", "hurts", "negligible", "same", "unclear", "refused"]
Role = Literal["baseline", "aa", "placebo", "stimulus", "loop", "loop_control"]
Position = Literal["prefix", "suffix", "system", "after_input"]
Suite = Literal["twin", "official", "own"]
Benchmark = Literal["instruction_induction", "bigbench", "own"]
Control = Literal["none", "placebo", "neutral_feedback", "neutral_paraphrase", "resample", "self_reflection", "chain_of_thought", "single"]
Emotion = Literal["happiness", "sadness", "fear", "anger", "surprise", "disgust", "neutral"]
Valence = Literal["positive", "negative", "neutral"]
Demand = Literal["confidence", "check_again", "explain", "persist", "reason"]
LoopMode = Literal["oracle", "verifier_free", "self_judge"]
Settle = Literal["last", "majority", "synthesis"]
Purpose = Literal["answer", "judge", "synthesis", "score"]
Scorer = Literal["strict", "reference", "negativeprompt"]
Status = Literal[
    "ok",
    "n_too_small",
    "no_discordant_pairs",
    "zero_variance",
    "missing_pairs",
    "duplicate_keys",
    "unbalanced_repeats",
    "too_few_clusters",
    "separation",
    "not_planned",
    "cannot_be_significant",
    "aa_failed",
    "judge_failed",
    "uneven_answers",
    "uneven_versions",
    "nothing_answered",
    "after_the_data",
]
NONE_ARM = "none"
AA_ARM = "none_aa"
OWN_PROMPT = "program"
"""The base prompt of a program that keeps its own instructions."""


class VerdictWording(NamedTuple):
    """A verdict in a headline, what it means, and how it is drawn: sign, the shape of that sign, colour, style on a terminal."""

    headline: str
    meaning: str
    sign: str
    shape: str
    colour: str
    style: str


class ControlWording(NamedTuple):
    """A control in a table, and in a sentence after `against`."""

    name: str
    phrase: str


class ScopeWording(NamedTuple):
    """A scope as the title of its table, and what a family of it is about."""

    title: str
    about: str


class AdjustmentWording(NamedTuple):
    """A correction for many comparisons: its name, what it controls, and what it promises."""

    name: str
    controls: str
    promise: str


# Okabe and Ito's colours, told apart by every kind of colour vision; shape and word say the same.
VERDICTS: Mapping[Verdict, VerdictWording] = {
    "helps": VerdictWording(
        "helps", "Raises the score; the adjusted p is at most the level of its family.", "▲", "triangle-up", "#0072B2", "bold blue"
    ),
    "hurts": VerdictWording("hurts", "Lowers it, by the same rule.", "▼", "triangle-down", "#D55E00", "bold color(130)"),
    "negligible": VerdictWording(
        "changes something, but less than the margin", "Moves it, and is shown to do so by less than the margin.",
        "◆", "diamond", "#CC79A7", "green",
    ),
    "same": VerdictWording(
        "no difference as large as the margin", "Whatever it does is shown to be smaller than the margin.",
        "■", "square", "#009E73", "green",
    ),
    "unclear": VerdictWording("not settled", "Not settled: neither a change nor its absence is shown.", "○", "circle", "#7F7F7F", ""),
    "refused": VerdictWording(
        "no verdict", "No verdict, because nothing could be judged; the sentence of the comparison says why.",
        "✕", "cross", "#B8B8B8", "",
    ),
}  # fmt: skip
FINDINGS: tuple[Verdict, ...] = ("helps", "hurts", "negligible")
"""The verdicts that say that something was found."""
CONTROLS: Mapping[str, ControlWording] = {
    "placebo": ControlWording("neutral sentences", "these neutral sentences of its length"),
    "none": ControlWording("no added text", "no added text"),
    "neutral_paraphrase": ControlWording("neutral feedback in as many wordings", "the same loop with as many affect-free wordings"),
    "neutral_feedback": ControlWording("neutral feedback in one wording", "the same loop with one affect-free sentence"),
    "resample": ControlWording("independent attempts", "as many independent attempts"),
    "self_reflection": ControlWording("self-reflection", "the same loop asking to look for mistakes"),
    "chain_of_thought": ControlWording("attempts with chain of thought", "as many attempts with chain of thought"),
    "single": ControlWording("one answer", "one answer without a loop"),
    "none_aa": ControlWording("its own repeat", "its own repeat"),
}
"""Every `Control`, and the A/A arm."""


def control_name(control: str) -> str:
    """A control in a table; what a contrast calls its own stays as it is."""
    return CONTROLS[control].name if control in CONTROLS else control


def planned_control(control: str, incumbent: str = "") -> str:
    """A control in a table of power. Without added texts it is the `incumbent` where there is one, or a loop's control."""
    return (incumbent or "the control") if control == "neutral_paraphrase" else control_name(control)


ROLES: Mapping[Role, str] = {
    "baseline": "control: no added text",
    "aa": "control: the baseline again",
    "placebo": "control: neutral text",
    "stimulus": "sentence under test",
    "loop": "loop under test",
    "loop_control": "control of a loop",
}
OUTCOMES: dict[str, str] = {
    "ok": "ok",
    "truncated": "truncated (cut at the token limit)",
    "refused": "refused by the model",
    "empty": "empty answer",
    "parse_failed": "no answer found in the text",
    "error": "the call failed",
}
SCOPES: Mapping[Scope, ScopeWording] = {
    "primary": ScopeWording("All sentences of a library, over the tasks", "libraries over the tasks"),
    "stimulus": ScopeWording("Each sentence, over the tasks", "sentences over the tasks"),
    "cell": ScopeWording("Each sentence in each task", "single tasks"),
    "prompt": ScopeWording("Each prompt against the incumbent", "prompts against the incumbent"),
    "wording": ScopeWording("Each prompt against all wordings of the incumbent", "prompts against all wordings of the incumbent"),
    "level": ScopeWording("Each level of a setting, on average over the other settings", "levels of a setting against its reference"),
    "simple": ScopeWording("Each level of a setting, within each of the other settings", "levels within one of the other settings"),
    "model": ScopeWording("Each model against the first", "models against the first"),
    "interaction": ScopeWording("Whether an effect depends on something else", "interactions: differences of differences"),
    "by_prompt": ScopeWording("Each sentence, by base prompt", "sentences in one base prompt"),
    "pair": ScopeWording("All pairs", "all pairs"),
    "arm": ScopeWording("Each other arm against the incumbent", "other arms against the incumbent"),
}
OF_TEXTS: tuple[Scope, ...] = ("primary", "stimulus", "cell")
"""Scopes of added texts; the others are those of contrasts."""
ADJUSTMENTS: Mapping[str, AdjustmentWording] = {
    "fdr_bh": AdjustmentWording("Benjamini-Hochberg", "false discovery rate (Benjamini-Hochberg)",
                                "Benjamini-Hochberg: of what is found, at most that share is false on average"),
    "holm": AdjustmentWording("Holm", "family-wise error (Holm)", "Holm: any false finding with at most that chance"),
    "maxt": AdjustmentWording("step-down maxT", "family-wise error (step-down maxT)",
                              "step-down maxT: any false finding among all pairs with at most that chance"),
}  # fmt: skip
BENCHMARKS: Mapping[str, str] = {"instruction_induction": "Instruction Induction", "bigbench": "BIG-bench"}
"""Those of the papers; a task of the user's own belongs to none."""
UNWHOLE: dict[str, str] = {
    "truncated": "truncated",
    "empty": "empty",
    "refused": "refused",
    "thought_only": "nothing but a thought",
    "error": "failed",
}
"""Ends of answers that are not whole, as a sentence says them."""
BAD_ENDS: tuple[str, ...] = ("error", *(outcome for outcome in get_args(Outcome) if outcome not in ("ok", "error")))
"""Every outcome but `ok`, lost calls first."""
SCORERS: tuple[Scorer, ...] = get_args(Scorer)
_ENDS: dict[Outcome, str] = {
    "ok": "stop end_turn stop_sequence complete completed eos eos_token tool_calls tool_use function_call",
    "truncated": """length max_tokens max_len model_length max_output_tokens max_completion_tokens token_limit time_limit compaction
        model_context_window_exceeded incomplete""",
    "refused": """content_filter content_filtered refusal safety image_safety guardrail_intervened error_toxic recitation language
        blocklist prohibited_content spii sensitive""",
    "error": """error insufficient_system_resource abort aborted cancelled canceled timeout failed network_error
        malformed_function_call malformed_response unexpected_tool_call too_many_tool_calls missing_thought_signature""",
}


@lru_cache(maxsize=256)
def finish_word(reason: str) -> str:
    """A finish reason without what providers write differently: letter case, `_`, and prefixes of an enumeration."""
    word = "".join(filter(str.isalnum, re.split(r"[.:/]", reason)[-1].lower()))
    return word.removeprefix("finishreason").removeprefix("reason") or word


FINISH_OUTCOMES: dict[str, Outcome] = {finish_word(word): outcome for outcome, words in _ENDS.items() for word in words.split()}
"""What each finish reason of a provider, as `finish_word` writes it, says of its answer. Whatever is not `ok` here is not complete."""


def finish_outcome(reason: str | None, text: str, refusal: object = None) -> Outcome:
    """The outcome of an answer that ended for this reason: `ok` for the reasons of the allow-list alone.

    An unknown or missing reason makes a text `truncated`, and no text an `error`.
    """
    known = FINISH_OUTCOMES.get(finish_word(reason or ""))
    if known == "error" or (known is None and not refusal and not text.strip()):
        return "error"
    if refusal or known == "refused":
        return "refused"
    if known != "ok":
        return "truncated"
    return "ok" if text.strip() else "empty"


VERBS = {"is": "are", "was": "were", "has": "have", "does": "do"}


def counted(n: int, thing: str = "item", verb: str = "") -> str:
    """A number with its noun, and a verb, given in the singular: 1 item, 2 batches, 0 families; 1 trial waits, 2 trials wait."""
    if verb:
        return f"{counted(n, thing)} {verb if n == 1 else VERBS.get(verb) or verb.removesuffix('s')}"
    if n == 1:
        return f"1 {thing}"
    if thing.endswith("y") and thing[-2] not in "aeiou":
        return f"{n:,} {thing[:-1]}ies"
    return f"{n:,} {thing}{'es' if thing.endswith(('ch', 's', 'sh', 'x')) else 's'}"


MANY = {"helps": "help", "hurts": "hurt"}
"""Verdicts of several arms."""


def tallied(counts: Mapping[str, int]) -> list[str]:
    """How many have each verdict, none left out: 1 helps, 2 hurt, 3 unclear."""
    return [f"{n:,} {MANY.get(word, word) if n > 1 else word}" for word, n in counts.items() if n]
