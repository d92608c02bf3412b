"""The files that people write: read strictly, every problem at once, with its line."""

from promptlab.sources.spec.experiment import Experiment, experiment_schema, load_experiment
from promptlab.sources.spec.libraries import load_library, load_sim_models, load_suite
from promptlab.sources.spec.plain import checked
from promptlab.sources.spec.strict_yaml import Document, validate

__all__ = [
    "Document",
    "Experiment",
    "checked",
    "experiment_schema",
    "load_experiment",
    "load_library",
    "load_sim_models",
    "load_suite",
    "validate",
]
