"""Courtesies: greetings, thanks and the like, which stand around a question and are none. The phrases are English.

A text is read in pieces, between marks and emoji. Only a piece that says nothing else is a courtesy, so that
"help" is one and "help me reset my password" is not.
"""

import re

_MANY = r"(?: (?:so |very )*much| a (?:lot|bunch|ton|million)| again| in advance| loads)"
_HAIL = r"(?:hi+(?:ya)?|he+y+a?|hello+|howdy|yo|gm|greetings|good (?:morning|afternoon|evening|night))"
_THANKS = rf"(?:(?:many |big )?(?:thanks+|thank (?:you|u)|thx|tnx|ty|tysm|cheers){_MANY}*)"
_ALL = (
    r"(?:there|all|y'all|you|u|you all|everyone|everybody|team|folks|guys|friends?|mate|buddy|man|dude|people"
    r"|colleagues|again|bot|tandem|<@\w+>|@\S+)"
)
_NAME = r"(?-i:[A-Z][a-z]+)"
_PRAISE = (
    r"(?:very |so |really |super |all |just |pretty )*(?:great|good|perfect|awesome|helpful|useful|nice|cool|fine"
    r"|amazing|excellent|brilliant|lovely|wonderful|fantastic|the best|clear|kind|welcome|right|correct)"
)
_PHRASES = rf"""
good ?bye|good day|bye+(?: bye+)?|cya|ciao|farewell|welcome(?: back)?|morning|afternoon|evening
o+h?|a+h+a?|h+m+|m+h*m+|u+[hm]+|o+k+(?:a+y+|ey)?|k+|alright|all right|sounds good|got it|i see|i understand
understood|makes sense|noted|will do|roger(?: that)?|sure(?: thing)?|of course|no (?:problem|worries|need)|np|yw
(?:that|this|it)(?:'s| is| was|s) {_PRAISE}(?: to know)?
{_PRAISE}(?: (?:one|job|work|stuff|bot|answer|to know))?
(?:you're|you are|ur) (?:an? )?{_PRAISE}(?: (?:one|help|bot|star))?
you rock|well done|love (?:it|this|that)|wow+|yay+|lo+l|ha(?:ha)+|he(?:he)+|lmao|congrat(?:s|ulations)
(?:that|this|it) (?:helps|helped|works|worked)(?: a lot)?
(?:that|this)(?:'s| is| was|s) (?:all|it|(?:just |exactly )?what i (?:needed|wanted|was looking for))(?: for now)?
(?:i )?(?:really )?appreciate (?:it|that|this|(?:the|your) help)|much appreciated
(?:no|yes|yeah|yep|nope) (?:please|thanks|thank you)|please|pls|plz
(?:i'm |im |i am )?(?:so |very )?sorry(?: (?:to|for) (?:bother|disturb)(?:ing)?(?: you)?| about that)?
excuse me|pardon|never ?mind|nvm|my bad|oops
how(?:'s| is| are|s)? (?:you|u|it|things|life|everyone|your day)(?: all| guys)?(?: doing| going)?(?: today)?
how do you do|what's up|whats up|wh?as+up|sup
(?:i )?hope (?:you|all|everyone|this|it)(?:'re|'s| are| is| finds you)?(?: doing| going| all)? (?:well|fine|good|ok)
(?:nice|pleased|good|great) to (?:meet|see) you
have an?(?: (?:nice|good|great|lovely|wonderful))? (?:day|evening|night|weekend|afternoon|week|one)
enjoy (?:your|the) (?:day|evening|weekend|lunch|holidays?)
happy (?:new year|holidays|birthday|(?:mon|tues|wednes|thurs|fri|satur|sun)day)|merry christmas
see (?:you|ya|u)(?: later| soon| tomorrow| then| around)?|(?:talk|speak)(?: to you)? (?:soon|later)|take care|good luck
who (?:are|r) (?:you|u)|what (?:are|r) (?:you|u)|who(?:'s| is) this|what(?:'s| is|s) your name
what (?:can|do) (?:you|u) do(?: for (?:me|us))?|what can i ask(?: you)?|how can you help(?: me| us)?
are you (?:an? )?(?:there|bot|human|real|robot|ai|machine|person)|(?:is )?any(?:one|body) (?:there|here)|you there
(?:i need |need |(?:can|could) (?:you|anyone|someone) (?:please )?)?(?:some |your )?help(?: me| us)?(?: out)?
(?:(?:i have|i've got) )?(?:just |a |another |one |quick |small |short |more )*question(?: for (?:you|the team))?
(?:can|may) i ask (?:you )?(?:something|a question)
"""
_ANY = rf"(?:{_HAIL}|{_THANKS}|{'|'.join(_PHRASES.split(chr(10))[1:-1])})"
_COURTESY = re.compile(
    rf"(?:(?:<@\w+>|@\S+|and|so|but|well|no|yes|yeah) )?(?:dear {_ALL}|{_ANY}(?: {_ALL}| {_ANY})*)", re.IGNORECASE
)
_TO_NAME = re.compile(rf"(?:{_HAIL}|{_THANKS}|bye+|dear)(?: {_ALL})? {_NAME}", re.IGNORECASE)
_THANKS_FOR = re.compile(
    rf"{_THANKS} for (?!.*\b(?:wh\w+|how|can|could|do|does|did|is|are|should|i)\b)[\w' ]{{2,40}}", re.IGNORECASE
)
_LONE = re.compile(r"[A-Z][a-z]+|<@\w+>|no|yes|yeah|yep|nope")
LONGEST = 15
"""Words of a courtesy; what is longer says something."""
ROUNDS = 4
"""How often what is left is looked at again."""

_EMOJI = r":[a-zA-Z+-][\w+-]*:|[:;]-?[DPp](?!\w)|[\u2600-\u27bf\U0001f000-\U0001faff]"
_PIECE = re.compile(rf"({_EMOJI})|(?:(?!{_EMOJI}|\s[-–—]+\s)[^.,;:!?…\n—])+")
_OPENING = (
    r"(?:wh\w+|how\w*|i|i'm|is|are|am|do|does|did|can|could|would|will|should|must|may|has|have|my|we|our|the|any\w*|some\w*"
    r"|and|but|so|also|then|please|quick|just|tell|show|give|explain|write|draft|translate|summari[sz]e)\b"
)
_BEFORE = re.compile(  # where no mark stands between: "hi all where is the printer"
    rf"(?:{_HAIL}(?![\w'’-])(?: {_ALL}(?= {_OPENING}))?\s+(?=\w)"
    rf"|(?:{_THANKS}|o+k+(?:ay)?)(?![\w'’-])(?: {_ALL})?\s+(?={_OPENING})){{1,3}}",
    re.IGNORECASE,
)
_DASH = re.compile(r"[-–—]+\s+")
_AFTER = re.compile(r"\s(?:please|pls|plz|thanks|thank you|thx)(?: in advance| a lot| so much)?\W*\Z", re.IGNORECASE)


def strip_courtesies(text: str) -> str:
    """What is left of a text without the courtesies before and after it; empty where it holds nothing else.

    What stands in the middle stays, and so does a text without a word, such as "?".
    """
    for _ in range(ROUNDS):
        text = _strip_once(text)
    return text


def _strip_once(text: str) -> str:
    pieces = [piece for piece in _PIECE.finditer(text) if piece[1] or re.search(r"\w", piece[0])]
    told = [piece for piece in pieces if not (piece[1] or _is_courtesy(piece[0]))]
    if not pieces:
        return text
    if not told or (len(told) < len(pieces) and all(_is_aside(text, piece) for piece in told)):
        return ""
    after = [piece.start() for piece in pieces if piece.start() > told[-1].start()]
    rest = text[told[0].start() : min(after, default=len(text))].strip()
    for around in (_DASH, _BEFORE):
        rest = rest[found.end() :] if (found := around.match(rest)) else rest
    return _AFTER.sub("", rest).rstrip(" ,;:-–—") or rest


def _is_courtesy(piece: str) -> bool:
    said = " ".join(re.sub(r"^[^\w@<]+|[^\w>]+$", "", piece).replace("’", "'").split())
    if said.count(" ") >= LONGEST:
        return False
    return any(pattern.fullmatch(said) for pattern in (_COURTESY, _TO_NAME, _THANKS_FOR))


def _is_aside(text: str, piece: re.Match[str]) -> bool:
    """A lone name or a yes, as in "Thanks, Anna!"; with a question mark it may be what is asked about."""
    return bool(_LONE.fullmatch(piece[0].strip())) and not text[piece.end() :].lstrip().startswith("?")
