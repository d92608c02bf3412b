"""Arms of a feedback loop: the treatments, and controls with the same rounds, stop rule and verifier. Pure: cues in, arms out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from promptlab.nouns import AA_ARM, NONE_ARM, Arm, Cue, Loop, Placement, Setting, Stimulus, counted
from promptlab.strategies.loop import looped

Policy = str | Sequence[str]


def policy_name(policy: Policy) -> str:
    """A policy as part of an arm's name."""
    return policy if isinstance(policy, str) else "+".join(policy)


def candidates(policy: Policy, cues: Sequence[Cue], n_remarks: int) -> tuple[tuple[Cue, ...], ...]:
    """For each remark the cues that one is drawn from.

    alternate: negative first (after opponent-process theory, as HEART is described), then positive, in turn. random: all emotions.
    An emotion: held. escalate-EMOTION: its cues one by one, mild first, the strongest again at the end. A list: one emotion a
    remark, from the start again at its end.
    """
    emotional = [cue for cue in cues if cue.emotion != "neutral"]

    def of(emotion: str) -> tuple[Cue, ...]:
        return tuple(cue for cue in emotional if cue.emotion == emotion)

    if policy == "alternate":
        by_valence = {v: tuple(cue for cue in emotional if cue.valence == v) for v in ("negative", "positive")}
        found = [by_valence["negative" if n % 2 == 0 else "positive"] for n in range(n_remarks)]
    elif policy == "random":
        found = [tuple(emotional)] * n_remarks
    elif isinstance(policy, str) and policy.startswith("escalate-"):
        steps = of(policy.removeprefix("escalate-"))
        found = [steps[min(n, len(steps) - 1) :][:1] for n in range(n_remarks)]
    elif isinstance(policy, str):
        found = [of(policy)] * n_remarks
    else:
        found = [of(policy[n % len(policy)]) for n in range(n_remarks)]
    return tuple(found)


def missing_emotions(policy: Policy, cues: Sequence[Cue], n_remarks: int) -> bool:
    """Whether a policy asks for cues that the library does not have."""
    return not all(candidates(policy, cues, n_remarks))


def loop_arms(
    name: str,
    strategy: str,
    template: Loop,
    policies: Sequence[Policy],
    controls: Sequence[str],
    cues: Sequence[Cue],
    reflection: str,
    chain_of_thought: Stimulus,
    settings: Sequence[tuple[Setting, Placement]],
) -> tuple[Arm, ...]:
    """Every arm of a loop in every setting; `template` has the rounds, mode and stop rule that all of them share.

    `name` begins the names of treatments, `strategy` is the setting of all arms. The baseline is the single first answer. Of
    `neutral_paraphrase` there is one arm for each number of wordings that policies have at their remarks, in the counterparts of
    the first such policy's cues; all but the first are named after that policy.
    """
    n_remarks = template.rounds - 1
    neutral = tuple(cue for cue in cues if cue.emotion == "neutral")
    counterpart = dict(zip((cue.key for cue in cues if cue.emotion != "neutral"), neutral, strict=True))
    drawn_from = {policy_name(policy): candidates(policy, cues, n_remarks) for policy in policies}
    as_varied: dict[tuple[int, ...], str] = {}
    for policy, steps in drawn_from.items():
        as_varied.setdefault(tuple(map(len, steps)), policy)
    single = looped(strategy, replace(template, kind="single", rounds=1, mode="verifier_free", settle="last", cues=(), candidates=1))
    reflect = Cue("reflection", "neutral", "neutral", reflection)
    specs: dict[str, Loop] = {
        "neutral_feedback": replace(template, kind="feedback", cues=(neutral[:1],)),
        "self_reflection": replace(template, kind="feedback", cues=((reflect,),)),
        "resample": replace(template, kind="resample"),
        "chain_of_thought": replace(template, kind="resample"),
    }
    for number, policy in enumerate(as_varied.values()):
        steps = tuple(tuple(counterpart[cue.key] for cue in step) for step in drawn_from[policy])
        specs["neutral_paraphrase" + f"/{policy}" * (number > 0)] = replace(template, kind="feedback", cues=steps)
    wanted = [arm for control in controls for arm in specs if arm.partition("/")[0] == control]
    controlled = {arm: looped(strategy, specs[arm]) for arm in wanted}
    treatments = {
        f"{name}/{policy}": looped(strategy, replace(template, kind="feedback", cues=steps, library=name))
        for policy, steps in drawn_from.items()
    }
    found = []
    for setting, placement in settings:
        found.append(Arm(NONE_ARM, "baseline", None, setting, placement, single))
        found.append(Arm(AA_ARM, "aa", None, setting, placement, single))
        for control, made in controlled.items():
            stimulus = chain_of_thought if control == "chain_of_thought" else None
            found.append(Arm(control, "loop_control", stimulus, setting, placement, made))
        found += [Arm(arm, "loop", None, setting, placement, made) for arm, made in treatments.items()]
    return tuple(found)


def described(loop: Loop) -> str:
    """What an arm of a loop does, in words."""
    if loop.kind == "single":
        return "one answer"
    if loop.kind == "resample":
        return f"{loop.rounds * loop.candidates} independent attempts"
    emotions = ["/".join(dict.fromkeys(cue.emotion for cue in step)) for step in loop.cues]
    said = [step[0].text if len(step) == 1 else f"{len(step)} wordings" for step in loop.cues]
    attempts = counted(loop.rounds, "attempt") if loop.candidates == 1 else f"{counted(loop.rounds, 'round')} of {loop.candidates} attempts"
    return f"{attempts} with remarks: " + "; ".join(f"{e} ({s})" for e, s in dict.fromkeys(zip(emotions, said, strict=True)))
