"""Clauses: which parts of a request say what is wanted and which what is refused. Rules, in English and Chinese.

A word of refusal ("no", "tired of", 不要) turns what follows it, to the end of its phrase, a list of refused things
included; some stand behind what they refuse ("westerns bore me", 看腻了). What only sounds like one ("not bad", "can't get
enough of", 看不腻) is recognised first. NegEx (Chapman et al. 2001) does this for medical reports.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

MAX_WORDS = 200  # of a longer request the beginning is read


@dataclass(frozen=True)
class Clause:
    text: str
    refused: bool = False


_HARMLESS = re.compile(
    r"\bnot (?:only|just|merely|simply|bad|at all bad|half bad|so bad|to mention|opposed|against|averse|unlike|sure|certain|picky|fussy|kidding|joking|long ago)\b"
    r"|\bno (?:matter|doubt|problem|rush|hurry|wonder|preference|idea|clue|worries|biggie|big deal|offen[cs]e|pressure|less than|stranger to)\b"
    r"|\b(?:why|how come) not\b|\bwhy don'?t\b|\bnothing (?:beats?|like|but|better|tops?|wrong with|short of|compares)\b"
    r"|\b(?:can ?not|can'?t|could ?n[o']t|couldn'?t|never|not) (?:ever )?(?:get|have|had|see|watch) (?:nearly |quite )?enough\b"
    r"|\bnever (?:get |grow |be )?(?:tired|bored|sick)\b|\bnever (?:too (?:much|many|old|late)|gets? old|fails?|seen|saw|watched|tried|disappoints?|enough)\b"
    r"|\b(?:have ?n[o']t|haven'?t|has ?n'?t|hasn'?t|did ?n'?t|didn'?t|not) (?:yet |ever |really |actually )?(?:seen|see|watched|watch|tried|try|decided|decide|heard)\b"
    r"|\b(?:can ?not|can'?t|couldn'?t|cannot|could not) (?:go wrong|live without|do without|resist|wait|say no|beat|complain|recommend|decide|sleep|breathe|choose|find|remember|think|be without|help)\b"
    r"|\bwould(?:n'?t| not) (?:say no|mind|complain|object|refuse|turn down|hurt)\b|\b(?:do|does|did)(?:n'?t| not) (?:mind|care|know|matter|have to|need to|hurt|get enough|remember|disappoint|mean)\b"
    r"|\bdon'?t (?:you |we |they )(?:have|know|think)\b|\b(?:is|are|was|were|do|does|did|would|could|has|have|ca|wo)n'?t (?:there|you|it|they|we|that)\b(?=.*\?)"
    r"|\bif (?:it'?s |that'?s )?not\b|\bor not\b|\bnot (?:too|very|that) (?:long ago|far)\b|\bno one(?:'s)?\b|\bnobody\b|\bno country\b|\bnever ending\b|\bneverending\b"
    r"|\buntil i can'?t\b|\bnever runs? out\b|\bmust not trust\b|\bno longer\b|\bmore than\b|\bless than\b|\bcould(?:n'?t| not) (?:be better|agree more|care less)\b"
    r"|\b(?:mad|crazy|nuts|wild|bonkers) (?:about|for)\b|\bnot (?:be |get )?disappoint\w*\b|\bcan'?t you\b|\bwon'?t you\b"
    r"|不错|不仅|不但|不只|不光|不单|不妨|何不|为什么不|为何不|看不够|看不腻|看不厌|百看不厌|不介意|不得不|不要紧|不用说|忍不住|没看够|不管|不论|不限|不挑|不知道|不知|没看过|从没看过|不敢|要不|好不好|是不是|"
    r"能不能|可不可以|有没有|行不行|来不来|差不多|不一样|永不|睡不着|不会错|错不了|怎么看都看不|不可错过|不容错过|没事|没什么事|不好意思|受不了(?=地)|不费脑|不用动脑|不动脑|不太累|停不下来|不睡|特别|分别|离别|告别|"
    r"级别|性别|别人|别墅|差别|别的|欲罢不能|不久|不同",
    re.IGNORECASE,
)
_FORWARD = re.compile(
    r"\b(?:not? (?:another|more|any(?:thing)?)|anything but|anyth?ing (?:except|other than|besides|apart from|aside from)|everything (?:but|except)|all (?:but|except)|"
    r"except(?: for| maybe)?|excluding|exclude|apart from|aside from|other than|instead of|rather than|in place of|without(?: any| the| all)?|w/o|minus|hold the|skip|leave out|"
    r"leave (?:the |all )?(?=\w+ out)|keep (?:the |all )?(?=\w+ (?:out|away))|stay away from|steer clear of|keep away from|avoid(?:ing)?|spare (?:me|us)(?: the| any| your)?|"
    r"(?:i |we )?(?:hate|loathe|dislike|despise|detest|can'?t stand|cannot stand|can not stand|can'?t bear|cannot bear|can'?t take|can'?t handle|can'?t deal with|can'?t do|can'?t abide|can'?t watch|couldn'?t stand|fear)|"
    r"(?:tired|sick|bored|weary|fed up|sick and tired) (?:of|with|by)|fed up with|enough (?:of|with)|had (?:it with|my fill of|enough)|done with|over with|through with|allergic to|afraid of|scared of|terrified of|"
    r"not (?:in the mood|up|interested|ready|keen|fond|a fan|big|a big fan|looking|into|really into|so much|the biggest fan)\b(?: for| of| in| on| into)?|no fan of|not? (?:too|so|very|that|really|overly|excessively|all that)|"
    r"(?:one|a single|another) more|less|fewer|zero|no more|none of|none|nothing|nowhere|neither|nor|never|nope|not|no|ban|drop the|ditch the|lose the|cut the|forget (?:about )?(?:the )?|"
    r"(?:do|does|did|is|are|was|were|would|should|could|can|wo|has|have|had|must|need|ai)n'?t|cannot|cant|dont|wont|isnt|arent|doesnt|didnt|shouldnt|wouldnt|"
    r"refuse to|too (?:much|many))\b"
    r"|不要|别再|别给|别来|别太|别放|别推|别是|别有|别|不想|不看|不喜欢|不爱|不能|不是|不需要|不用|不太|不带|不含|不准|不许|不可以|不可|不吃|不感兴趣|不接受|不含有|没兴趣|不感冒|"
    r"讨厌|除了|除去|除掉|除开|没有|没|无|拒绝|拒|受不了|避开|避免|远离|少点|少来|少些|厌倦|厌烦|烦透|腻了(?=\S)|看够了(?=\S)|害怕|最怕|怕看|怕|跳过|排除|去掉|禁止|谢绝|忌|免了(?=\S)|非(?=\w{1,4}片)|杜绝|告别",
    re.IGNORECASE,
)
_BACKWARD = re.compile(
    r"\b(?:is|are|was|were|'s|'re)? ?(?:not|n'?t|never)(?: really| exactly| quite)? (?:(?:for|with) (?:me|us|him|her|them)|my (?:thing|cup of tea|style|taste|bag|jam)|our (?:thing|cup of tea)|tonight|today|this time|now|again|happening|welcome|allowed|"
    r"do it for|work for|interest|appeal to|wanted|needed|an option|on)\b"
    r"|\b(?:is|are) (?:out|off|banned|forbidden|boring|awful|terrible|dull|unbearable|off the table|off limits|a no|a no-go|not allowed|a hard no)\b|\b(?:bores?|annoys?|depress(?:es)?|irritates?) (?:me|us|him|her|them|my \w+)\b"
    r"|\b(?:puts?|gives?|makes?|leaves?|sends?) (?:me|us|him|her|them|my \w+) (?:to sleep|cold|nightmares|sick|yawn|nervous|sleepy|anxious)\b|\b(?:no thanks?|no thank you|nope|no way|please no|hard pass|pass|not please|thanks but no|aside|excluded|excepted|be gone|free)\b|\bi'?(?:ll|d)(?: rather)? (?:pass|skip)\b"
    r"|\b(?:i|we) (?:can|could) (?:do|live) without\b|\bno$|\bno(?=\s*[,;.!])"
    r"|看腻了?|腻了|看够了?|看多了|看烦了?|看厌了?|看吐了?|就算了|算了|免了|就免|不行|除外|以外|之外|不考虑|pass|别来|不要|不看|不想看|不来|勿扰|免谈|退散|没意思|太无聊|就不用了|不必了|不用|不太行|达咩|no$",
    re.IGNORECASE,
)
_TURN = re.compile(
    r"\b(?:but|however|instead|though|although|just|only|rather|yet|while|whereas|so|because|since|as|please give|give (?:me|us)|let it be|let'?s|i(?:'d| would)? (?:want|prefer|love|like|need|fancy)|i'?ll take|make it|how about|what about|maybe|perhaps|"
    r"love(?! stor| affair| triangle| film| movie| scene)|prefer|more like|then)\b|但是|但|不过|而是|而要|只要|只想|只看|最好|还是|换(?!片)|改|来(?!自|历)|想要|想看|我要|要(?!素|点)|给我|其他|其它|什么都|都行|都可以|都好|另外|陪|可以",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[.!?;:\n。！？；：…]+(?!\d)|\s+[-–—]+\s+|—+|[()（）\[\]【】]")
_COMMA = re.compile(r"[,，、]|\s/\s")
_LIST = re.compile(r"\b(?:or|nor|and|&)\b|或者|或|和|以及|还有|跟|与", re.IGNORECASE)
_OPENS = re.compile(
    r"^\s*(?:a|an|the|some|something|any|i|i'?m|i'?d|i'?ve|we|he|she|they|my|our|it|it'?s|this|that|please|just|only|but|give|show|find|let|want|need|looking|maybe|perhaps|more|preferably|ideally|with|about|from|because|so|how|what|who"
    r"|got|is|are|can|could|would|do|does|you|thanks?|then|love|like|prefer|otherwise|make|try|for|if|in|one|there|set|surprise)\b|^\s*(?:我|想|要|来|给|有|求|最好|换|推荐|请|但|不过|只|就|其他|什么|随便|都|陪|适合|可以|还是|帮|看)",
    re.IGNORECASE,
)


def clean(text: str) -> str:
    """Compatibility forms folded, tags, control and invisible characters away, blanks single, 200 words at most.

    A tag is dropped, what stands between tags stays: to a reader of wishes it is one more sentence.
    """
    text = unicodedata.normalize("NFKC", text)
    text = re.sub(r"<[^<>]{0,200}>", ". ", text)
    text = "".join(
        " " if char != "\n" and char.isspace() else char
        for char in text
        if char.isspace() or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn")
    )
    text = re.sub(r"\s*\n\s*", "\n", text)
    text = text.replace("’", "'").replace("‘", "'").replace("`", "'").replace("´", "'")
    words = re.findall(r"[^\S\n]*(?:[\u3400-\u9fff]|[^\s\u3400-\u9fff]+)\n*", text)
    return re.sub(r"[^\S\n]+", " ", "".join(words[:MAX_WORDS])).strip()


def clauses(text: str) -> list[Clause]:
    """The request in pieces, each wanted or refused; `text` is clean."""
    text = _HARMLESS.sub(lambda match: "_" * len(match[0]) if match[0] else "", text)
    found = []
    for sentence in _SENTENCE.split(text):
        _sentence(sentence, found)
    return [
        Clause(re.sub(r"[\s_]+", " ", clause.text).strip(), clause.refused)
        for clause in found
        if re.search(r"\w", clause.text.replace("_", ""))
    ]


def _sentence(sentence: str, found: list[Clause]) -> None:
    parts = _COMMA.split(sentence)
    refusing = False
    for place, part in enumerate(parts):
        if not part.strip():
            continue
        forward = _FORWARD.search(part)
        backward = _BACKWARD.search(part)
        if refusing and not forward and _continues(parts, place):
            kept, rest = _until_turn(part)
            found.append(Clause(kept, True))
            if rest:
                found.append(Clause(rest))
                refusing = False
            continue
        refusing = False
        if (
            backward
            and _says_something(part[: backward.start()])
            and not (forward and forward.start() < backward.start() and _says_something(part[: forward.start()]))
        ):
            found.append(Clause(part[: backward.start()], True))
            part = part[backward.end() :]
            forward = _FORWARD.search(part)
            if not forward:
                found.append(Clause(part))
                continue
        if not forward:
            found.append(Clause(part))
            continue
        found.append(Clause(part[: forward.start()]))
        kept, rest = _until_turn(part[forward.end() :])
        found.append(Clause(kept, True))
        refusing = not rest
        if rest:
            _sentence(rest, found)


def _until_turn(part: str) -> tuple[str, str]:
    """What a refusal reaches, and what comes after the word that ends it."""
    turn = next(
        (match for match in _TURN.finditer(part) if match.start() > 0 and _says_something(part[: match.start()])), None
    )
    return (part[: turn.start()], part[turn.end() :]) if turn else (part, "")


def _continues(parts: list[str], place: int) -> bool:
    """Whether a part goes on with the list of refused things: short, no sentence of its own, and the list is closed."""
    part = parts[place]
    short = len(re.findall(r"[a-z']+|[\u3400-\u9fff]{2}", part, re.IGNORECASE)) <= 5
    return short and not _OPENS.search(part) and any(_LIST.search(later) for later in parts[place : place + 3])


def _says_something(text: str) -> bool:
    return bool(
        re.search(
            r"[a-z]{3}|[\u3400-\u9fff]{2}",
            re.sub(r"\b(?:the|and|but|with|too|very|really|please|some|any|that|this)\b", "", text),
            re.IGNORECASE,
        )
    )
