"""The feed: the events that a person may see, from a position on, over three transports."""

from campfire.api.feed.hub import FeedHub

__all__ = ["FeedHub"]
