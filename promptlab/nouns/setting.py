"""The setting of an arm: everything that may vary besides its stimulus and its model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from promptlab.nouns.identity import canonical_json, digest_of_text
from promptlab.nouns.typed import values_of

LONGEST_LEVEL = 60
"""Characters of a level in the name of a setting; of a longer one its hash."""


class Fixed(dict[str, Any]):
    """A mapping that is a level of a factor: it is never changed, so that it can be hashed."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(canonical_json(self))


def fixed(value: Any) -> Any:  # noqa: ANN401
    """A level of a factor as a value that can be hashed."""
    return Fixed(value) if isinstance(value, dict) else value


@dataclass(frozen=True, slots=True)
class Setting:
    """Arms are compared within one setting, never across.

    `prompt` is the base prompt of an arm; None in a comparison, which averages the base prompts of an item. `sampling` holds the
    parameters that this setting sends in place of the experiment's own, sorted by name.
    """

    placement: str
    shots: int = 0
    strategy: str = "single"
    sampling: tuple[tuple[str, Any], ...] = ()
    prompt: str | None = None

    @property
    def id(self) -> str:
        """The name of the setting in the column `setting` of every frame; base prompts share one."""
        return setting_id(self.placement, self.shots, self.strategy, dict(self.sampling))

    @property
    def words(self) -> str:
        """What the setting is called wherever one is shown."""
        return ", ".join(self._factors.values())

    def apart(self, among: Sequence[Setting]) -> list[str]:
        """Words for the factors in which these settings differ."""
        return [words for name, words in self._factors.items() if len({other._factors.get(name) for other in among}) > 1]

    @property
    def _factors(self) -> dict[str, str]:
        own = {name: f"{name} {_level(value) if isinstance(value, dict) else value}" for name, value in self.sampling}
        return {"placement": self.placement, "shots": f"{self.shots} examples", "strategy": self.strategy, **own}

    @property
    def factors(self) -> tuple[Any, ...]:
        """The levels of the factors that frames group by."""
        return self.placement, self.shots, self.strategy, self.sampling

    @property
    def pooled(self) -> Setting:
        """The same setting over all base prompts."""
        return replace(self, prompt=None)

    def canonical(self) -> dict[str, Any]:
        """The setting as plain data; what an earlier version did not know is left out where it is not set."""
        plain: dict[str, Any] = {"placement": self.placement, "shots": self.shots, "strategy": self.strategy}
        return plain | ({"sampling": dict(self.sampling)} if self.sampling else {})

    def plain(self) -> dict[str, Any]:
        """As a row of the plan."""
        return {"id": self.id, **self.canonical()}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Setting:
        """A setting from plain data, such as a row of the plan."""
        sampling = tuple((name, fixed(value)) for name, value in sorted(plain.get("sampling", {}).items()))
        return cls(**values_of(cls, plain, "sampling", "prompt"), sampling=sampling)


class InSetting:
    """What has a setting also names its factors: readers of reports know them by these names."""

    __slots__ = ()
    setting: Setting

    @property
    def placement(self) -> str:
        return self.setting.placement

    @property
    def shots(self) -> int:
        return self.setting.shots

    @property
    def strategy(self) -> str:
        return self.setting.strategy


def flat(row: InSetting) -> dict[str, Any]:
    """The fields of a dataclass by name; its setting by its id and by its factors."""
    found: dict[str, Any] = {}
    for field in fields(row):  # type: ignore[arg-type]
        value = getattr(row, field.name)
        found |= {"setting": value.id, **value.canonical()} if isinstance(value, Setting) else {field.name: value}
    return found


def setting_id(placement: str, shots: int, strategy: str, sampling: Mapping[str, Any]) -> str:
    """`placement/shots/strategy`, and `/name=value` for each parameter of its own."""
    return "/".join([placement, str(shots), strategy, *(f"{name}={_level(sampling[name])}" for name in sorted(sampling))])


def level_words(value: object) -> str:
    """The label of a level: text and numbers as they are, of anything longer its name in a setting's id."""
    if value is None:
        return "as sent"
    return value if isinstance(value, str) else f"{value:g}" if isinstance(value, float | int) else _level(value)


def _level(value: object) -> str:
    text = canonical_json(value)
    return text if len(text) <= LONGEST_LEVEL else digest_of_text(text)[:8]
