"""`promptlab ls`, `show`, `runs` and `schema`: what there is, and whether run folders are whole."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Argument, Option

from promptlab.cli import completing
from promptlab.cli.common import AsJson, RunFolder, RunsAnywhere, exit_json, print_json, print_rows, run_folder, say
from promptlab.cli.home import RunLine, ago, run_line, show_runs
from promptlab.nouns import AA_ARM, EXIT_ERROR, NONE_ARM, DataMissing, Plan, RunProblem, UsageProblem, did_you_mean
from promptlab.nouns.words import counted

ls = typer.Typer(name="ls", help="List runs, tasks, stimuli or models.", no_args_is_help=True)
show = typer.Typer(name="show", help="Show one run, task, stimulus or model.", no_args_is_help=True)
MOST_ARMS = 8
"""Arms that `show run` names."""
OF_TASK = ("benchmark", "strict", "metric", "chance")
runs = typer.Typer(name="runs", help="Run folders: list them, verify or repair one.", no_args_is_help=True)
Name = Annotated[str, Argument()]


@runs.command("ls")
@ls.command("runs")
def ls_runs(runs: RunsAnywhere = "runs", as_json: AsJson = False) -> None:
    """The runs in a folder or at an address, newest first."""
    from promptlab.record.mirror import Place, is_address
    from promptlab.record.store import Run, runs_in
    from promptlab.running.so_far import so_far

    rows: list[dict[str, Any]] = []
    lines: list[RunLine] = []
    place = Place(runs) if is_address(runs) else None
    for folder in runs_in(place.fetch_manifests() if place else Path(runs)):
        try:
            run = Run(folder)
        except RunProblem as error:
            rows.append({"run": folder.name, "state": f"unreadable: {error}"})
            lines.append(RunLine("? unreadable", folder.name, "-", "-", "-", "-"))
            continue
        m, state = so_far(run), run.state
        state = "running" if place and state == "interrupted" and place.writer(run.id) else state
        lines.append(run_line(run, state, m))
        rows.append({
            "run": folder.name, "state": state,
            "simulated": m.simulated, **{name: getattr(m.counts, name) for name in ("done", "planned", "errors")},
            "waiting": m.batches.get("waiting_trials", 0), **{name: getattr(m, name) for name in ("paid_usd", "updated_at", "question")},
        })  # fmt: skip
    if as_json:
        exit_json(rows)
    if not rows:
        say(f"no runs in {runs}; `promptlab sweep quickstart` makes one")
        return
    show_runs(lines)
    for row in rows:
        if row["state"].startswith("unreadable"):
            say(f"{row['run']}: {row['state']}; promptlab runs repair {shlex.quote(os.path.join(runs, row['run']))}")


@ls.command("tasks")
def ls_tasks(as_json: AsJson = False) -> None:
    """The tasks, from promptlab's own items and from the official files."""
    from promptlab.sources.tasks import entries, load_task, task_names

    rows: list[dict[str, Any]] = []
    for name, entry in entries().items():
        row: dict[str, Any] = {"task": name, **_named(entry, OF_TASK), "twin": None, "official": None, "base_prompts": entry.base_prompts}
        for suite in ("twin", "official"):
            with contextlib.suppress(DataMissing):
                row[suite] = len(load_task(name, suite).items) if name in task_names(suite) else None
        rows.append(row)
    missing = "official: not imported yet; `promptlab data import DIR` or `promptlab data pull`"
    note = "" if any(row["official"] for row in rows) else missing
    print_rows("Tasks and their number of items", rows, ["task", *OF_TASK, "twin", "official"], note, as_json=as_json)


@ls.command("stimuli")
def ls_stimuli(as_json: AsJson = False) -> None:
    """The stimuli and placebos that come with promptlab."""
    from promptlab.sources.spec.libraries import all_stimuli

    rows = [_stimulus(s) for s in all_stimuli().values()]
    note = "Several as one arm: write a list inside stimuli. Feedback cues of loops: stimuli/heart.yaml"
    columns = {"stimulus": "stimulus", "role": "role", "n_words": "words", "demands": "demands", "text": "text"}
    print_rows("", rows, columns, note, as_json=as_json)


MOST_MODELS = 40
"""Rows that `ls models` shows to people."""


@ls.command("models")
def ls_models(
    words: Annotated[list[str] | None, Argument(help="Parts of a name, provider or mode: each must be there.")] = None,
    as_json: AsJson = False,
) -> None:
    """The simulated models, or those of LiteLLM's table that have all these words."""
    if words:
        _ls_priced([word.lower() for word in words], as_json)
        return
    from promptlab.sources.prices import PriceTable
    from promptlab.sources.spec.libraries import sim_models

    rows = [{"model": f"sim/{name}", "title": m.title, "truth": m.truth, "simulated": True} for name, m in sim_models().items()]
    table = PriceTable.load()
    if as_json:
        exit_json({"simulated": rows, "price_table": table.source, "n_priced": len(table.entries)})
    print_rows("Simulated models (SIMULATED: no key, no network)", rows, ["model", "truth"])
    usual = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "MISTRAL_API_KEY", "GROQ_API_KEY")
    keys = [name for name in usual if os.environ.get(name)]
    say("Real models: `promptlab ls models WORDS` searches LiteLLM's table, as in `promptlab ls models openai mini`.")
    say("Any LiteLLM name, such as openai/gpt-4o-mini, and any OpenAI-compatible server by api_base.")
    say(f"Prices: {table.source}, {len(table.entries):,} entries. Keys in the environment: {', '.join(keys) or 'none of the usual ones'}.")


def _ls_priced(words: Sequence[str], as_json: bool) -> None:
    """Models of LiteLLM's table: context and output in tokens, prices in USD per million tokens."""
    from promptlab.nouns import Model
    from promptlab.sources.prices import PriceTable

    table, rows = PriceTable.load(), []
    for name, entry in sorted(table.named().items()):
        if all(word in f"{name} {entry['mode']}".lower() for word in words):
            price = table.price(Model(name, name))
            rates = {key: getattr(price, f"{key}_usd_per_mtok", None) for key in ("input", "output", "cached_input")}
            thinks = "yes" if entry.get("supports_reasoning") else "no"
            row = {"model": name, "mode": entry["mode"], "context": entry.get("max_input_tokens"), "most_output": table.most_output(name)}
            rows.append({**row, **rates, "reasoning": thinks, "retires": entry.get("deprecation_date")})
    if as_json:
        exit_json(rows)
    if not rows:
        raise UsageProblem(f"{table.source} has no model with {' and '.join(map(repr, words))}; try fewer words")
    left = len(rows) - MOST_MODELS
    note = f"{left:,} more; add a word, or --json for all. " if left > 0 else ""
    heads = {key: key.replace("_", " ") for key in rows[0]} | {"input": "USD/M in", "output": "USD/M out", "cached_input": "cached"}
    print_rows(
        f"{table.source}: {counted(len(rows), 'model')}",
        rows[:MOST_MODELS],
        heads,
        f"{note}`promptlab check FILE` says what a model takes.",
    )


@show.command("run")
def show_run(
    run: RunFolder,
    details: Annotated[bool, Option("--details", help="Everything in the manifest: hashes, prices, versions.")] = False,
    as_json: AsJson = False,
) -> None:
    """What a run is, how far it got, and what it cost; --details: everything in its manifest."""
    from promptlab.record.store import Run
    from promptlab.running.so_far import so_far

    found = Run(run)
    m = so_far(found)
    whole = {**m.plain(), "state": found.state}
    if as_json or details:
        _show(whole, as_json)
        return
    line, plan = run_line(found, told=m), found.plan
    arms = _arms(plan)
    missing = f", {m.counts.planned - m.counts.done:,} missing" if m.counts.done < m.counts.planned else ""
    stopped = "; ".join(f"{model}: {why}" for model, why in m.stopped.items())
    fields = {
        "run": run, "question": m.question, "state": line.state + (" (SIMULATED)" if m.simulated else ""),
        "answers": f"{line.answers}, {m.counts.errors:,} failed, {m.counts.cached:,} from the cache{missing}",
        "models": list(m.models), "tasks": f"{plan.counts.tasks:,}, {counted(plan.counts.items)}",
        "arms": f"{len(arms):,}: {', '.join(arms[:MOST_ARMS])}" + (f" and {len(arms) - MOST_ARMS} more" if len(arms) > MOST_ARMS else ""),
        "cost": m.paid, "planned": "not before the data: imported" if m.imported else f"before the first answer, {ago(m.created_at)}",
        "experiment": m.experiment_path, "stopped": m.budget_reached or stopped, "last error": m.last_error,
    }  # fmt: skip
    _say_fields({name: value for name, value in fields.items() if value})
    say(
        f"\nverdicts: promptlab report {shlex.quote(str(run))}    all of the manifest: promptlab show run {shlex.quote(str(run))} --details"
    )


@show.command("task")
def show_task(
    name: Annotated[str, Argument(autocompletion=completing.tasks)],
    suite: Annotated[str, Option(help="twin or official")] = "twin",
    as_json: AsJson = False,
) -> None:
    """A task: prompts, metric, source, defects, and three rendered items."""
    from promptlab.cli.data import first_prompts
    from promptlab.nouns import SCORERS
    from promptlab.scoring.rules import task_metric
    from promptlab.sources.tasks import load_task, task_names

    if suite not in ("twin", "official"):
        raise UsageProblem(f"the suite {suite!r} is not known; known: 'twin', 'official'")
    if name not in task_names(suite):  # type: ignore[arg-type]  # checked above
        raise UsageProblem(f"the task {name!r} is not known; {did_you_mean(name, task_names(suite))}".rstrip("; "))  # type: ignore[arg-type]
    task = load_task(name, suite)  # type: ignore[arg-type]
    shown: list[dict[str, Any]] = []
    for item, prompt in first_prompts(task):
        right = item.targets[0]
        replies = {"the answer": right, '"The answer is ..."': f"The answer is {right}.", "the input again": item.input}
        scores = {reply: {s: task_metric(task, s)(text, item).score for s in SCORERS} for reply, text in replies.items()}
        shown.append({"item": item.id, "prompt": prompt, "targets": item.targets, "scores": scores})
    row = {
        "task": task.id, **_named(task, ("benchmark", "metric", "strict", "chance")),
        "n_items": len(task.items), "n_demos": len(task.demos), "base_prompts": dict(task.base_prompts),
        **_named(task, ("source", "licence", "defects")),
    }  # fmt: skip
    if as_json:
        exit_json({**row, "examples": shown})
    _say_fields(row)
    for example in shown:
        say(f"\n--- item {example['item']}, answers {list(example['targets'])}\n{example['prompt']}")
        for reply, scores in example["scores"].items():
            say(f"    {reply:20} " + ", ".join(f"{scorer} {value:g}" for scorer, value in scores.items()))


@show.command("stimulus")
def show_stimulus(name: Annotated[str, Argument(autocompletion=completing.stimuli)], as_json: AsJson = False) -> None:
    """A stimulus with its source, the neutral sentences that match it, and its paraphrases."""
    from promptlab.cli.data import matched
    from promptlab.sources.spec.libraries import all_stimuli

    known = all_stimuli()
    if name not in known:
        raise UsageProblem(f"the stimulus {name!r} is not known; {did_you_mean(name, known)}".rstrip("; "))
    row = _stimulus(known[name])
    if known[name].role == "stimulus":
        row["placebos"] = [placebo.id for placebo in matched(known[name], known.values())]
        row["paraphrases"] = [s.text for s in known.values() if s.of == name]
    _show(row, as_json)


@show.command("model")
def show_model(name: Name, as_json: AsJson = False) -> None:
    """A model's price, and for a simulated one its truth."""
    from promptlab.nouns import Model
    from promptlab.sources.prices import PriceTable, sim_prices
    from promptlab.sources.spec.libraries import sim_models

    sims = sim_models()
    model = Model(name, name)
    if model.simulated and name.removeprefix("sim/") not in sims:
        raise UsageProblem(f"the simulated model {name!r} is not known; {did_you_mean(name, [f'sim/{s}' for s in sims])}")
    table = PriceTable.load()
    if not model.simulated and not table.entry(name):
        hint = table.meant(model) or did_you_mean(name, (known.rpartition("/")[2] for known in table.named() if known.endswith(name[-3:])))
        look = f"`promptlab ls models {shlex.quote(name.rpartition('/')[2])}` searches it"
        raise UsageProblem(f"{table.source} has no model {name!r}; {hint if hint.startswith('did') else look}")
    price = sim_prices(sims).get(name) if model.simulated else table.price(model)
    each = {key: getattr(price, key, None) for key in ("input_usd_per_mtok", "output_usd_per_mtok", "cached_input_usd_per_mtok")}
    each["most_output_tokens"] = table.most_output(name)
    source = price.source if price else "unknown: add 'price' to the model in the experiment"
    truth = sims[name.removeprefix("sim/")].model_dump(mode="json") if model.simulated else {}
    _show({"model": name, "simulated": model.simulated, **each, "price_source": source, **truth}, as_json)


def schema() -> None:
    """Print the JSON Schema of an experiment file, for editors."""
    from promptlab.sources.spec.experiment import experiment_schema

    print_json(experiment_schema())


def _arms(plan: Plan) -> list[str]:
    """What people read for each arm: whole prompts by their names, and the baseline's repeat as such."""
    plain = plan.incumbent or plan.called(NONE_ARM)
    named = {NONE_ARM: plain, AA_ARM: f"{plain} (a second time)"}
    others = [prompt.name for prompt in plan.prompts if prompt.name != plain] if plan.incumbent else []
    return list(dict.fromkeys([plain, *others, *(named.get(arm.name, arm.name) for arm in plan.arms)]))


@runs.command("repair")
def repair(
    run: Annotated[Path, Argument(help="A run folder.", autocompletion=completing.runs)],
    dry_run: Annotated[bool, Option("--dry-run", help="Report what would be done and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Move aside what cannot be read, clear leftovers of killed processes, and correct the manifest's counts."""
    from promptlab.record.repair import repair as repair_run

    done = repair_run(run, dry_run)
    if as_json:
        exit_json({**done._asdict(), "needed": done.needed, "dry_run": dry_run})
    if not done.needed and not done.missing:
        say(f"{run}: nothing to repair ({counted(done.n_trials, 'trial')}, {counted(done.n_errors, 'error')})")
        return
    would = "would be " if dry_run else ""
    for name in done.leftovers:
        say(f"leftover:      {name} {would}removed; the process that wrote it has ended")
    if done.n_torn:
        say(f"journal:       {counted(done.n_torn, 'torn line')} {would}dropped; no such line was ever a recorded trial")
    if done.n_damaged:
        kept = f"{counted(done.n_damaged, 'damaged line')} {would}moved to damaged/journal.jsonl"
        say(f"journal:       {kept}; the same sweep command sends the trials that it held again, or takes them from the cache")
    for name, reason in done.aside:
        say(f"moved aside:   {name} {would}moved to damaged/{name}: {reason}")
    for problem in done.chain:
        say(f"chain:         {would}rebuilt: {problem}; nothing shows any more what was recorded before")
    for name in done.missing:
        say(f"missing:       {name}; the same sweep command writes it again")
    if done.aside:
        say(f"lost:          {counted(done.n_lost, 'trial')}; the same sweep command sends them again, or takes them from the cache")
    if done.paid_before_usd is not None and done.paid_before_usd - done.paid_usd > 1e-9:
        gone = done.paid_before_usd - done.paid_usd
        say(f"paid:          ${gone:.4f} that the lost trials cost no longer counts against budget_usd")
    say(f"{'would hold:' if dry_run else 'holds now:':15}{counted(done.n_trials, 'trial')}, {counted(done.n_errors, 'error')}")


@runs.command("verify")
def verify(
    run: Annotated[str, Argument(help="A run folder, or its address.", autocompletion=completing.runs)],
    as_json: AsJson = False,
) -> None:
    """Recompute every hash that was frozen before the first call, and the record's chain; exit code 1 if one differs, or cannot be read."""
    from promptlab.planning.audit import DIFFERS, audit, of_record, result
    from promptlab.record.store import Run

    there = Run(run_folder(run))
    checks = [*audit(there), *of_record(there)]
    if as_json:
        print_json({"run": run, "result": result(checks), "checks": [{**check._asdict(), "says": check.says} for check in checks]})
    else:
        print_rows(f"Hashes of {run}", [check.row() for check in checks], list(checks[0].row()))
        say(result(checks))
    if any(check.says == DIFFERS for check in checks):
        raise typer.Exit(EXIT_ERROR)


def _stimulus(s: Any) -> dict[str, Any]:  # noqa: ANN401
    from promptlab.sources.tokens import DEFAULT, n_tokens

    row = {"stimulus": s.id, "role": s.role, "n_words": s.n_words, f"n_tokens ({DEFAULT})": n_tokens(s.text), "demands": list(s.demands)}
    return row | _named(s, ("of", "text", "theory", "theory_earlier", "joined_by", "valence", "code_number", "source"))


def _named(of: object, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(of, name) for name in names}


def _show(row: Mapping[str, Any], as_json: bool) -> None:
    (print_json if as_json else _say_fields)(row)


def _say_fields(fields: Mapping[str, Any], indent: int = 0) -> None:
    width = max((len(str(key)) for key in fields), default=0) + 2
    for key, value in fields.items():
        if isinstance(value, Mapping) and value:
            say(f"{' ' * indent}{key}")
            _say_fields(value, indent + 2)
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
            say(f"{' ' * indent}{key:{width}}{'-' if shown in (None, '', {}) else shown}")
