"""Code that a data file names: found without running it, run only with the user's consent, and known by its SHA-256.

It lies next to the file that names it, or in an installed package that the user's configuration names; never in the working
directory or elsewhere on `sys.path`.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import module_from_spec
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

from promptlab.nouns import UsageProblem
from promptlab.nouns.places import configuration

_loaded: dict[str, str] = {}
"""SHA-256 of the source that each module in this process was made from, by its file."""


@dataclass(frozen=True, slots=True)
class Consent:
    """Which code that data files name may run: all of it, or what lies in trusted folders; and which installed packages count.

    `given` holds functions that the caller's own Python code gave as objects, with the folder that their module is imported from.
    """

    everything: bool = False
    trusted: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    given: Mapping[str, str | None] = field(default_factory=dict)

    def covers(self, name: str, by: Path, file: Path) -> bool:
        """Whether the function `name` in `file` may run, named by the file `by`: a trusted folder holds both."""
        inside = [all(path.resolve().is_relative_to(folder) for path in (by, file)) for folder in self.trusted]
        return self.everything or name in self.given or any(inside)


@dataclass(frozen=True, slots=True)
class Code:
    """A function that a data file names, `package.module:function`. Nothing of it has run."""

    name: str
    what: str
    """As messages call it."""
    file: Path | None
    """The source of its module; None where it has none."""
    folder: str | None
    """The folder that its module is in; None for an installed package."""
    refused: str = ""
    """Why it does not run: nobody has consented. Empty where somebody has."""

    @property
    def sha256(self) -> str | None:
        return None if self.file is None else hashlib.sha256(self.file.read_bytes()).hexdigest()

    def shown(self) -> str:
        """What consent is given to, in words."""
        return f"code: {self.file or self.name} sha256 {self.sha256 or 'unknown'}"


def found(name: str, what: str, by: Path, folders: Sequence[Path], consent: Consent) -> Code:
    """The code that the file `by` names; UsageProblem where it is neither in `folders` nor in a package that may be named.

    Executes nothing. Where it may not run, `refused` says so.
    """
    module, _, function = name.partition(":")
    parts = module.split(".")
    if not all(part.isidentifier() for part in [*parts, function]):
        raise UsageProblem(f"{what} cannot be loaded: it names no module and function, as in package.module:function")
    importlib.invalidate_caches()
    given = name in consent.given
    for folder in [consent.given[name]] if given else [str(folder.resolve()) for folder in folders]:
        if folder is not None and (spec := _specs(parts, [folder])[-1]) is not None and (spec.origin or "").endswith(".py"):
            if parts[0] in sys.stdlib_module_names and not given:
                raise UsageProblem(f"{what} cannot be loaded: {parts[0]!r} is the name of a module of Python's own; rename the file")
            return _asked(Code(name, what, Path(spec.origin or "").resolve(), folder), by, consent)
    where = f"there is no {'/'.join(parts)}.py next to {by.name}, where code must lie"
    if parts[0] not in consent.packages and not given:
        raise UsageProblem(
            f"{what} cannot be loaded: {where}; an installed package may be named only where {configuration()} lists it under 'packages'"
        )
    spec = _specs(parts, [place for place in sys.path if place])[-1]
    if spec is None and not given:
        raise UsageProblem(f"{what} cannot be loaded: {where}, and no package {parts[0]!r} with it is installed")
    origin = Path(spec.origin).resolve() if spec and spec.origin and spec.origin.endswith(".py") else None
    return _asked(Code(name, what, origin, None), by, consent)


def function_of(code: Code) -> Any:  # noqa: ANN401 (whatever the user's module holds under that name)
    """Run the code's module, as its file is now, and return what the name means there. UsageProblem says why that failed."""
    if code.refused:
        raise UsageProblem(code.refused)
    module_name, _, function = code.name.partition(":")
    try:
        if code.folder is None:
            module = importlib.import_module(module_name)
        else:
            Beside.of(code.folder)
            for spec in _specs(module_name.split("."), [code.folder]):
                module = _executed(spec)
        return getattr(module, function)
    except Exception as error:
        told = str(error) if isinstance(error, ImportError | AttributeError) else f"{type(error).__name__}: {error}"
        raise UsageProblem(f"{code.what} cannot be loaded: {told}") from None


class Beside(MetaPathFinder):
    """Finds what code in a folder imports from that folder, as its source is now; for others, libraries above all, nothing is there."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    @classmethod
    def of(cls, folder: str) -> None:
        """Find so from now on. What is installed goes first."""
        if not any(isinstance(finder, cls) and finder._folder == folder for finder in sys.meta_path):
            sys.meta_path.insert(0, cls(folder))

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The module of that name in the folder, where a file in the folder asks for it."""
        if path is None and (fullname in sys.stdlib_module_names or not self._is_asked() or PathFinder.find_spec(fullname)):
            return None
        places = [self._folder] if path is None else [place for place in path if Path(place).is_relative_to(self._folder)]
        spec = PathFinder.find_spec(fullname, places) if places else None
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = Source(fullname, spec.loader.path)
        return spec

    def _is_asked(self) -> bool:
        asks: FrameType | None = sys._getframe(2)
        while asks is not None and (asks.f_code.co_filename.startswith("<frozen ") or asks.f_code.co_filename == importlib.__file__):
            asks = asks.f_back
        return asks is not None and Path(asks.f_code.co_filename).is_relative_to(self._folder)


class Source(SourceFileLoader):
    """Runs what the file says, and nothing that was compiled earlier and may say something else."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def _asked(code: Code, by: Path, consent: Consent) -> Code:
    if consent.covers(code.name, by, code.file or by):
        return code
    why = (
        f"{code.what} is not run without your consent: it would run {code.name.partition(':')[2]} in "
        f"{code.file or code.name} (sha256 {code.sha256 or 'unknown'}); read it, then give --allow-code (in Python allow_code=True), "
        f"or list its folder under 'trusted' in {configuration()}"
    )
    return Code(code.name, code.what, code.file, code.folder, why)


def _specs(parts: Sequence[str], places: list[str]) -> list[ModuleSpec | None]:
    """Where a module and the packages around it are, outermost first; ends with None where there is no such module. Runs nothing."""
    specs: list[ModuleSpec | None] = []
    for n in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:n]), places)
        specs.append(spec)
        if spec is None:
            break
        places = list(spec.submodule_search_locations or [])
    return specs


def _executed(spec: ModuleSpec | None) -> ModuleType:
    """A module as its file is now: a file that changed while this process runs is other code."""
    if spec is None:
        raise ImportError("it has gone")
    module = sys.modules.get(spec.name)
    if not (spec.origin or "").endswith(".py"):  # a folder without __init__.py
        return module or sys.modules.setdefault(spec.name, module_from_spec(spec))
    path = str(Path(spec.origin or "").resolve())
    data = Path(path).read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if module is not None:
        known = str(Path(getattr(module, "__file__", None) or "").resolve())
        if known == path and _loaded.setdefault(path, digest) == digest:
            return module
        if known != path and known not in _loaded:
            raise ImportError(f"another module is called {spec.name!r} already; rename the file")
    # from the very bytes that are hashed: Python's own cache knows a file by its size and the second of its last change
    module = sys.modules[spec.name] = module_from_spec(spec)
    try:
        exec(compile(data, path, "exec"), module.__dict__)  # noqa: S102 (code that the user consented to)
    except BaseException:
        del sys.modules[spec.name]
        raise
    package, _, name = spec.name.rpartition(".")
    if package:
        setattr(sys.modules[package], name, module)
    _loaded[path] = digest
    return module
