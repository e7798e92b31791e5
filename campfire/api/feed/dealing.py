"""Who gets what of a committed batch, with as few different writes as there are different sights of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from operator import attrgetter

from campfire.api.feed.frames import EncodedEvent, Run
from campfire.api.feed.subscriber import Subscriber
from campfire.domain.public_view import Audience


def dealt(
    by_audience: Mapping[Audience, list[EncodedEvent]], recipients_of: Callable[[Audience], list[Subscriber]]
) -> Iterator[tuple[Sequence[Subscriber], Run]]:
    """The batch as runs, one for all who see exactly the same of it, each with who gets it.

    The work grows with the batch's different audiences, not with its events.
    """
    if len(by_audience) == 1:
        [(audience, seen)] = by_audience.items()
        yield recipients_of(audience), Run(seen)
        return
    parts = list(by_audience.values())
    seen_by: dict[Subscriber, tuple[int, ...]] = {}
    for number, audience in enumerate(by_audience):
        for subscriber in recipients_of(audience):
            seen_by[subscriber] = (*seen_by.get(subscriber, ()), number)
    alike: dict[tuple[int, ...], list[Subscriber]] = {}
    for subscriber, numbers in seen_by.items():
        alike.setdefault(numbers, []).append(subscriber)
    for numbers, recipients in alike.items():
        together = chain.from_iterable(parts[number] for number in numbers)
        yield recipients, Run(sorted(together, key=attrgetter("position")))
