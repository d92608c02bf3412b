"""The house keeps its shape: imports point down, one module owns each heavy dependency, and help stays light."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import ROOT

PACKAGE = ROOT / "promptlab"
LAYERS = {
    "errors": 0, "schema": 0, "shipped": 0, "inert": 0, "guard": 2, "__init__": 9,
    "render": 1, "design": 1, "stimuli": 1, "loops": 1, "defects": 1, "strategies": 1, "metrics": 1, "stats": 1,
    "spec": 2, "cache": 2, "gateway": 2, "store": 2, "official": 2, "files": 2, "tokens": 2, "tables": 2, "hub": 2, "repair": 2,
    "mirror": 2,
    "tasks": 3, "scoring": 3, "own": 3, "simulate": 3, "programs": 3,
    "resolve": 3, "plan": 3, "pilot": 3, "calibrate": 3, "budget": 3, "engine": 3, "run": 3,
    "batch": 3, "replay": 3, "bundle": 3, "fleet": 3, "sweep": 3,
    "importers": 3, "report": 3, "charts": 3, "prepared": 3,
    "explorer": 4, "cli": 5, "__main__": 6,
}  # fmt: skip
ORDER = [
    "charts",
    "tasks",
    "scoring",
    "own",
    "simulate",
    "programs",
    "resolve",
    "plan",
    "pilot",
    "calibrate",
    "budget",
    "engine",
    "run",
    "batch",
    "replay",
    "bundle",
    "sweep",
    "importers",
    "report",
    "prepared",
]
"""Inside the assembly layer, too, a module imports only from those before it."""
OWNERS = {
    "litellm": {"gateway"}, "openai": {"gateway"}, "dspy": {"programs"}, "greenlet": {"programs"},
    "aiohttp": {"gateway"}, "yarl": {"gateway"}, "certifi": {"gateway"}, "ray": {"fleet"},
    "diskcache": {"cache"}, "yaml": {"spec"}, "pydantic": {"spec", "prepared"}, "duckdb": {"prepared"},
    "fsspec": {"mirror"}, "pyarrow": {"store", "tables", "importers"}, "huggingface_hub": {"hub"}, "httpx": {"hub"},
    "pandas": {"store", "stats", "report", "explorer", "calibrate", "pilot", "prepared"},
    "scipy": {"stats"}, "gpboost": {"stats"}, "statsmodels": {"stats"},
    "streamlit": {"explorer"}, "altair": {"charts"}, "vl_convert": {"charts"}, "jinja2": {"report"},
    "typer": {"cli"}, "rich": {"cli", "report"},
    "pooch": {"official"}, "requests": {"official"}, "platformdirs": {"official"},
}  # fmt: skip
PURE = {"errors", "schema", "inert", "render", "design", "defects", "strategies", "stats"}
NOT_PURE = {"os", "pathlib", "time", "datetime", "asyncio", "socket", "subprocess", "urllib", "tempfile", "requests"}


def part(path: Path) -> str:
    inside = path.relative_to(PACKAGE).parts
    return inside[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "promptlab":
                yield from (f"promptlab.{name.name}" for name in node.names)
            else:
                yield node.module


FILES = sorted(path for path in PACKAGE.rglob("*.py"))


def ours(path: Path) -> set[str]:
    found = set()
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "promptlab" and len(parts) > 1 and parts[1] != "__version__":
            found.add(parts[1])
    return found


def test_every_module_has_a_layer() -> None:
    assert {part(path) for path in FILES} == set(LAYERS)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    mine = part(path)
    if mine == "__init__":
        return
    for other in ours(path) - {mine}:
        assert LAYERS[other] <= LAYERS[mine], f"{mine} imports {other} from a layer above"
        if mine in ORDER and other in ORDER:
            assert ORDER.index(other) < ORDER.index(mine), f"{mine} imports {other}, which comes after it"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_heavy_dependencies_have_owners(path: Path) -> None:
    for name in imports(path):
        root = name.split(".")[0]
        assert part(path) in OWNERS.get(root, {part(path)}), f"{part(path)} imports {root}, which belongs to {OWNERS[root]}"


@pytest.mark.parametrize("path", [p for p in FILES if part(p) in PURE], ids=lambda p: str(p.relative_to(PACKAGE)))
def test_pure_modules_touch_nothing(path: Path) -> None:
    allowed = {"pathlib"} if part(path) == "errors" else set()
    assert {name.split(".")[0] for name in imports(path)} & (NOT_PURE - allowed) == set()


def test_no_pickle_anywhere() -> None:
    for path in [*FILES, ROOT / "app.py"]:
        assert not {"pickle", "cloudpickle", "joblib", "shelve", "marshal"} & {name.split(".")[0] for name in imports(path)}, path


def loaded_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", code + "\nimport sys, json; print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    return set(json.loads(done.stdout.splitlines()[-1]))


HEAVY = {"litellm", "openai", "dspy", "streamlit", "pandas", "scipy", "statsmodels", "pyarrow", "altair", "numpy"}


def test_help_loads_nothing_heavy() -> None:
    code = "import sys\nsys.argv = ['promptlab', '--help']\nfrom promptlab.cli import main\ntry:\n    main()\nexcept SystemExit:\n    pass"
    assert loaded_after(code) & HEAVY == set()


@pytest.mark.parametrize("module", ["plan", "resolve", "report", "charts", "store", "stats"])
def test_only_running_loads_litellm(module: str) -> None:
    assert loaded_after(f"import promptlab.{module}") & {"litellm", "openai", "dspy", "streamlit"} == set()


def test_no_registry_host_is_committed() -> None:
    hosts = ["py" + "pi.org", "python" + "hosted", "registry.npm" + "js", "deb.deb" + "ian.org", "--index" + "-url"]
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    for name in tracked.stdout.splitlines():
        path = ROOT / name
        if path.is_file() and path.suffix not in {".png", ".parquet"}:
            text = path.read_text(encoding="utf-8", errors="replace")
            assert [host for host in hosts if host in text] == [], name
