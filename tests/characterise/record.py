"""Makes golden files anew, of all cases or of those named: `python tests/characterise/record.py [CASE ...]`.

A golden file is made anew only where intended.yaml cannot say what changed; the difference in git is then what is reviewed.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from characterise import golden
from characterise.cases import CASES, machine_words, observe
from conftest import SHARED


def main(names: list[str]) -> int:
    """Record these cases, or all; the number of those that could not be."""
    unknown = [name for name in names if name not in CASES]
    if unknown:
        print(f"no such case: {', '.join(unknown)}; known: {', '.join(CASES)}")
        return 1
    for case in [CASES[name] for name in names] or CASES.values():
        if case.recorded and not SHARED.is_dir():
            print(f"{case.name}: left as it is, the reference data is not at {SHARED}; set PROMPTLAB_SHARED to its folder")
            continue
        with tempfile.TemporaryDirectory() as folder:
            observed = observe(case, Path(folder) / "case")
            golden.write(case, observed)
            for file in (golden.GOLDEN / case.name).iterdir():
                found = machine_words(Path(folder)).search(file.read_text(encoding="utf-8"))
                assert found is None, f"{file} holds {found}, which belongs to this machine"
        print(f"{case.name}: {len(observed.trials):,} trials, {len(observed.calls):,} calls, {len(observed.bodies):,} requests received")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
