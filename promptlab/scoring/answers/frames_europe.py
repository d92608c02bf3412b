"""Frames of replies in English, German, French and Spanish, and what an English reply would say instead, in the order of their use."""

from __future__ import annotations

JUDGES = "judges"
"""Marks a frame that says whether something is right, which is an answer where the options are right and wrong."""
FIRST, SECOND = "the first sentence", "the second sentence"
_X = r"([^.!?;:\n,]{1,70}?)"
"""What a frame holds: an answer, within a clause."""
_NOUN = r"(?:une? [\w-]+ (?=[\w-]+\s?(?:[.,;!]|$))|una? [\w-]+ (?=[\w-]+\s?(?:[.,;!]|$)))?(?:une? |una? )?"
"""What a language of the south puts before an adjective: "un argumento válido"."""
_STATEMENT_DE = r"(?:aussage|satz|option|antwort(?:möglichkeit)?|möglichkeit|äußerung)\b"
_STATEMENT_FR = r"(?:phrase|énoncé|option|affirmation|proposition|réponse|remarque)\b"
_STATEMENT_ES = r"(?:frase|oración|opción|afirmación|respuesta|enunciado|declaración)\b"

GERMAN = (
    (rf"\bvon {_X} kann (?:hier |da(?:bei)? )?(?:gar )?keine rede sein", r"it is not \1"),
    (r"\b(?:es|das|die antwort|die lösung|hier) (?:ist|sind) alles andere als\b", "it is not"),
    (r"\balles andere als\b", "not"),
    (
        r"(?:^|(?<=[.;,:] ))([\w()\"'-]{1,25}) (?:ist|war) (?:hier |es |das |daran |sie |er |dieses? \w+ ){0,2}(?:gar |überhaupt |wirklich |sicher )?"
        r"(?:nichts|nicht)(?=\s?(?:[.!,;]|$))",
        r"it is not \1",
    ),
    (
        rf"\b(?:man kann (?:hier )?nicht (?:sagen|behaupten)|ich (?:glaube|denke|finde|meine) nicht|ich bezweifle|es (?:ist nicht so"
        rf"|stimmt nicht)|es ist (?:zu bezweifeln|nicht davon auszugehen)), dass (?:es(?: sich)?(?: um)?"
        rf"|das|dies|(?:die|der|das|diese[rs]?) [\w-]+)"
        rf"(?: hier)? {_X} (?:ist|sei|wäre|handelt|lautet)\b",
        r"it is not \1",
    ),
    (rf"\bich (?:würde|kann|möchte) (?:hier )?(?:nicht|keinesfalls) {_X} (?:sagen|antworten|wählen|nehmen)\b", r"it is not \1"),
    (rf"\bkann (?:hier |also )?(?:nicht|unmöglich) {_X} sein\b", r"cannot be \1"),
    (
        r"\b(?:auf (?:gar )?keinen fall|keines(?:falls|wegs)|in keine[rm] \w+|(?:ganz )?(?:sicher(?:lich)?|bestimmt|gewiss|definitiv"
        r"|eindeutig|mit sicherheit|wohl|eher) nicht|niemals|mitnichten)\b",
        "not",
    ),
    (r"\b(?:kommt (?:hier )?nicht in ?frage|ist ausgeschlossen|ist (?:hier )?(?:sicher )?auszuschließen)\b", "is wrong"),
    (r"\b(?:passt (?:hier )?nicht|ergibt (?:hier )?keinen sinn|nicht passt|keinen sinn ergibt)\b", "makes no sense"),
    (
        r"\b(?:stimmt (?:so )?nicht|trifft (?:hier )?nicht zu|ist (?:so )?(?:nicht (?:richtig|korrekt"
        r"|die (?:richtige )?(?:antwort|lösung))))\b",
        "is wrong",
        JUDGES,
    ),
    (rf"\bob {_X} oder {_X},? (?:lässt|kann|ist|bleibt|weiß)\b", r"whether \1 or \2, it is unclear, is"),
    (r"\b(?:das )?hängt davon ab\b|\bje nach(?:dem)?(?: \w+)?|\bkommt darauf an\b", "it depends,"),
    (r"\b(?:ich weiß nicht|(?:mir )?(?:ist )?(?:es )?unklar|ich bin (?:mir )?(?:nicht sicher|unsicher)), ob\b", "I do not know whether"),
    (rf"\b(?:möglicherweise|vielleicht|eventuell) {_X}, (?:möglicherweise|vielleicht|eventuell) (?:auch )?", r"maybe \1, maybe "),
    (rf"\bteil(?:s|weise) {_X}, teil(?:s|weise) ", r"partly \1, partly "),
    (rf"\bkönnte(?:n)? (?:sowohl )?{_X} (?:oder|als auch) (?:auch )?{_X} sein\b", r"could be \1 or \2"),
    (rf"\b(?:kann|könnte) (?:zwar )?{_X} sein, (?:aber|doch) (?:ebenso(?: gut)?|genauso(?: gut)?|auch) ", r"could be \1 or "),
    (rf"\bsowohl {_X} als auch\b", r"both \1 and"),
    (r"\bentweder\b", "either"),
    (r"\bweder\b", "neither"),
    (rf"\beher {_X} als (?!auch)", r"\1 rather than "),
    (r"\b(?:an)?statt\b(?! dessen)|\banstelle von\b", "instead of"),
    (
        rf"\b(?:(?:zu)?erst|zunächst|anfangs|ursprünglich) (?:dachte|glaubte|meinte|vermutete|tippte|rechnete) ich"
        rf"(?: noch)?,?(?: an| auf| mit| dass)?(?: (?:es|das|die antwort)(?: (?:ist|wäre|sei))?)? {_X}(?: (?:ist|wäre|sei))?,? "
        rf"(?:(?:aber|doch|jedoch|dann|tatsächlich|richtig|es|das|ist|lautet) ){{2,6}}(?:die antwort )?",
        r"It is not \1, but ",
    ),
    (
        rf"\b(?:ich habe |hatte )?(?:zu(?:erst|nächst)|anfangs) {_X} (?:gedacht|vermutet|geschrieben),? "
        rf"(?:(?:aber|doch|jedoch|dann|tatsächlich|richtig|es|das|ist|lautet) ){{2,6}}",
        r"It is not \1, but ",
    ),
    (
        rf"\bman (?:könnte|würde|möchte) (?:zunächst |vielleicht |meinen, es sei |auf den ersten blick )?{_X} (?:vermuten"
        rf"|denken|meinen|annehmen|erwarten|sagen)"
        rf",? (?:(?:aber|doch|jedoch|tatsächlich|richtig|es|das|ist|lautet) ){{2,6}}",
        r"It is not \1, but ",
    ),
    (
        rf"\bauf den ersten blick (?:(?:scheint|wirkt|ist|klingt) (?:es|das) )?{_X}, (?:(?:aber|doch"
        rf"|jedoch|tatsächlich|in wirklichkeit|eigentlich|ist|es|das|in wahrheit)"
        rf" ){{1,6}}",
        r"It is not \1, but ",
    ),
    (
        r"(?:^|(?<=[,;.] ))(?:aber |denn |und )?(?:richtig|korrekt) (?:ist|wäre|lautet)(?: (?:aber|jedoch"
        r"|vielmehr|also|stattdessen|hingegen))?\b(?! dass)",
        "the correct answer is",
    ),
    (r"(?:^|(?<=[\s.-]{2}))(?:moment|halt|stopp|warte),? (?:mal,? )?nein\b[:,]?", "wait, no:"),
    (rf"\bnicht {_X},? sondern\b", r"not \1, but"),
    (r"(?:^|(?<=[\s\"']))nicht (?=\S)", "not "),
    (r"\bsondern\b", "but"),
    (
        r"\b(?:ich entscheide mich für|(?:ich|wir) wähle?n?|ich tippe auf|(?:meine|die) wahl fällt auf"
        r"|ich nehme|ich bin für|ich stimme für"
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
    (r"\boder\b", "or"),
    (rf"\b(?:d(?:ie|er|as|em|en) )?erste[rns]? {_STATEMENT_DE}", FIRST),
    (rf"\b(?:d(?:ie|er|as|em|en) )?(?:zweite|letztere)[rns]? {_STATEMENT_DE}", SECOND),
)
FRENCH = (
    (
        r"\bon ne (?:peut|saurait) pas (?:dire|affirmer) (?:que (?:ce soit|c'est|(?:la|le|l'|cette|cet"
        r"|ce) ?[\w-]+ (?:soit|est))|qu'(?:il|elle) (?:soit"
        r"|est)|qu'il s'agi(?:sse|t) d(?:e|'une?))\s?",
        "it is not ",
    ),
    (
        r"\bje ne (?:pense|crois) pas (?:que (?:ce soit|c'est|la réponse soit|(?:la|le|l'|cette|cet"
        r"|ce) ?[\w-]+ (?:soit|est))|qu'(?:il|elle) (?:soit|est)"
        r"|qu'il s'agisse d(?:e|'une?))\s?",
        "it is not ",
    ),
    (r"\b(?:je doute|il est (?:faux|inexact)) que (?:ce soit|la réponse soit|(?:la|le|l'|cette|cet|ce) ?[\w-]+ soit)\s?", "it is not "),
    (r"\b(?:il )?ne s'agit (?:certainement |donc )?(?:pas|nullement) (?:de |d'une? )", "it is not "),
    (
        r"\bn'est (?:certainement |absolument |donc |vraiment )?(?:pas|nullement|en aucun cas|aucunement"
        r"|guère)(?: (?:du tout|vraiment|forcément))? (?:la (?:bonne )?réponse|correcte?|juste|exacte?)\b",
        "is wrong",
        JUDGES,
    ),
    (
        r"\b(?:ce |cela |ça )?n'est (?:certainement |absolument |donc |vraiment |sûrement )?(?:pas|nullement"
        r"|en aucun cas|aucunement|guère)(?: (?:du tout|vraiment|forcément))?\b"
        rf" ?{_NOUN}",
        "it is not ",
    ),
    (r"\bne (?:peut|saurait) (?:donc )?pas être\b", "cannot be"),
    (r"\bn'a (?:absolument |vraiment )?rien (?:de |d')", "it is not "),
    (r"\bje ne dirais (?:certainement )?pas\b", "it is not"),
    (r"\b(?:en aucun cas|certainement pas|sûrement pas|surtout pas|absolument pas|pas du tout|aucunement|nullement)\b", "not"),
    (r"\b(?:ne (?:convient|colle|tient|marche|correspond) pas|n'a (?:pas de|aucun) sens|n'a pas lieu d'être)\b", "makes no sense"),
    (rf"\bn'est {_X} qu'en apparence\b", r"is not \1"),
    (r"\bn'est pas\b", "is not"),
    (
        rf"\b(?:impossible de|on ne peut pas|difficile de|il est (?:impossible|difficile) de) (?:dire"
        rf"|savoir|déterminer|trancher)(?: (?:si (?:c'est|il s'agit de)|entre))? {_X}\s(?:ou|et)\b",
        r"I do not know whether it is \1 or",
    ),
    (
        r"\b(?:je ne sais pas|je ne suis pas sûre?|on ne sait pas|j'ignore|il n'est pas clair|pas clair) s(?:i "
        r"|')(?:c'est |il s'agit de )?",
        "I do not know whether it is ",
    ),
    (r"\bcela dépend\b|\bça dépend\b|\btout dépend\b|\bselon (?:la |le |l')?[\w']+,", "it depends,"),
    (rf"\bpeut-être {_X}, peut-être\b", r"maybe \1, maybe"),
    (rf"\bà la fois {_X} et\b|\baussi bien {_X} que\b|\btant {_X} que\b", r"both \1\2\3 and"),
    (rf"\b(?:peut|pourrait)(?: bien)? être {_X},? (?:mais (?:aussi|également)|comme) (?:bien )?", r"could be \1 or "),
    (rf"\bsoit {_X},? (?:soit|ou(?: bien)?)\b", r"either \1 or"),
    (r"\bou (?:bien|encore|alors)\b", "or"),
    (rf"\bni {_X},? ni\b", r"neither \1 nor"),
    (rf"\bplutôt {_X} que\b", r"\1 rather than"),
    (r"\bplutôt (?:que|qu')", "rather than "),
    (r"\bau lieu (?:de|d')\b", "instead of"),
    (
        rf"\b(?:j'(?:ai|avais) (?:d'abord|initialement) (?:pensé|cru|dit|écrit|trouvé)|(?:d'abord|au début),? (?:j'ai"
        rf"|j'avais|je) (?:pens\w+|cru|dit|écrit))"
        rf"(?: à| que c'était| que)? {_X},? mais (?:en (?:fait|réalité),? |finalement,? |la (?:bonne )?réponse est "
        rf"|c'est |c'était )+",
        r"It is not \1, but ",
    ),
    (
        rf"\bon pourrait (?:croire|penser|dire)(?: à| que c'est)? {_X},? mais (?:en (?:fait|réalité),? "
        rf"|c'est |la (?:bonne )?réponse est )+",
        r"It is not \1, but ",
    ),
    (rf"\bà première vue,? (?:c'est )?{_X},? mais (?:en (?:fait|réalité),? |c'est |la (?:bonne )?réponse est )+", r"It is not \1, but "),
    (rf"(?:^|(?<=[\s\"']))(?:pas|non)(?: pas)? {_X},? mais(?: plutôt| bien)?\b", r"not \1, but"),
    (r"(?<=, )(?:et )?(?:non|pas) (?=\S)", "not "),
    (r"\bet (?:non|pas) (?=\S)", "and not "),
    (r"(?:^|(?<=[\s.-]{2}))(?:attendez?|attends|pardon|erreur),? (?:non|en fait)\b[:,]?", "wait, no:"),
    (r"\bcar\b", "because"),
    (
        r"\b(?:je (?:choisis|choisirais|retiens|sélectionne|prends)|j'opte pour|j'opterais pour|mon choix se porte sur"
        r"|je penche pour|je vote pour)\b",
        "I choose",
    ),
    (
        r"^(?:très )?(?:probablement|clairement|sans doute|évidemment|manifestement|à mon avis|selon moi"
        r"|vraisemblablement|certainement|assurément)[,:]? ",
        "Clearly ",
    ),
    (r"^(?:il s'agit (?:bien |donc |plutôt )?(?:de |d'une? )|je dirais (?:que c'est |que )?|on a (?:donc )?)(?!pas\b)", "It is "),
    (r"\b(?:répondr\w+|répond|répondre) (?:par )?(?:l'affirmative|la négative) ?: ", "answer: "),
    (r"\bou\b", "or"),
    (rf"\b(?:l[ae] )?premi(?:er|ère) {_STATEMENT_FR}", FIRST),
    (rf"\b(?:l[ae] )?(?:second|seconde|deuxième|dernière) {_STATEMENT_FR}|\bla (?:seconde|deuxième)(?=\s?[.,;]|$)", SECOND),
)
SPANISH = (
    (
        r"\bno (?:se )?(?:puede|podemos|cabe) (?:decir|afirmar) que (?:sea|es|(?:la|el|este|esta|ese"
        r"|esa) [\w-]+ (?:sea|es)|se trat[ea] de)\b",
        "it is not",
    ),
    (
        r"\b(?:yo )?no (?:creo|pienso|considero|diría) que (?:sea|es|(?:la|el|este|esta|ese|esa) [\w-]+ (?:sea"
        r"|es)|se trat[ea] de)\b",
        "it is not",
    ),
    (r"\bdudo que (?:sea|(?:la|el) [\w-]+ sea)\b", "it is not"),
    (r"\b(?:yo )?no diría(?: que)?\b", "it is not"),
    (rf"\bno se trata de {_NOUN}", "it is not "),
    (r"\bno (?:es|era) (?:la (?:respuesta|opción)(?: correcta)?|correct[oa]|cierto)\b(?=[.,;]|$)", "is wrong", JUDGES),
    (rf"\bno (?:es|parece) {_NOUN}", "it is not "),
    (r"\bno tiene nada de\b", "it is not"),
    (r"\bno puede ser\b", "cannot be"),
    (r"\bes (?:falso|incorrecto|erróneo)(?=[.,;]|$)", "is wrong", JUDGES),
    (r"\b(?:de ningun[ao]? (?:manera|modo|forma)|en ningún caso|para nada|en absoluto|desde luego que no|ni mucho menos)\b", "not"),
    (r"\b(?:queda descartad[oa]s?|está descartad[oa]|no viene al caso)\b", "is wrong"),
    (r"\bno (?:encaja|cuadra|procede|corresponde|tiene sentido|aplica)\b", "makes no sense"),
    (rf"\bno (?:está|queda|es) claro si (?:es |se trata de |quiere decir |significa )?{_X} [ou]\b", r"I do not know whether it is \1 or"),
    (
        r"\b(?:no sé|no sabemos|desconozco|no estoy segur[oa](?: de)?|es (?:difícil|imposible) (?:saber"
        r"|decir|determinar)) si (?:es )?",
        "I do not know whether it is ",
    ),
    (r"\b(?:todo )?depende\b[^:,.\n]{0,40}[:,]?|\bsegún (?:cómo se \w+|la \w+|el \w+),", "it depends,"),
    (rf"\b(?:quizás?|tal vez|acaso) {_X}, (?:quizás?|tal vez|acaso)\b", r"maybe \1, maybe"),
    (rf"\btanto {_X} como\b", r"both \1 and"),
    (rf"\b(?:puede|podría) ser {_X},? (?:pero|aunque|y) también (?:podría ser |puede ser )?", r"could be \1 or "),
    (rf"(?:^|(?<=[\s(]))(?:o(?: bien)?|ya sea) {_X},? (?:o|u)(?: bien)?\b", r"either \1 or"),
    (rf"(?:^|(?<=[\s(]))ni {_X},? ni\b", r"neither \1 nor"),
    (rf"\bmás bien {_X} que\b", r"\1 rather than"),
    (r"\ben (?:lugar|vez) de\b", "instead of"),
    (
        rf"\b(?:primero|al principio|inicialmente|en un principio),? (?:pensé|creí|dije|escribí|supuse)(?: en"
        rf"| que(?: era)?)? {_X},? (?:pero|aunque|sin embargo,) (?:en realidad,? |(?:la respuesta )?es "
        rf"|la correcta es |luego vi que (?:es|era) )+",
        r"It is not \1, but ",
    ),
    (rf"\bse podría (?:pensar|creer|decir)(?: en| que es)? {_X},? pero (?:en realidad,? |(?:la respuesta )?es )+", r"It is not \1, but "),
    (rf"\ba primera vista,? (?:parece )?{_X},? pero (?:en realidad,? |es )+", r"It is not \1, but "),
    (rf"(?:^|(?<=[\s\"']))no {_X},? sino(?: más bien)?\b", r"not \1, but"),
    (r"\bsino(?: más bien)?\b", "but"),
    (r"\by no (?=\S)", "and not "),
    (r"(?<=, )no (?=\S)", "not "),
    (r"\b(?:porque|ya que|puesto que|dado que)\b", "because"),
    (r"\b(?:(?:yo )?elijo|escojo|elegiría|me quedo con|me inclino por|opto por|voto por|mi elección es|selecciono)\b", "I choose"),
    (
        r"^[¡]?(?:muy )?(?:probablemente|claramente|evidentemente|sin duda|en mi opinión|a mi juicio"
        r"|seguramente|definitivamente)[,:]? (?:es )?",
        "Clearly ",
    ),
    (r"^(?:se trata de (?:una? )?|(?:yo )?diría (?:que )?(?:es )?)", "It is "),
    (r"(?<=[\s\w\"')]) [ou] (?=\S)", " or "),
    (rf"\b(?:la|el) primera? {_STATEMENT_ES}|\bla primera(?=\s?[.,;]|$)", FIRST),
    (rf"\b(?:la|el) segund[ao] {_STATEMENT_ES}|\bla segunda(?=\s?[.,;]|$)", SECOND),
)
ENGLISH = (
    (
        rf"\b(?:could|may|might|can) (?:well |just as well |also )?be {_X},? (?:but|and|or|yet|though) (?:(?:it"
        rf"|that|also|equally|just|as|well|easily|could|might|may|can|be|perhaps|maybe) )+",
        r"could be \1 or ",
    ),
    (rf"\b(?:it|this) (may|might|could) be {_X},? (?:it|this) \1 (?:also |equally |just as well )?be\b", r"could be \2 or"),
    (
        rf"\b(?:at first (?:glance|sight)|on the surface|superficially),? (?:(?:it|this|one|that) (?:seems"
        rf"|looks|appears|sounds)(?: like| to be)? )?{_X}, (?:but|yet) (?:(?:actually|really|in fact"
        rf"|in reality|it's|it|is|the answer|,) ?)+",
        r"It is not \1, but ",
    ),
    (r"\b(?:one|you|we) (?:cannot|can't|can not) (?:really )?say (?:that )?(?:it|this|the \w+) is\b", "it is not"),
    (r"\bby no means\b", "not"),
    (
        rf"\b(?:might|may|could|does) (?:at first )?(?:sound|look|seem|read|come across) (?:like |as )?(?:an? )?{_X}[;,.] (?:but |yet )?(?:it(?:'s| is)|that(?:'s| is))"
        r"(?:n't| not)(?: (?:one|it|the case))?\b",
        r"is not \1",
    ),
    (r"\b(?:is|are) out of the question\b", "is wrong", JUDGES),
    (r"\b(?:under no circumstances|on no account|in no case)\b", "not"),
    (rf"(?:^|(?<=[\s\"'(]))rather {_X} than\b", r"\1 rather than"),
)
