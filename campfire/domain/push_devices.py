"""The devices that want pushes, as decisions know them."""

import msgspec


class PushKeyState(msgspec.Struct, frozen=True):
    """See `PushKeyMade`."""

    public_key: str
    sealed_private_key: str


class PushSubscriptionState(msgspec.Struct, frozen=True):
    """A device; see `PushSubscribed`. `position` is that of its subscribing in the log."""

    id: str
    user_id: str
    session_id: str
    service: str
    endpoint_hash: str
    sealed: str
    user_agent: str
    subscribed_at: int
    position: int


class PushDevices(msgspec.Struct):
    """The server's key towards push services, and every subscribed device."""

    key: PushKeyState | None = None
    by_id: dict[str, PushSubscriptionState] = msgspec.field(default_factory=dict)
    _ids_of: dict[str, set[str]] = msgspec.field(default_factory=dict)

    def of(self, user_id: str) -> list[PushSubscriptionState]:
        """Somebody's devices, the one subscribed longest ago first."""
        found = [self.by_id[each] for each in self._ids_of.get(user_id, ())]
        return sorted(found, key=lambda device: device.position)

    def add(self, device: PushSubscriptionState) -> None:
        self.by_id[device.id] = device
        self._ids_of.setdefault(device.user_id, set()).add(device.id)

    def remove(self, subscription_id: str) -> None:
        """Forget a device, if it is known."""
        device = self.by_id.pop(subscription_id, None)
        if device is None:
            return
        left = self._ids_of[device.user_id]
        left.discard(subscription_id)
        if not left:
            del self._ids_of[device.user_id]
