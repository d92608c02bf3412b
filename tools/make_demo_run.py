"""Make the demo runs of the notebooks anew (SIMULATED, without a cache), and the notebooks' stored output from them.

python tools/make_demo_run.py [NAME ...] makes only the runs that are named (none, where a name is `output`).
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from promptlab.planning.resolve import resolve
from promptlab.running.progress import Execution
from promptlab.running.sweep import run_sweep

ROOT = Path(__file__).parent.parent
NOTEBOOKS = ROOT / "notebooks"
RUNS = {
    "demo_run": Path("experiments/quickstart.yaml"),
    "demo_replication": Path("notebooks/replication.yaml"),
    "demo_loops": Path("notebooks/loops.yaml"),
}


def main() -> None:
    """Run the experiments that are asked for, and fill the notebooks."""
    wanted = sys.argv[1:] or list(RUNS)
    unknown = set(wanted) - set(RUNS) - {"output"}
    if unknown:
        raise SystemExit(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(RUNS)} and output")
    for name in [name for name in RUNS if name in wanted]:
        make(name)
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        fill(path)


def make(name: str) -> None:
    """Run one experiment in a folder of its own and put the finished record in place."""
    target = NOTEBOOKS / name
    with tempfile.TemporaryDirectory() as place:
        done = run_sweep(resolve(RUNS[name]), Path(place), None, Execution(16), lambda progress: None)
        if done.state != "complete":
            raise SystemExit(f"{name}: the run is {done.state}; nothing was replaced")
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(done.folder, target, ignore=shutil.ignore_patterns("lock", "report.html"))
    print(f"{target.relative_to(ROOT)}: {done.progress.n_done:,} trials, {sum(p.stat().st_size for p in target.rglob('*')) // 1000:,} kB")


def fill(path: Path) -> None:
    """Execute one notebook where it lies and store what it shows."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as home:  # no answer and no plan of earlier runs
        os.environ["PROMPTLAB_HOME"] = home
        NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}).execute()
    for cell in notebook.cells:
        cell.metadata = {}
    notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"]}
    nbformat.write(notebook, path)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000:,} kB")


if __name__ == "__main__":
    main()
