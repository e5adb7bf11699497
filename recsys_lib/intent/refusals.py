"""The words of refusal, in English and Chinese: what refuses, what only sounds like it, what ends a refusal.

In a list of English phrases each line is one pattern, in a list of Chinese ones each word is. English phrases expect
contractions to be written out ("can not", "do not"): `recsys_lib.intent.clauses` does that.
"""

from __future__ import annotations

import re

ME = r"(?:me|us|him|her|them|my \w+)"


def _phrases(english: str, chinese: str) -> re.Pattern:
    lines = [line.strip() for line in english.strip().split("\n")]
    lines = [line.replace("ME", ME) for line in lines if not line.startswith("#")]
    return re.compile("|".join([rf"\b(?:{'|'.join(lines)})\b", *chinese.split()]), re.IGNORECASE)


# What sounds like a refusal, and is none.
HARMLESS = _phrases(
    r"""
    # praise and politeness
    not (?:only|just|merely|simply|bad|at all bad|half bad|so bad|too shabby|to mention|least)
    not (?:gonna lie|going to lie|opposed|against|averse|unlike|sure|certain|kidding|joking|alone|long ago|without)
    not (?:too |very |that )?(?:picky|fussy|choosy|far|long ago)
    not (?:really |exactly |actually )?(?:hate|dislike|mind|afraid|scared|allergic|avoid|skip|miss|bored|tired|sick)
    not (?:be |get |been )?disappoint\w*
    no (?:matter|doubt|problem|rush|hurry|wonder|preferences?|ideas?|clue|worries|biggie|big deal|offen[cs]e)
    no (?:pressure|less than|stranger to|need to|sweat|contest|objections?|particular|specific|surprise|limits?)
    no shortage of|no one|nobody|no country|no longer (?:afraid|scared|mind)
    (?:why|how come|or|if|if it is|if that is) not
    why do not (?:you|we|they|i)
    (?:can|will) not you
    # more than enough
    (?:there is|there's) nothing (?:quite )?like
    nothing (?:beats?|but|better|else like|tops?|compares|wrong with|against|short of|less than)
    nothing like (?:a|an|some|the) (?:good|great|nice|proper|bit|little|decent)
    nothing (?:says|screams|hits|feels|works|does it|relaxes me|cheers me up|is better)(?=[^.,!?]{0,30} (?:like|than)\b)
    know nothing (?:about|of)
    (?:not|never)(?: \w+){1,4} anything (?:but|other than|except|besides)
    (?:not|never) (?:ever )?(?:get|have|had|seen?|watch|watched) (?:nearly |quite |anywhere near )?enough
    never (?:get |gets |grow |be |been )?(?:tired|bored|sick|weary|enough)
    never (?:too (?:much|many|old|late)|gets? old|fails?|disappoints?|runs? out|ending|without)
    # what has not happened yet
    never (?:before |really |actually )?(?:seen|saw|watched|tried|heard)
    (?:have|has|had) not (?:yet |ever |really |actually )?(?:seen|watched|tried|decided|heard|got|been)
    did not (?:yet |ever |really |actually )?(?:see|watch|try|hear|get to see)
    not yet (?:seen|watched|decided|tried)
    (?:never|not) (?:watch|see|want to watch|like watching)(?=(?: [\w-]+){1,3} (?:alone|by myself|on my own))
    # verbs of liking, and verbs that have nothing to do with it
    (?:can|could) not (?:go wrong|(?:live|do|be) without|resist|wait|say no|beat|complain|recommend|be better)
    (?:can|could) not (?:agree more|decide|choose|sleep|breathe|find|remember|recall|think|help|stop|believe)
    would not (?:say no|mind|complain|object|refuse|turn down|hurt|trade|pass up)
    (?:do|does|did) not (?:care(?! for| about)|know|matter|have to|need to|hurt|remember|mean|hesitate|worry|judge)
    (?:do|does|did) not (?:get enough|get me wrong|forget|hold back|let me down|think (?:i|we) have)
    (?:mad|crazy|nuts|wild|bonkers) (?:about|for)
    # hatred that is over, or of something else
    used to (?:hate|dislike|avoid|loathe|despise|find|be (?:afraid|scared) of)
    hates? (?:it )?(?:when|how|that|if)
    (?:hates?|dislikes?)(?=[^.!?]{0,40}\bbut (?:i|we) (?:love|like|adore|enjoy|do not)\b)
    they do not make
    # questions
    (?:is|are|was|were|do|does|did|would|could|can|have|has|will|should) not (?:there|you|it|they|we)(?=[^.!]*\?)
    do not (?:you|we|they) (?:have|know|think)
    # degrees, and words that contain one of refusal
    (?:more|less) than
    less(?:er)?[- ](?:known|famous|popular|mainstream|obvious|common|seen)
    (?:apart|aside) from(?=[^.!?]*\balso\b)
    without (?:fail|question|a doubt|further ado|having to|leaving|thinking)
    """,
    r"""
    不错 不仅 不但 不只 不光 不单 不止 不妨 不如 不愧 不亚于 不输 不少 不久 不同 不一样 不得不 不得了 不由 不禁
    不介意 不在乎 不要紧 不用说 不管 不论 不限 不拘 不挑 不怕 不知道? 不太?懂 不好意思 对不起 不太累 不睡
    不费脑 不用动脑 不动脑 不会错 错不了 不可错过 不容错过 要不然? 差不多 不是(?=[^，,。]{1,8}就是) 不是我?不
    怎么看都看?不腻? 看不够 看不腻 看不厌 看不完 不会腻 不腻 百看不厌 忍不住 睡不着 停不下来 欲罢不能 永不
    受不了(?=地) 好不好 是不是 能不能 可不可以 行不行 来不来 要不要 有没有? 有无 何不 为什么不 为何不 干嘛不
    谁(?:还|会|能)?不 没有?人不 没看够 从?没看过 没事 没什么事 没问题 没关系 没错 没准 没想好 没想法 没头绪
    没时间 没人 没什么比 除了(?=[^。！？!?]{1,15}(?:还(?!是)|也(?!不)))
    """,
)

# What refuses all that follows, to the end of the phrase.
FORWARD = _phrases(
    r"""
    no(?: more| other| longer)?|not?(?: another| any(?:thing)?| even)?|none(?: of)?
    nothing|neither|nor|never|nope|nah
    zero(?! gravity| hour| to)|without|w/o|w/out|minus|sans|devoid of|free (?:of|from)|lacking|low on|light on
    (?:hardly|barely|scarcely) any|little (?:to|or) no|next to no|as (?:little|few)|less|fewer|too (?:much|many)
    # anything but
    (?:anything|anythign|everything|any|all) (?:but|except|other than|besides|apart from|aside from)
    except(?: for| maybe)?|excluding|exclude|apart from|aside from|other than
    instead of|rather than|in place of|(?:the )?opposite of|worse than|(?:alternatives?|antidote) to
    last thing (?:i|we|he|she|they) (?:want|need)s?(?: now| tonight)?(?: is)?
    # stop it
    (?:stop|quit) (?:recommending|suggesting|showing|giving|playing|offering|pushing|sending|with)
    skip|hold (?:the|off on)|leave out|leave (?:the |all )?(?=\w+ out)|keep (?:the |all )?(?=\w+ (?:out|away))
    (?:stay|keep) away from|steer clear of|avoid(?:ing)?|spare (?:me|us)|lay off|go easy on|easy on the|pass on
    cut (?:the|out|down on|back on)|(?:drop|ditch|lose|ban) (?:the|all|any)
    (?<!i )(?<!to )(?<!me )forget(?: about| the)|refuse to|(?:god|heaven) forbid|(?:break|rest|change) from
    # dislike
    hate[sd]?|loathe[sd]?|dislike[sd]?|despise[sd]?|detest(?:s|ed)?|abhors?|(?:i|we) fear|allergic to|outgrown
    (?:tired|sick|bored|weary|fed up|done|finished|through) (?:of|with|by)|(?:burnt?|burned) out on
    enough (?:of|with|already)|had (?:it with|my fill of|enough)|(?:i am|i'm|im|we are|we're|so|totally) over
    (?:afraid|scared|terrified) of|too (?:young|tired|sensitive|squeamish) for
    if (?:i|we)\b[^,.!?]{0,30}?\b(?:one more|a single|another|yet another)
    """,
    r"""
    不要再? 不想要 不想看 不想 不看 不喜欢 不爱 不能 不是 不需要 不用 不太 不带 不含 不准 不许 不可以? 不吃
    不接受 不感兴趣 不感冒 不敢看 没有 没兴趣 没(?![劲意])
    无(?![厘间聊敌论所数限名双人法意尽穷比脑声题奈助畏情]) 非(?=(?!常|要|得|洲)[\u4e00-\u9fff]{1,4}片)
    (?<![特分离告级性区差个识永送])别(?![人墅的针扭处名致样])(?:再|给|来|放|推荐?|是|有|看|让|整|搞)?
    讨厌 除了 除去 除掉 除开 拒绝 受不了 避开 避免 远离 少一?点 少来 少些 厌倦 厌烦 烦透 跳过 排除 去掉
    禁止 谢绝 杜绝 告别 (?<![让令])(?<!让我)(?<!让人)害怕 最怕 (?<![可恐害])怕看? 腻了(?=\S) 看够了(?=\S) 免了(?=\S)
    """,
)
# What refuses the one word that follows: "a not too scary comedy" is a comedy.
ONE_WORD = re.compile(
    r"\b(?:an?|some|any|the|something|anything|only) (?:not(?:[- ](?:too|so|very|that|overly|really))?|less)[- ]"
    r"|\bnon[- ](?!fiction)",
    re.IGNORECASE,
)
# The same in Chinese, up to 的: 不太吓人的喜剧.
UP_TO_DE = re.compile(
    r"(?:不要|别|不想看|不想要|不想|不看|不会|没有|没|不是|不)(?:太|那么|这么|过于|过分)(?=[^，。,的]{1,6}的\S)"
    r"|不(?=(?:吓人|恐怖|血腥|暴力|搞笑|好笑|浪漫|惊悚|悲伤|沉重|压抑|黑暗|狗血|煽情|烧脑|幼稚|无聊)的?)"
)

# What refuses what stands before it. "A film that gives me nightmares" is wanted.
BACKWARD = _phrases(
    r"""
    (?:(?:is|are|was|were|do|does|'s|'re) )?(?:not|never)(?: really| exactly| quite)? (?:for|with|do it for|work for) ME
    (?:(?:is|are|do|does|'s|'re) )?not(?: really| exactly| quite)? (?:interest|appeal to) ME
    (?:(?:is|are|'s|'re) )?(?:not|never)(?: really| exactly| quite)? (?:my|our|her|his) (?:thing|cup of tea|style|taste)
    (?:(?:is|are|'s|'re) )?(?:not|never)(?: really)? (?:my|our|her|his) (?:bag|jam|vibe|scene|genre|decade|favou?rites?)
    (?:(?:is|are|'s|'re) )?(?:not|never)(?: really)? (?:tonight|today|this time|now|again|happening|welcome|allowed)
    (?:(?:is|are|'s|'re) )?(?:not|never)(?: really)? (?:wanted|needed|an option|fine|okay|ok)
    (?:is|are) (?:banned|forbidden|boring|awful|terrible|dull|unbearable|overrated|the worst)
    (?:is|are) (?:a no|a no-go|a hard no|a turn-?off|off the table|off limits|out of the question|o(?:ut|ff)(?=\s*$))
    (?:is|are) (?:way |just |far )?too \w+ for ME|(?:is|are|do|does) not(?=\s*$)
    (?<!that )(?<!which )(?<!who )(?:bores?|annoys?|depress(?:es)?|irritates?|stress(?:es)?|wears?) ME(?: out)?
    (?<!that )(?<!which )(?<!who )(?:puts?|gives?|leaves?|sends?) ME (?:to sleep|cold|nightmares)
    (?<!that )(?<!which )(?<!who )makes? ME (?:sick|yawn|nervous|sleepy|anxious)
    (?<!that )(?<!which )(?<!who )drives? ME (?:mad|crazy|nuts|insane|up the wall)
    sucks?|turns? ME off|gets? (?:on|under) (?:my|our|his|her) (?:nerves|skin)
    no thanks?|no thank you|nope|no way(?=\s*$)|please no|hard pass|not please|thanks but no|(?<!to )pass(?=\s*$)
    aside(?! from)|excluded|excepted|be gone|free(?=\s*(?:$|please|zone|films?|movies?))|-free
    (?:i|we)(?:'ll|'d| will| would)?(?: rather)? (?:pass|skip)(?=\s*$)|(?:i|we) (?:can|could) (?:do|live) without
    no(?=\s*(?:$|[,;.!谢]|please|thanks|thx))
    """,
    r"""
    看[腻够多烦厌吐][了腻]? 腻了?$ 腻了 就?算了吧? 就?免了 就免 不太?行 除外 以外 之外 不考虑 勿扰 免谈 退散 达咩
    (?:不要|别来|不看|不想看|不来|不用|不必|不敢看?|受不了|没兴趣|不感兴趣|不喜欢|不爱看?)[了啊吧哦哈呀啦的掉]*\s*$
    (?:没意思|没劲|pass|no)[了啊吧哦哈呀啦的掉]*\s*$ 就不用了 不必了
    (?:太|真)(?:沉重|无聊|吓人|可怕|恐怖|血腥|暴力|闷|慢|长|老套|俗|吵|烂|难看|幼稚|压抑|费脑)了?$
    """,
)
# Beside what stands behind: the whole list before it ("and musicals are not for me", 都不要), and "so do westerns".
ALL_OF_THEM = re.compile(r"^\s*(?:and|or|&)\b|[都全]|一律|通通|统统", re.IGNORECASE)
SAME = re.compile(
    r"^\s*(?:and )?(?:so|neither|nor) (?:do|does|are|is|did)\b|\b(?:the )?same (?:goes |with |for )+", re.IGNORECASE
)

# What ends a refusal.
TURN = _phrases(
    r"""
    but|however|instead|though|although|just|only|rather|yet|while|whereas|so|because|since(?! \d)|as|then
    more(?! like)|more like|let it be|let's|make it|how about|what about|maybe|perhaps|prefer|enjoy
    please(?! or\b| and\b| nor\b)(?= \w)|give (?:me|us)|i'?ll take|love(?! stor| affair| triangle| film| movie| scene)
    (?:and |now )?(?:i|we)(?:'d| would| do| am|'m)? (?:want|prefer|love|like|need|fancy|enjoy|feel like|looking)
    and (?=(?:an?|some|something|i|we|maybe)\b)
    (?:find|show|give|get|recommend|suggest|play|put on|pick)(?: me| us)?(?= (?:an?|some|the|something)\b)
    """,
    r"""
    但是? 不过 而是 而要 只要 只想 只看 最好 还是 换(?!片) 改(?!编) (?<![未起下本原后出回])来(?!自|历|的)
    (?<!不)想要 (?<!不)想看 我要 (?<![不主重需还没想])要(?![素点]) 给我 其[他它] 什么都 都行 都可以 都好 另外 陪 可以
    """,
)

# A short answer that refuses what was asked before it: "Westerns? No thanks."
ANSWER = re.compile(
    r"\s*[?？:：]\s*(?:(?:absolutely|definitely|certainly|hell|heck|oh|god|lol|just|please|thanks but) )*"
    r"(?:no+|nope|nah|not|never|hard pass|pass|no way|no chance|not for me|not today|not tonight|not again"
    r"|(?:不要|不行|不了|算了|免了|别了|拒绝|达咩|没兴趣|不看)[了吧啊哦]*)"
    r"(?: thanks?| thank you| please| sir)*(?=\s*(?:$|[.,;!。，！\n]))",
    re.IGNORECASE,
)
NOT_AGAIN = re.compile(r"\s*[.!]\s*(?=not (?:again|tonight|today|this time)\b)", re.IGNORECASE)
# Comparisons: what stands behind "than" or "over" is not wanted.
COMPARED = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\b(?:rather|sooner)\b(?P<wanted>[^.!?;,]{2,60}?)\bthan\b(?! (?:ever|usual|anything))",
        r"\b(?:prefers?|pick|choose|take)\b(?P<wanted>(?: [\w-]+){1,4}) over\b",
        r"(?P<wanted>\b[\w-]+) over\b(?= [\w -]{3,30} any (?:day|time))",
        r"\bprefers?\b(?P<wanted>(?: [\w-]+){1,3}) to\b(?! (?:watch|see|cry|laugh|think|relax|enjoy|me|us)\b)"
        r"(?= [\w-]+(?: (?:films?|movies?|ones?))?\s*(?:$|[.,!?;]))",
    )
)
COMPARED_ZH = re.compile("(?:与其|比起)看?([^，,。！？]{1,12}?)[，,]?(?:还?不如|(?=我?(?:还是)?更))")
NOBODY_WANTS = re.compile(
    r"\b(?:nobody|no one|none of \w+|neither of (?:us|them))\b[^.,!?;]{0,30}?"
    r"\b(?:wants?|likes?|enjoys?|needs?|asked for|cares? for|is into|feels? like|can (?:stand|bear|handle|take))\b",
    re.IGNORECASE,
)
CONTRACTION = re.compile(
    r"\b(ca|wo|sha|do|does|did|is|are|was|were|would|should|could|has|have|had|must|need|ai) ?n'?t\b|\b(can)not\b",
    re.IGNORECASE,
)
CROSSES = re.compile("[❌🚫🙅👎]")
# Children who are not in front of the screen are no audience.
ABSENT = re.compile(
    r"\b(?:kids?|children|little ones?|son|daughter|baby) (?:is|are) (?:\w+ )?"
    r"(?:asleep|sleeping|in bed|away|gone|out|teenagers?|grown(?: up)?|at (?:school|grandma'?s?|camp))\b",
    re.IGNORECASE,
)
