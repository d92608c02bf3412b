"""Text from outside stays text on every page of the explorer, and only literals reach what renders Markdown."""

# ruff: noqa: F811 (a fixture that is imported by name is a parameter, too)

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from apps import PAGES, elements, opened, tables  # noqa: F401 (fixtures)
from conftest import ROOT
from made_up import HOSTILE, hostile  # noqa: F401 (fixtures)
from promptlab.explorer import load, plain
from promptlab.nouns.inert import HIDDEN, inert
from promptlab.reporting import words
from promptlab.reporting.prepared import records

OUR_TAGS = {"h1", "h2", "h3", "div", "span", "b", "i", "ul", "li", "details", "summary", "style", "mark", "del"}
PLAIN_KINDS = {"text", "code", "arrow_data_frame", "dataframe", "selectbox", "text_input"}


@pytest.mark.long(but=3)
@pytest.mark.parametrize("page", PAGES)
def test_hostile_text_is_inert_on_every_page(page: str, opened: Any, hostile: Path) -> None:
    app = opened("--runs", hostile, page=page, model="sim/planted", task="sum")
    assert not app.exception
    for element in elements(app._tree):
        if element.type in PLAIN_KINDS:
            continue
        proto = str(getattr(element, "proto", ""))
        if element.type == "html":
            tags = re.findall(r"<\W?(\w+)([^>]*)>", element.proto.body)
            assert {name for name, _ in tags} <= OUR_TAGS, proto[:300]
            assert not [more for _, more in tags if "attacker" in more or "on" in re.findall(r"\b(on)\w+=", more)]
            assert not HIDDEN.search(element.proto.body)
            continue
        for sign in ("attacker.test", "<script", "**bold**"):
            assert sign not in proto, (element.type, proto[:300])
    for element in [*app.text, *app.code]:
        assert not HIDDEN.search(element.value)
    for table in tables(app):
        for column in table.columns:
            for value in table[column]:
                assert not HIDDEN.search(str(value))
                assert len(str(value)) < 2 * plain.CELL + 300


@pytest.mark.long(but=2)
@pytest.mark.parametrize("kind", [kind for kind in HOSTILE if kind != "surrogate"])
def test_hostile_answers_are_shown_as_text(kind: str, opened: Any, hostile: Path) -> None:
    store = load.open_store(next(hostile.iterdir()))
    row = records(store.query("SELECT trial, item FROM trials WHERE answer = ?", [HOSTILE[kind]]))[0]
    app = opened("--runs", hostile, page="samples", trial=row["trial"])
    assert not app.exception
    shown = [element.value for element in app.code]
    wanted = inert(plain.clip(HOSTILE[kind]))
    assert wanted in shown or wanted.rstrip() in [value.rstrip() for value in shown]
    assert max(len(value) for value in shown) < plain.LONGEST + 200
    both = opened("--runs", hostile, page="compare", model="sim/planted", task="sum", a="emotionprompt/EP02", b="none", item=row["item"])
    assert not both.exception


def test_inert_spells_out_what_hides() -> None:
    assert inert("a\x1b[31m\x00\u202e\ud800\U000e0041b\n\tc") == "a\\x1b[31m\\x00\\u202e\\ud800\\U000e0041b\n\tc"
    assert inert("déjà 漢字 🙂") == "déjà 漢字 🙂"
    assert plain.cell("one\ntwo") == "one ⏎ two"
    assert plain.cell(None) == ""
    assert plain.cell(float("nan")) == ""
    assert words.mark("do it. Please. Now", "Please.") == ("do it. ▶Please.◀ Now", 1)
    assert words.mark("do it", None) == ("do it", 0)


MARKDOWN = {
    "markdown", "write", "write_stream", "html", "latex", "title", "header", "subheader", "caption", "error", "warning", "info", "success",
    "exception", "toast", "expander", "tabs", "metric", "badge", "button", "link_button", "download_button", "page_link", "popover",
    "status", "spinner", "checkbox", "toggle", "radio", "selectbox", "multiselect", "text_input", "segmented_control", "pills", "progress",
    "chat_message", "help", "json", "table", "image", "dialog", "echo",
}  # fmt: skip
FORBIDDEN = {
    "markdown",
    "write",
    "write_stream",
    "html",
    "latex",
    "exception",
    "help",
    "json",
    "table",
    "image",
    "echo",
    "iframe",
    "components",
}
OURS = {"pick", "switch", "search", "number", "section", "folded", "html", "piece", "drawing"}
"""Our own widgets and headings hand their label on, so that it is checked where they are called."""
FILES = [ROOT / "app.py", *sorted((ROOT / "promptlab" / "explorer").glob("*.py"))]


def literal(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_only_literals_reach_whatever_renders_markdown(path: Path) -> None:
    handing_on = {"filters.py": {"label"}, "take.py": {"label"}, "rating.py": {"label"}, "drawer.py": {"label"}, "frame.py": {"STYLE"}}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.keyword):
            assert node.arg not in {"unsafe_allow_html", "unsafe_allow_javascript"}, f"{path.name}:{node.value.lineno}"
            if node.arg in {"help", "icon", "page_icon"}:
                known = ast.unparse(node.value) in ("ICON", "frame.ICON", "page.icon")  # a file beside the pages, and names in PAGES
                assert literal(node.value) or known, f"{path.name}:{node.value.lineno}"
            if node.arg == "persist":
                raise AssertionError(f"{path.name}:{node.value.lineno}: caches stay in memory")
        if isinstance(node, ast.Attribute) and node.attr == "components":
            raise AssertionError(f"{path.name}:{node.lineno}: a component runs code in the browser")
        called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        if called == "Markup":
            assert path.name == "plain.py", f"{path.name}:{node.lineno}: only plain.py makes HTML"  # type: ignore[attr-defined]
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name, where = node.func.attr, f"{path.name}:{node.lineno}"
        on_streamlit = isinstance(node.func.value, ast.Name) and node.func.value.id == "st"
        if on_streamlit and not (name == "html" and path.name == "plain.py"):
            assert name not in FORBIDDEN, f"{where}: st.{name}"
        if name == "code" and on_streamlit:
            assert any(k.arg == "language" and isinstance(k.value, ast.Constant) and k.value.value is None for k in node.keywords), where
        ours = name in OURS and isinstance(node.func.value, ast.Name) and not on_streamlit
        if (on_streamlit and name in MARKDOWN - {"progress", "html", "page_link"}) or ours:
            first = node.args[0] if node.args else None
            handed_on = isinstance(first, ast.Name) and first.id in handing_on.get(path.name, set())
            constant = isinstance(first, ast.Name) and first.id.isupper()  # a text of the module itself
            fine = first is not None and (literal(first) or constant or handed_on)
            assert fine or name == "drawing", f"{where}: {name} with text that is not a literal"


def test_the_rule_has_teeth() -> None:
    assert not literal(ast.parse("f'{x}'", mode="eval").body)
    assert literal(ast.parse("'x'", mode="eval").body)
    shown = plain.piece("<b>{a}</b>{b}", a="<i onclick=x>\u202e", b=plain.piece("<u>{n:,}</u>", n=1234))
    assert shown == "<b>&lt;i onclick=x&gt;\\u202e</b><u>1,234</u>"
