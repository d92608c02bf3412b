"""Simulated models keep their word: the truth in their YAML is what an honest analysis finds, and nothing else."""

from __future__ import annotations

import random
from pathlib import Path

import pandas as pd
import pytest

from promptlab.design.cross import Design, cross, draw, settings_of, trials
from promptlab.design.render import PRESETS
from promptlab.nouns.call import Model
from promptlab.nouns.comparison import Comparison
from promptlab.nouns.item import Item, Task
from promptlab.planning.plan import make_plan
from promptlab.planning.resolve import resolve
from promptlab.planning.study import Study
from promptlab.record.store import Run
from promptlab.running.progress import Execution
from promptlab.running.simulate import Shown, World, probability, reply, wrong_answer
from promptlab.running.sweep import run_sweep
from promptlab.scoring.metrics import metric
from promptlab.sources.spec.libraries import all_stimuli, sim_models
from promptlab.stats import analyse
from promptlab.strategies import SINGLE
from runs import experiment

TASKS = "active_to_passive, object_counting, ruin_names, sentiment, sum, translation_en-fr"
STIMULI = "emotionprompt/EP02, emotionprompt/EP08, negativeprompt/NP06, negativeprompt/NP10"


def judged(tmp_path: Path, model: str, seed: int) -> tuple[list[Comparison], Run]:
    path = experiment(tmp_path, tasks=TASKS, models=f"  - sim/{model}", stimuli=STIMULI, items=60, seed=seed, name=f"{model}-{seed}")
    done = run_sweep(resolve(path), tmp_path / "runs", None, Execution(32), lambda progress: None)
    found = Run(done.folder)
    assert done.state == "complete"
    return analyse(found.trials(), found.plan), found


@pytest.mark.long(but=1)
@pytest.mark.parametrize("seed", [1, 2])
def test_null_finds_nothing_in_any_cell(tmp_path: Path, seed: int) -> None:
    """Two runs; how often a null is claimed is what `make calibrate` measures, on thousands."""
    comparisons, _ = judged(tmp_path, "null", seed)
    cells = [c for c in comparisons if c.scope == "cell"]
    assert len(cells) == 2 * 4 * 6
    assert [c.sentence for c in cells if c.verdict in ("helps", "hurts")] == []
    assert all(c.simulated for c in comparisons)


@pytest.mark.long
def test_planted_signs_are_found_and_none_other(tmp_path: Path) -> None:
    comparisons, _ = judged(tmp_path, "planted", 1)
    effect = {"emotionprompt/EP02": "helps", "negativeprompt/NP10": "hurts"}
    for c in comparisons:
        if c.scope == "stimulus":
            assert c.verdict == effect.get(c.treatment, c.verdict if c.verdict in ("unclear", "same", "refused") else "none"), c.sentence
            if c.treatment in effect:
                assert c.diff is not None
                assert abs(abs(c.diff) - 0.20) < 0.06
        if c.scope == "cell":
            assert c.verdict in (effect.get(c.treatment, "unclear"), "unclear", "same", "refused"), c.sentence
    found = [c for c in comparisons if c.scope == "cell" and c.verdict in ("helps", "hurts")]
    assert len(found) >= 18  # of 24 planted cells


def drawn(study: Study, model: str) -> list[Comparison]:
    """What a run would be judged as, with every score drawn from its probability: the analysis alone, without calls."""
    sim, seed = study.sims[model], study.design.seed
    tasks = {task.id: task for task in study.design.tasks}
    rows = []
    for trial in trials(study.design):
        p = probability(sim, model, Shown(tasks[trial.task], trial.item, trial.arm), str(seed))
        arm = trial.arm
        rows.append(
            {
                "model": trial.model, "task": tasks[trial.task].name, "item": trial.item.id, "cluster": trial.item.cluster, "arm": arm.name,
                "setting": arm.setting.id, "placement": arm.setting.placement, "shots": arm.setting.shots,
                "strategy": arm.setting.strategy, "outcome": "ok",
                "score": float(random.Random(f"{seed}/{trial.id}").random() < p),
            }
        )  # fmt: skip
    return analyse(pd.DataFrame(rows), make_plan(study))


@pytest.mark.long
def test_length_alone_is_an_effect_against_none_and_none_against_placebos(tmp_path: Path) -> None:
    n_seeds, found = 20, []
    for seed in range(n_seeds):
        path = experiment(tmp_path, tasks=TASKS, models="  - sim/length", stimuli=STIMULI, items=60, seed=seed, name=f"length-{seed}")
        over_tasks = [c for c in drawn(resolve(path), "length") if c.scope == "stimulus"]
        assert {c.verdict for c in over_tasks if c.control == "none"} == {"hurts"}
        found.append(any(c.verdict in ("helps", "hurts") for c in over_tasks if c.control == "placebo"))
    # The family-wise rate of four claims is 5 %: more than 4 of 20 would come by chance once in 400 times.
    assert sum(found) <= 4, f"{sum(found)} of {n_seeds} seeds found a difference where there is none"


def toy_design() -> Design:
    items = tuple(Item(f"i{i}", f"in {i}", (f"t{i}",)) for i in range(400))
    toy = draw(Task("toy", "twin", "instruction_induction", "ii_em", {"human": "Do."}, items), None, 0, 1)
    known = all_stimuli()
    chosen = [known[name] for name in ("emotionprompt/EP02", "emotionprompt/EP08", "negativeprompt/NP10")]
    arms = cross(chosen, [known["placebo/w07-a"]], settings_of(["human"], [PRESETS["paper"]], [0], [SINGLE]))
    return Design((toy,), arms, (Model("m", "sim/planted"),), 1, 1)


def scores(model: str, arm: str, draw_seed: str = "") -> list[float]:
    design, sim = toy_design(), sim_models()[model]
    wanted = next(a for a in design.arms if a.name == arm)
    task = design.tasks[0]
    out = []
    for item in task.items:
        shown = Shown(task, item, wanted)
        answer = reply(sim, model, shown, f"1/{item.id}/{arm}{draw_seed}", [{"content": "x"}], None)
        out.append(metric("ii_em")(answer.text, item).score)
    return out


@pytest.mark.parametrize(
    ("arm", "truth"), [("none", 0.6), ("emotionprompt/EP02", 0.8), ("negativeprompt/NP10", 0.4), ("placebo/w07-a", 0.6)]
)
def test_the_planted_truth_is_the_expected_score(arm: str, truth: float) -> None:
    found = scores("planted", arm)
    assert sum(found) / len(found) == pytest.approx(truth, abs=0.08)


def test_two_draws_disagree_at_the_flip_rate() -> None:
    a, b = scores("planted", "none"), scores("planted", "none", "/again")
    assert sum(x != y for x, y in zip(a, b, strict=True)) / len(a) == pytest.approx(0.04, abs=0.025)


def test_every_simulated_model_is_labelled_and_says_its_truth() -> None:
    assert {"null", "planted", "length"} <= set(sim_models())
    assert all(m.truth and m.price for m in sim_models().values())


def test_messy_has_every_outcome(tmp_path: Path) -> None:
    path = experiment(tmp_path, tasks="sentiment, sum", models="  - sim/messy", items=60)
    done = run_sweep(resolve(path), tmp_path / "runs", None, Execution(32), lambda progress: None)
    frame = Run(done.folder).trials()
    assert {"ok", "truncated", "refused"} <= set(frame["outcome"])
    assert frame["attempts"].max() > 1
    assert frame["simulated"].all()


@pytest.mark.long
def test_the_same_seed_gives_the_same_frame(tmp_path: Path) -> None:
    path = experiment(tmp_path, models="  - sim/messy", items=20)
    frames = [
        Run(run_sweep(resolve(path), tmp_path / name, None, Execution(n), lambda p: None).folder).trials()
        for name, n in (("a", 1), ("b", 32))
    ]
    assert frames[0]["answer"].tolist() == frames[1]["answer"].tolist()
    assert frames[0]["outcome"].tolist() == frames[1]["outcome"].tolist()


def test_a_world_knows_only_its_own_prompts() -> None:
    import asyncio

    from promptlab.running.gateway.wire import SimulatedError

    with pytest.raises(SimulatedError):
        asyncio.run(World(toy_design(), sim_models())("planted", [{"role": "user", "content": "hello"}], {}))


def test_a_wrong_answer_is_that_of_another_item_and_drawn_as_from_a_list() -> None:
    design = toy_design()
    for seed in range(300):
        rng = random.Random(seed)
        targets = [tuple(rng.choice("abcdefgh") for _ in range(rng.randint(1, 3))) for _ in range(rng.randint(1, 12))]
        own = rng.choice(targets)
        shown = Shown(design.tasks[0], Item("i", "what?", own), design.arms[0], pool=sorted({each[0] for each in targets}))
        others = sorted({each[0] for each in targets} - set(own))
        expected = random.Random(seed).choice(others) if others else "no idea"
        assert wrong_answer(shown, random.Random(seed)) == expected
