"""The statistical core: pure functions, arrays in, named results out. docs/statistics.md says why these and not others."""

from promptlab.stats.analysis import analyse
from promptlab.stats.effects import effect_sizes, matched_odds_ratio
from promptlab.stats.equivalence import tost_binary, tost_paired
from promptlab.stats.intervals import accuracy_ci, risk_difference_ci
from promptlab.stats.macro import macro_effect
from promptlab.stats.multiplicity import adjust, adjust_pvalues, min_discordant
from promptlab.stats.paired import cluster_mean, mcnemar, mean_difference_ci, signflip_test
from promptlab.stats.pairing import DuplicateKeys, Paired, pair_scores
from promptlab.stats.power import (
    power_mcnemar,
    power_paired_t,
    power_unpaired,
    sample_size_miller,
    sample_size_tost,
    smallest_effect_macro,
    smallest_effect_mcnemar,
)

__all__ = [
    "DuplicateKeys",
    "Paired",
    "accuracy_ci",
    "adjust",
    "adjust_pvalues",
    "analyse",
    "cluster_mean",
    "effect_sizes",
    "macro_effect",
    "matched_odds_ratio",
    "mcnemar",
    "mean_difference_ci",
    "min_discordant",
    "pair_scores",
    "power_mcnemar",
    "power_paired_t",
    "power_unpaired",
    "risk_difference_ci",
    "sample_size_miller",
    "sample_size_tost",
    "signflip_test",
    "smallest_effect_macro",
    "smallest_effect_mcnemar",
    "tost_binary",
    "tost_paired",
]
