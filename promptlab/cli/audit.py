"""`promptlab audit` and `preregister`: is a run, or a bundle, what it says it is, and what was claimed before it?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from promptlab.cli.common import AllowCode, AsJson, ExperimentFile, Sequential, load, print_json, print_rows, run_folder, say
from promptlab.nouns import EXIT_ERROR, UsageProblem


def audit(
    place: Annotated[str, Argument(metavar="RUN|BUNDLE", help="A run folder, or a bundle.")],
    ask: Annotated[int, Option(min=0, help="Send so many random trials again, with your key, and compare the scores.")] = 0,
    max_cost: Annotated[float | None, Option(min=0, help="With --ask: USD that this may cost at most.")] = None,
    allow_code: AllowCode = False,
    allow_key: Annotated[list[str] | None, Option(help="With --ask: a variable whose value may be sent to an address of the file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make plan, prompts, keys and scores again from the experiment and the stored answers; exit code 1 where one differs."""
    from promptlab.planning.audit import DIFFERS, UNKNOWN
    from promptlab.record.store import Run
    from promptlab.reporting import audited
    from promptlab.reporting.remade import study_of
    from promptlab.running.keys import need_key_consent
    from promptlab.running.progress import Execution
    from promptlab.sources.spec.user import consent

    given = consent(allow_code)
    is_bundle = (Path(place) / "manifest.json").is_file() and not (Path(place) / "plan.json").exists()
    if is_bundle and ask:
        raise UsageProblem("--ask compares with the trials of a run; replay the bundle first, then audit that run")
    run = None if is_bundle else Run(run_folder(place))
    rows = audited.of_bundle(Path(place), given)[0] if run is None else audited.of_run(run, given)
    if run is not None and ask:
        study = study_of(run, given)
        need_key_consent(study, tuple(allow_key or ()))
        rows.append(audited.ask(run, ask, study, Execution(max_cost_usd=max_cost)).row)
    failed, unknown = (sum(row.says == says for row in rows) for says in (DIFFERS, UNKNOWN))
    words = f"{failed} of {len(rows)} checks differ" if failed else f"nothing differs in {len(rows) - unknown} checks"
    if unknown:
        words += f"; {unknown} unknown"
    if as_json:
        print_json({"audited": place, "result": words, "checks": [row._asdict() for row in rows]})
    else:
        print_rows(f"Audit of {place}", [row._asdict() for row in rows], {"what": "what", "says": "result", "found": "found"})
        say(f"{words}.")
    if failed:
        raise typer.Exit(EXIT_ERROR)


def preregister(
    experiment: ExperimentFile,
    to: Annotated[Path, Option("--to", help="The folder for the document.")] = Path(),
    sequential: Sequential = False,
    rfc3161: Annotated[str | None, Option(metavar="URL", help="Have the hash stamped by this time stamping authority.")] = None,
    opentimestamps: Annotated[str | None, Option(metavar="URL", help="Have it stamped by this OpenTimestamps calendar.")] = None,
    git_tag: Annotated[bool, Option("--git-tag", help="Tag the commit of --to with the hash.")] = False,
    allow_code: AllowCode = False,
) -> None:
    """Write design, families, margins, power, exact prompts and hashes before the first call. Its hash is in every later report."""
    from promptlab.running.registration import Stamp, register

    study = load(experiment, allow_code, sequential=sequential)
    asked: dict[Stamp, str | None] = {"rfc3161": rfc3161, "opentimestamps": opentimestamps, "git": "" if git_tag else None}
    done = register(study, to, {kind: where for kind, where in asked.items() if where is not None})
    say(f"registered:    {done.document}")
    say(f"to read:       {done.page}")
    say(f"SHA-256:       {done.sha256}")
    for stamp in done.stamps:
        say(f"stamp:         {stamp}")
    if not done.stamps:
        say("stamp:         none; publish the hash, or add --rfc3161 URL, --opentimestamps URL or --git-tag")
    say(f"then:          promptlab sweep {experiment}{' --sequential' if sequential else ''}")
