"""Sounds: a message `/play NAME` plays one in everybody's client."""

SOUNDS = (
    "airhorn", "applause", "banjo", "bell", "bingo", "birds", "boing", "bongo", "bugle", "buzzer",
    "camera", "cash", "cheer", "chime", "church", "clap", "clock", "coin", "cowbell", "crickets",
    "cuckoo", "cymbal", "dingdong", "dog", "doorbell", "dream", "drop", "drumroll", "duck", "fanfare",
    "fireworks", "foghorn", "frog", "giggle", "glass", "gong", "gull", "harp", "heartbeat", "horse",
    "kazoo", "kettle", "laser", "laugh", "meow", "moo", "owl", "pop", "rain", "rimshot",
    "rooster", "siren", "sparkle", "splash", "tada", "thunder", "train", "trombone", "whistle", "wolf",
)  # fmt: skip

COMMAND = "play"
_BEGINNING = f"/{COMMAND} "


def sound_of(body: str) -> str | None:
    """The sound that a message plays, if it is one."""
    if not body.startswith(_BEGINNING):
        return None
    name = body[len(_BEGINNING) :].strip().casefold()
    return name if name in SOUNDS else None
