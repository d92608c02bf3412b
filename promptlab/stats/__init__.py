"""The statistical core: pure functions, arrays in, named results out. docs/reference/statistics.md says why these and not others."""

from promptlab.stats.agreement import *
from promptlab.stats.analysis import *
from promptlab.stats.best import *
from promptlab.stats.components import *
from promptlab.stats.contrasts import *
from promptlab.stats.core import *
from promptlab.stats.crossed import *
from promptlab.stats.decision import *
from promptlab.stats.intervals import *
from promptlab.stats.judging import *
from promptlab.stats.looks import *
from promptlab.stats.macro import *
from promptlab.stats.multiplicity import *
from promptlab.stats.outcomes import *
from promptlab.stats.paired import *
from promptlab.stats.pairs import *
from promptlab.stats.papers import *
from promptlab.stats.power import *
from promptlab.stats.ppi import *
from promptlab.stats.repeats import *
from promptlab.stats.screening import *
from promptlab.stats.sentences import *
from promptlab.stats.spread import *
from promptlab.stats.standing import *
from promptlab.stats.supplement import *
from promptlab.stats.tables import *
