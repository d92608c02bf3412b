"""What is the same item in several files, and the same prompt sent again: by their content, never by names of files or places of rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from promptlab.importers.files import File
from promptlab.importers.results import Reading, Result
from promptlab.importers.values import known_by, refusal
from promptlab.nouns import AA_ARM, NONE_ARM
from promptlab.nouns.words import counted


def asked_again(results: list[Result], reading: Reading, files: Sequence[File]) -> list[str]:
    """The same prompt sent again in another file: a repeat of each item, or where there is no other prompt an A/A check.

    Only where the files show that it is the same prompt. Which file is the first follows from their content.
    """
    if len(files) < 2 or any(file.arm for file in files):
        return []
    rank = {i: n for n, i in enumerate(sorted(range(len(files)), key=lambda i: files[i].sha256))}
    copies = [i for i in range(1, len(files)) if files[i].sha256 in {file.sha256 for file in files[:i]}]
    arms = {r.arm for r in results}
    if len(arms) == 1 and len(files) == 2 and (copies or _same_prompts(results)):
        for r in results:
            r.arm = AA_ARM if rank[r.file] else NONE_ARM
        return [
            "both files hold answers to the same prompt: the second is taken as its repeat (A/A), and nothing was added to it. "
            "If they are of two models or prompts, name them with --arm-name"
        ]
    if copies:
        results[:] = [r for r in results if r.file not in copies]
        return [f"left out: {counted(len(copies), 'file')} with the same content as another"]
    at: dict[tuple[str, str, str, str], dict[int, int]] = defaultdict(dict)
    for r in sorted(results, key=lambda r: rank[r.file]) if reading.by_content else []:
        repeats = at[r.model, r.task, r.arm, r.item]
        repeats[r.file] = max(repeats.get(r.file, 0), r.repeat + 1)
    if len(arms) == 1 or not any(len(repeats) > 1 for repeats in at.values()):
        return []
    for r in results:
        r.repeat += sum(n for i, n in at[r.model, r.task, r.arm, r.item].items() if rank[i] < rank[r.file])
    return ["the same prompts were run on the same test cases in several files; these are taken as repeats of one item"]


def _same_prompts(results: Iterable[Result]) -> bool:
    """Whether two files show that they asked the same of every item that both have."""
    asked: dict[tuple[str, str, str], dict[int, object]] = defaultdict(dict)
    for r in results:
        asked[r.model, r.task, r.item].setdefault(r.file, r.messages)
    both = [list(found.values()) for found in asked.values() if len(found) == 2]
    return bool(both) and all(one and one == two for one, two in both)


def by_content(results: Sequence[Result], path: Path) -> list[str]:
    """Items are paired by what they ask where their ids, which tools count up, mean other items in another arm."""
    of: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    contents: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for r in results:
        if r.content:
            of[r.task][r.item].add(r.content)
            contents[r.task, r.arm].setdefault(r.content, r.item)
    notes = []
    for task, ids in of.items():
        mine = [found for (t, _), found in contents.items() if t == task]
        shared = len(set().union(*mine)) < sum(map(len, mine))
        apart = all(len(found) == len(set(found.values())) for found in mine)
        changed = next((item for item, found in ids.items() if len(found) > 1), None)
        if changed is None:
            continue
        if not shared or not apart:
            first, second = list({r.content: r for r in results if (r.task, r.item) == (task, changed)}.values())[:2]
            raise refusal(
                path,
                f"the item {changed!r} asks one thing in {first.where} and another in {second.where}, so one id means "
                "two items and the files cannot be paired; evaluate the arms on the same items"
                + ("; to compare the models: --arm model" if len({r.model for r in results}) > 1 else ""),
            )
        for r in results:
            if r.task == task and r.content:
                r.item = known_by("item", r.content)
        notes.append(f"task {task!r}: the files number their items differently, so items are paired by what they ask")
    return notes
