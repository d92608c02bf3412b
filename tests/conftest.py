"""What all tests share: where the reference data lies, a home of their own, no network beyond loopback."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # two test processes on two cores: more threads only wait for each other

import pytest

import servers
from servers import Server

ROOT = Path(__file__).parent.parent
SHARED = Path(os.environ.get("PROMPTLAB_SHARED", ROOT.parent / "shared"))
LONGEST = (
    "fleet", "notebooks", "browser", "programs", "explorer", "bombs", "audit", "torture", "consent", "answers", "calibration_core", "batch",
    "loops", "machine", "calibrate", "shares", "attacks", "looks", "replay", "sweep", "money", "threats", "mirror", "cli",
)  # fmt: skip
"""Files that take longest come first, so that no worker is left with one of them while the others have ended."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--form", choices=("short", "long"), help="only what `make test` runs, or only what `make test-long` adds")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    place = {f"test_{name}": n for n, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONGEST)))
    if form := config.getoption("form"):
        long = added_by_the_long_form(items)
        left_out = [item for item in items if (item in long) == (form == "short")]
        items[:] = [item for item in items if (item in long) == (form == "long")]
        config.hook.pytest_deselected(items=left_out)
    if SHARED.is_dir():
        return
    skip = pytest.mark.skip(reason=f"the reference data is not at {SHARED}; set PROMPTLAB_SHARED to its folder")
    for item in items:
        if item.get_closest_marker("shared"):
            item.add_marker(skip)


def added_by_the_long_form(items: list[pytest.Item]) -> set[pytest.Item]:
    """Of each test marked `long(but=n)` all cases but n, spread evenly over them; of one marked `long` every case."""
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("long"):
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    added = set()
    for several in cases.values():
        mark = several[0].get_closest_marker("long")
        n = mark.kwargs.get("but", 0) if mark else 0
        kept = {len(several) * number // n for number in range(n)} if n else set()
        added |= {item for number, item in enumerate(several) if number not in kept}
    return added


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """New folders, in one of their own: `mktemp` looks at all folders beside the one that it makes, of thousands of tests."""
    return (folder / str(number) for folder in [tmp_path_factory.mktemp("homes")] for number in itertools.count())


@pytest.fixture(scope="module", autouse=True)
def module_home(homes: Iterator[Path]) -> Iterator[None]:
    """A home for what the fixtures of a module run: neither that of the person who runs the tests, nor that of another module."""
    folder = next(homes)
    folder.mkdir(mode=0o700)
    with pytest.MonkeyPatch.context() as patch:
        _out_of_reach(patch, folder)
        yield


@pytest.fixture(autouse=True)
def home(homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Data, cache and keys of the person who runs the tests are out of reach."""
    folder = next(homes)
    folder.mkdir(mode=0o700)
    _out_of_reach(monkeypatch, folder)
    return folder


def _out_of_reach(patch: pytest.MonkeyPatch, home: Path) -> None:
    patch.setenv("PROMPTLAB_HOME", str(home))
    for name in list(os.environ):
        if name.endswith("_API_KEY"):
            patch.delenv(name)


@pytest.fixture(autouse=True)
def workers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The workers of a sweep in this process are forks of one that has loaded all; with the mark `fresh`, as users have them."""
    if sys.platform == "linux" and not request.node.get_closest_marker("fresh"):
        from promptlab.running.fleet import local
        from runs import Workers

        monkeypatch.setattr(local, "subprocess", Workers)


@pytest.fixture
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"the reference data is not at {SHARED}; set PROMPTLAB_SHARED to its folder")
    return SHARED


@pytest.fixture
def server() -> Iterator[Server]:
    """An OpenAI-compatible server on loopback; see servers.py for what its models do."""
    running = servers.start()
    yield running
    running.shutdown()
    running.server_close()
