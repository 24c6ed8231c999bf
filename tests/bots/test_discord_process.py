"""The process `tandem discord`: real model, real database, real signals; only Discord itself is a double."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from index.indexing import index_folder_now
from tandem.db.pool import Database
from tandem.settings import Settings
from tests.doubles.discord import TOKEN, DiscordDouble, run_discord_double

RUN = "import asyncio, bots.discord.client as c, tandem.settings as s; asyncio.run(c.run_discord(s.read_settings()))"
