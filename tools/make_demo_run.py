"""Make notebooks/demo_run anew (the quickstart, SIMULATED, without a cache), and the notebooks' stored output from it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from promptlab.resolve import resolve
from promptlab.run import Execution
from promptlab.sweep import run_sweep

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "notebooks" / "demo_run"


def main() -> None:
    """Run the experiment in a folder of its own and put the finished record in place."""
    with tempfile.TemporaryDirectory() as place:
        done = run_sweep(resolve(Path("experiments/quickstart.yaml")), Path(place), None, Execution(16), lambda progress: None)
        if done.state != "complete":
            raise SystemExit(f"the run is {done.state}; nothing was replaced")
        shutil.rmtree(DEMO, ignore_errors=True)
        shutil.copytree(done.folder, DEMO, ignore=shutil.ignore_patterns("lock", "report.html"))
    for path in sorted(DEMO.parent.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}).execute()
        for cell in notebook.cells:
            cell.metadata = {}
        notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"]}
        nbformat.write(notebook, path)
    print(f"{DEMO.relative_to(ROOT)}: {done.progress.n_done:,} trials")


if __name__ == "__main__":
    main()
