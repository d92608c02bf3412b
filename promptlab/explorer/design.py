"""Was this planned before the first answer, and has anything changed since? The frozen plan, its hashes, and every deviation from it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
import streamlit as st

from promptlab.explorer import plain, take, words
from promptlab.explorer.filters import Filters
from promptlab.explorer.load import UNREADABLE, Store, first_line
from promptlab.explorer.take import Shown
from promptlab.nouns.errors import PromptlabError
from promptlab.nouns.identity import digest
from promptlab.nouns.model import Price
from promptlab.nouns.stimulus import Cue, Loop
from promptlab.planning.resolve import sim_models
from promptlab.sources.prices import paid_words, price_digest
from promptlab.sources.spec import Experiment, load_experiment
from promptlab.sources.tasks import entries
from promptlab.stats.families import ADJUSTMENT
from promptlab.stats.sentences import setting_words

MATCHES, DIFFERS, UNKNOWN = "■ matches", "▼ differs", "● cannot be told"
AS_PLANNED, DEVIATES, NOT_YET = "■ as planned", "▼ deviates", "● not yet"
MOST_GAPS = 200
"""Arms and tasks with too few trials that are listed, the emptiest first."""
PARTS = {"frozen": "As it was frozen", "plan": "Plan and hypotheses", "again": "Where it comes from, and again"}
HASH_CHARS = 12
HOW = {"fdr_bh": "false discovery rate (Benjamini-Hochberg)", "holm": "family-wise error (Holm)"}


class Check(NamedTuple):
    """One hash: as frozen, as it is now (None: not recomputed), and where it is computed from."""

    what: str
    frozen: str | None
    now: str | None
    source: str

    @property
    def says(self) -> str:
        if self.frozen is None or self.now is None:
            return UNKNOWN
        return MATCHES if self.frozen == self.now else DIFFERS


def render(store: Store, filters: Filters) -> None:
    """Show the page: one part at a time, since all of it at once would be slow to come."""
    found, cells = checks(store), _cells(store)
    odd = _deviations(store, cells)
    plain.line(_headline(store, found, odd))
    part = filters.switch("Part", "part", PARTS, "frozen")
    if part == "frozen":
        _as_frozen(store, found, cells, odd)
    elif part == "plan":
        _the_plan(store, filters)
    else:
        _again(store)


def _as_frozen(store: Store, found: Sequence[Check], cells: pd.DataFrame, odd: Shown) -> None:
    st.subheader("Does what is here match what was frozen?")
    take.shown(_hashes(found), "hashes", tints=words.TINTS, tinted="says")
    st.subheader("Deviations from the plan")
    take.shown(odd, "deviations", tints=words.TINTS, tinted="says")
    with st.expander("Arms and tasks with fewer trials than planned"):
        take.shown(_gaps(store, cells), "missing-trials")
    with st.expander("Versions that served the answers"):
        take.shown(_versions(store), "served-versions")
    with st.expander("Parameters asked and sent"):
        take.shown(_parameters(store), "parameters", tints=words.TINTS, tinted="says")


def _the_plan(store: Store, filters: Filters) -> None:
    st.subheader("The frozen plan")
    take.shown(_terms(store), "plan")
    st.subheader("Families of hypotheses")
    take.shown(_families(store), "families")
    names = _family_names(store)
    if names:
        filters.pick("Hypotheses of the family", "family", names, names[0])
        take.shown(_hypotheses(store, filters), "hypotheses")


def _again(store: Store) -> None:
    st.subheader("Where it comes from")
    take.shown(_provenance(store), "provenance")
    st.subheader("The experiment file")
    text = _experiment_text(store)
    if text is None:
        st.caption("This run folder holds no experiment file.")
    else:
        plain.block(text)
    st.subheader("Do it again")
    if store.plan.get("imported"):
        st.caption("This run was imported from results of another tool, so promptlab cannot ask it again.")
        return
    for title, command in _commands(store):
        plain.line(title)
        plain.block(command)


def tables(store: Store, filters: Filters) -> list[Shown]:
    """Every table of the page, and the texts that it shows, as frames."""
    found, cells = checks(store), _cells(store)
    made = [
        _hashes(found), _deviations(store, cells), _gaps(store, cells), _versions(store), _parameters(store), _terms(store),
        _families(store), _hypotheses(store, filters), _provenance(store),
        Shown("The experiment file", "", pd.DataFrame({"line": (_experiment_text(store) or "").splitlines()})),
    ]  # fmt: skip
    if not store.plan.get("imported"):
        made.append(Shown("Do it again", "", pd.DataFrame(_commands(store), columns=["what", "command"])))
    return made


def _headline(store: Store, found: Sequence[Check], odd: Shown) -> str:
    if store.plan.get("imported"):
        return "Imported: nothing of this was frozen before the answers. Families and margins were fixed when the file was imported."
    began = words.or_unknown(store.manifest.get("created_at"))
    differ = [check.what for check in found if check.says == DIFFERS]
    untold = [check.what for check in found if check.says == UNKNOWN]
    parts = [f"The plan was written with the run, {began}, before the first call."]
    if differ:
        parts.append(f"Not what was frozen any more: {', '.join(differ)}.")
    elif not untold:
        parts.append("Everything that was hashed then is the same now.")
    else:
        parts.append("Whatever can be recomputed is the same now.")
    if untold:
        parts.append(f"Cannot be recomputed from this folder: {', '.join(untold)}.")
    n = int((odd.frame["says"] == DEVIATES).sum())
    parts.append(
        f"{n:,} deviation{'s' if n != 1 else ''} from the plan {'are' if n != 1 else 'is'} listed below." if n else "Nothing deviates."
    )
    if store.report.state == "running":
        parts.append("The sweep is still running, so trials may be on their way.")
    return " ".join(parts)


# --- hashes -----------------------------------------------------------------------------------------------------------


def checks(store: Store) -> list[Check]:
    """Every frozen hash, computed again from the run folder where it holds all that was hashed."""
    plan, hashes = store.plan, store.manifest.get("hashes", {})
    found = [Check("plan", hashes.get("plan"), digest(plan), "plan.json")]
    if plan.get("imported"):
        told = [Check(f"file {name}", str(value), None, "the file of the other tool, which is not kept") for name, value in
                plan.get("hashes", {}).items()]  # fmt: skip
        return [*found, *told]
    for what, source, compute in (
        ("experiment", "experiment.yaml", _experiment_digest),
        ("data", "items.parquet, and tasks and demonstrations in plan.json", _data_digest),
        ("stimuli", "arms, loops and programs in plan.json", _stimuli_digest),
        ("prices", "manifest.json", _prices_digest),
        ("simulators", "the simulators of the installed promptlab", _simulators_digest),
    ):
        try:
            found.append(Check(what, hashes.get(what), compute(store), source))
        except UNREADABLE as error:
            found.append(Check(what, hashes.get(what), None, f"{source} ({first_line(error)})"))
    of_plan = plan.get("hashes", {})
    found.append(Check("hashes in plan.json", digest({k: v for k, v in hashes.items() if k != "plan"}), digest(of_plan), "both files"))
    name = f"{plan.get('name')}-{digest(of_plan)[:8]}"
    found.append(Check("name of the run", str(plan.get("run")), name, "the name of the experiment and the hashes"))
    return found


def _hashes(found: Sequence[Check]) -> Shown:
    frame = pd.DataFrame(
        {
            "what": [check.what for check in found],
            "says": [check.says for check in found],
            "frozen": [_short(check.frozen) for check in found],
            "now": [_short(check.now) for check in found],
            "computed from": [check.source for check in found],
        }
    )
    note = "SHA-256, its first characters. A hash tells that something changed, not who changed it or why."
    return Shown("Does what is here match what was frozen?", note, frame)


def _short(value: str | None) -> str:
    """The beginning of a hash; a name stays whole."""
    if value is None:
        return "unknown"
    return value[:HASH_CHARS] if len(value) == 64 else value


def _experiment_of(store: Store) -> Experiment:
    """The experiment as it ran: with the looks that the command asked for."""
    experiment, _ = load_experiment(store.folder / "experiment.yaml")
    n_looks = len(store.plan.get("looks", ()))
    if n_looks and experiment.analysis.looks == 1:
        experiment = experiment.model_copy(update={"analysis": experiment.analysis.model_copy(update={"looks": n_looks})})
    return experiment


def _experiment_digest(store: Store) -> str | None:
    return digest(_experiment_of(store).canonical())


def _data_digest(store: Store) -> str | None:
    """As `Study.hashes` does it. A task may have base prompts that the run did not use: those are taken from promptlab's own list."""
    rows = store.query("SELECT suite, task, item, input, targets, choices, scores FROM items")
    items: dict[tuple[str, str], list[Any]] = {}
    for suite, task, item, text, targets, choices, scored in zip(*(rows[name].tolist() for name in rows), strict=True):
        scores = json.loads(scored) if isinstance(scored, str) else []
        items.setdefault((str(suite), str(task)), []).append([item, text, json.loads(targets), json.loads(choices), scores])
    shipped, frozen = entries(), store.manifest.get("hashes", {}).get("data")
    now = None
    for whole in (True, False):
        data, demos = [], []
        for task in store.plan["tasks"]:
            name, suite = str(task["task"]), str(task["suite"])
            prompts = dict(shipped[name].base_prompts) if whole and suite != "own" and name in shipped else {}
            data.append(
                [f"{suite}/{name}", task["metric"], task["strict"], {**prompts, **task["base_prompts"]}, items.get((suite, name), [])]
            )
            demos.append([f"{suite}/{name}", [[demo["input"], demo["output"], demo["choices"]] for demo in task["demos"]]])
        now = digest([data, demos])
        if now == frozen:
            return now
    if any(task["suite"] == "own" for task in store.plan["tasks"]):
        return None  # its file may hold base prompts that the run folder does not
    return now


def _stimuli_digest(store: Store) -> str | None:
    if store.plan["programs"]:
        return None  # a program's own state is hashed as DSPy wrote it
    texts, loops = set(), set()
    for arm in store.plan["arms"]:
        if stimulus := arm["stimulus"]:
            texts.add((str(stimulus["id"]), str(stimulus["text"]), tuple(stimulus["wordings"])))
        if spec := arm["spec"]:
            cues = tuple(tuple(Cue(**cue) for cue in step) for step in spec["cues"])
            loops.add((str(arm["loop"]), str(arm["arm"]), repr(Loop(**{**spec, "cues": cues}))))
    return digest([sorted(texts), sorted(loops), []])


def _prices_digest(store: Store) -> str | None:
    told = store.manifest["prices"]
    if set(told) != set(store.models):
        return None
    return price_digest({name: Price(p["input_usd_per_mtok"], p["output_usd_per_mtok"]) if p else None for name, p in told.items()})


def _simulators_digest(store: Store) -> str | None:
    names = [str(model["litellm_name"]) for model in store.manifest["models"].values()]
    used = {name.removeprefix("sim/") for name in names if name.startswith("sim/")}
    sims = sim_models()
    return digest({name: sims[name].model_dump(mode="json") for name in sorted(used)})


# --- deviations -------------------------------------------------------------------------------------------------------


def _cells(store: Store) -> pd.DataFrame:
    """Trials and errors of every model, setting, arm and task: what the plan asks for, and what is recorded."""
    keys = ["model", "placement", "shots", "strategy", "arm", "task"]
    there = store.query(
        "SELECT model, placement, shots, strategy, arm, task, count(*) AS n, count(*) FILTER (outcome = 'error') AS errors "
        "FROM trials GROUP BY ALL"
    )
    there["shots"] = there["shots"].astype("int64")
    frame = planned_cells(store.plan).merge(there, on=keys, how="outer")
    for name in ("planned", "n", "errors"):
        frame[name] = frame[name].fillna(0).astype("int64")
    return frame


def planned_cells(plan: Mapping[str, Any]) -> pd.DataFrame:
    """How many trials the plan asks of every model, setting, arm and task: items times base prompts times repeats."""
    looped = {str(loop["strategy"]) for loop in plan.get("loops", ())}
    own = {str(program["name"]) for program in plan["programs"] if program["instructions"] == "own"}
    rows = []
    for setting in plan["settings"]:
        strategy = str(setting["strategy"])
        arms = [arm["arm"] for arm in plan["arms"] if (arm.get("loop") == strategy if strategy in looped else not arm.get("loop"))]
        each = int(plan["replicates"]) * (1 if strategy in own else len(plan["base_prompts"]))
        rows += [
            (model["name"], setting["placement"], int(setting["shots"]), strategy, arm, task["task"], int(task["n_items"]) * each)
            for model in plan["models"]
            for arm in arms
            for task in plan["tasks"]
        ]
    return pd.DataFrame(rows, columns=["model", "placement", "shots", "strategy", "arm", "task", "planned"])


def _deviations(store: Store, cells: pd.DataFrame) -> Shown:
    plan, m = store.plan, store.manifest
    counts = m.get("counts", {})
    planned, n, n_skipped = int(plan["counts"]["trials"]), int(cells["n"].sum()), int(counts.get("skipped", 0))
    state = store.report.state
    short = None if state == "running" else False
    rows: list[tuple[str, str, str, str]] = []

    def add(what: str, wanted: object, is_now: object, fine: bool | None) -> None:
        untold = NOT_YET if state == "running" else UNKNOWN
        rows.append((what, untold if fine is None else AS_PLANNED if fine else DEVIATES, str(wanted), str(is_now)))

    skipped = f", {n_skipped:,} not sent because of a look" if n_skipped else ""
    add("trials recorded", f"{planned:,}", f"{n:,}{skipped}", n + n_skipped >= planned or short)
    wanted = cells[cells["planned"] > 0]
    for what, name in (("arms", "arm"), ("tasks", "task")):
        without = [str(key) for key, part in wanted.groupby(name, sort=False) if not part["n"].sum()]
        add(
            f"{what} with any trial",
            f"{wanted[name].nunique():,}",
            _listed(wanted[name].nunique() - len(without), without),
            not without or short,
        )
    if not plan.get("imported"):
        extra = int(cells.loc[cells["planned"] == 0, "n"].sum())
        add("trials outside the plan", "0", f"{extra:,}", not extra)
    n_errors = int(cells["errors"].sum())
    add("calls that failed and were not asked again", "0", f"{n_errors:,}", not n_errors)
    if looks := plan.get("looks"):
        between, taken = len(looks) - 1, len({row.look for row in store.report.looks if row.look < len(looks) - 1})
        add("looks before the end", f"{between:,}", f"{taken:,} taken", taken == between or short)
    else:
        add("looks before the end", "none", "none", True)
    served = m.get("served", {})
    several = {name: versions for name, versions in served.items() if len(versions) > 1}
    said = "; ".join(f"{name}: {', '.join(map(str, versions))}" for name, versions in several.items())
    add("versions that served one model", "1", said or ("1" if served else "unknown"), not several if served else None)
    sent = _parameters(store).frame
    changed = [f"{row.model}: {row.parameter}" for row in sent.itertuples() if row.says == DEVIATES]
    known = bool(m.get("effective"))
    add("parameters sent", "as asked", ", ".join(changed) or ("as asked" if known else "unknown"), not changed if known else None)
    sessions = int(m.get("sessions", 0))
    add("sessions", "1", f"{sessions:,}" if sessions else "unknown", sessions == 1 if sessions else None)
    reached = m.get("budget_reached")
    budget = m.get("budget_usd")
    add("budget", "none" if budget is None else f"${budget:g}", f"reached: {reached}" if reached else "not reached", not reached)
    stopped = m.get("stopped") or {}
    add("models that refused for good", "none", "; ".join(f"{name}: {why}" for name, why in stopped.items()) or "none", not stopped)
    add("how it ended", "complete", state, state == "complete" or short)
    note = "Not every deviation does harm: a second session goes on where the first ended. Each is a question that the report must answer."
    return Shown("Deviations from the plan", note, pd.DataFrame(rows, columns=["what", "says", "planned", "found"]))


def _listed(n: int, without: Sequence[str]) -> str:
    if not without:
        return f"{n:,}"
    return f"{n:,}; none yet of {', '.join(without[:5])}" + (f" and {len(without) - 5:,} more" if len(without) > 5 else "")


def _gaps(store: Store, cells: pd.DataFrame) -> Shown:
    short = cells[cells["n"] < cells["planned"]]
    short = short.assign(share=short["n"] / short["planned"]).sort_values("share", kind="stable").head(MOST_GAPS)
    frame = pd.DataFrame(
        {
            "arm": short["arm"],
            "task": short["task"],
            "model": short["model"],
            "layout": [setting_words(*key) for key in zip(short["placement"], short["shots"], short["strategy"], strict=True)],
            "planned": short["planned"],
            "recorded": short["n"],
            "of them failed": short["errors"],
        }
    )
    n = int((cells["n"] < cells["planned"]).sum())
    note = f"{n:,} of {len(cells):,} are short of trials" + (f"; the {MOST_GAPS} emptiest are listed." if n > MOST_GAPS else ".")
    if store.plan.get("looks"):
        note += " Looks leave trials unasked on purpose."
    return Shown("Arms and tasks with fewer trials than planned", note, frame.reset_index(drop=True))


def _versions(store: Store) -> Shown:
    rows = store.query(
        "SELECT model, model_version AS version, count(*) AS trials, min(trials.order) AS first, max(trials.order) AS last "
        "FROM trials GROUP BY ALL ORDER BY model, first"
    )
    rows["version"] = [words.or_unknown(value) for value in rows["version"]]
    note = "As the provider named them with each answer. First and last are places in the order in which trials are sent."
    return Shown("Versions that served the answers", note, rows)


def _parameters(store: Store) -> Shown:
    """What the experiment asks of each model beside the messages, and what its provider was sent."""
    rows = []
    for model in store.plan["models"]:
        name = str(model["name"])
        asked = {**store.plan["sampling"], **model["sampling"]}
        sent = store.manifest.get("effective", {}).get(name)
        for key in dict.fromkeys([*asked, *(sent or {})]):
            if sent is None:
                says = UNKNOWN
            elif key in asked:
                says = AS_PLANNED if key in sent and sent[key] == asked[key] else DEVIATES
            else:
                says = "● added"
            rows.append((name, key, says, _json(asked, key, "not asked"), "unknown" if sent is None else _json(sent, key, "not sent")))
    note = (
        "As the sweep found them before its first call. Added ones are promptlab's or the provider's own; a simulated model takes the "
        "experiment's seed. What each call was sent stands with the answer."
    )
    return Shown("Parameters asked and sent", note, pd.DataFrame(rows, columns=["model", "parameter", "says", "asked", "sent"]))


def _json(values: Mapping[str, Any], key: str, otherwise: str) -> str:
    return json.dumps(values[key], ensure_ascii=False) if key in values else otherwise


# --- the plan ---------------------------------------------------------------------------------------------------------


def _terms(store: Store) -> Shown:
    plan = store.plan
    margins = plan["margins"]
    rows = [
        ("question", plan["question"]),
        ("margin in one task", f"{100 * margins['cell']:g} points"),
        ("margin over the tasks", f"{100 * margins['mean']:g} points"),
        ("family-wise error rate", f"{plan['alpha']:g} (all primary hypotheses; the sentences of one library)"),
        ("false discovery rate", f"{plan['fdr']:g} (the tasks of one model)"),
        ("scorer", words.or_unknown(plan.get("scorer"))),
        ("known defects of items", words.or_unknown(plan.get("defects"))),
        ("repeats", f"{int(plan['replicates']):,}"),
        ("base prompts", ", ".join(map(str, plan["base_prompts"]))),
        ("layouts", "; ".join(setting_words(str(s["placement"]), int(s["shots"]), str(s["strategy"])) for s in plan["settings"])),
        ("neutral sentences", _placebos(store)),
        ("trials", f"{int(plan['counts']['trials']):,}"),
    ]
    if looks := plan.get("looks"):
        by_then = ", ".join(f"{100 * look['fraction']:.0f} %" for look in looks)
        rows.append(("looks", f"{len(looks)}, at {by_then} of the information; level {plan['look_level']:.4g} for each sentence"))
    return Shown("The frozen plan", "As plan.json says it.", pd.DataFrame(rows, columns=["what", "value"]))


def _placebos(store: Store) -> str:
    names = [name for name, arm in store.arms.items() if arm["role"] == "placebo"]
    if not names:
        return f"none: {store.plan['no_placebo_reason']}" if store.plan.get("no_placebo_reason") else "none"
    return f"{len(names):,}: {', '.join(names)}"


def _family_names(store: Store) -> list[str]:
    return list(dict.fromkeys(str(h["family"]) for h in store.plan["hypotheses"]))


def _families(store: Store) -> Shown:
    plan = store.plan
    found: dict[str, list[Mapping[str, Any]]] = {}
    for h in plan["hypotheses"]:
        found.setdefault(str(h["family"]), []).append(h)
    rows = []
    for family, planned in found.items():
        scope = planned[0]["scope"]
        rows.append(
            {
                "family": family,
                "is about": {"primary": "libraries over the tasks", "stimulus": "sentences over the tasks"}.get(scope, "single tasks"),
                "hypotheses": len(planned),
                "level": f"{plan['fdr' if scope == 'cell' else 'alpha']:g}",
                "adjusted by": HOW.get(ADJUSTMENT[scope], ADJUSTMENT[scope]),
                "margin": f"{100 * plan['margins']['cell' if scope == 'cell' else 'mean']:g} points",
                "measured against": ", ".join(words.CONTROLS.get(c, c) for c in dict.fromkeys(str(h["control"]) for h in planned)),
            }
        )
    note = f"{len(plan['hypotheses']):,} hypotheses. What is in no family gets no verdict."
    return Shown("Families of hypotheses", note, pd.DataFrame(rows))


def _hypotheses(store: Store, filters: Filters) -> Shown:
    names = _family_names(store)
    family = filters.choice("family", names, names[0] if names else None)
    planned = [h for h in store.plan["hypotheses"] if h["family"] == family]
    verdicts = {
        (c.scope, c.model, c.task, c.treatment, c.control, c.placement, c.shots, c.strategy): c.verdict for c in store.report.comparisons
    }
    frame = pd.DataFrame(
        {
            "added text": [h["treatment"] if h["scope"] != "primary" else f"all of {h['library']}" for h in planned],
            "task": [h["task"] or "mean over the tasks" for h in planned],
            "measured against": [words.CONTROLS.get(h["control"], h["control"]) for h in planned],
            "model": [h["model"] for h in planned],
            "layout": [setting_words(str(h["placement"]), int(h["shots"]), str(h["strategy"])) for h in planned],
            "verdict": [_verdict(verdicts, h) for h in planned],
        }
    )
    return Shown("Hypotheses of one family", f"Those of {family}." if family else "None were planned.", frame)


def _verdict(verdicts: Mapping[Any, str], h: Mapping[str, Any]) -> str:
    key = tuple(h[name] for name in ("scope", "model", "task", "treatment", "control", "placement", "shots", "strategy"))
    found = verdicts.get(key)
    return f"{words.SIGNS[found]} {found}" if found in words.SIGNS else "none yet"  # type: ignore[index]  # a verdict


# --- where it comes from ----------------------------------------------------------------------------------------------


def _provenance(store: Store) -> Shown:
    m, plan = store.manifest, store.plan
    rows: list[tuple[str, object]] = [
        ("run", store.report.run),
        ("experiment file", words.or_unknown(m.get("experiment_path"))),
        ("started", words.or_unknown(m.get("created_at"))),
        ("last written", words.or_unknown(m.get("updated_at"))),
        ("sessions", words.or_unknown(m.get("sessions"))),
        ("code", f"commit {m['commit']}" if m.get("commit") else "commit unknown: not run from a checkout"),
        *((f"version of {name}", number) for name, number in m.get("versions", {}).items()),
        ("seed", plan.get("seed")),
        ("sampling", ", ".join(f"{name} {value}" for name, value in plan["sampling"].items()) or "the provider's own"),
        ("tokens counted by", words.or_unknown(plan.get("encoding"))),
        ("prices from", words.or_unknown(plan.get("price_source"))),
    ]
    for model in plan["models"]:
        rows.append((f"model {model['name']}", _model_words(model, m)))
    if provenance := m.get("provenance"):
        rows.append(("imported from", f"{provenance.get('tool')}: {', '.join(str(f.get('file')) for f in provenance.get('files', ()))}"))
    paid = paid_words(float(m["paid_usd"]), int(m["counts"]["unpriced"]), len(m["simulated_models"]), len(m["models"]))
    rows.append(("cost", paid))
    return Shown("Where it comes from", "As manifest.json and plan.json say it.", pd.DataFrame(rows, columns=["what", "value"]).astype(str))


def _model_words(model: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    price = manifest.get("prices", {}).get(model["name"])
    parts = [str(model["litellm_name"]) + (" (SIMULATED)" if model["simulated"] else "")]
    if model.get("api_base"):
        parts.append(f"at {model['api_base']}")
    if model.get("sampling"):
        parts.append(f"with {json.dumps(model['sampling'], ensure_ascii=False)}")
    parts.append(
        f"{price['input_usd_per_mtok']:g} and {price['output_usd_per_mtok']:g} USD per million tokens in and out ({price['source']})"
        if price
        else "price unknown"
    )
    return ", ".join(parts)


def _experiment_text(store: Store) -> str | None:
    try:
        return (store.folder / "experiment.yaml").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _commands(store: Store) -> list[tuple[str, str]]:
    """What to do, and the command for it."""
    folder = shlex.quote(str(store.folder))
    file = shlex.quote(str(store.folder / "experiment.yaml"))
    sequential = ""
    others: list[str] = []
    try:
        experiment, _ = load_experiment(store.folder / "experiment.yaml")
        sequential = " --sequential" if store.plan.get("looks") and experiment.analysis.looks == 1 else ""
        cues = [entry.cues for entry in experiment.loops if entry.cues != "heart"]
        others = [*experiment.task_files, *experiment.stimulus_files, *cues, *(program.factory for program in experiment.programs)]
    except (PromptlabError, OSError):
        pass
    found = [
        ("Ask all of it again, into another folder:", f"promptlab sweep {file}{sequential} --runs again --cache off"),
        ("Put its answers into a folder that can be handed on:", f"promptlab cache export {folder} --to bundle"),
        (
            "Replay those answers, without a key and without a call:",
            f"promptlab cache import bundle && promptlab sweep bundle/experiment.yaml{sequential} --cache replay --runs again",
        ),
    ]
    if others:
        found.append(("The experiment also reads these files; put them beside it first:", "\n".join(others)))
    return found
