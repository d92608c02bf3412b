"""What a run rests on: works that its sources and methods name, as BibTeX; and whose licence its items and texts have."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from functools import cache
from typing import NamedTuple

from promptlab import __version__
from promptlab.nouns import Plan, digest_of_text, grouped, shipped
from promptlab.nouns.places import PACKAGE
from promptlab.reporting.build import Report
from promptlab.reporting.paper.prompts import remarks
from promptlab.reporting.paper.tex import tex
from promptlab.reporting.table import Table, table

OWN = "promptlab's own"
HEAD = re.compile(r"^(library|licence): (.+)$", re.MULTILINE)
UNSTATED = "not recorded: ask the owner before you publish items"
ENTRY = re.compile(r"^@\w+\{([^,]+),\n(.*?)^\}\n", re.MULTILINE | re.DOTALL)
ABOUT = re.compile(r",\n  about = \{([^}]*)\}")
ARXIV = re.compile(r"\b(\d{4}\.\d{4,5})(?:v\d+)?\b")
YEAR = re.compile(r"\b(?:1[5-9]|20)\d\d\b|" + ARXIV.pattern)
MARK = secrets.token_hex(8)
"""What a citation in a text begins with: no name, question or answer of a run can hold it."""
CITE = re.compile(rf"\[{MARK} ([\w:,-]+)\]")


class Work(NamedTuple):
    """One entry of the shipped references: its key, what names it, and its BibTeX."""

    key: str
    about: tuple[str, ...]
    entry: str


@cache
def works() -> tuple[Work, ...]:
    """The references that come with promptlab."""
    text = (PACKAGE / "data" / "references.bib").read_text(encoding="utf-8")
    found = []
    for entry in ENTRY.finditer(text):
        about = ABOUT.search(entry.group())
        names = tuple(name.strip().lower() for name in about.group(1).split(";")) if about else ()
        found.append(Work(entry.group(1), names, ABOUT.sub("", entry.group())))
    return tuple(found)


def keys_of(text: str) -> list[str]:
    """The works that a line of text names."""
    return [work.key for work in works() if any(name in text.lower() for name in work.about)]


def sources_of(plan: Plan) -> dict[str, list[str]]:
    """Every source that the run's tasks, texts and prompts name, with the keys of its works; one that promptlab does not know has a
    key of its own where it names a year, else none."""
    named = [task.source for task in plan.tasks] + [arm.source for arm in plan.arms] + [prompt.source for prompt in plan.prompts]
    named += ["HEART, 2509.22876" for loop in plan.loops[:1] if loop.mode]
    found: dict[str, list[str]] = {}
    for source in filter(None, dict.fromkeys(named)):
        works_ = [key for key in keys_of(source) if key != "promptlab"]
        found[source] = works_ or (["promptlab"] if OWN in source else [own_key(source)] if YEAR.search(source) else [])
    return found


def own_key(source: str) -> str:
    """The key of a source that promptlab does not know."""
    return f"source-{digest_of_text(source)[:8]}"


def bibliography(plan: Plan, methods: Iterable[str]) -> str:
    """References as BibTeX: promptlab, the sources of the run, and the works that the Methods text cites."""
    sources = sources_of(plan)
    wanted = {"promptlab", *(key for keys in sources.values() for key in keys)}
    wanted |= {key for text in methods for keys in CITE.findall(text) for key in keys.split(",")}
    entries = [work.entry for work in works() if work.key in wanted]
    made = []
    for source, keys in sources.items():
        if own_key(source) in keys:
            arxiv, named = ARXIV.search(source), re.search(r"\b(?:1[5-9]|20)\d\d\b", source)
            year = named.group() if named else f"20{arxiv.group(1)[:2]}" if arxiv else ""
            link = f",\n  url = {{https://arxiv.org/abs/{arxiv.group(1)}}}" if arxiv else ""
            made.append(f"@misc{{{own_key(source)},\n  key = {{{own_key(source)}}},\n  title = {{{{{_for_bib(source)}}}}},\n"
                        f"  note = {{As named by the run; complete this entry}}, year = {{{year}}}{link}\n}}\n")  # fmt: skip
    return "\n".join([*entries, *made]).replace("year = {2026}\n}", f"year = {{2026}}, note = {{Version {__version__}}}\n}}")


def _for_bib(text: str) -> str:
    """Text inside the braces of a BibTeX field: escaped braces would unbalance it, so they are code points."""
    return tex(text.replace("{", "(").replace("}", ")").replace("@", "(at)"))


@cache
def _libraries() -> Mapping[str, str]:
    """Licences of the shipped libraries, by name."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(shipped("stimuli").glob("*.yaml"))]
    heads = [dict(HEAD.findall(text)) for text in texts]
    return {head["library"]: head["licence"] for head in heads if len(head) == 2}


def licences(report: Report) -> Table:
    """Whose the items and texts of the run are, and under which licence."""
    plan = report.plan
    rows = [[f"items of {t.name}", f"{t.n_items:,}", t.source or "not recorded", t.licence or UNSTATED] for t in plan.tasks]
    by_library = grouped(
        (arm.library or "texts of the experiment file", arm.source or "the experiment file")
        for arm in plan.arms
        if arm.text and arm.role not in ("loop", "loop_control")
    )
    for library, sources in by_library.items():
        rows.append([f"texts of {library}", str(len(sources)), "; ".join(dict.fromkeys(sources)), _libraries().get(library) or UNSTATED])
    if said := remarks(plan):
        own = (shipped("stimuli") / "heart.yaml").read_text(encoding="utf-8")
        licence = _libraries()["heart"] if all(text in own for text in said.values()) else UNSTATED
        rows.append(["remarks of feedback loops", f"{len(said):,}", OWN if licence != UNSTATED else "the experiment", licence])
    rows += [[f"prompt {prompt.name}", "1", prompt.source or "the experiment file", UNSTATED] for prompt in plan.prompts]
    rows += [[f"answers of {model.name}", "-", model.litellm_name or "imported", "promptlab's simulation, no rights" if model.simulated
              else "the terms of the model's provider"] for model in plan.models]  # fmt: skip
    note = "Licences as the run records them. Short published sentences are quoted as conditions of an experiment."
    return table("Sources and licences", note, ("what", "number", "source", "licence"), rows)


def cite(keys: str) -> str:
    """The citation of works, by their keys with commas between, which `cited` later sets."""
    return f"[{MARK} {keys}]"


def cited(text: str) -> str:
    """A paragraph as LaTeX with its citations."""
    made, last = [], 0
    for found in CITE.finditer(text):
        made += [_inline(text[last : found.start()]), rf"\cite{{{found.group(1)}}}"]
        last = found.end()
    return "".join([*made, _inline(text[last:])])


def _inline(text: str) -> str:
    """A part of a paragraph, with the spaces at its ends."""
    return (" " if text[:1] == " " else "") + tex(text) + (" " if text.strip() and text[-1:] == " " else "")
