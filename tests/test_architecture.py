"""The house keeps its shape: imports point down, no circles, one owner for each heavy library, and help stays light."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from conftest import ROOT

PACKAGE = ROOT / "promptlab"
ORDER = (
    "nouns", "strategies", "design", "scoring", "stats", "sources", "programs", "record", "planning", "running", "importers", "reporting",
    "explorer", "cli",
)  # fmt: skip
"""The parts from the bottom up: a part imports only those before it."""
TOP = {"__init__", "__main__", "api", "guard", "schema"}
"""Modules directly in the package: the public names, the start, and what must come before everything else."""
OWNERS = {
    "litellm": "running.gateway running.batch", "openai": "running.gateway running.batch", "aiohttp": "running.gateway",
    "yarl": "running.gateway", "certifi": "running.gateway", "ray": "running.fleet", "dspy": "programs", "greenlet": "programs",
    "diskcache": "running.cache", "yaml": "sources.spec sources.foreign", "pydantic": "sources.spec sources.objects reporting.prepared",
    "huggingface_hub": "sources.tables",
    "httpx": "sources.tables running.gateway.redirects",
    "pooch": "sources.official", "requests": "sources.official", "platformdirs": "nouns.places",
    "fsspec": "record.mirror", "openpyxl": "sources.tables",
    "pyarrow": "record sources.tables sources.foreign importers", "duckdb": "reporting.prepared",
    "pandas": "record stats reporting explorer planning", "scipy": "stats", "statsmodels": "stats", "gpboost": "stats",
    "streamlit": "explorer", "altair": "reporting.charts", "vl_convert": "reporting.drawing", "jinja2": "reporting", "typer": "cli",
    "rich": "cli reporting running.progress",
}  # fmt: skip
"""Who may import a heavy library: parts, or modules of parts."""
PURE = ("nouns.errors", "nouns.inert", "nouns.identity", "nouns.item", "nouns.arm", "nouns.call", "design", "strategies", "stats")
NOT_PURE = {"os", "pathlib", "time", "datetime", "asyncio", "socket", "subprocess", "urllib", "tempfile", "requests"}
UNSAFE = {"pickle", "cloudpickle", "joblib", "shelve", "marshal"}


@cache
def modules() -> Mapping[str, Path]:
    """Every module by its dotted name inside the package."""
    found = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
    return {name.removesuffix(".__init__") if name != "__init__" else name: path for name, path in found.items()}


@cache
def imports() -> Mapping[str, frozenset[str]]:
    """What each module imports anywhere in it, also inside functions; ours without the package's name, as `.part.module`."""
    found = {}
    for name, path in modules().items():
        names: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                full = {f"{node.module}.{alias.name}" for alias in node.names}
                names |= {f if f.removeprefix("promptlab.") in modules() else node.module for f in full}
        found[name] = frozenset(n.removeprefix("promptlab") if n.startswith("promptlab.") else n for n in names)
    return found


def ours(name: str) -> set[str]:
    return {other[1:] for other in imports()[name] if other.startswith(".")} - {name, "__version__"}


def within(name: str, places: str) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places.split())


def test_every_module_has_its_place() -> None:
    assert {name.split(".")[0] for name in modules()} == {*ORDER, *TOP}
    assert len(TOP) <= 8


LONG = 400
"""Lines of a file that says nothing of its length."""


def test_imports_point_down() -> None:
    up = []
    for name in modules():
        part = name.split(".")[0]
        for other in {o.split(".")[0] for o in ours(name)} - {part, *TOP} if part in ORDER else ():
            if ORDER.index(other) > ORDER.index(part):
                up.append(f"{name} imports {other}")
    assert up == []


def test_there_are_no_circles() -> None:
    left = {name: ours(name) & set(modules()) for name in modules()}
    while free := [name for name, needs in left.items() if not needs]:
        for name in free:
            del left[name]
        for needs in left.values():
            needs -= set(free)
    assert left == {}, "each of these imports another of them, directly or not"


def test_long_files_say_why() -> None:
    lines = {name: path.read_text(encoding="utf-8").splitlines() for name, path in modules().items()}
    assert [name for name, text in lines.items() if len(text) > LONG and "Above 400 lines: " not in "\n".join(text[:30])] == []


def test_heavy_libraries_have_owners() -> None:
    wrong = [
        f"{name} imports {root}, which belongs to {OWNERS[root]}"
        for name in modules()
        for root in {imported.split(".")[0] for imported in imports()[name]} & set(OWNERS)
        if not within(name, OWNERS[root])
    ]
    assert wrong == []


def test_every_imported_library_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    texts = [*project["dependencies"], *(text for extra in project["optional-dependencies"].values() for text in extra)]
    declared = {re.split(r"[<>=!\[ ]", text)[0].lower().replace("-", "_") for text in texts}
    called = {"yaml": "pyyaml", "vl_convert": "vl_convert_python"}  # by another name than the package's
    roots = {imported.split(".")[0] for name in modules() for imported in imports()[name] if not imported.startswith(".")}
    outside = roots - set(sys.stdlib_module_names) - {"promptlab"}
    assert {root for root in outside if called.get(root, root) not in declared} == set()


def test_pure_parts_touch_nothing() -> None:
    allowed = {"nouns.errors": {"pathlib"}}
    wrong = {
        name: found
        for name in modules()
        if within(name, " ".join(PURE)) and (found := {i.split(".")[0] for i in imports()[name]} & NOT_PURE - allowed.get(name, set()))
    }
    assert wrong == {}


MANY = 6
"""Positional arguments beyond which nobody sees which is which."""
MANY_ALLOWED: Mapping[str, int] = {}
"""Modules with calls of more, and how many; it only ever shrinks."""


def test_no_call_passes_many_arguments_by_position() -> None:
    found = {
        name: len(calls)
        for name, path in modules().items()
        if (calls := [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call) and len(node.args) > MANY])
    }
    assert found == MANY_ALLOWED


def test_the_design_page_names_every_part_and_only_what_exists() -> None:
    page = (ROOT / "docs" / "reference" / "design.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)/` \|", page[: page.index("### Where a change belongs")], re.M)
    assert tuple(listed) == ORDER, "section 2 lists the parts in their order"
    section = page[page.index("### Where a change belongs") : page.index("## 3. Nouns")]
    named = [path for path in re.findall(r"`([\w/]+\.py)`", section) if path != "__init__.py"]
    assert named
    assert [path for path in named if not (PACKAGE / path).is_file()] == []


def test_no_pickle_anywhere() -> None:
    app = {
        alias.name for node in ast.walk(ast.parse((ROOT / "app.py").read_text())) if isinstance(node, ast.Import) for alias in node.names
    }
    assert not app & UNSAFE
    assert [name for name in modules() if UNSAFE & {i.split(".")[0] for i in imports()[name]}] == []


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


def test_only_running_loads_litellm() -> None:
    parts = "planning.plan, promptlab.reporting, promptlab.reporting.charts, promptlab.record.mirror, promptlab.stats"
    assert loaded_after(f"import promptlab.{parts}") & {"litellm", "openai", "dspy", "streamlit"} == set()


def test_a_worker_loads_no_statistics() -> None:
    assert loaded_after("import promptlab.running.fleet.local, promptlab.running.fleet.work") & HEAVY <= {"pyarrow", "numpy"}


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
