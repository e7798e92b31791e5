from collections.abc import AsyncIterator

import pytest
from link_previews_support.site import Site, a_site


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with a_site() as site:
        yield site
