"""Words of seven languages for yes and no, right and wrong and similar options, as patterns."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from promptlab.nouns.item import Item
from promptlab.scoring.answers.text import CACHED, key

_YES = (
    r"yep|yeah|yup|yea|affirmative|(?:absolutely|definitely|certainly|of course)(?! (?:not|(?:an? )?[\"']?(?:no|yes))\b)",
    r"y|true|ja|oui|sí|sì|si|sim|是的?|对|肯定的?|はい|ええ|네|예|긍정(?:적)?",
)
_NO = (
    r"nope|nah|(?:definitely|certainly|absolutely|of course) not(?! (?:an? )?[\"']?(?:yes|no|true|false)\b)|not at all",
    r"n|false|nein|non|não|nao|negative|いいえ|아니요|아니오|不是?|否定的?|否|没有|부정(?:적)?",
)
OTHER_WORDS: dict[str, tuple[str, str]] = {
    "yes": _YES,
    "no": _NO,
    "true": (_YES[0], rf"{_YES[1]}|yes|t|wahr|richtig|vrai|verdadero|verdadeiro|vero|cierto|certo|真|正确|正しい|참"),
    "false": (rf"untrue|{_NO[0]}", rf"{_NO[1]}|no|f|falsch|faux|falso|假|错误|不正确|間違い|偽|거짓"),
    "positive": (
        r"positiv\w{0,2}|positifs?|positives|positiv[oa]s?|正面的?|正向|积极的?|積極的?|肯定的な?|ポジティブ"
        r"|긍정(?:적인)?적?|好评|好意的な?|プラス(?=の?評価|です|$)|호평|찬사",
        r"pos|肯定",
    ),
    "negative": (
        r"negativ\w{0,2}|négatifs?|négatives?|negatif|negativ[oa]s?|负面的?|負面的?|负向|消极的?|消極的?|否定的な?|ネガティブ|부정적?"
        r"|差评|恶评|マイナス(?=の?評価|です|$)|不評|혹평|악평",
        r"neg|否定",
    ),
    "neutral": (r"neutrale[rsmn]?|neutres?|neutr[oa]s?|中立的?|中性|ニュートラル|중립적?", ""),
    "correct": (
        r"right(?= (?:explanation|reason|answer)| *$)|richtige?|korrekte?|zutreffend|correcte?s?|exacte?|juste|correct[oa]s?|acertad[oa]"
        r"|正确的?|正確|对的|正しい|正しく(?!な|あり)|맞는|맞습니다|맞아요|맞다|맞음|맞(?=지)|옳은|옳습니다|옳아요|옳다"
        r"|正解(?=です|である|では|じゃ|だ[。.]?$|[。.]?$)|妥当|정확(?=합|하[지다]|해요|함)|타당(?=합|하|함|$)"
        r"|stimmt(?! (?:so |leider |hier )?(?:nicht|not))"
        r"|trifft zu|est bonne(?=[.!]?$)|没有?错误?|无误"
        r"|옳음|옳(?=지)|올바른|올바릅니다|올바르(?=지)",
        r"yes|true|对|對",
    ),
    "incorrect": (
        r"wrong|falsche?|inkorrekte?|unrichtig|unzutreffend|incorrecte?s?|inexacte?|fausse|faux|erronée?"
        r"|incorrect[oa]s?|erróne[oa]|fals[oa]|stimmt (?:so |leider |hier )?(?:nicht|not)|trifft (?:nicht|not) zu|誤って|不適切"
        r"|부적절|不合理|站不住脚|不成立|说不通"
        r"|不对的?|不正确的?|不正確|正しくない|正しくありません|错误的?"
        r"|錯誤|错的|間違いで?|間違って|誤りで?|不正解|틀린|틀렸|틀림(?!없)|틀리|잘못된|잘못되|옳지 않|맞지 않|올바르지 않",
        r"no|false",
    ),
    "entailment": (r"entails|entailed|entail|蕴含|蕴涵|含意|함의", "folgerung|implication|implicación"),
    "contradiction": (
        r"contradicts?|contradicted|contradictory|widerspruch|widersprüchlich|contradictoires?|contradicción"
        r"|contradictori[oa]s?|矛盾的?|모순",
        "",
    ),
    "nonentailment": (r"non[ -]?entailment|does not follow|doesn't follow", ""),
    "ambiguous": (
        r"mehrdeutig|zweideutig|ambigue?s?|ambiguë|ambig[uü][oa]s?|équivoque|模棱两可|有?歧义|不明确|曖昧|あいまい|不明確|모호(?=합|함|하|$)"
        r"|중의적|애매(?=합|함|하|$)",
        "",
    ),
    "valid": ("gültige?[rsn]?|schlüssig|stichhaltig|valides?|valable|valido|válid[oa]s?|有效的?|有効|妥当|成立|유효|타당", "yes|true"),
    "invalid": (
        "ungültige?[rsn]?|unschlüssig|invalides?|invalido|inválid[oa]s?|无效的?|無效|無効|不成立|站不住脚|무효|부당",
        "no|false",
    ),
    "plausible": (
        "plausib(?:el|le[rsn]?)|glaubwürdig|plausibles|vraisemblable|crédible|verosímil|creíble|plausibile|plausível|合理的?|可信|说得通"
        "|もっともらしい|もっともらし(?=く)|妥当|自然(?=です|だ|$)|가능(?=합|하|함)|말이 (?:됩니다|돼요|된다|됨)"
        "|ありえる|あり得る|現実的|그럴듯|그럴 듯|타당|개연성이 있",
        "yes|true",
    ),
    "implausible": (
        "(?:satz|aussage|phrase|frase|oración|sentence|statement|this|it|that|das|dies) makes no sense|unplausib(?:el"
        "|le[rsn]?)|implausibel|unglaubwürdig|invraisemblable|inverosímil|improbable"
        "|implausível|不合理|不可信|说不通|非現実的|不自然|불가능|부자연"
        "|ありえない|あり得ない|ありえません|あり得ません|말이 안 되|말이 안 됩|터무니없|비현실적",
        "no|false",
    ),
}
"""Other words of an option: those that are clear anywhere, and those that count alone, in front or as a conclusion."""

_SETS = (
    ("positive", "negative", "neutral"),
    ("entailment", "neutral", "contradiction", "non-entailment"),
    *(("yes", "no"), ("true", "false"), ("correct", "incorrect"), ("valid", "invalid"), ("plausible", "implausible")),
)
"""Closed sets of labels, each with what may be a member: a denied label leaves another one only where one is left."""


@lru_cache(maxsize=CACHED)
def with_labels(item: Item) -> Item:
    """The item with the set of labels that its one target is of, where it comes without options; the same object where it is of none."""
    target = item.targets[0] if len(item.targets) == 1 else ""
    found = next((labels for labels in _SETS if key(target) in map(key, labels)), ())
    spelled = tuple(target if key(label) == key(target) else label for label in found)
    return replace(item, choices=spelled) if spelled and not item.choices else item
