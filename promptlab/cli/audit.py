"""`promptlab audit`: is a run, or a bundle, what it says it is?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptlab.cli.common import AllowCode, AsJson, print_json, print_rows, run_folder, say
from promptlab.nouns import EXIT_ERROR, UsageProblem


def audit(
    place: Annotated[str, typer.Argument(metavar="RUN|BUNDLE", help="A run folder, or a bundle.", show_default=False)],
    ask: Annotated[int, typer.Option(min=0, help="Send so many random trials again, with your key, and compare the scores.")] = 0,
    max_cost: Annotated[float | None, typer.Option(min=0, help="With --ask: USD that this may cost at most.")] = None,
    allow_code: AllowCode = False,
    allow_key: Annotated[
        list[str] | None, typer.Option(help="With --ask: a variable whose value may be sent to an address of the file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make plan, prompts, keys and scores again from the experiment and the stored answers; exit code 1 where one differs."""
    from promptlab.planning.audit import DIFFERS, UNKNOWN
    from promptlab.record.store import Run
    from promptlab.reporting import audited
    from promptlab.running.keys import need_key_consent
    from promptlab.running.progress import Execution
    from promptlab.sources.spec.user import consent

    given = consent(allow_code)
    is_bundle = (Path(place) / "manifest.json").is_file() and not (Path(place) / "plan.json").exists()
    if is_bundle and ask:
        raise UsageProblem("--ask compares with the trials of a run; replay the bundle first, then audit the run that comes of it")
    run = None if is_bundle else Run(run_folder(place))
    rows = audited.of_bundle(Path(place), given)[0] if run is None else audited.of_run(run, given)
    if run is not None and ask:
        study = audited.study_of(run, given)
        need_key_consent(study, tuple(allow_key or ()))
        rows.append(audited.ask(run, ask, study, Execution(max_cost_usd=max_cost)).row)
    failed, unknown = (sum(row.says == says for row in rows) for says in (DIFFERS, UNKNOWN))
    words = f"{failed} of {len(rows)} checks differ" if failed else f"nothing differs in {len(rows) - unknown} checks"
    if unknown:
        words += f"; {unknown} cannot be told"
    if as_json:
        print_json({"audited": place, "result": words, "checks": [row._asdict() for row in rows]})
    else:
        print_rows(f"Audit of {place}", [row._asdict() for row in rows], {"what": "what", "says": "result", "found": "found"})
        say(f"{words}.")
    if failed:
        raise typer.Exit(EXIT_ERROR)
