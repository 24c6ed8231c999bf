"""Only what says nothing else is a courtesy; a question behind a greeting is left, and is all that is left."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.courtesy import strip_courtesies

COURTESIES = """
hi|Hello!|Hey|heyyy|hiiii|yo|hi there|Hi all|hey team|Hello everyone|Hi Tandem|hi tandem!|hey bot|Dear all
hello again
gm|Good morning|good morning!|Good morning everyone|morning all|Morning!|Good evening, Tandem|Hi Anna
Hello, Anna!|Hi!!!
Thanks|thanks!|thank you|Thank you so much!|thank you very much|Thanks a lot!|thx|ty|tysm!|Thanks again|many thanks
Thanks in advance|cheers|cheers mate|Thanks for the help|thanks for your quick answer!|Thanks for telling me
thanks bot
thanks for the info|Thank you for your help, have a nice day|Thanks, Anna!|thanks Sarah|thanks again for your help!
ok|OK|okay|okey|k|Ok thanks|ok, thanks!|ok cool|Cool, thanks|great|Great, thanks!|great thanks
Perfect, thank you|nice
got it|Got it, thanks!|ok got it thanks|I see|oh ok|ok I see, thanks|Makes sense, thanks|sounds good
understood|noted
That helps, thanks|that's helpful|That was very helpful, thank you!|that's great|Thanks, that's all
no that's all thanks
no thanks|no, thanks|yes please|Perfect!|well done|good job|good bot|you rock|love it|all good|good to know, thanks!
thanks! that was exactly what I needed|Thanks a lot, that was exactly what I was looking for|that works, thanks
How are you?|how are you doing today?|Hi, how are you?|hello there how are you|hey how's it going|what's up
whats up?
sup|Who are you?|Hi, who are you?|What are you?|What can you do?|what can you do for me?|What's your name?
are you a bot?
Are you there?|anyone here?|help|Help!|help me|please help|I need help|can you help me?
Hello, can you help me please?
I have a question|Hi, I have a question|quick question|Hi Anna, quick question!|Sorry to bother you|no problem|nvm
bye|Bye!|goodbye|good night|see you later|See you tomorrow!|have a nice day|Have a great weekend!
Happy Friday!|lol|haha
👍|:+1:|hi 👋|hi :wave:|thanks :)|thanks! 🙏|:pray:|Thanks :D|thank you :slightly_smiling_face:|<@U0123> thanks
You’re welcome|You are the best|never mind|sorry|hope you're doing well|Hello, hope you are well|much appreciated
"""
BEHIND = {
    "Hello, how many days of leave do I get?": "how many days of leave do I get?",
    "Hi, what does a lost badge cost?": "what does a lost badge cost?",
    "ok, who approves expenses?": "who approves expenses?",
    "ok who approves expenses": "who approves expenses",
    "hi how many days leave do i get": "how many days leave do i get",
    "hey can someone tell me the wifi password": "can someone tell me the wifi password",
    "hi team what's the wifi password": "what's the wifi password",
    "Hi Tandem, what is the parking rule?": "what is the parking rule?",
    "hey tandem whats the parking rule": "whats the parking rule",
    "<@U0123> hi, where do I park?": "where do I park?",
    "Hi Anna, who approves my expenses?": "who approves my expenses?",
    "Hi all, quick question: who approves expenses?": "who approves expenses?",
    "Quick question - how long is parental leave?": "how long is parental leave?",
    "Good morning! Where do I park?": "Where do I park?",
    "good morning where do i park": "where do i park",
    "morning all, who is on call": "who is on call",
    "Thanks! One more question: what does a lost badge cost?": "what does a lost badge cost?",
    "thanks what about interns": "what about interns",
    "Great, and how do I cancel it?": "and how do I cancel it?",
    "Hi, sorry to bother you, but where is room 5?": "but where is room 5?",
    "Hello! How are you? What is the travel budget?": "What is the travel budget?",
    "Hi Anna, hope you are well. What is the travel budget?": "What is the travel budget?",
    "who approves expenses? thanks!": "who approves expenses?",
    "who approves expenses please": "who approves expenses",
    "Who approves expenses? Thank you in advance 🙏": "Who approves expenses?",
    "hi 👋 where is the printer?": "where is the printer?",
    ":wave: hi, whom do I call when I am ill?": "whom do I call when I am ill?",
    "Hello\nwhat does a badge cost?\nThanks\n": "what does a badge cost?",
    "Hi — what does a badge cost?": "what does a badge cost?",
    "hi, wifi": "wifi",
    "Hello, Parking?": "Parking?",
    "Hello. Leave: how many days?": "Leave: how many days?",
    "Hi all hands meeting when?": "all hands meeting when?",
    "hey leave policy": "leave policy",
}
WHOLE = """
Help me reset my VPN password|help with expenses|Help desk phone number|can you help me with my VPN?|my VPN fails
Who are you reporting expenses to?|What can you do about a lost badge?|what can you do when the printer is broken?
how are you supposed to book leave?|How is it going to be paid?|How are expenses approved?|are you paid for overtime?
Morning shift starts when?|Cool room temperature?|Good Friday: is it a holiday?|Thanksgiving holiday?|Good day rate?
Thank-you gifts: what is allowed?|Bye-laws of the club|hi-vis vests|Okta login fails|Hilton rates?
Welcome desk hours
fine for late returns?|Great Britain office address|happy hour when?|people ops email|right to work check?
is that right?|I have a question about leave|question about expenses|What does "ok" mean here?
Who is this invoice for?
nice-to-have budget?|no, I mean parental leave|yes, who signs it?|?|...|What is a good morning routine?
sorry for your loss leave days
"""


def split(lines: str) -> list[str]:
    return [text for line in lines.strip().splitlines() for text in line.split("|")]


def test_of_courtesies_nothing_is_left() -> None:
    assert not [text for text in split(COURTESIES) if strip_courtesies(text)]


def test_a_question_behind_a_greeting_is_what_is_left() -> None:
    assert {text: strip_courtesies(text) for text in BEHIND} == BEHIND


def test_words_of_a_question_that_may_also_greet_stay() -> None:
    assert [strip_courtesies(text) for text in split(WHOLE)] == split(WHOLE)


@pytest.mark.parametrize("courtesy", ["ok thanks ", "no thanks ", "good morning ", "hi all ", "thanks again ", "very "])
def test_any_number_of_courtesies_is_read_at_once(courtesy: str) -> None:
    assert strip_courtesies(f"{courtesy * 250}badge cost?").endswith("badge cost?")


@given(
    st.lists(st.sampled_from([*split(COURTESIES), *BEHIND, ", ", "\n", "?", "x", "’", "ça"]), max_size=8).map(" ".join)
)
def test_what_is_left_stands_in_the_text_and_is_no_courtesy(text: str) -> None:
    left = strip_courtesies(text)
    assert left in text
    assert not left or strip_courtesies(left)
