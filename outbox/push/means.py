"""What pushes are made with."""

import asyncio
import random

import msgspec

from campfire.clock import Clock
from campfire.config import Settings
from campfire.sealing import Sealer
from outbox.ledger import Ledger
from outbox.sender import Sender


class PushMeans(msgspec.Struct, frozen=True):
    """Handed to whoever plans, sends and settles pushes."""

    settings: Settings
    ledger: Ledger
    sender: Sender
    sealer: Sealer
    clock: Clock
    chance: random.Random
    stopping: asyncio.Event
