"""From an experiment file to a design: every name in it becomes an object, and every name that cannot is a problem with its line.

Above 400 lines: every step adds to one list of problems and uses what earlier steps resolved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

from promptlab.design.cross import (
    LEAST_SHARED,
    Design,
    cross,
    draw,
    matched_placebos,
    n_available,
    placebos_of,
    screened,
    settings_of,
    stack,
    with_wordings,
)
from promptlab.design.defects import SMALL
from promptlab.design.loops import loop_arms, missing_emotions, policy_name
from promptlab.nouns import Call, Model, Prompt, Scorer, Setting, Task, counted, family_of, filled, shipped
from promptlab.nouns.arm import Arm, Loop, Placement, Stimulus, Strategy, Trial
from promptlab.nouns.environment import ignored, located, recorded, variables_of
from promptlab.nouns.errors import DataMissing, FileProblems, Problem, UsageProblem, did_you_mean, no_file
from promptlab.planning import hashes
from promptlab.planning.earlier import earlier
from promptlab.planning.requests import are_chats, sent_alike
from promptlab.planning.study import Study
from promptlab.record.registry import bundled
from promptlab.scoring.code import Code, Consent
from promptlab.scoring.code import found as find
from promptlab.scoring.rules import task_scoring
from promptlab.sources.objects import GIVEN, as_files, given_code
from promptlab.sources.own import gold_notes, load_own
from promptlab.sources.prices import ADD_PRICE, PriceTable, sim_prices
from promptlab.sources.prompts import read_prompts, with_columns
from promptlab.sources.spec.experiment import Experiment, load_experiment
from promptlab.sources.spec.libraries import SimModel, all_stimuli, load_cues, sim_models
from promptlab.sources.spec.strict_yaml import Document, validate
from promptlab.sources.tasks import entries, load_task, task_names
from promptlab.sources.tokens import encoding_name, n_tokens
from promptlab.strategies import begun, strategy_of
from promptlab.strategies.loop import looped

LEAST_ITEMS_A_LOOK = 20
"""Below it an interim analysis can never give a verdict."""


@dataclass
class _Resolver:
    """Collects problems while it resolves, so that all of them are reported at once."""

    experiment: Experiment
    document: Document
    base: Path
    consent: Consent
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    available: dict[str, int] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    """Task files by the id of their task."""
    unread: set[str] = field(default_factory=set)
    """Names of task files with problems: that a task of such a name is not known says nothing more."""
    code: list[Code] = field(default_factory=list)
    left_out: set[tuple[str, str | None]] = field(default_factory=set)
    """Ids of tasks with base prompts that do not ask for them, where benchmarks have different ones."""

    def problem(self, message: str, *loc: str | int) -> None:
        self.problems.append(self.document.problem(loc, message.rstrip("; ")))

    def file(self, name: str) -> Path:
        """A file that the experiment names; objects that were given are next to the document. FileProblems where it is absent."""
        path = (self.document.path.parent if name.startswith(f"{GIVEN}/") else self.base) / name
        if not path.exists():
            before, found, _ = self.document.text.partition(name)
            raise FileProblems.one(self.document.path, f"{name}: {no_file(path, path.suffix)}", before.count("\n") + 1 if found else None)
        return path

    def meant(self, pattern: str, known: Sequence[str], what: str, *loc: str | int) -> list[str]:
        """The names that a name or glob means, in the order in which they are known; a problem where there is none."""
        found = [pattern] if pattern in known else [name for name in known if fnmatchcase(name, pattern)]
        if not found and pattern not in self.unread:
            self.problem(f"the {what} {pattern!r} is not known; {did_you_mean(pattern, known)}", *loc)
        return found

    def names(self, patterns: Sequence[str], known: Sequence[str], what: str, *key: str) -> list[str]:
        """What the patterns of a list in the file mean together, each name once."""
        return list(dict.fromkeys(name for n, pattern in enumerate(patterns) for name in self.meant(pattern, known, what, *key, n)))

    def stimuli(self) -> dict[str, Stimulus]:
        try:
            return all_stimuli([self.file(name) for name in self.experiment.stimulus_files])
        except FileProblems as error:
            self.problems.extend(error.problems)
            return all_stimuli()

    def own_tasks(self) -> dict[str, Task]:
        found: dict[str, Task] = {}
        for index, name in enumerate(self.experiment.task_files):
            try:
                own = load_own(self.file(name), self.consent, [self.base], whole=bool(self.experiment.prompts))
            except FileProblems as error:
                self.problems.extend(error.problems)
                self.unread.add(Path(name).stem)
                continue
            if own.task.name in found or own.task.name in entries():
                self.problem(f"the task {own.task.name!r} exists already; give this one another 'name'", "task_files", index)
            self.files[own.task.id] = name
            self.code += own.code
            self.notes += [f"{own.task.id}: {note}" for note in own.notes]
            found[own.task.name] = own.task
        return found

    def tasks(self) -> list[Task]:
        e = self.experiment
        tasks, own, programs = [], self.own_tasks(), [program.name for program in e.programs]
        strategies = [(n, strategy_of(entry)) for n, entry in enumerate(e.strategies) if entry not in programs]
        missing: list[tuple[str, DataMissing]] = []
        for name in self.names(e.tasks, [*own, *task_names(e.suite)], "task", "tasks"):
            try:
                task = own[name] if name in own else load_task(name, e.suite, e.defects)
            except DataMissing as error:
                missing.append((name, error))
                continue
            for index, prompt in enumerate(() if e.prompts else e.prompts_of(task.benchmark)):
                if prompt not in task.base_prompts:
                    has = ", ".join(task.base_prompts)
                    way = f"it has {has}" if has else "write whole 'prompts' here, or base_prompts in the task's file"
                    self.problem(
                        f"the task {name!r} has no base prompt {prompt!r}; {way}",
                        "base_prompts",
                        *([task.benchmark] * isinstance(e.base_prompts, dict)),
                        index,
                    )
            others = set() if e.prompts else set(e.prompt_names) - set(e.prompts_of(task.benchmark))
            self.left_out |= {(task.id, prompt) for prompt in others}
            if others and (e.analysis.looks > 1 or e.confirm is not None):
                self.problem(f"looks and 'confirm' need the same base prompts in every task; {name!r} has others", "base_prompts")
            n_shots = max(e.shots_asked)
            drawn = draw(task, e.items, n_shots, e.seed)
            if task.id in self.files:
                self.notes += gold_notes(drawn, self.files[task.id])
            self.available[task.id] = n_available(task, n_shots)
            if n_shots > (n := len(drawn.demos)):
                self.problem(f"the task {task.id!r} has {n} demonstrations to draw from; shots can be at most that", "shots")
            if e.items > len(drawn.items):
                self.notes.append(f"{task.id} has {counted(len(drawn.items))} to ask; {e.items} were requested, so all of them are used")
            for index, strategy in strategies:
                if "choices" in strategy.needs and not all(item.choices for item in drawn.items):
                    message = f"the strategy {strategy.name!r} needs options, and the task {task.id!r} has items without"
                    self.problem(message, "strategies", index)
                if strategy.n_first > 1 and e.sampling.temperature == 0:
                    self.notes.append(f"strategy {strategy.name!r}: at temperature 0 independent attempts mostly repeat themselves")
            if len(task.items) < SMALL:
                self.notes.append(f"{task.id} has {counted(len(task.items))} in all: too few for a verdict of its own")
            tasks.append(drawn)
        if missing:
            more = f" ({len(missing)} tasks lack their files: {', '.join(name for name, _ in missing)})" if len(missing) > 1 else ""
            self.problem(f"{missing[0][1]}{more}", "tasks")
        return tasks

    def models(self, sims: Mapping[str, SimModel]) -> list[Model]:
        found: dict[str, Model] = {}
        for index, entry in enumerate(self.experiment.models):
            model = entry.resolved()
            try:
                model = located(model)
            except UsageProblem as error:
                self.problem(str(error), "models", index)
            whole, sim = model.litellm_name, sims.get(model.litellm_name.removeprefix("sim/"))
            if model.simulated and sim is None:
                hint = did_you_mean(whole, [f"sim/{name}" for name in sims])
                self.problem(f"the simulated model {whole!r} is not known; {hint}", "models", index)
            elif model.simulated and sim and sim.judges:
                self.problem(f"{whole!r} is a simulated judge: it scores answers and gives none", "models", index)
            if "/" not in whole:
                self.problem(f"the model {whole!r} names no provider; write provider/model, as in openai/gpt-4o-mini", "models", index)
            if model.name in found:
                self.problem(f"two models are named {model.name!r}; give one of them another 'name'", "models", index)
            found[model.name] = model
        return list(found.values())

    def sims(self) -> Mapping[str, SimModel]:
        """The simulated models of promptlab and of the experiment."""
        known, own = sim_models(), self.experiment.simulators
        for name in own.keys() & known.keys():
            self.problem(f"a simulated model of promptlab is called {name!r}; give this one another name", "simulators", name)
        return {**known, **own}

    def planted(self, models: Sequence[Model], known: Mapping[str, Sequence[str]]) -> None:
        """Notes on effects of the experiment's own simulators that name nothing that it has: such an effect is in no answer."""
        used = {model.litellm_name.removeprefix("sim/") for model in models if model.simulated}
        for simulator in sorted(used & self.experiment.simulators.keys()):
            for n, shift in enumerate(self.experiment.simulators[simulator].effects):
                for what, wanted in (("prompt", shift.when.get("prompt")), ("stimulus", shift.stimulus), ("task", shift.task)):
                    patterns = [str(one) for one in (wanted if isinstance(wanted, list) else [wanted]) if one is not None]
                    names = known[what]
                    if patterns and names and not any(fnmatchcase(name, pattern) for name in names for pattern in patterns):
                        where = self.document.problem(("simulators", simulator, "effects", n), "").line
                        hint = did_you_mean(patterns[0], names).rstrip("; ")
                        place = f"{self.document.path.name}:{where}" if where else f"simulators.{simulator}"
                        told = f"{place}: an effect of sim/{simulator} is on the {what} {patterns[0]!r}, which is not in this experiment"
                        self.notes.append(f"{told}{'; ' * bool(hint)}{hint}")

    def prompts(self, tasks: Sequence[Task]) -> dict[str, Prompt]:
        """Whole prompts by name, each with the variables that it holds; problems of their files and variables."""
        return read_prompts(self.experiment.prompts, self.document, self.file, tasks, self.problems, self.notes)

    def judges(self, tasks: Sequence[Task], models: Sequence[Model], sims: Mapping[str, SimModel]) -> list[Model]:
        """The models that scorings ask and that are not tested themselves."""
        known, tested = {model.name: model for model in models}, len(models)
        for task in tasks:
            for judge in task_scoring(task, self.experiment.scorer).models:
                sim = sims.get(judge.litellm_name.removeprefix("sim/"))
                if judge.simulated and (sim is None or not sim.judges):
                    usable = ", ".join(f"sim/{name}" for name, model in sims.items() if model.judges)
                    message = f"{task.id} is scored by {judge.litellm_name!r}, which is no simulated judge; known: {usable}"
                    self.problem(message, "task_files")
                kin, is_tested = family_of(judge.litellm_name), judge.litellm_name in {model.litellm_name for model in models}
                if is_tested or (kin and kin in {family_of(model.litellm_name) for model in models}):
                    whose = "its own answers" if is_tested else f"answers of its own family ({kin})"
                    said = f"judges {whose} and may prefer them; take a judge of another family"
                    self.notes.append(f"{task.id}: {judge.litellm_name} {said}")
                if known.setdefault(judge.name, judge) != judge:
                    message = f"{task.id} is scored by a model named {judge.name!r} as another one is; give it another 'name'"
                    self.problem(message, "task_files")
        return list(known.values())[tested:]

    def opponents(self, tasks: Sequence[Task], *, has_texts: bool) -> None:
        """Pairs have one opponent each, so what is compared with several baselines cannot be judged by them."""
        e = self.experiment
        if e.compare.models or ((len(e.prompts) > 1 or e.factors) and has_texts):
            for task in (task for task in tasks if task_scoring(task, e.scorer).needs_opponent):
                said = "is judged in pairs with one baseline, which cannot compare models, nor prompts or factors next to sentences"
                self.problem(f"{task.id} {said}; judge it by 'rubric' in place of 'pairwise'", "task_files")

    def chosen(self, known: Mapping[str, Stimulus]) -> list[Stimulus]:
        """The stimuli of the experiment in its order: named ones, and stacks."""
        usable = [name for name, s in known.items() if s.role != "paraphrase"]
        found: dict[str, Stimulus] = {}
        for index, entry in enumerate(self.experiment.stimuli):
            names = [entry] if isinstance(entry, str) else entry
            hits = [self.meant(name, usable, "stimulus", "stimuli", index) for name in names]
            named = [known[name] for hit in hits for name in hit]
            for s in named:
                if s.role == "placebo":
                    self.problem(f"{s.id!r} is a placebo; name it under controls.placebos", "stimuli", index)
            if isinstance(entry, str):
                found.update({s.id: s for s in named})
            elif all(len(hit) == 1 for hit in hits):
                made = stack(named)
                found[made.id] = made
            elif all(hits):
                self.problem("a stack names each of its sentences; a glob means several", "stimuli", index)
        chosen = [s for s in found.values() if s.role == "stimulus"]
        if self.experiment.wordings == "paraphrased":
            chosen = [with_wordings(s, list(known.values()), self.experiment.seed) for s in chosen]
            for s in chosen:
                if not s.wordings:
                    self.problem(f"{s.id!r} has no paraphrases; add a library with role: paraphrase and 'of: {s.id}'", "wordings")
        return chosen

    def placebos(
        self, known: Mapping[str, Stimulus], stimuli: Sequence[Stimulus], n_tokens: Mapping[str, int], experiment: Experiment
    ) -> tuple[Stimulus, ...]:
        controls = experiment.controls
        neutral = {name: s for name, s in known.items() if s.role == "placebo"}
        if controls.placebos == "matched":
            return matched_placebos(stimuli, list(neutral.values()), n_tokens, controls.per_stimulus, controls.kinds, experiment.seed)
        if controls.kinds != ["neutral"]:
            self.problem("kinds are made by 'placebos: matched'; leave one of the two out", "controls", "kinds")
        return tuple(neutral[n] for n in self.names(controls.placebos, list(neutral), "placebo", "controls", "placebos"))

    def enough_placebos(self, stimuli: Sequence[Stimulus], placebos: Sequence[Stimulus], n_tokens: Mapping[str, int]) -> None:
        """A problem where a verdict is to be about neutral sentences like these, and there are too few to tell how they differ."""
        least = min((len(placebos_of(s, placebos, n_tokens)) for s in stimuli), default=LEAST_SHARED)
        if self.experiment.analysis.neutral == "like_these" and least < LEAST_SHARED:
            what = f"sentences like these are judged by at least {LEAST_SHARED} neutral ones, and a stimulus has {least}"
            self.problem(f"{what}; set controls.per_stimulus to {LEAST_SHARED} or more", "analysis", "neutral")

    def parts(self, tasks: Sequence[Task]) -> tuple[list[Task], tuple[int, ...]]:
        """The tasks with the items that screen first, and how many do in each; a problem where a part, or what a look sees, is too small
        to tell anything.
        """
        looks, longest = self.experiment.analysis.looks, max((len(task.items) for task in tasks), default=0)
        if looks > 1 and longest < looks * LEAST_ITEMS_A_LOOK:
            least = f"{looks} looks need at least {looks * LEAST_ITEMS_A_LOOK} items in a task"
            self.problem(f"{least}, and the longest has {longest}; ask more items, or look less often", "analysis", "looks")
        share = self.experiment.confirm
        if share is None:
            return list(tasks), ()
        if looks > 1:
            self.problem("a run stops early by looks or screens and confirms; leave 'confirm' out, or the looks (--sequential)", "confirm")
        split = screened(tasks, share)
        for task, n in split:
            for part, size in (("screening", n), ("confirming", len(task.items) - n)):
                if size < LEAST_ITEMS_A_LOOK:
                    what = f"{task.id}: {size} of {len(task.items)} items are left for the {part} part, which needs {LEAST_ITEMS_A_LOOK}"
                    whole = "; items of one cluster stay together" if any(item.cluster for item in task.items) else ""
                    self.problem(f"{what}; ask more items, or change 'confirm'{whole}", "confirm")
        return [task for task, _ in split], tuple(n for _, n in split)

    def loops(self, known: Mapping[str, Stimulus]) -> tuple[Arm, ...]:
        e = self.experiment
        found: list[Arm] = []
        for index, entry in enumerate(e.loops):
            if entry.name in {s.library for s in known.values()}:
                self.problem(f"a stimulus library is called {entry.name!r}; give the loop another 'name'", "loops", index)
            try:
                path = shipped("stimuli") / "heart.yaml" if entry.cues == "heart" else self.file(entry.cues)
                library = load_cues(path)
            except FileProblems as error:
                self.problems.extend(error.problems)
                continue
            for policy in entry.policies:
                if missing_emotions(policy, library.cues, entry.rounds - 1):
                    self.problem(f"{path.name} has no cues for {policy_name(policy)!r}", "loops", index, "policies")
            template = filled(Loop, entry, library, kind="feedback", cues=(), seed=e.seed, library="")
            if e.sampling.temperature == 0 and {"resample", "chain_of_thought"} & set(entry.controls):
                self.notes.append(f"loop {entry.name!r}: at temperature 0 independent attempts mostly repeat themselves")
            if self.problems:
                continue
            settings = self.settings([looped(entry.strategy, template)])
            found += loop_arms(
                entry.name,
                entry.strategy,
                template=template,
                policies=entry.policies,
                controls=entry.controls,
                cues=library.cues,
                reflection=library.reflection,
                chain_of_thought=known["chain_of_thought/CT01"],
                settings=[(setting, placement) for setting, placement, _ in settings],
            )
        return tuple(found)

    def settings(self, strategies: Sequence[Strategy]) -> list[tuple[Setting, Placement, Strategy]]:
        """Everything that is varied besides stimulus and model, crossed; or as it is listed."""
        e, placements = self.experiment, self.experiment.resolved_placements()
        blocks = e.vary.blocks(e.shots)
        crossed = (one for shots, levels in blocks for one in settings_of(e.prompt_names, placements, shots, strategies, levels))
        return list({one[0]: one for one in crossed}.values())

    def programs(self) -> dict[str, Callable[[Mapping[str, Task]], Strategy]]:
        """What makes strategies of the experiment's DSPy programs; DSPy is imported only here, and only for them."""
        e = self.experiment
        if not e.programs:
            return {}

        if e.shots_asked != [0]:
            self.problem("a program brings its own demonstrations; leave 'shots' at 0", "shots")
        for index, placement in enumerate(e.resolved_placements()):
            if placement.position not in ("prefix", "suffix"):
                self.problem("a stimulus is joined to a program's instructions: position prefix or suffix", "placements", index)
        found: dict[str, Callable[[Mapping[str, Task]], Strategy]] = {}
        for index, entry in enumerate(e.programs):
            try:
                code = find(entry.factory, f"the program {entry.factory!r}", self.document.path, [self.base], self.consent)
                if code.refused:
                    raise UsageProblem(code.refused)
                from promptlab.programs import load, under_test

                found[entry.name] = partial(under_test, load(entry, self.base, code))
                self.code.append(code)
            except UsageProblem as error:
                self.problem(str(error), "programs", index, "factory")
        return found

    def first_calls(self, programs: Iterable[Strategy], arms: Sequence[Arm], tasks: Sequence[Task]) -> None:
        """Whether every program asks something about the first item of every task, before anything is paid."""
        for index, strategy in enumerate(programs):
            arm = next((a for a in arms if a.strategy is strategy), None)
            if arm is None:
                self.problem("a program is tested with stimuli, and the experiment names none; add 'stimuli'", "programs", index)
                continue
            for task in tasks:
                with closing(begun(Call("", (), {}), Trial(0, task.id, task.items[0], arm, "", 0))) as started:
                    try:
                        next(started)
                    except StopIteration as stop:
                        self.problem(f"about {task.id} the program asks nothing: {stop.value.error or 'it returns'}", "programs", index)
                        break


def resolve(
    source: Path | Experiment,
    looks: int | None = None,
    base: Path | None = None,
    scorer: Scorer | None = None,
    *,
    consent: Consent | None = None,
) -> Study:
    """Read and resolve an experiment file, or an experiment; FileProblems tells everything that is wrong with it at once.

    `looks` replaces the experiment's own number of planned interim analyses where that is 1, `scorer` its scorer, and `base` for the
    file's folder, which its paths are relative to. Code that a file names runs only with `consent`; without it a metric of that kind
    gives no score, and a program is a problem.
    """
    given = consent or Consent()
    with hashes.nothing_to_collect():
        if isinstance(source, Path):
            experiment, document = load_experiment(source)
            with recorded(bundled(source.parent, "environment")):
                return _resolved(experiment.as_asked(looks, scorer), document, source.parent if base is None else base, given)
        with as_files(source) as (document, folder, files):
            given = replace(given, given=given_code(source))
            study = _resolved(validate(document, Experiment).as_asked(looks, scorer), document, folder, given)
        return replace(study, path=Path(document.path.name), files=files)


def _without_price(model: Model, table: PriceTable) -> str:
    """Why a budget cannot hold for a model, after the names that may be meant."""
    unknown = f"the price of {model.name!r} is unknown, so budget_usd cannot hold; {ADD_PRICE}, or leave budget_usd out"
    hint = table.meant(model)
    return f"LiteLLM's table has no model {model.litellm_name!r}; {hint} Else {unknown}" if hint else unknown


def _resolved(experiment: Experiment, document: Document, base: Path, consent: Consent) -> Study:
    resolver = _Resolver(experiment, document, base, consent)
    known = resolver.stimuli()
    sims = resolver.sims()
    stimuli = resolver.chosen(known)
    tasks = resolver.tasks()
    models = resolver.models(sims)
    judges = resolver.judges(tasks, models, sims)
    encoding = encoding_name([model.litellm_name for model in models])
    lengths = {s.id: n_tokens(s.text, encoding) for s in (*known.values(), *stimuli)}
    placebos = unshared = resolver.placebos(known, stimuli, lengths, experiment)
    if experiment.controls.placebos == "matched":
        unshared = resolver.placebos(known, stimuli, lengths, experiment.explicit())
    lengths |= {s.id: n_tokens(s.text, encoding) for s in (*placebos, *unshared)}
    resolver.enough_placebos(stimuli, placebos, lengths)
    prompts = resolver.prompts(tasks)
    resolver.planted(models, {"prompt": list(prompts), "stimulus": [s.id for s in (*stimuli, *placebos)], "task": [t.name for t in tasks]})
    tasks = [with_columns(task, prompts.values(), lambda said: resolver.problem(said, "prompts")) for task in tasks] if prompts else tasks
    looped, loaded = resolver.loops(known), resolver.programs()
    table = PriceTable.load()
    simulated = sim_prices(sims)
    prices = {model.name: simulated.get(model.litellm_name) if model.simulated else table.price(model) for model in (*models, *judges)}
    if experiment.budget_usd is not None:
        for index, model in enumerate((*models, *judges)):
            if prices[model.name] is None:
                is_judge = index >= len(models)
                unknown = _without_price(model, table)
                resolver.problem(*((unknown, "task_files") if is_judge else (unknown, "models", index)))
    tasks, n_screened = resolver.parts(tasks)
    if resolver.problems:
        raise FileProblems(resolver.problems)
    by_id = {task.id: task for task in tasks}
    made = {name: under_test(by_id) for name, under_test in loaded.items()}
    decided = _from_environment((*models, *judges), resolver.notes)
    strategies = [made[entry] if isinstance(entry, str) and entry in made else strategy_of(entry) for entry in experiment.strategies]
    settings = resolver.settings(strategies)
    plain = bool(stimuli or not looped)
    if plain and not stimuli:
        placebos = unshared = ()
    resolver.opponents(tasks, has_texts=bool(stimuli or looped))
    only = None if stimuli and not experiment.prompts else _reference(experiment, settings)
    arms, before = ((*(cross(stimuli, chosen, settings, only) if plain else ()), *looped) for chosen in (placebos, unshared))
    if prompts:
        arms, before = (tuple(replace(arm, prompt=prompts.get(arm.setting.prompt or "")) for arm in some) for some in (arms, before))
    for index, model in enumerate(models):
        if table.is_completion(model.litellm_name) and "chat_template" not in model.sampling and are_chats(arms, tasks):
            what = f"{model.name!r} completes one text, and requests have several messages"
            resolver.problem(f"{what}; add chat_template to it, as in '{{role}}: {{content}} '", "models", index)
    resolver.first_calls(made.values(), arms, tasks)
    design = Design(
        tuple(tasks), arms, tuple(models), experiment.replicates, experiment.seed, screened=n_screened,
        left_out=frozenset(resolver.left_out),
    )  # fmt: skip
    paired_with = earlier(experiment, design, base, lambda said: resolver.problem(said, "compare_to"))
    if resolver.problems:
        raise FileProblems(resolver.problems)
    return Study(
        experiment=experiment, path=document.path, base=base, text=document.text,
        design=design, sims=sims, prices=prices, earlier=paired_with,
        price_source=table.source, n_tokens={s.id: lengths[s.id] for s in (*stimuli, *placebos, *unshared)}, encoding=encoding,
        notes=tuple(dict.fromkeys((*resolver.notes, *sent_alike(arms, tasks[0], experiment.sampling.asked())))),
        available=resolver.available, judges=tuple(judges),
        limits={model.name: most for model in (*models, *judges) if (most := table.most_output(model.litellm_name))},
        code=tuple(resolver.code), from_environment=decided, unshared=before if set(unshared) != set(placebos) else (),
        prompts=prompts,
    )  # fmt: skip


def _reference(experiment: Experiment, settings: Sequence[tuple[Setting, Placement, Strategy]]) -> Setting:
    """The first level of every factor, with the incumbent: where the baseline is repeated if it is not everywhere."""
    first = settings[0][0]
    return replace(first, prompt=experiment.reference_prompt) if experiment.prompts else first


def _from_environment(models: Sequence[Model], notes: list[str]) -> dict[str, dict[str, str]]:
    """What the environment decides about these models; `notes` says it, and what is ignored."""
    every = {m.name: {**({m.base_env: m.api_base or ""} if m.base_env else {}), **variables_of(m)} for m in models}
    found = {name: values for name, values in every.items() if values}
    for name, values in found.items():
        shown = ", ".join(f"{variable}={value}" for variable, value in values.items())
        notes.append(f"{name}: {shown} in the environment decides where its requests go, and is part of the run")
    if (names := ignored()) and not all(model.simulated for model in models):
        notes.append(f"{', '.join(names)}: set in the environment, and ignored; what is sent is what the experiment says")
    return found
