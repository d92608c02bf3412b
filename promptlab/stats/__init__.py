"""The statistical core: pure functions, arrays in, named results out. docs/statistics.md says why these and not others."""

from promptlab.stats.best import best_stimulus, maxt_stepdown
from promptlab.stats.components import variance_components
from promptlab.stats.intervals import accuracy_ci, effect_sizes, matched_odds_ratio, risk_difference_ci
from promptlab.stats.looks import LookRow, Looks, Saved, look_plan, saved
from promptlab.stats.macro import macro_effect, random_effects, shrink_effects
from promptlab.stats.mixed import glmm_logit
from promptlab.stats.multiplicity import adjust, adjust_pvalues, hierarchical_fdr, min_discordant, replicability_count
from promptlab.stats.options import bootstrap_ci, cochran_q, wilcoxon_signed
from promptlab.stats.paired import cluster_mean, mcnemar, mean_difference_ci, signflip_many, signflip_test, tost_binary, tost_paired
from promptlab.stats.pairing import DuplicateKeys, Paired, pair_scores
from promptlab.stats.power import (
    power_mcnemar,
    power_paired_t,
    power_unpaired,
    sample_size_miller,
    sample_size_tost,
    smallest_effect_macro,
    smallest_effect_mcnemar,
    smallest_margin,
)
from promptlab.stats.published import best_of_protocol, published_headline, replication_check
from promptlab.stats.sequential import conditional_power, e_bh, eprocess_discordant, group_sequential_boundaries
from promptlab.stats.supplement import Supplement, supplement
from promptlab.stats.verdicts import analyse

__all__ = [
    "DuplicateKeys",
    "LookRow",
    "Looks",
    "Paired",
    "Saved",
    "Supplement",
    "accuracy_ci",
    "adjust",
    "adjust_pvalues",
    "analyse",
    "best_of_protocol",
    "best_stimulus",
    "bootstrap_ci",
    "cluster_mean",
    "cochran_q",
    "conditional_power",
    "e_bh",
    "effect_sizes",
    "eprocess_discordant",
    "glmm_logit",
    "group_sequential_boundaries",
    "hierarchical_fdr",
    "look_plan",
    "macro_effect",
    "matched_odds_ratio",
    "maxt_stepdown",
    "mcnemar",
    "mean_difference_ci",
    "min_discordant",
    "pair_scores",
    "power_mcnemar",
    "power_paired_t",
    "power_unpaired",
    "published_headline",
    "random_effects",
    "replicability_count",
    "replication_check",
    "risk_difference_ci",
    "sample_size_miller",
    "sample_size_tost",
    "saved",
    "shrink_effects",
    "signflip_many",
    "signflip_test",
    "smallest_effect_macro",
    "smallest_effect_mcnemar",
    "smallest_margin",
    "supplement",
    "tost_binary",
    "tost_paired",
    "variance_components",
    "wilcoxon_signed",
]
