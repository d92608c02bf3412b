"""`promptlab stimuli`: libraries of the user's own, looked over before they are asked."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from promptlab.cli.options import AsJson
from promptlab.cli.screen import print_json, print_table, say
from promptlab.nouns.stimulus import Stimulus

stimuli = typer.Typer(help="Stimulus libraries of your own: check one before it is asked.", no_args_is_help=True)
PER_STIMULUS = 3


@stimuli.callback()
def _stimuli() -> None:
    """Keeps `check` a command of its own while it is the only one."""


@stimuli.command("check")
def check(
    file: Annotated[Path, typer.Argument(help="A library of stimuli, placebos, paraphrases or cues (YAML).", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Say what is wrong with a library, and how long each text is and what it would be compared with. Exit code 2 when it is wrong."""
    from promptlab.sources.spec.libraries import all_stimuli, is_cue_file, load_cues
    from promptlab.sources.tokens import DEFAULT, n_tokens

    if is_cue_file(file):
        library = load_cues(file)
        counts = {emotion: len(library.of(emotion)) for emotion in dict.fromkeys(cue.emotion for cue in library.cues)}
        if as_json:
            print_json({"library": library.name, "cues": counts})
            return
        say(f"{file}: ok ({library.name}, cues: " + ", ".join(f"{n} {emotion}" for emotion, n in counts.items()) + ")")
        return
    known = all_stimuli([file])
    shipped = all_stimuli()
    own = [s for name, s in known.items() if name not in shipped]
    rows: list[dict[str, Any]] = []
    for s in own:
        near = matched(s, known.values()) if s.role == "stimulus" else ()
        rows.append(
            {
                "stimulus": s.id,
                "role": s.role,
                "n_words": s.n_words,
                "n_tokens": n_tokens(s.text),
                "placebos": [p.id for p in near],
                "tokens_apart": [abs(n_tokens(p.text) - n_tokens(s.text)) for p in near],
                "text": s.text,
            }
        )
    if as_json:
        print_json(rows)
        return
    columns = ["stimulus", "role", "words", "tokens", "compared with", "text"]
    print_table(
        "", columns, [[r["stimulus"], r["role"], r["n_words"], r["n_tokens"], ", ".join(r["placebos"]), r["text"]] for r in rows],
        f"tokens by {DEFAULT}",
    )  # fmt: skip
    far = [r["stimulus"] for r in rows if r["tokens_apart"] and min(r["tokens_apart"]) > 1]
    if far:
        say(f"note: no neutral sentence within a token of {', '.join(far)}; add some of that length, or use kinds: [shuffled, whitespace]")
    unknown = [s.id for s in own if s.role == "paraphrase" and s.of not in known]
    if unknown:
        say(f"note: {', '.join(unknown)} reword stimuli that are in no library here")
    say(f"{file}: ok ({len(own)} texts); name it in an experiment under stimulus_files")


def matched(stimulus: Stimulus, known: Iterable[Stimulus]) -> tuple[Stimulus, ...]:
    """The neutral sentences that a stimulus would be matched with."""
    from promptlab.design.stimuli import matched_placebos
    from promptlab.sources.tokens import n_tokens

    neutral = [s for s in known if s.role == "placebo"]
    lengths = {s.id: n_tokens(s.text) for s in (stimulus, *neutral)}
    return matched_placebos([stimulus], neutral, lengths, PER_STIMULUS, ["neutral"], 0)
