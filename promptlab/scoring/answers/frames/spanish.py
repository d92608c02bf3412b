"""Frames of replies in Spanish."""

from __future__ import annotations

from promptlab.scoring.answers.frames.common import BUT, FIRST, JUDGES, NOUN, SECOND, X

_STATEMENT = r"(?:frase|oración|opción|afirmación|respuesta|enunciado|declaración)\b"
FRAMES = (
    (r"\bni (?:más|menos) ni (?:menos|más) (?:que|de)\b", "exactly"),
    (
        rf"\b(?:(?:queda|está|es|hay que|se debe|se) )?descarta(?:d[oa]|r)? que (?:sea|se trate de|es) {X}[;,.] "
        r"(?:así que |por lo tanto |luego )?(?:es|queda|la respuesta es) ",
        BUT,
    ),
    (
        rf"\b(?:muchos|muchas personas|algunos|la gente|la mayoría|se)(?: \w+)? (?:piensan|creen|cree|piensa|dice|dicen|supone"
        r"|suponen) que "
        rf"(?:es )?{X},? pero (?:no (?:es así|lo es|es cierto|es verdad)|es falso|es un error)(?=\W*(?:$|[.!;\n]))",
        r"it is not \1",
    ),
    (r"(?<=\S)[;,] (?:pero |y )?[\"']?[\w-]{1,25}[\"']? (?:no rima|no)(?=[.!]?$)", ""),
    (r"(?<=\S)[;,.] [\"']?[\w-]{1,25}[\"']? no es (?:un|el|su) (?:contrario|antónimo|sinónimo|opuesto)\b[^.;\n]*", ""),
    (rf"{X} no (?:encaja|sirve|vale|corresponde)[;,.] (?:pero )?(?:yo diría|se dice|mejor|más bien)\b", BUT),
    (
        rf"^[¿]?{X}\? (?:para nada|en absoluto|de ninguna manera|desde luego que no|claro que no|ni mucho menos)(?:\W*$|[.!](?= ))",
        r"it is not \1.",
    ),
    (
        rf"\b(?:parece|suena|pued[ae] parecer|podría parecer|parecería)(?: ser)? {X},? (?:pero|aunque|y sin embargo) "
        r"(?:no lo es|no es así|no es el caso)\b",
        r"it is not \1",
    ),
    (
        rf"{X}(?:\.\.\.|,)? (?:aunque|pero),? (?:pensándolo (?:bien|mejor)|bien mirado|mirándolo bien|si lo pienso (?:bien|mejor)),? "
        r"(?:(?:es|en realidad|más bien) )*",
        BUT,
    ),
    (r"^(?:a pesar de|pese a|aunque|si bien) [^,.;!?\n]{1,100}, ", ""),
    (r",? (?:a pesar de|pese a|aunque|si bien) (?!todo\b|también\b)[^,.;!?\n]*(?=[.;!?\n]|$)", ""),
    (r"\bsin (?:ningún|ninguna|nada(?: de)?|elementos?|aspectos?|rasgos?) (?:[\w-]+ )?(?=[\w-]+\s*(?:[.,;!]|$))", "not "),
    (r"\bno (?:hay|tiene|veo|contiene) nada (?:de )?(?!más|que\b|mejor)", "it is not "),
    (r"(?:^|(?<=[.,;] ))nada (?:de )?(?!más|que\b|mejor|menos)(?=\w)", "not "),
    (r"\bno (?=(?:válid|plausible|positiv|negativ|verosímil|creíble|correct|concluyente)\w*)", "not "),
    (r"\bnada (?:de esto|en \w+ \w+|aquí) (?:es|parece|resulta) ", "it is not "),
    (
        rf"\b(?:algunos|unos|muchos)(?: \w+)? (?:dirían|dirán|dicen|piensan)(?: que es)? {X},? (?:y "
        rf"|pero )?otros(?: (?:dirían|dirán))?(?: que)? ",
        r"either \1 or ",
    ),
    (
        rf"\b(?:algunos|muchos) (?:dirían|podrían decir|dirán|piensan)(?: que es)? {X}, pero (?:yo diría (?:que es )?"
        rf"|para mí,? (?:es )?|(?:la respuesta )?es |creo que es )+",
        BUT,
    ),
    (rf"\b(?:consideré|pensé en|he considerado|dudé con) {X}, pero ", BUT),
    (rf"\baunque {X} (?:resulte|parezca|sea|suene) \w+, (?:la respuesta(?: correcta)? es |es )?", BUT),
    (
        rf"\bse podría (?:argumentar a favor de|defender|optar por) {X}, pero (?:al final,? |en definitiva,? "
        rf"|finalmente,? |(?:la respuesta )?es )+",
        BUT,
    ),
    (rf"\bsi (?:descartamos|excluimos|eliminamos|se descarta|se excluye) {X}, (?:solo )?queda ", BUT),
    (rf"^no, no es {X}[.;] (?:sino )?es ", BUT),
    (rf"\bno es {X}[.;] es ", r"it is not \1, but "),
    (rf"(?:[;,.]| -) {X} s[oó]lo (?:valdría|sería|se aplicaría|aplicaría|correspondería) [^.;]*", ""),
    (
        rf"\b(?:ambas|ambos|las dos|los dos)(?: \w+)? (?:son|serían) (?:posibles|válid[ao]s|plausibles) ?: {X} y ",
        r"both \1 and ",
    ),
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
    (rf"\bno se trata de {NOUN}", "it is not "),
    (r"\bno (?:es|era) (?:la (?:respuesta|opción)(?: correcta)?|correct[oa]|cierto)\b(?=[.,;]|$)", "is wrong", JUDGES),
    (rf"\bno (?:es|son|da|suman?|parece|resulta|equivale a|sale) {NOUN}", "it is not "),
    (r"\btampoco (?:es|hay|son|se trata de)\b", "it is not"),
    (r"\bno tiene nada de\b", "it is not"),
    (r"\bno puede ser\b", "cannot be"),
    (r"\bes (?:falso|incorrecto|erróneo)(?=[.,;]|$)", "is wrong", JUDGES),
    (r"\b(?:de ningun[ao]? (?:manera|modo|forma)|en ningún caso|para nada|en absoluto|desde luego que no|ni mucho menos)\b", "not"),
    (r"\b(?:queda descartad[oa]s?|está descartad[oa]|no viene al caso)\b", "is wrong"),
    (r"\bno (?:encaja|cuadra|procede|corresponde|tiene sentido|aplica)\b", "makes no sense"),
    (rf"\bno (?:está|queda|es) claro si (?:es |se trata de |quiere decir |significa )?{X} [ou]\b", r"I do not know whether it is \1 or"),
    (
        r"\b(?:no sé|no sabemos|desconozco|no estoy segur[oa](?: de)?|es (?:difícil|imposible) (?:saber"
        r"|decir|determinar)) si (?:es )?",
        "I do not know whether it is ",
    ),
    (r"\b(?:todo )?depende\b[^:,.\n]{0,40}[:,]?|\bsegún (?:cómo se \w+|la \w+|el \w+),", "it depends,"),
    (rf"\b(?:quizás?|tal vez|acaso) {X}, (?:quizás?|tal vez|acaso)\b", r"maybe \1, maybe"),
    (rf"\btanto {X} como\b", r"both \1 and"),
    (rf"\b(?:puede|podría) ser {X},? (?:pero|aunque|y) también (?:podría ser |puede ser )?", r"could be \1 or "),
    (rf"(?:^|(?<=[\s(]))(?:o(?: bien)?|ya sea) {X},? (?:o|u)(?: bien)?\b", r"either \1 or"),
    (rf"(?:^|(?<=[\s(]))ni {X},? ni\b", r"neither \1 nor"),
    (rf"\bmás bien {X} que\b", r"\1 rather than"),
    (r"\ben (?:lugar|vez) de\b", "instead of"),
    (
        rf"\b(?:primero|al principio|inicialmente|en un principio),? (?:pensé|creí|dije|escribí|supuse)(?: en"
        rf"| que(?: era)?)? {X},? (?:pero|aunque|sin embargo,) (?:en realidad,? |(?:la respuesta )?es "
        rf"|la correcta es |luego vi que (?:es|era) )+",
        r"It is not \1, but ",
    ),
    (rf"\bse podría (?:pensar|creer|decir)(?: en| que es)? {X},? pero (?:en realidad,? |(?:la respuesta )?es )+", r"It is not \1, but "),
    (
        rf"\b(?:a primera vista|en apariencia|a simple vista),? "
        rf"(?:(?:(?:el|la|este|esta) [\w-]+ )?(?:parece(?:ría)?|es|suena)(?: ser)? )?{X}"
        r"(?:,? pero (?:en realidad,? |es )+|[.;] (?:pero )?(?:en (?:realidad|verdad)|de hecho|mirándol[oa] mejor),? es )",
        r"It is not \1, but ",
    ),
    (rf"(?:^|(?<=[\s\"']))no {X},? sino(?: más bien)?\b", r"not \1, but"),
    (r"^no (?=(?:lo|la|le|me|hay|dice|parece) )", "not "),
    (r"\b(?:(?:yo )?diría|dirían?|respondería|respondo|digo) que (?=(?:sí|si|no)\b)", "I would say "),
    (r"\bsino(?: más bien)?\b", "but"),
    (r"\by (?:(?:desde luego|por supuesto|ciertamente|definitivamente|seguramente) )?no (?=\S)", "and not "),
    (r"(?<=, )no (?=\S)", "not "),
    (r"\b(?:porque|ya que|puesto que|dado que)\b", "because"),
    (
        r"\b(?:(?:yo )?elijo|escojo|elegiría|me quedo con|me inclino por|me decido por|me decanto por"
        r"|opto por|voto por|mi elección es|selecciono"
        r"|recomiendo|recomendaría|sugiero|sugeriría|mi recomendación(?: es|:))\b",
        "I choose",
    ),
    (
        r"^[¡]?(?:muy )?(?:probablemente|claramente|evidentemente|sin duda|en mi opinión|a mi juicio"
        r"|seguramente|definitivamente)[,:]? (?:es )?",
        "Clearly ",
    ),
    (r"^(?:se trata de (?:una? )?|(?:yo )?diría (?:que )?(?:es )?)", "It is "),
    (r"(?<=[\s\w\"')]) [ou] (?=\S)", " or "),
    (rf"\b(?:la|el) primera? {_STATEMENT}|\bla primera(?=\s?[.,;]|$)", FIRST),
    (rf"\b(?:la|el) segund[ao] {_STATEMENT}|\bla segunda(?=\s?[.,;]|$)", SECOND),
    (
        r"\b(?:saber|determinar|decir|decidir|juzgar|comprobar|indicar|indica|precisa|preguntan?|evaluar) si [^.!?;:\n,]{1,140}",
        "that",
    ),
)
WORDS = (
    "piensan creen cree piensa dice dicen supone descarta descartar descartado descartada saber determinar decir decidir juzgar comprobar "
    "indicar indica precisa pregunta preguntan evaluar "
    "tampoco ningún ninguna encaja cuadra sentido pesar pese suena parecer parecería da dan parece resulta suma dudo algunos "
    "muchos unos consideré pensé aunque "
    "descartamos excluimos solo sólo ambas ambos "
    "no o u ni segunda segundo ningún ninguna "
    "nada sino pero porque ya tanto depende quizá quizás tal más bien lugar vez primero primera falso incorrecto erróneo podría "
    "puede queda decido decanto vista apariencia "
    "elijo me quedo inclino escojo selecciono recomiendo recomendaría sugiero sugeriría recomendación "
    "opto trata probablemente claramente opinión sin duda diría absoluto"
)
"""Each frame has one of these words."""
SHARED = "no u ya me tal vez sin solo"
"""Those that other languages have as well."""
COMMON = "es el los las la una respuesta y de del en que se esta este por son con"
"""Other words by which the language is known."""
