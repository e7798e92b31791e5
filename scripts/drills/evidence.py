"""What receivers saw and what the outbox says, and what is wrong between the two."""

from collections import Counter
from collections.abc import Iterable

import msgspec


class Receipt(msgspec.Struct, frozen=True):
    """One request as its receiver saw it. A connection, numbered, belongs to one life of a worker."""

    endpoint: str
    delivery: str
    digest: bytes
    connection: int
    sequence: int | None


class Planned(msgspec.Struct, frozen=True):
    """A delivery as the outbox has it in the end."""

    endpoint: str
    delivery: str
    sequence: int
    state: str


def violations(receipts: list[Receipt], planned: Iterable[Planned], *, kills: int, messages: int) -> list[str]:
    """What must not be, in sentences: for one delivery on its way to an endpoint at a time, `messages` to each."""
    by_endpoint: dict[str, list[Planned]] = {}
    for each in planned:
        by_endpoint.setdefault(each.endpoint, []).append(each)
    found = [
        f"{receipt.delivery} was received by {receipt.endpoint} and planned by nobody"
        for receipt in receipts
        if receipt.endpoint not in by_endpoint
    ]
    for endpoint, expected in by_endpoint.items():
        received = [receipt for receipt in receipts if receipt.endpoint == endpoint]
        found += [f"{endpoint}: {each}" for each in _of_one(received, expected, kills, messages)]
    return found


def _of_one(received: list[Receipt], expected: list[Planned], kills: int, messages: int) -> list[str]:
    sequences = {each.delivery: each.sequence for each in expected}
    found = []
    if sorted(sequences.values()) != list(range(1, messages + 1)):
        found.append(f"the sequence has holes or is not {messages} long")
    times = Counter(receipt.delivery for receipt in received)
    found += [f"{each.delivery} (number {each.sequence}) was lost" for each in expected if not times[each.delivery]]
    found += [f"{each.delivery} is {each.state} in the end" for each in expected if each.state != "delivered"]
    found += [f"{delivery} was received and planned by nobody" for delivery in times if delivery not in sequences]
    repeated = sum(times.values()) - len(times)
    if repeated > kills:
        found.append(f"{repeated} repeats for {kills} kills")
    return found + _of_each(received, sequences)


def _of_each(received: list[Receipt], sequences: dict[str, int]) -> list[str]:
    """In the order of receipt: what is new comes in sequence, what is repeated is the same, from another life."""
    found = []
    seen: dict[str, Receipt] = {}
    last = 0
    for receipt in received:
        sequence = sequences.get(receipt.delivery, 0)
        if receipt.sequence not in (None, sequence):
            found.append(f"{receipt.delivery} says it is number {receipt.sequence}, and is {sequence}")
        earlier = seen.get(receipt.delivery)
        if earlier is None:
            seen[receipt.delivery] = receipt
            if sequence != last + 1:
                found.append(f"number {sequence} came after number {last}")
            last = sequence
            continue
        if earlier.digest != receipt.digest:
            found.append(f"{receipt.delivery} was repeated with other bytes")
        if earlier.connection == receipt.connection:
            found.append(f"{receipt.delivery} was repeated without a kill")
    return found
