"""promptlab's own scorer: what a careful reader would mark right, and nothing else.

A reply is taken apart once (`scoring.answers`); each kind of answer then reads the places where the answer may be. Only a reply
that settles on an answer scores: an echo of the input, a list of all options or a label inside another label do not.
`STRICT` names the kinds of answers; each is a function of the reply's text and the item.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from promptlab.nouns.call import Scored
from promptlab.nouns.item import Item
from promptlab.scoring.metrics.strict.causes import cause
from promptlab.scoring.metrics.strict.initials import letter
from promptlab.scoring.metrics.strict.levels import level
from promptlab.scoring.metrics.strict.numerals import number
from promptlab.scoring.metrics.strict.options import choice, label, larger
from promptlab.scoring.metrics.strict.overlap import f1
from promptlab.scoring.metrics.strict.phrases import rhyme, spelled, text, word
from promptlab.scoring.metrics.strict.replies import read
from promptlab.scoring.metrics.strict.senses import sense
from promptlab.scoring.metrics.strict.series import brackets, letters, listed, sequence, words

_CHOOSES = (cause, choice, label, larger, level, sense)
_SAYS = (brackets, f1, letter, letters, listed, number, rhyme, sequence, spelled, text, word, words)
STRICT: Mapping[str, Callable[[str, Item], Scored]] = {kind.__name__: read(kind, kind in _CHOOSES) for kind in (*_CHOOSES, *_SAYS)}
"""The kinds of answers, by name."""
