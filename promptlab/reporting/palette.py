"""The colours of every surface, light and dark: explorer, HTML report and notebooks take them from here.

Every text on its ground has a contrast of at least 4.5:1. The four settled verdicts stay apart for every kind of colour vision,
and each also has its sign and its word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from promptlab.nouns import Verdict


class Tint(NamedTuple):
    """Text and the ground it is on; a ground of `transparent` means an outline without a fill."""

    ink: str
    ground: str


@dataclass(frozen=True)
class Palette:
    """The colours of one theme."""

    page: str
    panel: str
    ink: str
    soft: str
    line: str
    accent: str
    band: str
    zero: str
    simulated: Tint
    warning: Tint
    good: Tint
    verdicts: Mapping[Verdict, Tint]

    def css(self) -> str:
        """The colours as CSS variables: `--ink`, `--helps`, `--helps-bg` and so on."""
        plain = {name: getattr(self, name) for name in ("page", "panel", "ink", "soft", "line", "accent", "band", "zero")}
        tints = {"simulated": self.simulated, "warning": self.warning, "good": self.good} | {str(n): t for n, t in self.verdicts.items()}
        plain |= {name: tint.ink for name, tint in tints.items()} | {f"{name}-bg": tint.ground for name, tint in tints.items()}
        return " ".join(f"--{name}: {colour};" for name, colour in plain.items())


def _verdicts(helps: Tint, hurts: Tint, settled: Tint, unsettled: str) -> dict[Verdict, Tint]:
    outline = Tint(unsettled, "transparent")
    return {"helps": helps, "hurts": hurts, "negligible": settled, "same": settled, "unclear": outline, "refused": outline}


LIGHT = Palette(
    page="#FFFFFF", panel="#F5F7F9", ink="#1B1F24", soft="#57606A", line="#D5DAE0", accent="#0B5CAD", band="#E9ECEF", zero="#B6BDC5",
    simulated=Tint("#6B5200", "#FFF3CD"), warning=Tint("#A04000", "#FBE3D2"), good=Tint("#004D3D", "#D3EDE3"),
    verdicts=_verdicts(Tint("#0B5CAD", "#DCEBF8"), Tint("#A04000", "#FBE3D2"), Tint("#004D3D", "#D3EDE3"), "#66707A"),
)  # fmt: skip
DARK = Palette(
    page="#14171B", panel="#1D2126", ink="#E8EBEE", soft="#A3ABB4", line="#3A4149", accent="#7CB9F2", band="#262C33", zero="#5A626B",
    simulated=Tint("#F2D06B", "#3D3200"), warning=Tint("#FF9D5C", "#4A2710"), good=Tint("#8CE3C3", "#123B2E"),
    verdicts=_verdicts(Tint("#6CB8F5", "#12344F"), Tint("#FF9D5C", "#4A2710"), Tint("#8CE3C3", "#123B2E"), "#98A1AB"),
)  # fmt: skip


def streamlit_options() -> dict[str, str]:
    """The theme of the explorer as options of its server: `theme.light.textColor` and so on."""
    shared = {"baseFontSize": "15", "baseRadius": "6px", "showWidgetBorder": "true"}
    found = {f"theme.{name}": value for name, value in shared.items()}
    for theme, colours in (("light", LIGHT), ("dark", DARK)):
        own = {
            "primaryColor": colours.accent, "backgroundColor": colours.page, "secondaryBackgroundColor": colours.panel,
            "textColor": colours.ink, "borderColor": colours.line, "linkColor": colours.accent,
        }  # fmt: skip
        found |= {f"theme.{theme}.{name}": value for name, value in own.items()}
    return found
