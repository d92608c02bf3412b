"""What replies in German, French, Spanish, Chinese, Japanese and Korean say around an answer, put as an English reply would.

Only frames are put in English: denials, alternatives, doubts, corrections and contrasts ("nicht X, sondern Y" becomes
"not X, but Y"). Answers stay as they are, and the rules for English replies then read what is left.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from promptlab.scoring.answers.text import western, words
from promptlab.scoring.compiled import regex

LONGEST = 1_500
"""Characters of the longest reply whose frames are put in English."""
_X = r"([^.!?;:\n,]{1,70}?)"
_Q = r"[\"']?"
_JUDGES = "judges"
"""Marks a frame that says whether something is right, which is an answer where the options are right and wrong."""

_NOUN = r"(?:une? [\w-]+ (?=[\w-]+\s?(?:[.,;!]|$))|una? [\w-]+ (?=[\w-]+\s?(?:[.,;!]|$)))?(?:une? |una? )?"
"""What a language of the south puts before an adjective: "un argumento válido"."""
_STATEMENT_DE = r"(?:aussage|satz|option|antwort(?:möglichkeit)?|möglichkeit|äußerung)\b"
_STATEMENT_FR = r"(?:phrase|énoncé|option|affirmation|proposition|réponse|remarque)\b"
_STATEMENT_ES = r"(?:frase|oración|opción|afirmación|respuesta|enunciado|declaración)\b"
_FIRST, _SECOND = "the first sentence", "the second sentence"

_GERMAN = (
    (rf"\bvon {_X} kann (?:hier |da(?:bei)? )?(?:gar )?keine rede sein", r"it is not \1"),
    (rf"\b(?:es|das|die antwort|die lösung|hier) (?:ist|sind) alles andere als\b", "it is not"),
    (r"\balles andere als\b", "not"),
    (
        rf"\b(?:man kann (?:hier )?nicht (?:sagen|behaupten)|ich (?:glaube|denke|finde|meine) nicht|ich bezweifle|es (?:ist nicht so"
        rf"|stimmt nicht)|es ist (?:zu bezweifeln|nicht davon auszugehen)), dass (?:es(?: sich)?(?: um)?|das|dies|(?:die|der|das|diese[rs]?) [\w-]+)"
        rf"(?: hier)? {_X} (?:ist|sei|wäre|handelt|lautet)\b",
        r"it is not \1",
    ),
    (rf"\bich (?:würde|kann|möchte) (?:hier )?(?:nicht|keinesfalls) {_X} (?:sagen|antworten|wählen|nehmen)\b", r"it is not \1"),
    (rf"\bkann (?:hier |also )?(?:nicht|unmöglich) {_X} sein\b", r"cannot be \1"),
    (r"\b(?:auf (?:gar )?keinen fall|keines(?:falls|wegs)|in keine[rm] \w+|(?:ganz )?(?:sicher(?:lich)?|bestimmt|gewiss|definitiv"
     r"|eindeutig|mit sicherheit|wohl|eher) nicht|niemals|mitnichten)\b", "not"),
    (r"\b(?:kommt (?:hier )?nicht in ?frage|ist ausgeschlossen|ist (?:hier )?(?:sicher )?auszuschließen)\b", "is wrong"),
    (r"\b(?:passt (?:hier )?nicht|ergibt (?:hier )?keinen sinn|nicht passt|keinen sinn ergibt)\b", "makes no sense"),
    (r"\b(?:stimmt (?:so )?nicht|trifft (?:hier )?nicht zu|ist (?:so )?(?:nicht (?:richtig|korrekt|die (?:richtige )?(?:antwort|lösung))))\b",
     "is wrong", _JUDGES),
    (rf"\bob {_X} oder {_X},? (?:lässt|kann|ist|bleibt|weiß)\b", r"whether \1 or \2, it is unclear, is"),
    (rf"\b(?:das )?hängt davon ab\b|\bje nach(?:dem)?(?: \w+)?|\bkommt darauf an\b", "it depends,"),
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
    (rf"\b(?:(?:zu)?erst|zunächst|anfangs|ursprünglich) (?:dachte|glaubte|meinte|vermutete|tippte|rechnete) ich"
     rf"(?: noch)?,?(?: an| auf| mit| dass)?(?: (?:es|das|die antwort)(?: (?:ist|wäre|sei))?)? {_X}(?: (?:ist|wäre|sei))?,? "
     rf"(?:(?:aber|doch|jedoch|dann|tatsächlich|richtig|es|das|ist|lautet) ){{2,6}}(?:die antwort )?", r"It is not \1, but "),
    (rf"\b(?:ich habe |hatte )?(?:zu(?:erst|nächst)|anfangs) {_X} (?:gedacht|vermutet|geschrieben),? "
     rf"(?:(?:aber|doch|jedoch|dann|tatsächlich|richtig|es|das|ist|lautet) ){{2,6}}", r"It is not \1, but "),
    (rf"\bman (?:könnte|würde|möchte) (?:zunächst |vielleicht |meinen, es sei |auf den ersten blick )?{_X} (?:vermuten|denken|meinen|annehmen|erwarten|sagen)"
     rf",? (?:(?:aber|doch|jedoch|tatsächlich|richtig|es|das|ist|lautet) ){{2,6}}", r"It is not \1, but "),
    (rf"\bauf den ersten blick (?:(?:scheint|wirkt|ist|klingt) (?:es|das) )?{_X}, (?:(?:aber|doch|jedoch|tatsächlich|in wirklichkeit|eigentlich|ist|es|das|in wahrheit)"
     rf" ){{1,6}}", r"It is not \1, but "),
    (rf"(?:^|(?<=[,;.] ))(?:aber |denn |und )?(?:richtig|korrekt) (?:ist|wäre|lautet)(?: (?:aber|jedoch|vielmehr|also|stattdessen|hingegen))?\b(?! dass)",
     "the correct answer is"),
    (r"(?:^|(?<=[\s.-]{2}))(?:moment|halt|stopp|warte),? (?:mal,? )?nein\b[:,]?", "wait, no:"),
    (rf"\bnicht {_X},? sondern\b", r"not \1, but"),
    (r"(?:^|(?<=[\s\"']))nicht (?=\S)", "not "),
    (r"\bsondern\b", "but"),
    (r"\b(?:ich entscheide mich für|(?:ich|wir) wähle?n?|ich tippe auf|(?:meine|die) wahl fällt auf|ich nehme|ich bin für|ich stimme für"
     r"|ich plädiere für)\b", "I choose"),
    (r"^(?:ganz |sehr |relativ )?(?:klar|eindeutig|offensichtlich|vermutlich|wahrscheinlich|wohl|sicherlich|bestimmt|definitiv|(?:am )?ehesten|meine[rs] "
     r"(?:meinung|ansicht|erachtens)(?: nach)?|m\.?e\.?|höchstwahrscheinlich)[:,]? ", "Clearly "),
    (r"\b(?:mit|als) (?=[\"'](?:ja|nein)\b)(?:([\"'])(ja|nein)\1) (?:antworten|beantworten|beantwortet|zu (?:verstehen|werten|beantworten))\b", r"answer is \2"),
    (r"\boder\b", "or"),
    (rf"\b(?:d(?:ie|er|as|em|en) )?erste[rns]? {_STATEMENT_DE}", _FIRST),
    (rf"\b(?:d(?:ie|er|as|em|en) )?(?:zweite|letztere)[rns]? {_STATEMENT_DE}", _SECOND),
)  # fmt: skip
_FRENCH = (
    (rf"\bon ne (?:peut|saurait) pas (?:dire|affirmer) (?:que (?:ce soit|c'est|(?:la|le|l'|cette|cet|ce) ?[\w-]+ (?:soit|est))|qu'(?:il|elle) (?:soit"
     rf"|est)|qu'il s'agi(?:sse|t) d(?:e|'une?))\s?", "it is not "),
    (r"\bje ne (?:pense|crois) pas (?:que (?:ce soit|c'est|la réponse soit|(?:la|le|l'|cette|cet|ce) ?[\w-]+ (?:soit|est))|qu'(?:il|elle) (?:soit|est)"
     r"|qu'il s'agisse d(?:e|'une?))\s?", "it is not "),
    (r"\b(?:je doute|il est (?:faux|inexact)) que (?:ce soit|la réponse soit|(?:la|le|l'|cette|cet|ce) ?[\w-]+ soit)\s?", "it is not "),
    (r"\b(?:il )?ne s'agit (?:certainement |donc )?(?:pas|nullement) (?:de |d'une? )", "it is not "),
    (r"\bn'est (?:certainement |absolument |donc |vraiment )?(?:pas|nullement|en aucun cas|aucunement|guère)(?: (?:du tout|vraiment|forcément))? (?:la (?:bonne )?réponse|correcte?|juste|exacte?)\b",
     "is wrong", _JUDGES),
    (r"\b(?:ce |cela |ça )?n'est (?:certainement |absolument |donc |vraiment |sûrement )?(?:pas|nullement|en aucun cas|aucunement|guère)(?: (?:du tout|vraiment|forcément))?\b"
     rf" ?{_NOUN}", "it is not "),
    (r"\bne (?:peut|saurait) (?:donc )?pas être\b", "cannot be"),
    (r"\bje ne dirais (?:certainement )?pas\b", "it is not"),
    (r"\b(?:en aucun cas|certainement pas|sûrement pas|surtout pas|absolument pas|pas du tout|aucunement|nullement)\b", "not"),
    (r"\b(?:ne (?:convient|colle|tient|marche|correspond) pas|n'a (?:pas de|aucun) sens|n'a pas lieu d'être)\b", "makes no sense"),
    (r"\bn'est pas\b", "is not"),
    (rf"\b(?:impossible de|on ne peut pas|difficile de|il est (?:impossible|difficile) de) (?:dire|savoir|déterminer|trancher)(?: (?:si (?:c'est|il s'agit de)|entre))? {_X}\s(?:ou|et)\b", r"I do not know whether it is \1 or"),
    (r"\b(?:je ne sais pas|je ne suis pas sûre?|on ne sait pas|j'ignore|il n'est pas clair|pas clair) s(?:i |')(?:c'est |il s'agit de )?", "I do not know whether it is "),
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
    (rf"\b(?:j'(?:ai|avais) (?:d'abord|initialement) (?:pensé|cru|dit|écrit|trouvé)|(?:d'abord|au début),? (?:j'ai|j'avais|je) (?:pens\w+|cru|dit|écrit))"
     rf"(?: à| que c'était| que)? {_X},? mais (?:en (?:fait|réalité),? |finalement,? |la (?:bonne )?réponse est |c'est |c'était )+", r"It is not \1, but "),
    (rf"\bon pourrait (?:croire|penser|dire)(?: à| que c'est)? {_X},? mais (?:en (?:fait|réalité),? |c'est |la (?:bonne )?réponse est )+", r"It is not \1, but "),
    (rf"\bà première vue,? (?:c'est )?{_X},? mais (?:en (?:fait|réalité),? |c'est |la (?:bonne )?réponse est )+", r"It is not \1, but "),
    (rf"(?:^|(?<=[\s\"']))(?:pas|non)(?: pas)? {_X},? mais(?: plutôt| bien)?\b", r"not \1, but"),
    (r"(?<=, )(?:et )?(?:non|pas) (?=\S)", "not "),
    (r"\bet (?:non|pas) (?=\S)", "and not "),
    (r"(?:^|(?<=[\s.-]{2}))(?:attendez?|attends|pardon|erreur),? (?:non|en fait)\b[:,]?", "wait, no:"),
    (r"\bcar\b", "because"),
    (r"\b(?:je (?:choisis|choisirais|retiens|sélectionne|prends)|j'opte pour|j'opterais pour|mon choix se porte sur|je penche pour|je vote pour)\b", "I choose"),
    (r"^(?:très )?(?:probablement|clairement|sans doute|évidemment|manifestement|à mon avis|selon moi|vraisemblablement|certainement|assurément)[,:]? ", "Clearly "),
    (r"^(?:il s'agit (?:bien |donc |plutôt )?(?:de |d'une? )|je dirais (?:que c'est |que )?|on a (?:donc )?)(?!pas\b)", "It is "),
    (r"\b(?:répondr\w+|répond|répondre) (?:par )?(?:l'affirmative|la négative) ?: ", "answer: "),
    (r"\bou\b", "or"),
    (rf"\b(?:l[ae] )?premi(?:er|ère) {_STATEMENT_FR}", _FIRST),
    (rf"\b(?:l[ae] )?(?:second|seconde|deuxième|dernière) {_STATEMENT_FR}|\bla (?:seconde|deuxième)(?=\s?[.,;]|$)", _SECOND),
)  # fmt: skip
_SPANISH = (
    (r"\bno (?:se )?(?:puede|podemos|cabe) (?:decir|afirmar) que (?:sea|es|(?:la|el|este|esta|ese|esa) [\w-]+ (?:sea|es)|se trat[ea] de)\b", "it is not"),
    (r"\b(?:yo )?no (?:creo|pienso|considero|diría) que (?:sea|es|(?:la|el|este|esta|ese|esa) [\w-]+ (?:sea|es)|se trat[ea] de)\b", "it is not"),
    (r"\bdudo que (?:sea|(?:la|el) [\w-]+ sea)\b", "it is not"),
    (r"\b(?:yo )?no diría(?: que)?\b", "it is not"),
    (rf"\bno se trata de {_NOUN}", "it is not "),
    (r"\bno (?:es|era) (?:la (?:respuesta|opción)(?: correcta)?|correct[oa]|cierto)\b(?=[.,;]|$)", "is wrong", _JUDGES),
    (rf"\bno (?:es|parece) {_NOUN}", "it is not "),
    (r"\bno puede ser\b", "cannot be"),
    (r"\bes (?:falso|incorrecto|erróneo)(?=[.,;]|$)", "is wrong", _JUDGES),
    (r"\b(?:de ningun[ao]? (?:manera|modo|forma)|en ningún caso|para nada|en absoluto|desde luego que no|ni mucho menos)\b", "not"),
    (r"\b(?:queda descartad[oa]s?|está descartad[oa]|no viene al caso)\b", "is wrong"),
    (r"\bno (?:encaja|cuadra|procede|corresponde|tiene sentido|aplica)\b", "makes no sense"),
    (rf"\bno (?:está|queda|es) claro si (?:es |se trata de |quiere decir |significa )?{_X} [ou]\b", r"I do not know whether it is \1 or"),
    (r"\b(?:no sé|no sabemos|desconozco|no estoy segur[oa](?: de)?|es (?:difícil|imposible) (?:saber|decir|determinar)) si (?:es )?", "I do not know whether it is "),
    (r"\b(?:todo )?depende\b[^:,.\n]{0,40}[:,]?|\bsegún (?:cómo se \w+|la \w+|el \w+),", "it depends,"),
    (rf"\b(?:quizás?|tal vez|acaso) {_X}, (?:quizás?|tal vez|acaso)\b", r"maybe \1, maybe"),
    (rf"\btanto {_X} como\b", r"both \1 and"),
    (rf"\b(?:puede|podría) ser {_X},? (?:pero|aunque|y) también (?:podría ser |puede ser )?", r"could be \1 or "),
    (rf"(?:^|(?<=[\s(]))(?:o(?: bien)?|ya sea) {_X},? (?:o|u)(?: bien)?\b", r"either \1 or"),
    (rf"(?:^|(?<=[\s(]))ni {_X},? ni\b", r"neither \1 nor"),
    (rf"\bmás bien {_X} que\b", r"\1 rather than"),
    (r"\ben (?:lugar|vez) de\b", "instead of"),
    (rf"\b(?:primero|al principio|inicialmente|en un principio),? (?:pensé|creí|dije|escribí|supuse)(?: en| que(?: era)?)? {_X},? (?:pero|aunque|sin embargo,) (?:en realidad,? |(?:la respuesta )?es |la correcta es |luego vi que (?:es|era) )+", r"It is not \1, but "),
    (rf"\bse podría (?:pensar|creer|decir)(?: en| que es)? {_X},? pero (?:en realidad,? |(?:la respuesta )?es )+", r"It is not \1, but "),
    (rf"\ba primera vista,? (?:parece )?{_X},? pero (?:en realidad,? |es )+", r"It is not \1, but "),
    (rf"(?:^|(?<=[\s\"']))no {_X},? sino(?: más bien)?\b", r"not \1, but"),
    (r"\bsino(?: más bien)?\b", "but"),
    (r"\by no (?=\S)", "and not "),
    (r"(?<=, )no (?=\S)", "not "),
    (r"\b(?:porque|ya que|puesto que|dado que)\b", "because"),
    (r"\b(?:(?:yo )?elijo|escojo|elegiría|me quedo con|me inclino por|opto por|voto por|mi elección es|selecciono)\b", "I choose"),
    (r"^[¡]?(?:muy )?(?:probablemente|claramente|evidentemente|sin duda|en mi opinión|a mi juicio|seguramente|definitivamente)[,:]? (?:es )?", "Clearly "),
    (r"^(?:se trata de (?:una? )?|(?:yo )?diría (?:que )?(?:es )?)", "It is "),
    (r"(?<=[\s\w\"')]) [ou] (?=\S)", " or "),
    (rf"\b(?:la|el) primera? {_STATEMENT_ES}|\bla primera(?=\s?[.,;]|$)", _FIRST),
    (rf"\b(?:la|el) segund[ao] {_STATEMENT_ES}|\bla segunda(?=\s?[.,;]|$)", _SECOND),
)  # fmt: skip
_C = r"([^。.!?;:\n,、]{1,60}?)"
_TOPIC = r"(?:[^。.!?;:\n,、]{1,30}[はが])?(?: ?決して)? ?"
_SUBJECT = r"(?:(?:[^。.!?;:\n,、]{0,30}[가-힣])?[은는] )?(?:절대(?:로)? |결코 )?"
_STOP = r"(?=\s*(?:[。.!?;\n,、]|$))"
_CHINESE = (
    (rf"与其说是?{_C}[,，]? ?不如说是? ?", r"It is not \1, but "),
    (rf"(?:我)?(?:起初|一开始|最初|原本|本来|开始)(?:以为|认为|觉得|算成了?)(?:答案)?是? ?{_C}[,，]? ?(?:但|不过|然而|后来|其实|实际上|发现|应该|正确答案|答案|，)+是?(?:应该是)? ?", r"It is not \1, but "),
    (rf"(?:乍一看|表面上看?|看似|看起来)(?:像|好像|似乎)?是? ?{_C}[,，]? ?(?:但|不过|然而|其实|实际上|，)+是? ?", r"It is not \1, but "),
    (rf"(?:要么|或者)是? ?{_C}[,，]? ?(?:要么|或者)是? ?", r"either \1 or "),
    (rf"(?:可能|也许|或许|有可能)是? ?{_C}[,，]? ?(?:也|又|还)?(?:有)?(?:可能|也许|或许)是? ?", r"maybe \1 or maybe "),
    (rf"既(?:是|可以是|可能是)? ?{_C}[,，]? ?(?:又|也)(?:是|可以是|可能是)? ?", r"both \1 and "),
    (rf"{_C} ?[和与] ?{_C} ?(?:都|皆|均)(?:有)?(?:可能|可以|有道理|说得通|行|对|正确|成立)", r"both \1 and \2"),
    (rf"(?:无法|难以|很难|不能(?!说)|不好)(?:确定|判断|判定|说|断定|分辨)(?:究竟|到底)?(?:答案)?(?:是不是|是否是?|是)? ?", "I do not know whether it is "),
    (rf"(?:我)?(?:不确定|不清楚|不知道|不好说|说不准|不明确)(?:究竟|到底)?(?:答案)?(?:是不是|是否是?|是)? ?", "I do not know whether it is "),
    (r"^[\"']?([\w().' -]{1,20}?)[\"']? ?(?:\?|\.\.\.) ?(?:不对?|错了|等等)[,。] ?(?:应该)?是? ?", r"It is not \1, but ", _JUDGES),
    (r"(?:这)?(?:取决于|视|要看)[^,，:。]{0,12}(?:情况|而定|语境|理解)?[:,，]? ?", "it depends, "),
    (rf"(?:答案|结果|这|它|意思)?(?:并)?(?:不是|并非) ?{_C}(?:[,，]? ?而(?:应该)?是|[,，] ?(?:应该|应当)?是) ?", r"not \1, but "),
    (rf"(?:选|应该选|应选)?择? ?{_C}(?:[,，] ?而?|而)不(?:选|应选|是)(?![\"']?[。,]) ?{_C}{_STOP}", r"\1, not \2"),
    (rf"(?:我)?(?:不认为|不觉得|不相信)(?:答案|这|它)?(?:会)?(?:应该)?是? ?", "it is not "),
    (r"(?:答案|这|它|结果)?(?:绝对|肯定|显然|当然|一定|并|绝|决|完全)?(?<![\"'])(?:不是|并非|不可能是?|不能说是?|不应该?是|不会是|不会选|不算是?|称不上|谈不上)(?! ?(?:正确|错误|对|错|真|假)) ?", "not "),
    (rf"{_C}(?:是错的|是错误的|不正确|不对|不是正确(?:的)?答案|不是答案|是不对的|是不正确的|不成立){_STOP}", r"\1 is wrong", _JUDGES),
    (rf"{_C}(?:不合适|说不通|不符合|讲不通|被排除|不适用){_STOP}", r"\1 makes no sense"),
    (r"排除(?:了|掉)? ?([^。.!?;:\n,、]{1,60}?)(?:之)?后[,，]? ?(?:答案)?(?:就|只剩下?|剩下的?|应该|就只能)?(?:是)? ?", "the answer is "),
    (r"(?:正确的|对的)(?:应该)?是 ?(?=\S)", "答案是", _JUDGES),
    (r"[,，]? ?因为 ?", ", because "),
    (r" ?(?:或者?|还是)(?:是)? ?", " or "),
    (r"第[一1] ?(?:句话?|个(?:句子|陈述|选项|说法)?|项|条|种说法)|前者|前一句", f" {_FIRST} "),
    (r"第[二2] ?(?:句话?|个(?:句子|陈述|选项|说法)?|项|条|种说法)|后者|后一句", f" {_SECOND} "),
)  # fmt: skip
_JAPANESE = (
    (rf"(?:答えは|正解は)?{_C} ?というより(?:も|は)?[,、]? ?(?:むしろ)? ?", r"It is not \1, but "),
    (rf"(?:最初|はじめ|初め|当初)(?:は|に)?[,、]? ?{_C} ?(?:だ|か)?と(?:思い|考え|計算し)(?:まし)?た(?:が|けど|けれど)[,、]? ?(?:実際|正しく|本当|正解|答え)?(?:に)?(?:は)? ?", r"It is not \1, but "),
    (rf"(?:一見|ぱっと見)(?:すると|は)?[,、]? ?{_C} ?(?:です|だ|に見えます|のようです|に見える|のよう)?(?:が|けど)[,、]? ?(?:実際|正しく|本当)?(?:に)?(?:は)? ?", r"It is not \1, but "),
    (rf"(?:答えは|正解は)?{_C} ?(?:では|じゃ|で)(?:なく(?:て)?|なくて)[,、]? ?", r"not \1, but "),
    (rf"{_TOPIC}{_C} ?とは(?:言え|いえ|思え)ず[、,]? ?", r"not \1, but "),
    (rf"{_C} ?かもしれ(?:ない|ません)し[,、]? ?{_C} ?かもしれ(?:ない|ません)", r"maybe \1 or maybe \2"),
    (rf"{_C} ?(?:とも|でもあり)[,、]? ?{_C} ?(?:とも言え(?:ます|る)|でもあり?(?:ます|る)?|とも取れ(?:ます|る)|とも(?:いえ(?:ます|る)))", r"both \1 and \2"),
    (rf"{_C} ?(?:とも)[,、]? ?{_C} ?(?:とも)(?:言え|いえ|断定でき|判断でき)(?:ません|ない)", r"neither \1 nor \2"),
    (rf"{_C} ?と ?{_C} ?の(?:どちらも|両方(?:とも)?|いずれも)", r"both \1 and \2 "),
    (rf"{_C} ?(?:なのか|か)[,、]? ?{_C} ?(?:なのか|か)(?:は|が|を|どうか|の|、)* ?(?:判断|わか|分か|断定|はっきり|不明|決め|どちら|区別)", r"whether \1 or \2 "),
    (rf"{_C} ?(?:か|または|もしくは|あるいは|、または|、あるいは|、もしくは) ?(?={_C} ?(?:の(?:どちら|いずれ)|です|でしょう|だ|になります|かは|かも|$))", r"\1 or "),
    (r"正しくは ?(?=\S)", "答えは", _JUDGES),
    (r" ?(?:または|もしくは|あるいは) ?", " or "),
    (r"^[\"']?([\w().' -]{1,20}?)[\"']? ?(?:\?|\.\.\.) ?(?:いいえ|いや|違います|間違えました)[、,。] ?", r"It is not \1, but ", _JUDGES),
    (r"(?:場合|文脈|解釈)に(?:より(?:ます)?|よって)[:、,]? ?", ""),
    (rf"{_TOPIC}{_C} ?(?:だ|である)?(?:とは|と)(?:言え|いえ|限ら|思え|考えられ|思い|思わ|考え)(?:ない|ません)", r"it is not \1"),
    (rf"{_TOPIC}{_C} ?(?:の|である|な)はず(?:が|は)(?:ない|ありません)", r"it is not \1"),
    (rf"{_TOPIC}{_C} ?(?:では|じゃ)(?:ない|ありません)(?:です|と思います|でしょう|と考えます|はずです)?", r"it is not \1"),
    (rf"(?:答えとして)?{_C} ?(?:は|が) ?(?:間違い|誤り|不正解|不適切|正しく(?:ない|ありません)|違います|違う|当てはまら(?:ない|ず)|当てはまりません|誤答)(?:です|だ|で|である)?", r"\1 is wrong", _JUDGES),
    (rf"{_C} ?を(?:除外|除|排除)(?:すると|くと|すれば|けば|して|いて)[,、]? ?(?:残るのは|残りは|答えは)? ?", "the answer is "),
    (r"(?:[1一] ?(?:つ目|番目)|最初)の(?:文|選択肢|発言|ほう|方|もの)|前者|[1一] ?つ目", f" {_FIRST} "),
    (r"(?:[2二] ?(?:つ目|番目)|最後|後)の(?:文|選択肢|発言|ほう|方|もの)|後者|[2二] ?つ目", f" {_SECOND} "),
    (rf"{_C} ?(?:を選びます|を選択します|を選ぶ|と(?:判断|結論|推測|予想)(?:します|できます|されます|する)|(?:だ|である)?と(?:思います|考えます|考えられます|思われます|言えます|言えるでしょう|判断できます)"
     rf"|に(?:違いありません|違いない|なります|決まっています)|(?:が|の方が|のほうが) ?(?:正解|正しい(?:答え)?|答え|適切)(?:です|だ)){_STOP}", r"It is \1"),
)  # fmt: skip
_KOREAN = (
    (rf"(?:답은|정답은)? ?{_C} ?(?:이)?라기보다는?[,、]? ?(?:오히려)? ?", r"It is not \1, but "),
    (rf"(?:처음(?:에는|엔)?|원래(?:는)?|당초) ?{_C} ?(?:이)?(?:라고|인 줄|라) (?:생각|여|알|계산)(?:했|겼|았)(?:지만|으나|는데)[,]? ?(?:사실(?:은)?|실제로(?:는)?|정답은|답은)? ?", r"It is not \1, but "),
    (rf"(?:언뜻|얼핏|겉보기에(?:는)?) (?:보면 |보기에 )?{_C} ?(?:같지만|처럼 보이지만|(?:으)?로 보이지만|이지만)[,]? ?(?:사실(?:은)?|실제로(?:는)?)? ?", r"It is not \1, but "),
    (rf"(?:답은|정답은|이 \w+[은는])? ?{_C} ?(?:[이가은는] 아니라|(?:이)?지 않고|[이가] 아니고) ?,? ?(?!고)", r"not \1, but "),
    (rf"{_C} ?(?:일|할) 수도 있고,? {_C} ?(?:일|할) 수도 있", r"maybe \1 or maybe \2"),
    (rf"{_C} ?(?:이)?기도 하고,? {_C} ?(?:이)?기도", r"both \1 and \2 "),
    (rf"{_C} ?[와과] {_C} (?:둘 다|모두|양쪽 다|둘 모두)", r"both \1 and \2 "),
    (rf"{_C} ?(?:인지|할지),? {_C} ?(?:인지|할지)(?:는|를)? ?", r"whether \1 or \2, unclear "),
    (rf"(?<!\w){_C} ?(?:이거나|또는|혹은|아니면|,? 아니면|이나|나) (?={_C} ?(?:입니다|이다|이에요|예요|중|일|라|$))", r"\1 or "),
    (r"(?:맞는|옳은|올바른) (?:것은|건|답은) ?(?=\S)", "답은 ", _JUDGES),
    (r" (?:또는|혹은) ", " or "),
    (r"^[\"']?([\w().' -]{1,20}?)[\"']? ?(?:\?|\.\.\.) ?(?:아니[요오]?|아뇨)[,.] ?", r"It is not \1, but ", _JUDGES),
    (r"상황에 따라|경우에 따라|문맥에 따라|해석에 따라", "it depends, "),
    (rf"{_SUBJECT}{_C} ?(?:이)?(?:라고|라) ?(?:할|볼|말할|생각할|단정할) 수(?:는)? 없\w*", r"it is not \1"),
    (rf"{_SUBJECT}{_C} ?(?:이)?(?:라고|라) ?(?:생각하지|보지|여기지) (?:않|못)\w*", r"it is not \1"),
    (rf"{_SUBJECT}{_C} ?일 (?:리가 없|수(?:는)? 없)\w*", r"it is not \1"),
    (rf"{_C} ?[은는이가] (?:틀렸(?:습니다|고|다|으며|어요)|맞지 않\w*|오답(?:입니다|이다|이고|이에요)?|정답이 아\w+|답이 아\w+|잘못(?:되었|됐)\w*|적절하지 않\w*|옳지 않\w*|해당하지 않\w*){_STOP}", r"\1 is wrong", _JUDGES),
    (rf"(?:답은|정답은|절대|결코|이는|이것은)? ?(?:절대(?:로)?|결코)? ?{_C} ?[이가은는] (?:절대 |결코 )?아(?:닙니다|니다|니에요|니며|님|니고|닌 것 같\w+|닐 것\w*)", r"it is not \1"),
    (rf"{_C} ?[을를] (?:제외하면|배제하면|빼면|제외하고|제외한)[,]? ?(?:답은|남는 것은)? ?", "the answer is "),
    (r"첫 ?번째 ?(?:문장|선택지|진술|발언|것|말|보기)?|전자", f" {_FIRST} "),
    (r"두 ?번째 ?(?:문장|선택지|진술|발언|것|말|보기)?|후자", f" {_SECOND} "),
    (rf"(?:저는|나는|제가)? ?{_C} ?(?:[을를] (?:선택|고르|택)(?:하겠습니다|합니다|겠습니다|할게요|하겠어요|했습니다)|[이가] (?:정답|맞|옳|답|적절)(?:입니다|습니다|이에요|아요|합니다)|(?:이)?라고 (?:생각|판단|봅|답|말)(?:합니다|됩니다|해요|니다|하겠습니다)"
     rf"|(?:으)?로 (?:판단|보|생각|추정|예상)(?:됩니다|입니다|합니다|인다)|일 것(?:입니다|이다|같습니다)|인 것 같(?:습니다|아요)|[이가] 됩니다){_STOP}", r"It is \1"),
)  # fmt: skip
_ENGLISH = (
    (rf"\b(?:could|may|might|can) (?:well |just as well |also )?be {_X},? (?:but|and|or|yet|though) (?:(?:it|that|also|equally|just|as|well|easily|could|might|may|can|be|perhaps|maybe) )+", r"could be \1 or "),
    (rf"\b(?:it|this) (may|might|could) be {_X},? (?:it|this) \1 (?:also |equally |just as well )?be\b", r"could be \2 or"),
    (rf"\b(?:at first (?:glance|sight)|on the surface|superficially),? (?:(?:it|this|one|that) (?:seems|looks|appears|sounds)(?: like| to be)? )?{_X}, (?:but|yet) (?:(?:actually|really|in fact|in reality|it's|it|is|the answer|,) ?)+", r"It is not \1, but "),
    (r"\b(?:one|you|we) (?:cannot|can't|can not) (?:really )?say (?:that )?(?:it|this|the \w+) is\b", "it is not"),
    (r"\bby no means\b", "not"),
    (r"\b(?:is|are) out of the question\b", "is wrong", _JUDGES),
    (r"\b(?:under no circumstances|on no account|in no case)\b", "not"),
    (rf"(?:^|(?<=[\s\"'(]))rather {_X} than\b", r"\1 rather than"),
)  # fmt: skip

_FRAMES = {
    "en": _ENGLISH,
    "de": _GERMAN,
    "fr": _FRENCH,
    "es": _SPANISH,
    "zh": _CHINESE,
    "ja": _JAPANESE,
    "ko": _KOREAN,
}
_COMPILED = {
    language: tuple((regex(frame[0], re.I), frame[1], len(frame) > 2) for frame in frames) for language, frames in _FRAMES.items()
}
_GERMAN_WORDS = words(
    "nein nicht oder sondern statt anstatt anstelle weder entweder eher keine keinen keinem keinesfalls keineswegs niemals mitnichten "
    "ob blick tatsächlich wirklichkeit vielleicht teils könnte könnten kann richtig korrekt bezweifle alles abhängt hängt zuerst zunächst anfangs ursprünglich dachte "
    "moment halt entscheide wähle tippe fällt nehme klar eindeutig vermutlich wahrscheinlich wohl meiner ehesten beantworten antworten"
)
_FRENCH_WORDS = words("pas ou non ne n nullement aucun soit peut pourrait plutôt lieu d abord première car je j mon cela ça il probablement clairement avis")
_SPANISH_WORDS = words(
    "no o u ni ningún ninguna ningún nada sino pero porque ya tanto depende quizá quizás tal más bien lugar vez primero primera "
    "falso incorrecto erróneo podría puede queda elijo me quedo inclino escojo selecciono opto trata probablemente claramente opinión sin duda diría absoluto"
)
_MARKS = (
    ("de", _GERMAN_WORDS, (_GERMAN_WORDS - words("ob halt alles moment hängt")) | words("ist die der das es ich und aber antwort von auf ob")),
    ("fr", _FRENCH_WORDS, (_FRENCH_WORDS - words("non ne n soit lieu abord d c j première")) | words("est les la le une mais c j réponse il ce en que à et")),
    ("es", _SPANISH_WORDS, (_SPANISH_WORDS - words("no u ya me tal vez sin")) | words("es el los la una respuesta y de en que se")),
)
_KANA, _HANGUL, _HAN = regex("[\u3040-\u30ff]"), regex("[\uac00-\ud7af]"), regex("[\u4e00-\u9fff]")


_ENGLISH_WORDS = words("also equally may might could glance sight surface superficially circumstances account case rather means question say")
_IN_ENGLISH = words("the is are and or but not of to than answer my would because that this rather so only both it its an could be from with")


def _language(text: str) -> str:
    """The language whose frames a text may have; '' for a text without frames."""
    if not western(text):
        for language, script in (("ko", _HANGUL), ("ja", _KANA), ("zh", _HAN)):
            if script.search(text):
                return language
    said = words(text)
    found = [(len(said & own), language) for language, framed, own in _MARKS if not framed.isdisjoint(said) and not own.isdisjoint(said)]
    most, language = max(found, default=(0, ""))
    if most > len(said & _IN_ENGLISH):
        return language
    return "" if _ENGLISH_WORDS.isdisjoint(said) else "en"


def in_english(text: str, judges: bool = True) -> str:
    """The text with its frames in English; the same object where it has none.

    Without `judges` what says that something is right or wrong stays: where the options are right and wrong it is the answer.
    """
    if len(text) > LONGEST or not (language := _language(text)):
        return text
    told = text
    for pattern, instead, judging in _COMPILED[language]:
        if judges or not judging:
            told = pattern.sub(instead, told)
    return " ".join(told.split(" ")) if told != text else text
