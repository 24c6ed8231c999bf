"""The processes of one machine, kept running by supervisor: a part that dies is started again."""

import ctypes
import getpass
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tandem.errors import TandemError
from tandem.settings import Settings

STOP_S = 20
BACKGROUND = ("worker", "beat", "watch")
PR_SET_PDEATHSIG = 1
_HEAD = """\
[supervisord]
nodaemon=true
silent={silent}
logfile={log}
logfile_maxbytes=5MB
user={user}
pidfile={run}/supervisord.pid
"""
_PROGRAM = """
[program:{name}]
command={nice}{python} -m tandem {name}
autorestart=true
startsecs=2
startretries=1000
stopwaitsecs=10
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile={output}
stdout_logfile_maxbytes={bytes}
stdout_logfile_backups=1
"""


def list_parts(settings: Settings, *, surfaces: bool) -> list[str]:
    """The commands that run on this machine: model, worker and beat, and around them what has its token or secret."""
    parts = [] if settings.model_url else ["model"]
    parts += ["worker", "beat"]
    if surfaces:
        parts.append("watch")
    if surfaces and settings.webhook_secret:
        parts.append("webhooks")
    if surfaces and settings.slack_bot_token:
        parts.append("slack")
    if surfaces and settings.discord_token:
        parts.append("discord")
    return parts


def write_configuration(settings: Settings, parts: list[str], *, foreground: bool) -> Path:
    """Writes supervisor's file into the run folder. In the foreground the parts' output goes to the terminal."""
    run = settings.run_dir
    text = _HEAD.format(
        silent="false" if foreground else "true", log=run / "supervisord.log", user=getpass.getuser(), run=run
    )
    for name in parts:
        output, size = ("/dev/fd/1", "0") if foreground else (str(run / f"{name}.log"), "5MB")
        nice = "nice -n 5 " if name in BACKGROUND else ""  # who asks comes before who indexes, from the start on
        text += _PROGRAM.format(
            name=name, nice=nice, python=_escape(sys.executable), output=_escape(output), bytes=size
        )
    path = run / "supervisord.conf"
    path.write_text(text)
    return path


def supervisor_command(configuration: Path) -> list[str]:
    return [sys.executable, "-m", "supervisor.supervisord", "-c", str(configuration)]


@contextmanager
def background_stack(settings: Settings) -> Iterator[None]:
    """Runs the parts as long as the context, or uses those that already run for this home."""
    if _is_running(settings.run_dir / "supervisord.pid"):
        yield
        return
    configuration = write_configuration(settings, list_parts(settings, surfaces=False), foreground=False)
    process = subprocess.Popen(
        supervisor_command(configuration),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=_end_with_parent if sys.platform == "linux" else None,
    )
    time.sleep(0.05)
    if process.poll() is not None:
        raise TandemError("The background processes do not start.", remedy=f"Run `{' '.join(process.args)}`.")  # type: ignore[arg-type]
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _is_running(pidfile: Path) -> bool:
    try:
        command = Path(f"/proc/{int(pidfile.read_text())}/cmdline").read_bytes()
    except (OSError, ValueError):
        return False
    return b"supervisord" in command


def _escape(value: str) -> str:
    return value.replace("%", "%%")
