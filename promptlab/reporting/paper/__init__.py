"""`promptlab paper`: what a publication needs of a run, as files that compile, and as one archive for upload."""

from __future__ import annotations

import contextlib
import io
import json
import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from promptlab.nouns import OF_TEXTS, SCOPES, PromptlabError, RunProblem, known_secrets, redact
from promptlab.record.store import Run
from promptlab.record.store.files import read_file
from promptlab.reporting import deviations, frozen
from promptlab.reporting.arms import arm_tables
from promptlab.reporting.build import Report, headline
from promptlab.reporting.contrasts import contrast_tables
from promptlab.reporting.formats import long_frame, to_csv, to_json, written
from promptlab.reporting.paper.checklist import checklist
from promptlab.reporting.paper.cited import bibliography, cited, licences, sources_of
from promptlab.reporting.paper.figures import Figure, figures
from promptlab.reporting.paper.flow import diagram, flow_of, flow_table, paired_table
from promptlab.reporting.paper.methods import Part, methods, moment, simulated_words
from promptlab.reporting.paper.prompts import appendix, examples
from promptlab.reporting.paper.tex import tabular, tex
from promptlab.reporting.prepared import Store, keep, stamp
from promptlab.reporting.rows import COLUMNS, PLACE, arm_words, baseline_table, beside_tables, cells, loop_tables, named
from promptlab.reporting.table import Table, table

STYLE, README = (Path(__file__).parent / name for name in ("promptlab-paper.sty", "readme.md"))
MOST_ROWS = 250
"""Rows of a table in the paper; all of them are in its CSV file."""
MOST_COLUMNS = 5
"""Columns up to which a table keeps one that is the same in all rows."""
LEAST_DATE = (1980, 1, 1, 0, 0, 0)
"""The oldest date that an archive can hold: the same run gives the same bytes."""
Files = dict[str, bytes]


def paper_files(run: Run, report: Report) -> Files:
    """Every file of the kit by its name, the archive left out. Nothing depends on the clock or on this machine."""
    secrets = known_secrets()

    def clean(text: str) -> str:
        return redact(text, secrets)

    flow, mark = flow_of(report), "SIMULATED: " if report.simulated else ""
    said = methods(report, flow)
    drawn = figures(report, clean)
    requests = examples(run, report)
    sections = {
        "results": _results(report),
        "flow": [flow_table(report), paired_table(report)],
        "deviations": _deviations(run, report),
        "design": [*frozen.design(report), frozen.parameters(report), _pairs("Provenance", frozen.provenance(report))],
        "more": [*arm_tables(report), arm_words(report), baseline_table(report), *loop_tables(report), *beside_tables(report)],
        "licences": [licences(report)],
        "checklist": [checklist(report, flow)],
    }
    files, inputs = _tables(sections, mark)
    files["methods.tex"] = _prose(said, simulated_words(report)).encode()
    files["flow.tex"] = diagram(flow, report).encode()
    files["prompts.tex"] = appendix(report, requests).encode()
    files["references.bib"] = bibliography(report.plan, [text for _, texts in said for text in texts]).encode()
    files["paper.tex"] = _paper(report, inputs, drawn).encode()
    files["promptlab-paper.sty"] = STYLE.read_bytes()
    for figure in drawn:
        files |= {f"figures/{figure.name}.{form}": data for form, data in (("svg", figure.svg), ("pdf", figure.pdf)) if data}
    files["data/prompts.jsonl"] = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in requests).encode("utf-8", "replace")
    files["data/report.json"] = to_json(report).encode("utf-8", "replace")
    files["data/comparisons.csv"] = to_csv(report).encode("utf-8", "replace")
    files["data/trials.csv"] = written(long_frame(run), ".csv")
    with contextlib.suppress(OSError):
        files["data/experiment.yaml"] = read_file(run.folder / "experiment.yaml")
    files["README.md"] = _readme(report, sections, drawn).encode()
    return {name: data if name.endswith(".pdf") else _cleaned(name, data, clean) for name, data in sorted(files.items())}


def _cleaned(name: str, data: bytes, clean: object) -> bytes:
    """A text file without keys; settings and provenance also without the name of the user's folder."""
    text = clean(data.decode("utf-8", "replace"))  # type: ignore[operator]
    if name in ("data/experiment.yaml", "data/report.json") or name.startswith("tables/design"):
        text = re.sub(rf"{re.escape(str(Path.home()))}(?=/)", "~", text)
    return str(text).encode("utf-8", "replace")


def archive(files: Mapping[str, bytes], top: str) -> bytes:
    """One zip of the files in the folder `top`: the same files give the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name in sorted(files):
            info = zipfile.ZipInfo(f"{top}/{name}", LEAST_DATE)
            info.compress_type, info.create_system, info.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
            made.writestr(info, files[name])
    return out.getvalue()


def _results(report: Report) -> list[Table]:
    """The comparisons, a table for each model, scope and control; then contrasts."""
    groups: dict[tuple[str, str, str], list[list[str]]] = {}
    for scope in OF_TEXTS:
        for c in report.shown(scope):
            row, level = cells(report, c), "-" if c.mean_control is None else f"{100 * c.mean_control:.1f}"
            where = [row[2]] if scope == "cell" else []
            groups.setdefault((c.model, scope, row[3]), []).append([row[1], *where, *row[4:6], level, *row[6:]])
    made = []
    for (model, of, against), rows in groups.items():
        heads = (COLUMNS[1], *(("task",) if of == "cell" else ()), *COLUMNS[4:6], "control, %", *COLUMNS[6:])
        made.append(table(f"{named(report, model)}, against {against}: {SCOPES[of].title}", "", heads, rows))  # type: ignore[index]
    return [*made, *contrast_tables(report)]


def _deviations(run: Run, report: Report) -> list[Table]:
    """What happened otherwise than planned, from the tables of the design page."""
    with contextlib.suppress(RunProblem):  # a full disk: the store says so itself
        keep(run, report, stamp(run.folder))
    store = Store.of(run.folder)
    counted = deviations.counted_cells(store)
    gaps = [deviations.gap_table(store, counted)]
    return [deviations.deviation_table(store, counted), *(gap for gap in gaps if len(gap.frame)), deviations.version_table(store)]


def _pairs(title: str, rows: Iterable[tuple[str, str, bool]]) -> Table:
    return table(title, "", ("what", "value"), [row[:2] for row in rows if row[0] != "models asked"])


def _tables(sections: Mapping[str, list[Table]], mark: str) -> tuple[Files, dict[str, list[str]]]:
    """The tables of every section as LaTeX and CSV, and the names under which the paper takes them in."""
    files: Files = {}
    inputs: dict[str, list[str]] = {}
    for section, tables in sections.items():
        for number, one in enumerate((one for one in tables if len(one.frame)), 1):
            name = f"tables/{section}-{number:02d}"
            whole = one.frame.astype(object)
            frame, same = _without_constants(whole)
            more = f" {len(frame) - MOST_ROWS:,} more rows are in {name}.csv." if len(frame) > MOST_ROWS else ""
            shown = one._replace(title=f"{one.title}{same}", frame=frame.head(MOST_ROWS), note=(one.note + more).strip())
            files[f"{name}.tex"] = tabular(shown, name.replace("tables/", "tab:"), mark if "SIMULATED" not in one.title else "").encode()
            files[f"{name}.csv"] = written(whole.assign(simulated=True) if mark else whole, ".csv")
            inputs.setdefault(section, []).append(name)
        inputs.get(section, []).sort(
            key=lambda name: files[f"{name}.tex"].startswith(rb"\begin{landscape}")
        )  # turned ones have pages of their own
    return files, inputs


def _without_constants(frame: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """A table without the columns that place all of its rows alike, which its caption says instead."""
    same = [name for name in PLACE if name in frame and len(frame.columns) > MOST_COLUMNS and frame[name].nunique() == 1]
    words = ", ".join(str(frame[name].iloc[0]) for name in same)
    return frame.drop(columns=same), f" ({words})" if words else ""


def _prose(parts: Iterable[Part], simulated: str) -> str:
    lines = [rf"\noindent\textbf{{{tex(simulated)}}}", ""] if simulated else []
    for title, texts in parts:
        lines += [rf"\paragraph{{{title}.}}", " ".join(cited(text) for text in texts), ""]
    return "\n".join(lines)


TITLES = {
    "results": "Results",
    "methods": "Methods",
    "flow": "Flow of trials",
    "deviations": "Deviations from the plan",
    "design": "Design and provenance",
    "more": "Further tables",
    "licences": "Sources and licences",
    "checklist": "Reproducibility checklist",
}
APPENDIX = "design"


def _paper(report: Report, inputs: Mapping[str, list[str]], drawn: Iterable[Figure]) -> str:
    """The document that takes everything in; each part can be taken into another paper alone."""
    m = report.manifest
    simulated = simulated_words(report)
    lines = [
        r"\ifdefined\pdfminorversion\pdfminorversion=7\fi",
        r"\documentclass[10pt,a4paper]{article}",
        r"\usepackage[margin=2.2cm]{geometry}",
        r"\usepackage{promptlab-paper}",
        rf"\title{{{'SIMULATED: ' if simulated else ''}{tex(m.name or report.run)}}}",
        rf"\author{{}}\date{{Run {tex(report.run)}, {tex(moment(m.updated_at))}}}",
        r"\pagestyle{fancy}\fancyhf{}\fancyfoot[C]{\thepage}",
        rf"\fancyhead[C]{{\small {tex('SIMULATED: no finding about a real model' if simulated else report.run)}}}",
        r"\fancypagestyle{plain}{}",
        r"\begin{document}\maketitle",
        *(
            [rf"\noindent\fbox{{\parbox{{\dimexpr\linewidth-2\fboxsep-2\fboxrule}}{{\textbf{{{tex(simulated)}}}}}}}\medskip"]
            if simulated
            else []
        ),
    ]
    for section, title in TITLES.items():
        lines += [r"\clearpage\appendix"] if section == APPENDIX else []
        lines += [rf"\roomahead\section{{{title}}}"]
        if section == "results":
            lines += [r"\begin{itemize}", *(rf"\item {tex(said)}" for said in headline(report)), r"\end{itemize}"]
            lines += [rf"\figuretitled{{figures/{f.name}.pdf}}{{{tex(f.caption)}.}}" if f.pdf else
                      tex(f"The figure {f.caption!r} could not be drawn: {f.why}") for f in drawn]  # fmt: skip
        if section in ("methods", "flow"):
            lines += [rf"\input{{{section}.tex}}"]
        lines += [rf"\input{{{name}.tex}}" for name in inputs.get(section, ())]
        lines += [r"\input{prompts.tex}"] if section == "licences" else []
        lines += [r"\clearpage"] if section == "results" else []
    sources = sources_of(report.plan)
    keys = dict.fromkeys(key for found in sources.values() for key in found)
    lines += [r"\nocite{promptlab}", *(rf"\nocite{{{key}}}" for key in keys), r"\bibliographystyle{plainnat}", r"\bibliography{references}"]
    return "\n".join([*lines, r"\end{document}", ""])


def _readme(report: Report, sections: Mapping[str, list[Table]], drawn: Iterable[Figure]) -> str:
    simulated = simulated_words(report)
    steps = "\n".join(
        f"- {step.what}\n" + "".join(f"  `{command}`\n" for command in step.commands) for step in frozen.steps(report)
    )  # fmt: skip
    n_figures, n_tables = len(list(drawn)), sum(len(tables) for tables in sections.values())
    return README.read_text(encoding="utf-8").format(
        mark="SIMULATED: " if simulated else "", run=report.run, simulated=f"{simulated}\n\n" if simulated else "", steps=steps,
        n_tables=n_tables, n_figures=n_figures,
    )  # fmt: skip


def licence_problem(report: Report) -> str | None:
    """A sentence where somebody's licence is not recorded."""
    from promptlab.reporting.paper.cited import UNSTATED

    odd = [str(row[0]) for row in licences(report).rows if row[3] == UNSTATED]
    return f"no licence is recorded of {', '.join(odd[:6])}{' and more' if len(odd) > 6 else ''}: check before you upload" if odd else None


def write_kit(run: Run, report: Report, folder: Path) -> list[Path]:
    """Write the kit and its archive into a folder; the paths of the document and the archive.

    PromptlabError where it cannot be written, or where a folder in it is a link, which nothing is written through.
    """
    from promptlab.record.store import write_whole

    files = paper_files(run, report)
    top = f"{report.run}-paper{'-SIMULATED' if report.simulated else ''}"
    inside = {folder / parent for name in files for parent in Path(name).parents} - {folder}
    if linked := sorted(str(path) for path in [*inside, run.folder / "paper"] if path.is_symlink() and path.is_relative_to(folder)):
        raise PromptlabError(f"{linked[0]} is a link, through which nothing is written; remove it, or choose another place with --to")
    try:
        for name, data in {**files, f"{top}.zip": archive(files, top)}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_whole(folder / name, data)
    except OSError as error:
        raise PromptlabError(f"{folder}: cannot be written: {error.strerror}; choose another place with --to") from None
    return [folder / "paper.tex", folder / f"{top}.zip"]
