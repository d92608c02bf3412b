"""The files that people write: read strictly, every problem at once, with its line."""

from promptlab.spec.experiment import Experiment, experiment_schema, load_experiment
from promptlab.spec.libraries import load_library, load_sim_models, load_suite
from promptlab.spec.plain import checked
from promptlab.spec.strict_yaml import Document

__all__ = ["Document", "Experiment", "checked", "experiment_schema", "load_experiment", "load_library", "load_sim_models", "load_suite"]
