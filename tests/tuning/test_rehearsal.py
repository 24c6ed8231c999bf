"""What the adapter in service says of other things is learned along, and none of it is what adapters are judged by."""

from graph.prompts import DECLINE
from tandem.models.client import ModelClient
from tandem.settings import Settings
from tandem.tuning.rehearsal import list_prompts, rehearse
from tandem.tuning.sets import list_tests, read_grounded
from tandem.tuning.similarity import normalise


def test_no_prompt_is_a_question_that_adapters_are_judged_by() -> None:
    asked = {normalise(prompt[-1].content.rpartition("Question:")[2]) for prompt in list_prompts()}
    assert len(asked) == 210
    assert not asked & {normalise(test) for test in list_tests(Settings(_env_file=None))}
    titles = {title for one in read_grounded() for title, _ in one.passages}
    assert not [prompt for prompt in list_prompts() if any(f"] {title}:" in prompt[-1].content for title in titles)]


async def test_it_is_what_is_in_service_that_answers(model_settings: Settings) -> None:
    """In the forms that the adapter that ships was taught."""
    async with ModelClient.open(model_settings) as model:
        lessons = await rehearse(model)
    said = [lesson.messages[-1].content for lesson in lessons]
    reading, general = said[:120], said[120:]
    assert len(general) > 80
    assert all(reply == DECLINE or reply.startswith("[") for reply in reading)
    assert 10 < sum(reply == DECLINE for reply in reading) < 110
