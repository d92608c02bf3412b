"""The official files: verified before they are put in place, read whole or refused."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from promptlab.design.defects import clustered, unanswerable_object_counting
from promptlab.nouns.errors import DataMissing, UsageProblem
from promptlab.nouns.item import Demo, Item
from promptlab.nouns.places import home
from promptlab.sources.official import files as official
from promptlab.sources.official.files import OfficialFile
from promptlab.sources.tasks import load_bigbench, load_instruction_induction

SUM_EXECUTE = {"examples": {"1": {"input": "0 47", "output": "47"}, "2": {"input": "1 2", "output": "3"}}}
SUM_INDUCE = {
    "examples": {"1": {"input": "5 5", "output": "10"}, "2": {"input": "1 2", "output": "3"}, "3": {"input": "6 1", "output": " "}}
}
COUNTING = {"task_prefix": "How many objects do I have?\n", "examples": [{"input": "I have a drum.", "target": ["one", "1"]}]}


def encoded(document: object) -> bytes:
    return json.dumps(document).encode()


CONTENTS = {
    "bigbench/object_counting/task.json": encoded(COUNTING),
    "instruction_induction/raw/execute/sum.json": encoded(SUM_EXECUTE),
    "instruction_induction/raw/induce/sum.json": encoded(SUM_INDUCE),
}
COUNTING_PATH, EXECUTE_PATH, INDUCE_PATH = CONTENTS


def pinned(path: str, content: bytes) -> OfficialFile:
    return OfficialFile(
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        repo="owner/counting" if path == COUNTING_PATH else "owner/induction",
        commit="0123abc",
        origin=path.replace("instruction_induction/raw", "data/raw").replace("bigbench/", "data/bigbench/"),
        licence="Apache-2.0",
    )


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROMPTLAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "home" / "data"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> tuple[OfficialFile, ...]:
    """Three small files in place of the published ones, so that their content can be chosen."""
    files = tuple(pinned(path, content) for path, content in CONTENTS.items())
    monkeypatch.setattr(official, "manifest", lambda: files)
    monkeypatch.setattr("promptlab.sources.official.files.manifest", lambda: files)
    return files


@pytest.fixture
def checkout(tmp_path: Path, small: tuple[OfficialFile, ...]) -> Path:
    root = tmp_path / "checkout"
    for path, content in CONTENTS.items():
        write(root / path, content)
    return root


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


def states(found: list[official.FileState]) -> list[str]:
    return [state.state for state in found]


def test_the_manifest_pins_every_file() -> None:
    files = official.manifest()
    assert len([f for f in files if f.path.startswith("instruction_induction/raw/")]) == 48
    assert len([f for f in files if f.path.startswith("bigbench/")]) == 21
    assert len({f.path for f in files}) == len(files) == 69
    assert sum(f.bytes for f in files) == 11_421_694 + 11_969_389
    for file in files:
        assert len(file.sha256) == 64
        assert len(file.commit) == 40
        assert "Apache-2.0" in file.licence
        assert file.source.startswith(f"https://github.com/{file.repo}/blob/{file.commit}/data/")


def test_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert home() == tmp_path / "home"
    assert official.data_dir() == tmp_path / "home" / "data"
    monkeypatch.setenv("PROMPTLAB_HOME", "")
    assert home().name == "promptlab"


def test_nothing_heavy_is_imported() -> None:
    code = "import sys, promptlab.sources.official; print(sorted({'pooch', 'requests'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


@pytest.mark.parametrize(
    "place",
    [lambda file: file.path, lambda file: file.origin, lambda file: f"data/{file.path}"],
    ids=["as the data folder", "as the origins", "one folder up"],
)
def test_import_from_every_layout(
    tmp_path: Path, small: tuple[OfficialFile, ...], data: Path, place: Callable[[OfficialFile], str]
) -> None:
    for file in small:
        write(tmp_path / "there" / place(file), CONTENTS[file.path])
    report = official.import_from(tmp_path / "there")
    assert report == official.ImportReport(data, tuple(CONTENTS), (), ())
    assert {path: (data / path).read_bytes() for path in files_in(data)} == CONTENTS
    assert official.import_from(tmp_path / "there") == official.ImportReport(data, (), tuple(CONTENTS), ())


def test_missing_files_are_reported(checkout: Path, data: Path) -> None:
    (checkout / COUNTING_PATH).unlink()
    assert official.import_from(checkout).missing == (COUNTING_PATH,)
    (checkout / EXECUTE_PATH).unlink()
    assert official.import_from(checkout).missing == (COUNTING_PATH,), "what is in place already is not missing"


@pytest.mark.parametrize("make", [True, False])
def test_a_folder_without_any_file(tmp_path: Path, small: object, data: Path, make: bool) -> None:
    if make:
        (tmp_path / "empty").mkdir()
    with pytest.raises(DataMissing, match=r"no official data file found in .*empty.*bigbench/object_counting/task\.json"):
        official.import_from(tmp_path / "empty")
    assert not data.exists()


def test_wrong_files_are_all_listed_and_right_ones_imported(checkout: Path, data: Path, small: tuple[OfficialFile, ...]) -> None:
    write(data / COUNTING_PATH, b"what was there before")
    write(checkout / COUNTING_PATH, b"{}")
    write(checkout / INDUCE_PATH, b"[]")
    with pytest.raises(DataMissing) as raised:
        official.import_from(checkout)
    told = str(raised.value)
    for path, content in ((COUNTING_PATH, b"{}"), (INDUCE_PATH, b"[]")):
        assert f"{checkout / path}: expected SHA-256 {hashlib.sha256(CONTENTS[path]).hexdigest()}" in told
        assert f"found {hashlib.sha256(content).hexdigest()}" in told
    assert "2 files could not be imported" in told
    assert files_in(data) == [COUNTING_PATH, EXECUTE_PATH]
    assert (data / COUNTING_PATH).read_bytes() == b"what was there before"


def test_a_right_copy_beside_a_wrong_one_is_found(checkout: Path) -> None:
    write(checkout / "data" / COUNTING_PATH, CONTENTS[COUNTING_PATH])
    write(checkout / COUNTING_PATH, b"{}")
    assert official.import_from(checkout).copied == tuple(CONTENTS)


def test_a_damaged_file_is_replaced(checkout: Path, data: Path) -> None:
    official.import_from(checkout)
    write(data / COUNTING_PATH, b"{}")
    assert official.import_from(checkout).copied == (COUNTING_PATH,)
    assert states(official.verify()) == ["present"] * 3


def test_a_file_beyond_the_limit_is_not_read(checkout: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (checkout / COUNTING_PATH).open("wb") as file:
        file.truncate(official.SIZE_LIMIT + 1)
    opened: list[Path] = []
    path_open = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *args, **kwargs: opened.append(self) or path_open(self, *args, **kwargs))
    with pytest.raises(DataMissing, match="limit of 64 MB"):
        official.import_from(checkout)
    assert checkout / COUNTING_PATH not in opened
    assert files_in(data) == [EXECUTE_PATH, INDUCE_PATH]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_waited_for(checkout: Path) -> None:
    (checkout / COUNTING_PATH).unlink()
    os.mkfifo(checkout / COUNTING_PATH)
    with pytest.raises(DataMissing, match="not a regular file"):
        official.import_from(checkout)


def test_nothing_is_written_through_links(checkout: Path, data: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    write(outside / "victim", b"keep me")
    data.mkdir(parents=True)
    (data / "bigbench").symlink_to(outside, target_is_directory=True)
    (data / EXECUTE_PATH).parent.mkdir(parents=True)
    (data / EXECUTE_PATH).symlink_to(outside / "victim")
    with pytest.raises(DataMissing, match="symbolic link"):
        official.import_from(checkout)
    assert files_in(outside) == ["victim"]
    assert (outside / "victim").read_bytes() == b"keep me"
    assert not (data / EXECUTE_PATH).is_symlink()
    assert (data / EXECUTE_PATH).read_bytes() == CONTENTS[EXECUTE_PATH]


def test_an_interrupted_write_leaves_nothing(checkout: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError("No space left on device")

    write(data / COUNTING_PATH, b"before")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataMissing, match=r"could not be written: No space left"):
        official.import_from(checkout)
    assert files_in(data) == [COUNTING_PATH]
    assert (data / COUNTING_PATH).read_bytes() == b"before"


def test_listing_and_verify(checkout: Path, data: Path) -> None:
    assert states(official.listing()) == states(official.verify()) == ["absent"] * 3
    official.import_from(checkout)
    assert states(official.listing()) == states(official.verify()) == ["present"] * 3
    content = bytearray(CONTENTS[EXECUTE_PATH])
    content[-5] ^= 1
    write(data / EXECUTE_PATH, bytes(content))
    assert states(official.listing()) == ["present"] * 3, "only verify reads"
    assert states(official.verify()) == ["present", "damaged", "present"]
    write(data / EXECUTE_PATH, b"")
    assert states(official.listing()) == ["present", "damaged", "present"]
    (data / INDUCE_PATH).unlink()
    (data / INDUCE_PATH).mkdir()
    assert states(official.verify()) == states(official.listing()) == ["present", "damaged", "damaged"]
    first = official.listing()[0]
    assert (first.path, first.bytes, first.licence) == (COUNTING_PATH, len(CONTENTS[COUNTING_PATH]), "Apache-2.0")
    assert first.source == "https://github.com/owner/counting/blob/0123abc/data/bigbench/object_counting/task.json"


class Host(ThreadingHTTPServer):
    """Raw GitHub on loopback; `faults` says what happens to a path in place of the right answer."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.faults: dict[str, str] = {}
        self.asked: list[str] = []
        self.base = f"http://127.0.0.1:{self.server_address[1]}"
        self.contents = {f"/{f.repo}/{f.commit}/{f.origin}": (f.path, CONTENTS[f.path]) for f in official.manifest()}


class Answering(BaseHTTPRequestHandler):
    server: Host

    def do_GET(self) -> None:
        if self.path not in self.server.contents:
            self.send_error(404)
            return
        path, content = self.server.contents[self.path]
        self.server.asked.append(path)
        fault = self.server.faults.get(path)
        if fault == "missing":
            self.send_error(404)
            return
        announced = len(content)
        if fault == "wrong":
            content = b"x" * announced
        if fault == "interrupted":
            content = content[: announced // 2]
        self.send_response(200)
        self.send_header("Content-Length", str(announced))
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def host(small: object) -> Iterator[Host]:
    running = Host()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join()


def test_pull(host: Host, data: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    report = official.pull(progress=lambda *step: steps.append(step), base=host.base)
    assert report == official.ImportReport(data, tuple(CONTENTS), (), ())
    assert steps == [(path, n, 3) for n, path in enumerate(CONTENTS, 1)]
    assert {path: (data / path).read_bytes() for path in files_in(data)} == CONTENTS
    host.asked.clear()
    write(data / EXECUTE_PATH, b"damaged")
    report = official.pull(base=host.base + "/")
    assert (report.copied, report.kept) == ((EXECUTE_PATH,), (COUNTING_PATH, INDUCE_PATH))
    assert host.asked == [EXECUTE_PATH], "verified files are not asked for again"


def test_pull_by_name(host: Host) -> None:
    assert official.pull(["sum"], base=host.base).copied == (EXECUTE_PATH, INDUCE_PATH)
    assert official.pull([COUNTING_PATH], base=host.base).copied == (COUNTING_PATH,)
    with pytest.raises(UsageProblem, match=r"'object_count'.*did you mean 'object_counting'"):
        official.pull(["object_count"], base=host.base)


@pytest.mark.parametrize(("fault", "told"), [("wrong", "sent something else: expected SHA-256"), ("missing", "answered 404 for http")])
def test_pull_of_a_wrong_file_keeps_the_others(host: Host, data: Path, fault: str, told: str) -> None:
    host.faults[EXECUTE_PATH] = fault
    with pytest.raises(DataMissing) as raised:
        official.pull(base=host.base)
    assert told in str(raised.value)
    assert EXECUTE_PATH in str(raised.value)
    assert "promptlab data import DIR" in str(raised.value)
    if fault == "wrong":
        assert "found " + hashlib.sha256(b"x" * len(CONTENTS[EXECUTE_PATH])).hexdigest() in str(raised.value)
    assert files_in(data) == [COUNTING_PATH, INDUCE_PATH]


def test_an_interrupted_pull_goes_on_where_it_stopped(host: Host, data: Path) -> None:
    host.faults[EXECUTE_PATH] = "interrupted"
    with pytest.raises(DataMissing, match=r"execute/sum\.json: could not be downloaded from 127\.0\.0\.1.*1 of 3 files are in place"):
        official.pull(base=host.base)
    assert files_in(data) == [COUNTING_PATH]
    host.faults.clear()
    report = official.pull(base=host.base)
    assert (report.copied, report.kept) == ((EXECUTE_PATH, INDUCE_PATH), (COUNTING_PATH,))
    assert host.asked == [COUNTING_PATH, EXECUTE_PATH, EXECUTE_PATH, INDUCE_PATH]


def test_a_pull_is_bounded(host: Host, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptlab.sources.official.files.SIZE_LIMIT", 10)
    with pytest.raises(DataMissing, match="3 files could not be pulled"):
        official.pull(base=host.base)
    assert not data.exists()


def test_pull_without_a_connection(small: object, data: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with pytest.raises(DataMissing) as raised:
        official.pull(base=base)
    for part in (COUNTING_PATH, base.removeprefix("http://"), "0 of 3", "promptlab data import DIR"):
        assert part in str(raised.value)
    assert not data.exists()


def test_items_and_demonstrations(checkout: Path) -> None:
    official.import_from(checkout)
    items, demos = load_instruction_induction("sum")
    assert items == (Item("1", "0 47", ("47",)), Item("2", "1 2", ("3",)))
    assert demos == (Demo("5 5", "10"),), "neither a test item nor an empty output may be shown"
    task = load_bigbench("object_counting")
    assert task.items == (Item("0", "I have a drum.", ("one", "1")),)
    assert task.demos == ()
    assert task.extras == {"task_prefix": "How many objects do I have?\n", "item_fields": {}}


def test_unknown_tasks(small: object) -> None:
    with pytest.raises(UsageProblem, match="no official task is named 'summ'; did you mean 'sum'"):
        load_instruction_induction("summ")
    with pytest.raises(UsageProblem):
        load_bigbench("../../etc/passwd")


def test_files_that_were_not_imported(small: object) -> None:
    told = "not imported yet: run `promptlab data import DIR` or `promptlab data pull`"
    with pytest.raises(DataMissing, match=rf"execute.sum\.json is {told}"):
        load_instruction_induction("sum")
    with pytest.raises(DataMissing, match=told):
        load_bigbench("object_counting")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not a JSON object"),
        (encoded({}), "'examples' is not an object with items"),
        (encoded({"examples": {}}), "'examples' is not an object with items"),
        (encoded({"examples": {"7": []}}), "item '7': not an object"),
        (encoded({"examples": {"7": {"output": "3"}}}), "item '7': 'input' is missing"),
        (encoded({"examples": {"7": {"input": 3, "output": "3"}}}), "item '7': 'input' must be text, found 3"),
        (encoded({"examples": {"7": {"input": "1 2"}}}), "item '7': 'output' is missing"),
        (encoded({"examples": {"7": {"input": "1 2", "output": [3]}}}), r"item '7': 'output' must be text or a list of texts, found \[3\]"),
        (encoded({"examples": {"7": {"input": "1 2", "output": ["", " "]}}}), "item '7': 'output' holds no answer"),
        (encoded({"examples": {"1": {"input": "1 2", "output": "4"}}}), "expected SHA-256 .*, found"),
    ],
)
def test_damaged_instruction_induction(checkout: Path, data: Path, content: bytes, told: str) -> None:
    official.import_from(checkout)
    write(data / EXECUTE_PATH, content)
    with pytest.raises(DataMissing, match=rf"execute.sum\.json is damaged: {told}"):
        load_instruction_induction("sum")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (encoded({"examples": {}}), "'examples' is not a list with items"),
        (encoded({"examples": ["x"]}), "item '0': not an object"),
        (encoded({"examples": [{"input": "x", "target": "1"}, {"target": "1"}]}), "item '1': 'input' is missing"),
        (encoded({"examples": [{"input": "x"}]}), "item '0': 'target' and 'target_scores' are missing"),
        (encoded({"examples": [{"input": "x", "target": []}]}), "item '0': 'target' holds no answer"),
        (encoded({"examples": [{"input": "x", "target_scores": ["a"]}]}), "item '0': 'target_scores' holds no options"),
        (encoded({"examples": [{"input": "x", "target_scores": {"a": 0}}]}), "item '0': 'target_scores' gives no option the score 1"),
        (encoded({"examples": [{"input": "x", "target": "1"}]}), "expected SHA-256 .*, found"),
    ],
)
def test_damaged_bigbench(checkout: Path, data: Path, content: bytes, told: str) -> None:
    official.import_from(checkout)
    write(data / COUNTING_PATH, content)
    with pytest.raises(DataMissing, match=rf"task\.json is damaged: {told}"):
        load_bigbench("object_counting")


@pytest.mark.parametrize(
    ("text", "targets", "answerable"),
    [
        ("I have a drum, two flutes, and an accordion.", ("four", "4"), True),
        ("I have a drum, and two flutes.", ("three", "3"), True),
        ("I have a drum and two flutes.", ("three", "3"), True),
        ("I have a head of broccoli, and twenty yams.", ("twenty-one", "21"), True),
        ("I have a drum, two flutes, and a goat.", ("three", "3"), False),
        ("I have several drums.", ("three", "3"), False),
        ("How many drums?", ("three", "3"), False),
    ],
)
def test_unanswerable_object_counting(text: str, targets: tuple[str, ...], answerable: bool) -> None:
    assert unanswerable_object_counting([Item("5", text, targets)]) == (set() if answerable else {"5"})


@pytest.mark.shared
def test_the_published_files(shared: Path) -> None:
    report = official.import_from(shared / "data")
    assert (len(report.copied), report.kept, report.missing) == (69, (), ())
    assert set(states(official.verify())) == {"present"}

    sizes = {"translation_en-fr": 2811, "active_to_passive": 900, "sentiment": 1167, "sum": 4950}
    for task, n_demos in sizes.items():
        items, demos = load_instruction_induction(task)
        assert [item.id for item in items] == [str(n) for n in range(1, 101)]
        assert len(demos) == n_demos
        assert not {item.input for item in items} & {demo.input for demo in demos}
    french, demos = load_instruction_induction("translation_en-fr")
    expected = ("place", "se placer", "endroit", "poser", "faire", "arriver", "lieu", "mettre", "placer")
    assert french[0] == Item("1", "place", expected)
    assert demos[0] == Demo("time", "temps")
    passive, _ = load_instruction_induction("active_to_passive")
    assert passive[0] == Item("1", "The professor mentioned the artist.", ("The artist was mentioned by the professor.",))

    counting = load_bigbench("object_counting").items
    assert counting[0] == Item("0", "I have a clarinet, a violin, and a flute.", ("three", "3"))
    unanswerable = unanswerable_object_counting(counting)
    assert (len(counting), len(unanswerable), min(map(int, unanswerable))) == (1000, 211, 4)

    names = load_bigbench("ruin_names")
    assert names.items[0] == Item("0", "star wars", ("stare wars",), ("stare wars", "stariwars", "stars wars", "star was"))
    assert len(names.items) == 448
    assert sum(item.cluster is not None for item in clustered("ruin_names", names.items)) == 448 - 346 + len(
        {item.cluster for item in clustered("ruin_names", names.items) if item.cluster}
    )
    assert names.extras["preferred_score"] == "multiple_choice_grade"


@pytest.mark.shared
def test_every_published_task_can_be_read(shared: Path) -> None:
    official.import_from(shared / "data")
    tasks = {file.task: file.path.startswith("bigbench/") for file in official.manifest()}
    n_items = {}
    for task, bigbench in tasks.items():
        items = load_bigbench(task).items if bigbench else load_instruction_induction(task)[0]
        n_items[task] = len(items)
        assert len({item.id for item in items}) == len(items)
        assert all(item.input and item.targets for item in items)
        assert all(set(item.targets) <= set(item.choices) for item in items if item.choices)
    assert len(n_items) == 45
    assert (n_items["cause_and_effect"], n_items["common_concept"], n_items["word_unscrambling"]) == (50, 16, 8917)
    pairs, _ = load_instruction_induction("cause_and_effect")
    assert [(item.id, item.cluster) for item in pairs[:2]] == [("1", "1"), ("1-swapped", "1")]
    assert pairs[1].input == "Sentence 1: The child started crying. Sentence 2: The child hurt their knee."
