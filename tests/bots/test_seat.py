"""Seats: one terminal each, and what the killed ones leave."""

import signal
import subprocess
import sys
from pathlib import Path

from bots.seat import take_seat

HOLD = (
    "import sys, time; from pathlib import Path; from bots.seat import take_seat\n"
    "with take_seat(Path(sys.argv[1])) as seat:\n"
    "    seat.note_shown('first'); seat.note_shown('the last'); print(seat.name, flush=True); time.sleep(600)"
)


def test_a_living_terminal_keeps_its_seat(tmp_path: Path) -> None:
    with take_seat(tmp_path) as one, take_seat(tmp_path) as other:
        assert one.name != other.name
        assert other.dead == {}


def test_a_killed_terminal_leaves_its_seat_and_what_it_showed_last(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    name = process.stdout.readline().strip()
    with take_seat(tmp_path) as seat:
        assert seat.dead == {}
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with take_seat(tmp_path) as heir:
        assert heir.dead[name] == "the last"
        with take_seat(tmp_path) as late:
            assert late.dead == {}  # the heir has it
    with take_seat(tmp_path) as next_one:
        assert name not in next_one.dead
