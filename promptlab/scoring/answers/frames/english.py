"""Frames of replies in English."""

from __future__ import annotations

from promptlab.scoring.answers.frames.common import BUT, JUDGES, X

FRAMES = (
    (
        "some many most people others one you readers lot lots",
        rf"\b(?:some|many|most|a lot of|lots of|people|others|one|you|readers)\b(?: of)?(?: (?!do\b|don)\w+){{0,3}}?"
        r" (?:think|believe|assume|say|guess|expect|imagine|suppose|claim)s?(?: that)?(?: (?:it|this|that)(?: is|'s))?"
        rf" {X},? (?:but|yet|although|though|which) (?:(?:in fact|actually|really),? )?(?:(?:it|this|that|they) ?)?(?:(?:is|are|'s|'re) )?"
        r"(?:(?:(?:isn|aren|didn|doesn|don|wasn|weren)'t|(?:did |does |do )?not)(?: (?:so|true|right|correct|it|one|the case))?"
        r"|(?:simply |just |plain )?(?:wrong|false|untrue|mistaken|incorrect)|an? (?:\w+ )?(?:myth|misconception|mistake|error))"
        r"(?=\W*(?:$|[.!;\n]))",
        r"it is not \1",
    ),
    ("isn wasn not", rf"(?:^|(?<=[.;,] )){X} (?:it|this|that) (?:is|was)(?:n't| not)(?=\W*(?:$|[.;!\n]))", r"it is not \1"),
    (
        "sight glance blush",
        rf"\bat first (?:sight|glance|blush),? (?:it|this|that)(?:'s|(?: is| seems| looks| appears| sounds)(?: like| to be)?) "
        rf"{X}[.;] (?=\S)",
        r"it is not \1. ",
    ),
    (
        "look seem appear",
        rf"\b(?:it|this|that) (?:might|may|could|can) (?:look|seem|appear)(?: like| to be)? {X},? (?:but|yet) (?:it|this|that) "
        r"(?:really |actually )?(?:is|must be|has to be) (?!not\b)",
        BUT,
    ),
    (
        "sight glance blush",
        rf"^{X} at first (?:sight|glance|blush),? (?:but|yet) (?:(?:it|this|that) )?(?:(?:is|must be|has to be|'s) )?",
        BUT,
    ),
    (
        "neither none isn aren doesn",
        rf"\bfor (?:it|this|that) to be {X}(?: that [^.;\n]{{1,80}}?)?,? [^.;\n]{{1,100}}?\b(?:would|must|needs?)\b[^.;\n]{{1,80}}[.;] "
        r"(?:but )?(?:neither|none|(?:that|this|it|they)) (?:is|are|does|do|has|have)(?:n't| not)?\b",
        r"it is not \1",
    ),
    (
        "even although though",
        rf",? (?:even (?:if|though)|although|though) (?:some|many|others|a few|most|people)(?: people| readers)? "
        rf"(?:might|may|would|could|can) (?:say|argue|think|answer|call it|claim) {X}(?=\W*(?:$|[.;!\n]))",
        "",
    ),
    ("other", r"\bthere(?:'s| is) no other (?:\w+ )?(?:than|but|except) ", "it is "),
    (
        "some many most others people",
        rf"\b(?:some|many|most|others)(?: people| readers)? (?:(?:would|might|may|could|will) )?(?:say|think|call it|argue) {X}[.;]"
        r" (?:but )?i(?:'d| would)? (?:say|think|call it|go with|argue) ",
        BUT,
    ),
    (
        "ruled excluded",
        rf"\b(?:it(?:'s| is) )?(?:ruled out|excluded) that (?:it|this|the \w+) (?:is|could be|can be) {X}[;,.] (?:so |hence |thus )?"
        r"(?:it(?:'s| is)|the answer is) ",
        BUT,
    ),
    (
        "recommend suggest",
        r"\bi(?:'d| would)? (?:strongly |highly |definitely )?(?:recommend|suggest)(?: watching| seeing| trying)?\b:?"
        r"(?! (?:against|you|that|to|not|reading|checking)\b)",
        "I choose",
    ),
    (
        "others",
        rf"\b(?:some|many)(?: people| readers)? (?:would|might|may|could|will) (?:say|argue|think|call it"
        rf"|read it as)(?: that it is)? {X},?"
        r" (?:and |while |whereas |but )?others(?: (?:would|might|may|could))?(?: (?:say|argue|think|call it))? ",
        r"either \1 or ",
    ),
    (
        "while although though",
        rf"\b(?:while|although|though) (?:some|many|one|people|you)(?: people| readers)? (?:might|may"
        rf"|would|could) (?:say|argue|think|claim)"
        rf"(?: that it is)? {X}, i(?:'d| would) (?:say|argue|go with|call it) ",
        BUT,
    ),
    (
        "considered thought tempted toyed",
        rf"\bi (?:considered|thought about|was tempted by|toyed with|also considered) {X}, but ",
        BUT,
    ),
    (
        "some many one people you",
        rf"\b(?:some|many|one|people|you)(?: people| readers)? (?:might|may|would|could) (?:say|argue"
        rf"|think|claim|argue for|make a case for)"
        rf"(?: that it is| for)? {X}, (?:but|yet) (?:(?:i'd|i|would|on|balance|overall|in the end|ultimately|say|argue|think|it's|it|is"
        r"|the answer is),? )+",
        BUT,
    ),
    (
        "although though while whilst",
        rf"\b(?:although|though|even though|while|whilst) {X} (?:seems|looks|may seem|might seem|appears"
        rf"|sounds|is) (?:tempting|attractive"
        r"|possible|appealing|likely|plausible|right|correct|reasonable)(?: at first)?, (?:the (?:correct |right )?answer is )?",
        BUT,
    ),
    (
        "ruling excluding eliminating setting discarding",
        rf"\b(?:ruling out|excluding|eliminating|setting aside|discarding) {X},? (?:(?:we|you|one|i|that) )?(?:are |am |is )?"
        r"(?:left with|leaves|arrive at|get) ",
        BUT,
    ),
    ("no", rf"^no, (?:it(?:'s| is) )?not {X}[.;] (?:it(?:'s| is)|rather,?|but) ", BUT),
    (
        "apply hold count follow",
        rf"(?:[;,.]| -) {X} would (?:only )?(?:apply|hold|count|follow) (?:only )?(?:if|in|under|when)\b[^.;]*",
        "",
    ),
    (
        "also equally well might may",
        rf"\b(?:could|may|might|can) (?:well |just as well |also )?be {X},? (?:but|and|or|yet|though) (?:(?:it"
        r"|that|also|equally|just|as|well|easily|could|might|may|can|be|perhaps|maybe) )+",
        r"could be \1 or ",
    ),
    (
        "may might could",
        rf"\b(?:it|this|the answer) (?:may|might|could) be {X}(?:[.;] (?:or |but )?|,? )(?:it|this|the answer) (?:may|might|could) "
        r"(?:also |equally |just as well )?be\b",
        r"could be \1 or",
    ),
    (
        "likely likelier probable plausible",
        rf"\b(?:it|this|that|the answer) (?:may|might|could) (?:also |well )?(?:be|mean) {X},? (?:but|yet|though|although) "
        r"(?=[^.;,\n]{1,60} (?:is|seems|looks) (?:(?:far|much|a lot|somewhat|still|the) )?"
        r"(?:likelier|(?:more|most) (?:likely|probable|plausible))\b)",
        BUT,
    ),
    (
        "glance sight surface superficially",
        rf"\b(?:at first (?:glance|sight)|on the surface|superficially),? (?:(?:it|this|one|that) (?:seems"
        rf"|looks|appears|sounds)(?: like| to be)? )?{X}, (?:but|yet) (?:(?:actually|really|in fact"
        r"|in reality|it's|it|is|the answer|,) ?)+",
        BUT,
    ),
    (
        "cannot can",
        r"\b(?:one|you|we) (?:cannot|can't|can not) (?:really )?say (?:that )?(?:it|this|the \w+) is\b",
        "it is not",
    ),
    (
        "nothing",
        r"\bnothing (?:(?:about|in|at|with) (?:this|that|it|the \w+)(?: \w+)?|here) (?:is|seems|looks|sounds|strikes me as) (?:at all )?",
        "it is not ",
    ),
    (
        "not hardly no far nope",
        rf"^{X}\? (?:not (?:at all|really|in the slightest|remotely|a chance)|hardly|no way|far from it"
        rf"|nope|of course not|certainly not)(?:\W*$|[.!](?= ))",
        r"it is not \1.",
    ),
    (
        "nothing",
        r"\bnothing (?:here|(?:about|in) (?:it|(?:this|that|the)(?: \w+)?)) (?:makes|renders) (?:it|(?:this|that"
        r"|the)(?: \w+)?) (?!sense\b)",
        "it is not ",
    ),
    ("despite spite notwithstanding", r"^(?:despite|in spite of|notwithstanding) [^,.;!?\n]{1,80}, (?=\S)", ""),
    (
        "turns proves ends",
        rf"\b(?:at first|initially) {X}, (?:it|(?:the|this) \w+) (?:turns out|proves|ends up)(?: to be| being)? ",
        BUT,
    ),
    (
        "reflection thought thoughts",
        rf"{X}(?:\.\.\.|,)? (?:but|although|though),? (?:on (?:reflection|second thoughts?|further thought)),? (?:(?:it's|it is|rather) )*",
        BUT,
    ),
    ("means", r"\bby no means\b", "not"),
    (
        "sound look seem read come",
        rf"\b(?:might|may|could|does) (?:at first )?(?:sound|look|seem|read|come across) (?:like |as )?(?:an? )?{X}[;,.] (?:but |yet )?"
        r"(?:it(?:'s| is)|that(?:'s| is))(?:n't| not)(?: (?:one|it|the case))?\b",
        r"is not \1",
    ),
    ("question", r"\b(?:is|are) out of the question\b", "is wrong", JUDGES),
    ("circumstances account case", r"\b(?:under no circumstances|on no account|in no case)\b", "not"),
    (
        "nobody",
        r"\bnobody (?:would|could|can|will) (?:\w+ )?(?:call|say|claim|think|argue|describe)\b(?: that)?(?: (?:this"
        r"|that)(?: one)?| it)?(?: (?:is|as))?",
        "it is not",
    ),
    (
        "whether",
        r"\bwhether (?=[^.!?;:\n,]*?\b(?:or not|(?:im)?plausible|(?:in)?valid|(?:in)?correct|positive|negative|true|false|yes|no)\b)"
        r"(?:(?! (?:i|my|is (?:yes|no))\b)[^.!?;:\n,]){1,140}",
        "which one",
    ),
    (
        "whether",
        r"\bwhether (?=[^.!?;:\n,]*?\b(?:is|are|was|were|can|could|should|has|have|or not)\b)"
        r"(?:(?! (?:i|my|is (?:yes|no))\b)[^.!?;:\n,]){1,140}",
        "that",
    ),
    ("rather", rf"(?:^|(?<=[\s\"'(]))rather {X} than\b", r"\1 rather than"),
)
"""Each frame after the words of which a reply needs one."""
