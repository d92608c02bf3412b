"""Frames of replies in German."""

from __future__ import annotations

from promptlab.scoring.answers.frames.common import BUT, FIRST, JUDGES, SECOND, X

_STATEMENT = r"(?:aussage|satz|option|antwort(?:möglichkeit)?|möglichkeit|äußerung)\b"
FRAMES = (
    (r"\bnicht (?:mehr|weniger) und (?:auch )?nicht (?:weniger|mehr) als\b", "exactly"),
    (
        rf"\bhandelt (?:es )?sich (?:hier(?:bei)? |dabei )?nicht um (?:eine?n? )?{X},? sondern (?:vielmehr )?um (?:eine?n? )?",
        r"is not \1, but ",
    ),
    (
        rf"\b(?:viele|manche|einige|die meisten|man)(?: \w+)? (?:denken|glauben|meinen|halten|hält|denkt|glaubt|meint)"
        rf"(?: (?:das|es|dies|sie|ihn))?,?(?: (?:dass|für)(?: (?:das|es|dies|sie))?)? {X}(?: ist| sei)?, (?:aber|doch|jedoch|was) "
        r"(?:(?:das|es|aber|jedoch) )?(?:ist|stimmt) (?:(?:das|es|aber|jedoch) )?(?:falsch|ein irrtum"
        r"|nicht(?: (?:so|wahr|richtig|der fall))?)(?=\W*(?:$|[.!;\n]))",
        r"it is not \1",
    ),
    (
        rf"\b(?:es ist )?(?:auszuschließen|ausgeschlossen), dass (?:es|das|dies)(?: sich)?(?: um)? {X} (?:ist|sei|handelt)[;,.] "
        r"(?:es|das|die antwort) (?:ist|bleibt|lautet) ",
        BUT,
    ),
    (r"(?<=\S)[;,] (?:aber |und )?[\"']?[\w-]{1,25}[\"']? (?:nicht|reimt sich nicht(?: darauf)?)(?=[.!]?$)", ""),
    (r"(?<=\S)[;,.] [\"']?[\w-]{1,25}[\"']? ist (?:aber |jedoch )?kein (?:Gegenteil|Antonym|Synonym|Gegenwort)\b[^.;\n]*", ""),
    (
        rf"{X} (?:passt|trifft es|stimmt)(?: hier)? nicht[;,.] (?:ich (?:würde sagen|sage)|man sagt|besser (?:ist"
        rf"|wäre)|sondern|es heißt):? ",
        BUT,
    ),
    (
        rf"^{X}\? (?:keines(?:wegs|falls)|überhaupt nicht|auf keinen fall|wohl kaum|sicher nicht|nicht wirklich)(?:\W*$|[.!](?= ))",
        r"it is not \1.",
    ),
    (
        rf"{X} (?:wirkt|scheint|klingt|erscheint|ist) (?:es |das |dies |\w+ \w+ )?nur (?:auf den ersten blick|scheinbar|zunächst)[;,.] "
        rf"(?:(?:tatsächlich|eigentlich|in (?:wirklichkeit|wahrheit)|ist|es|das|sie) )+",
        BUT,
    ),
    (
        rf"\b(?:wirkt|scheint|klingt|erscheint|sieht) (?:(?:es|das|dies|zwar|zunächst|auf den ersten blick) )*{X}(?: aus| zu sein)?, "
        r"(?:(?:ist|es|das|aber|jedoch|doch|tatsächlich|in wirklichkeit) ){2,5}nicht\b",
        r"is not \1",
    ),
    (
        rf"\b{X}(?:\.\.\.|,)? (?:aber|doch|wobei,?) (?:bei (?:näherer|genauerer) betrachtung|bei genauerem hinsehen|wenn ich (?:es|so)"
        r" (?:recht |genau )?(?:bedenke|überlege)),? (?:(?:ist|es|das|sie|doch|eher) )*",
        BUT,
    ),
    (r"\btrotz (?:[\w-]+ ){0,4}?(?-i:[A-ZÄÖÜ])[\w-]+,? ?", ""),
    (r"^(?:obwohl|obgleich|wenngleich|auch wenn|selbst wenn) [^,.;!?\n]{1,100}, (?:so )?", ""),
    (r",? (?:obwohl|obgleich|wenngleich|auch wenn|selbst wenn) [^,.;!?\n]*(?=[.;!?\n]|$)", ""),
    (r"\bohne (?:(?:jegliche|jede|irgend|ein)\w* )?(?=[\w-]+e[nrs]? )", "not "),
    (r", (?:denn|weil|da) (?!ist\b|sind\b|haben\b)", ", because "),
    (
        r"\b(?:ist|wirkt|klingt|gibt es|sehe ich|finde ich) (?:(?:hier|daran|an \w+ \w+|gar|absolut"
        r"|überhaupt) )*nichts (?!als\b|ander|zu\b|mehr\b)",
        "is not ",
    ),
    (r"\b(?:nichts|gar nichts) (?:an|in|daran|hieran|hier)\b[^.,;]{0,30} (?:ist|wirkt|klingt) ", "it is not "),
    (
        rf"\b(?:manche|einige|viele)(?: \w+)? (?:würden |könnten )?(?:sagen )?{X}(?: sagen| antworten)?, andere(?: (?:würden|könnten))? ",
        r"either \1 or ",
    ),
    (
        rf"\b(?:manche|einige|viele)(?: \w+)? (?:würden|könnten|mögen) {X} (?:sagen|antworten|annehmen|behaupten|vermuten),"
        r" (?:(?:ich|aber|doch|jedoch|sage|würde|meine|denke|ist|es|tatsächlich|richtig) )+",
        BUT,
    ),
    (rf"\bich (?:habe|hatte) (?:auch )?{X} (?:auch )?(?:erwogen|überlegt|in (?:betracht|erwägung) gezogen), (?:aber|doch|jedoch) ", BUT),
    (
        rf"\b(?:obwohl|obgleich|auch wenn|wenngleich) {X} (?:naheliegt|nahe liegt|verlockend \w+|möglich \w+"
        rf"|zunächst \w+ \w+|plausibel \w+|passend \w+), "
        r"(?:ist|lautet|wäre) (?:die (?:richtige )?antwort )?",
        BUT,
    ),
    (
        rf"\bman könnte (?:zwar )?(?:auch )?für {X} (?:argumentieren|plädieren), (?:(?:aber|doch|jedoch"
        rf"|unterm|strich|am|ende|letztlich|insgesamt|ist|es) )+",
        BUT,
    ),
    (rf"\b(?:schließt man|wenn man) {X} (?:aus|ausschließt), (?:so |dann )?bleibt (?:nur |also |noch )*", BUT),
    (rf"\bnein, (?:es ist )?nicht {X}[.;] (?:es|sie|das) ist ", BUT),
    (rf"\bist nicht {X}[.;] (?:sie|es|das|die antwort) (?:ist|lautet) ", r"is not \1, but "),
    (r"\bscheidet aus\b", "is wrong", JUDGES),
    (rf"(?:[;,.]| -) {X} (?:würde|wäre|gilt|gälte) nur [^.;]*", ""),
    (rf"\bmöglich (?:sind|wären) (?:sowohl )?{X} (?:und|als auch) ", r"both \1 and "),
    (rf"\bvon {X} kann (?:hier |da(?:bei)? )?(?:gar )?keine rede sein", r"it is not \1"),
    (r"\b(?:es|das|die antwort|die lösung|hier) (?:ist|sind) alles andere als\b", "it is not"),
    (r"\balles andere als\b", "not"),
    (
        r"(?:^|(?<=[.;,:] )|(?<=\bund ))([\w()\"'-]{1,25}) (?:ist|war) "
        r"(?:hier |es |das |daran |sie |er |auch |also |daher |somit |dieses? \w+ |d(?:er|ie|as) \w+ ){0,3}(?:gar "
        r"|überhaupt |wirklich |sicher )?"
        r"(?:nichts|nicht)(?=\s?(?:[.!,;]|$))",
        r"it is not \1",
    ),
    (
        rf"\b(?:man kann (?:hier )?nicht (?:sagen|behaupten)|ich (?:glaube|denke|finde|meine) nicht|ich bezweifle|es (?:ist nicht so"
        rf"|stimmt nicht)|es ist (?:zu bezweifeln|nicht davon auszugehen)), dass (?:es(?: sich)?(?: um)?"
        rf"|das|dies|(?:die|der|das|diese[rs]?) [\w-]+)"
        rf"(?: hier)? {X} (?:ist|sei|wäre|handelt|lautet)\b",
        r"it is not \1",
    ),
    (rf"\bich (?:würde|kann|möchte) (?:hier )?(?:nicht|keinesfalls) {X} (?:sagen|antworten|wählen|nehmen)\b", r"it is not \1"),
    (rf"\bkann (?:hier |also )?(?:nicht|unmöglich) {X} sein\b", r"cannot be \1"),
    (
        r"\b(?:auf (?:gar )?keinen fall|keines(?:falls|wegs)|in keine[rm] \w+|(?:ganz )?(?:sicher(?:lich)?|bestimmt|gewiss|definitiv"
        r"|eindeutig|mit sicherheit|wohl|eher) nicht|niemals|mitnichten)\b",
        "not",
    ),
    (r"\b(?:kommt (?:hier )?nicht in ?frage|ist ausgeschlossen|ist (?:hier )?(?:sicher )?auszuschließen)\b", "is wrong"),
    (r"\b(?:passt (?:hier )?nicht|ergibt (?:hier )?keinen sinn|nicht passt|keinen sinn ergibt)\b", "makes no sense"),
    (
        r"\b(?:stimmt (?:so )?nicht|trifft (?:hier )?nicht zu|ist (?:so |hier |leider |aber |sicher ){0,2}(?:nicht (?:richtig|korrekt"
        r"|die (?:richtige )?(?:antwort|lösung))))\b",
        "is wrong",
        JUDGES,
    ),
    (rf"\bob {X} oder {X},? (?:lässt|kann|ist|bleibt|weiß)\b", r"whether \1 or \2, it is unclear, is"),
    (r"\b(?:das )?hängt davon ab\b|\bje nach(?:dem)?(?: \w+)?|\bkommt darauf an\b", "it depends,"),
    (r"\b(?:ich weiß nicht|(?:mir )?(?:ist )?(?:es )?unklar|ich bin (?:mir )?(?:nicht sicher|unsicher)), ob\b", "I do not know whether"),
    (rf"\b(?:möglicherweise|vielleicht|eventuell) {X}, (?:möglicherweise|vielleicht|eventuell) (?:auch )?", r"maybe \1, maybe "),
    (rf"\bteil(?:s|weise) {X}, teil(?:s|weise) ", r"partly \1, partly "),
    (rf"\bkönnte(?:n)? (?:sowohl )?{X} (?:oder|als auch) (?:auch )?{X} sein\b", r"could be \1 or \2"),
    (rf"\b(?:kann|könnte) (?:zwar )?{X} sein, (?:aber|doch) (?:ebenso(?: gut)?|genauso(?: gut)?|auch) ", r"could be \1 or "),
    (rf"\bsowohl {X} als auch\b", r"both \1 and"),
    (r"\bentweder\b", "either"),
    (rf"\bweder {X} noch {X}(?=\s*(?:[,.;!]|$))", r"neither \1 nor \2"),
    (r"\bweder\b", "neither"),
    (rf"\beher {X} als (?!auch)", r"\1 rather than "),
    (r"\b(?:an)?statt\b(?! dessen)|\banstelle von\b", "instead of"),
    (
        rf"\b(?:(?:zu)?erst|zunächst|anfangs|ursprünglich) (?:dachte|glaubte|meinte|vermutete|tippte|rechnete) ich"
        rf"(?: noch)?,?(?: an| auf| mit| dass)?(?: (?:es|das|die antwort)(?: (?:ist|wäre|sei))?)? {X}(?: (?:ist|wäre|sei))?,? "
        rf"(?:(?:aber|doch|jedoch|dann|tatsächlich|richtig|es|das|ist|lautet) ){{2,6}}(?:die antwort )?",
        r"It is not \1, but ",
    ),
    (
        rf"\b(?:ich habe |hatte )?(?:zu(?:erst|nächst)|anfangs) {X} (?:gedacht|vermutet|geschrieben),? "
        rf"(?:(?:aber|doch|jedoch|dann|tatsächlich|richtig|es|das|ist|lautet) ){{2,6}}",
        r"It is not \1, but ",
    ),
    (
        rf"\bman (?:könnte|würde|möchte) (?:zunächst |vielleicht |meinen, es sei |auf den ersten blick )?{X} (?:vermuten"
        rf"|denken|meinen|annehmen|erwarten|sagen)"
        rf",? (?:(?:aber|doch|jedoch|tatsächlich|richtig|es|das|ist|lautet) ){{2,6}}",
        r"It is not \1, but ",
    ),
    (
        rf"\bauf den ersten blick (?:(?:scheint|wirkt|ist|klingt) (?:es|das) )?{X}, (?:(?:aber|doch"
        rf"|jedoch|tatsächlich|in wirklichkeit|eigentlich|ist|es|das|in wahrheit)"
        rf" ){{1,6}}",
        r"It is not \1, but ",
    ),
    (
        rf"\b(?:auf den ersten blick|zunächst|oberflächlich(?: betrachtet| gesehen)?) (?:scheint|wirkt|ist|klingt|sieht|erscheint) "
        rf"(?:(?:es|das|dies|sie|er|(?:der|die|das|diese[rs]?) [\w-]+) )?{X}(?: zu sein| aus)?[,;.] (?:(?:aber|doch|jedoch) )?"
        r"(?:(?:tatsächlich|in (?:wirklichkeit|wahrheit)|eigentlich|bei (?:genauerem hinsehen|(?:genauerer|näherer) betrachtung)) )"
        r"(?:(?:ist|es|das|dies|sie|er|jedoch|aber) ){1,3}",
        BUT,
    ),
    (
        r"(?:^|(?<=[,;.] ))(?:aber |denn |und )?(?:richtig|korrekt) (?:ist|wäre|lautet)(?: (?:aber|jedoch"
        r"|vielmehr|also|stattdessen|hingegen))?\b(?! dass)",
        "the correct answer is",
    ),
    (r"(?:^|(?<=[\s.-]{2}))(?:moment|halt|stopp|warte),? (?:mal,? )?nein\b[:,]?", "wait, no:"),
    (rf"\bhalte (?:ich )?{X} für (?:falsch|unzutreffend|unrichtig|abwegig)(?=\W*(?:$|[.;!,\n]))", r"\1 is wrong", JUDGES),
    (rf"\bnicht (für|als|mit) {X},? sondern \1 ", r"not \2, but "),
    (r",? (?:und |aber )?nicht (?:für|als|mit) (?=\S)", ", not "),
    (rf"\bnicht {X},? sondern\b", r"not \1, but"),
    (r"(?:^|(?<=[\s\"']))nicht (?=\S)", "not "),
    (r"\bsondern\b", "but"),
    (
        r"\b(?:ich entscheide mich für|(?:ich|wir) wähle?n?|ich tippe auf|(?:meine|die) wahl fällt auf"
        r"|ich empfehle(?! nicht)|meine empfehlung(?: ist|:)|ich schlage vor:?|ich nehme|ich bin für|ich stimme für"
        r"|ich plädiere für)\b",
        "I choose",
    ),
    (
        r"^(?:ganz |sehr |relativ )?(?:klar|eindeutig|offensichtlich|vermutlich|wahrscheinlich|wohl"
        r"|sicherlich|bestimmt|definitiv|(?:am )?ehesten|meine[rs] "
        r"(?:meinung|ansicht|erachtens)(?: nach)?|m\.?e\.?|höchstwahrscheinlich)[:,]? ",
        "Clearly ",
    ),
    (
        r"\b(?:mit|als) (?=[\"'](?:ja|nein)\b)(?:([\"'])(ja|nein)\1) (?:antworten|beantworten|beantwortet"
        r"|zu (?:verstehen|werten|beantworten))\b",
        r"answer is \2",
    ),
    (
        rf"\bich (?:lege mich (?:daher |also |somit )?auf {X} fest|halte mich an {X}(?=[.;!]|$)|bleibe bei {X}(?=[.;!]|$))",
        r"I choose \1\2\3",
    ),
    (r"\boder\b", "or"),
    (rf"\b(?:d(?:ie|er|as|em|en) )?erste[rns]? {_STATEMENT}", FIRST),
    (rf"\b(?:d(?:ie|er|as|em|en) )?(?:zweite|letztere)[rns]? {_STATEMENT}", SECOND),
    (r"\bob (?=[^.!?;:\n,]*?\b(?:ist|sind|war|kann|sei|hat|gilt|oder nicht)\b)[^.!?;:\n,]{1,140}", "that"),
)
WORDS = (
    "denken glauben meinen halten hält denkt glaubt meint auszuschließen ausgeschlossen "
    "ohne wobei genauerem genauerer näherer bedenke überlege trotz denn weil da auch selbst wirkt scheint klingt erscheint "
    "sieht manche einige viele habe obwohl obgleich "
    "schließt wenn scheidet würde wäre möglich nein nichts nicht oder sondern statt anstatt "
    "anstelle weder entweder eher keine keinen keinem keinesfalls keineswegs niemals mitnichten ob blick tatsächlich wirklichkeit "
    "vielleicht teils könnte könnten kann richtig korrekt bezweifle alles abhängt hängt zuerst zunächst anfangs ursprünglich dachte "
    "erste erster erstes ersten zweite zweiter zweites zweiten letztere moment halt entscheide empfehle empfehlung "
    "schlage lege bleibe halte wähle tippe fällt nehme klar "
    "eindeutig vermutlich wahrscheinlich wohl meiner ehesten beantworten antworten"
)
"""Each frame has one of these words."""
SHARED = "ob halt alles moment hängt habe"
"""Those that other languages have as well."""
COMMON = (
    "etwas anderes bedeutet ist die der das es ich und aber antwort von auf ob ein eine einen sind wird mit für dieser "
    "diese dieses dem den zu"
)
"""Other words by which the language is known."""
