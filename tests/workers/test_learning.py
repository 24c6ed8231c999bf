"""The night's learning is on the beat's schedule, and a turn of it does nothing where nothing was asked."""

import threading

from tandem.settings import Settings
from workers.app import LEARN, make_app
from workers.tasks import learn_routes


def test_the_beat_asks_for_it_once_a_night(settings: Settings) -> None:
    app = make_app(settings.model_copy(update={"learn_hour": 4}))
    [entry] = [entry for entry in app.conf.beat_schedule.values() if entry["task"] == LEARN]
    assert entry["schedule"].hour == {4}
    assert len(entry["schedule"].minute) == 1
    assert LEARN in app.tasks


def test_a_turn_ends_where_nothing_is_left(model_settings: Settings) -> None:
    assert learn_routes(model_settings, threading.Event()) is False
