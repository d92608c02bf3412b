"""Frames of replies in French."""

from __future__ import annotations

from promptlab.scoring.answers.frames.common import BUT, FIRST, JUDGES, NOUN, SECOND, X

_STATEMENT = r"(?:phrase|énoncé|option|affirmation|proposition|réponse|remarque)\b"
FRAMES = (
    (r"\bni (?:plus|moins) ni (?:moins|plus) (?:que|de)\b", "exactly"),
    (
        rf"\b(?:il )?ne s'agit pas (?:ici |là )?d(?:e |')(?:l'|une? )?{X},? mais (?:plutôt |bien )?d(?:e |')(?:l'|une? )?",
        r"it is not \1, but ",
    ),
    (
        rf"\b(?:beaucoup|certains|on|les gens|la plupart|bien des gens)(?: (?:des gens|de gens|d'entre eux))? (?:pensent|croient"
        r"|pense|croit|disent"
        rf"|dit|supposent)(?: souvent)? qu(?:e |')(?:c'est |il est |elle est )?{X},? mais (?:(?:ce )?n'est pas (?:le cas|vrai|ça)"
        r"|c'est (?:faux|une erreur|inexact)|non)(?=\W*(?:$|[.!;\n]))",
        r"it is not \1",
    ),
    (
        r"\bje ne (?:dirais|pense|crois|trouve) (?:donc |alors )?pas (?:ici )?que "
        r"(?:c'est|ce soit|cela (?:soit|est)|(?:l[ea] |l'|cet |cette "
        r"|ce )\w+ (?:est|soit))\b",
        "it is not",
    ),
    (r"(?<=\S)[;,] (?:mais |et )?[\"']?[\w-]{1,25}[\"']? (?:ne rime pas|non|pas)(?=[.!]?$)", ""),
    (r"(?<=\S)[;,.] [\"']?[\w-]{1,25}[\"']? n'est pas (?:un|le|son|l') ?(?:contraire|antonyme|synonyme|opposé)\b[^.;\n]*", ""),
    (
        rf"{X} ne (?:convient|correspond|va|colle) pas ?[;,.] (?:mais )?(?:je dirais|on dirait|il faut dire"
        rf"|mieux vaut|il faudrait dire|on dit|plutôt)(?: plutôt)?\b",
        BUT,
    ),
    (rf"^{X} ?\? (?:pas du tout|absolument pas|certainement pas|en aucun cas|pas vraiment|loin de là)(?:\W*$|[.!](?= ))", r"it is not \1."),
    (
        rf"\b(?:au premier abord|de prime abord|à première vue|en apparence),? "
        r"(?:(?:il|elle|cel[au]i?|ça|on|(?:l[ea] |l'|cette |cet |ce )[\w-]+) "
        rf"(?:semble(?:rait)?|paraît|a l'air|est|dirait|peut sembler)(?: d?'?être)? (?:une? )?)?{X} ?[,;.] "
        r"(?:(?:mais|or|pourtant|cependant) )?"
        r"(?:en (?:fait|réalité|vérité|y regardant de plus près)|à y regarder de plus près),? (?:il|elle|cela|ça|c')? ?est "
        r"(?:plutôt )?",
        BUT,
    ),
    (
        rf"\b(?:au premier abord|de prime abord|à première vue),? {X}, (?:mais )?(?:(?:elle|il|cel[au]i?|(?:l[ea] |l'"
        rf"|cette |cet |ce )[\w-]+) )?"
        r"(?:s'avère|est|se révèle) (?:(?:en (?:fait|réalité)|finalement|être|plutôt) )*",
        BUT,
    ),
    (
        rf"\b(?:semble|paraît|a l'air|peut sembler|peut paraître) {X},? mais (?:(?:il|elle|cela|ça) )?(?:ne l'est pas"
        rf"|(?:ce )?n'est pas le cas)\b",
        r"is not \1",
    ),
    (
        rf"\b{X}(?:\.\.\.|,)? mais,? (?:à la réflexion|réflexion faite|en y (?:réfléchissant|repensant|regardant de plus près)"
        r"|tout bien considéré),? (?:(?:c'est|elle est|il est|plutôt) )*",
        BUT,
    ),
    (r"^(?:malgré|en dépit d(?:e|es|u)|bien qu(?:e|')|même s(?:i|')|quoiqu(?:e|')) ?[^,.;!?\n]{1,100}, ", ""),
    (
        r",? (?:malgré(?! tout| ça| cela)|en dépit d(?:e|es|u)|bien qu(?:e|')|même s(?:i|')|quoiqu(?:e|')) ?[^,.;!?\n]*(?=[.;!?\n]|$)",
        "",
    ),
    (r"\bsans (?:aucune?|le moindre|la moindre|(?:aucune? )?éléments?|rien de) (?:[\w-]+ )?(?=[\w-]+\s*(?:[.,;!]|$))", "not "),
    (r"\brien (?:ici )?(?:d'|de )(?!autre|plus|mieux|tel)", "not "),
    (
        r"\bnon[ -](?=(?:valide|valable|plausible|vraisemblable|crédible|correcte?|exacte?|positi|négati|concluant|sarcastique)\w*)",
        "not ",
    ),
    (r"\brien (?:ici |dans \w+ \w+ )?n'est ", "it is not "),
    (
        rf"\b(?:certains|d'aucuns|beaucoup)(?: \w+)? (?:diraient|diront|disent|pensent|pencheraient pour)(?: que c'est)? {X},? (?:et "
        rf"|mais )?d'autres ",
        r"either \1 or ",
    ),
    (
        rf"\b(?:certains|d'aucuns|beaucoup) (?:diraient|pourraient dire|diront|pensent)(?: que c'est)? {X}, mais "
        r"(?:je dirais (?:que c'est )?|pour moi,? (?:c'est )?|c'est |la (?:bonne )?réponse est |je pense que c'est )+",
        BUT,
    ),
    (rf"\bj'ai (?:aussi )?(?:envisagé|considéré|hésité avec|pensé à) {X}, mais ", BUT),
    (rf"\bbien que {X} soit \w+, (?:la (?:bonne )?réponse est |c'est )?", BUT),
    (
        rf"\bon pourrait (?:plaider|argumenter|opter|pencher) pour {X}, mais (?:au final,? |finalement,? "
        rf"|en fin de compte,? |c'est |la réponse est )+",
        BUT,
    ),
    (rf"\bsi (?:l')?on (?:exclut|écarte|élimine) {X}, (?:il )?(?:ne )?reste(?: que)? (?:donc )?", BUT),
    (rf"\bnon, (?:ce n'est )?pas {X}[.;] c'est ", BUT),
    (rf"\bn'est pas {X}[.;] (?:c'est|elle est|il s'agit de) ", r"is not \1, but "),
    (rf"(?:[;,.]| -) {X} ne (?:s'appliquerait|vaudrait|serait \w+|conviendrait) que [^.;]*", ""),
    (
        rf"\bles deux (?:réponses )?(?:sont|restent) (?:possibles|envisageables|plausibles|valables) ?: {X} et ",
        r"both \1 and ",
    ),
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
        r"\bn'est (?:certainement |absolument |donc |vraiment |malheureusement )?(?:pas|nullement|en aucun cas|aucunement"
        r"|guère)(?: (?:du tout|vraiment|forcément))? (?:la (?:bonne )?réponse|correcte?|juste|exacte?)\b",
        "is wrong",
        JUDGES,
    ),
    (
        r"\b(?:ce |cela |ça )?n'est (?:certainement |absolument |donc |vraiment |sûrement )?(?:pas|nullement"
        r"|en aucun cas|aucunement|guère)(?: (?:du tout|vraiment|forcément))?\b"
        rf" ?{NOUN}",
        "it is not ",
    ),
    (r"\bne (?:peut|saurait) (?:donc )?pas être\b", "cannot be"),
    (r"\bn'a (?:absolument |vraiment )?rien (?:de |d')", "it is not "),
    (r"\bje ne dirais (?:certainement |donc )?pas\b(?: qu'(?:il|elle) est\b)?", "it is not"),
    (
        rf"\b(?:on|l'on) (?:pourrait|peut)(?: être tenté de| vouloir)? (?:dire|répondre) {X}(?: pour cette raison)?,? mais "
        r"(?:(?:une personne|la plupart|quelqu'un|on|je)[^.;,\n]{0,30}? )?(?:(?:répond\w*|dir\w+)(?: que)? )?",
        BUT,
    ),
    (r"\b(?:répondr\w+|répond|dirai[st]|dirait) que (?=(?:oui|non)\b)", "would answer: "),
    (r"\b(?:en aucun cas|certainement pas|sûrement pas|surtout pas|absolument pas|pas du tout|aucunement|nullement)\b", "not"),
    (r"\b(?:ne (?:convient|colle|tient|marche|correspond) pas|n'a (?:pas de|aucun) sens|n'a pas lieu d'être)\b", "makes no sense"),
    (r"\bne (?:fait|font|donne|donnent|semble|paraît|vaut|valent) (?:pas|guère)\b", "it is not"),
    (rf"\bn'est {X} qu'en apparence\b", r"is not \1"),
    (r"\bn'est pas\b", "is not"),
    (
        rf"\b(?:impossible de|on ne peut pas|difficile de|il est (?:impossible|difficile) de) (?:dire"
        rf"|savoir|déterminer|trancher)(?: (?:si (?:c'est|il s'agit de)|entre))? {X}\s(?:ou|et)\b",
        r"I do not know whether it is \1 or",
    ),
    (
        r"\b(?:je ne sais pas|je ne suis pas sûre?|on ne sait pas|j'ignore|il n'est pas clair|pas clair) s(?:i "
        r"|')(?:c'est |il s'agit de )?",
        "I do not know whether it is ",
    ),
    (r"\bcela dépend\b|\bça dépend\b|\btout dépend\b|\bselon (?:la |le |l')?[\w']+,", "it depends,"),
    (rf"\bpeut-être {X}, peut-être\b", r"maybe \1, maybe"),
    (rf"\bà la fois {X} et\b|\baussi bien {X} que\b|\btant {X} que\b", r"both \1\2\3 and"),
    (rf"\b(?:peut|pourrait)(?: bien)? être {X},? (?:mais (?:aussi|également)|comme) (?:bien )?", r"could be \1 or "),
    (rf"\bsoit {X},? (?:soit|ou(?: bien)?)\b", r"either \1 or"),
    (r"\bou (?:bien|encore|alors)\b", "or"),
    (rf"\bni {X},? ni\b", r"neither \1 nor"),
    (rf"\bplutôt {X} que\b", r"\1 rather than"),
    (r"\bplutôt (?:que|qu')", "rather than "),
    (r"\bau lieu (?:de|d')\b", "instead of"),
    (
        rf"\b(?:j'(?:ai|avais) (?:d'abord|initialement) (?:pensé|cru|dit|écrit|trouvé)|(?:d'abord|au début),? (?:j'ai"
        rf"|j'avais|je) (?:pens\w+|cru|dit|écrit))"
        rf"(?: à| que c'était| que)? {X},? mais (?:en (?:fait|réalité),? |finalement,? |la (?:bonne )?réponse est "
        rf"|c'est |c'était )+",
        r"It is not \1, but ",
    ),
    (
        rf"\bon pourrait (?:croire|penser|dire)(?: à| que c'est)? {X},? mais (?:en (?:fait|réalité),? "
        rf"|c'est |la (?:bonne )?réponse est )+",
        r"It is not \1, but ",
    ),
    (rf"\bà première vue,? (?:c'est )?{X},? mais (?:en (?:fait|réalité),? |c'est |la (?:bonne )?réponse est )+", r"It is not \1, but "),
    (rf"(?:^|(?<=[\s\"']))(?:pas|non)(?: pas)? {X},? mais(?: plutôt| bien)?\b", r"not \1, but"),
    (r"(?<=, )(?:et )?(?:non|pas) (?=\S)", "not "),
    (r"\bet (?:non|pas) (?=\S)", "and not "),
    (r"(?:^|(?<=[\s.-]{2}))(?:attendez?|attends|pardon|erreur),? (?:non|en fait)\b[:,]?", "wait, no:"),
    (r"\bcar\b", "because"),
    (
        r"\b(?:je (?:vous )?(?:choisis|choisirais|retiens|sélectionne|prends|recommand(?:e|erais)|conseille(?:rais)?"
        r"|suggère|suggérerais|propose(?:rais)?)|j'opte pour|j'opterais pour|mon choix se porte sur"
        r"|je penche pour|je vote pour|je me décide pour|je tranche pour|je m'arrête sur|je m'en tiens à|j'arrête mon choix sur)\b",
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
    (rf"\b(?:l[ae] )?premi(?:er|ère) {_STATEMENT}", FIRST),
    (rf"\b(?:l[ae] )?(?:second|seconde|deuxième|dernière) {_STATEMENT}|\bla (?:seconde|deuxième)(?=\s?[.,;]|$)", SECOND),
    (
        r"\b(?:savoir|déterminer|dire|décider|juger|vérifier|demander|demandé|indiqué|précisé) s(?:i |')[^.!?;:\n,]{1,140}",
        "that",
    ),
)
WORDS = (
    "pensent croient pense croit disent dit supposent savoir déterminer dire décider juger vérifier demander demandé indiqué précisé "
    "sans malgré dépit même quoique quoiqu rien abord mais certains aucuns beaucoup envisagé considéré bien plaider si "
    "exclut deux pas ou non ne n premier seconde deuxième dernière "
    "nullement aucun soit peut pourrait plutôt lieu d abord première car je j mon cela ça il probablement clairement avis vue apparence ni"
)
"""Each frame has one of these words."""
SHARED = "non ne n ni soit lieu abord d c j première premier bien si deux"
"""Those that other languages have as well."""
COMMON = "est les la le une mais c j réponse il ce cet cette en que qui à et de des du sont plus elle rien"
"""Other words by which the language is known."""
