"""How far an event is from what people did: what keeps a webhook that posts back from going round for ever.

A delivery says how far it is from what people did (`campfire-hops`: 1 for what they did themselves). Whoever acts on it
gives the number back with what is posted, and the event keeps it.
"""

HEADER = "campfire-hops"
MOST_HOPS = 3
"""An event that is further away is delivered to nobody."""
LARGEST = 100
"""What a request may say."""
