from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.api.conftest import Client


async def mine(client: "Client") -> list[str]:
    return list((await client.get("/api/v1/searches")).json["searches"])


async def test_the_last_ten_searches_can_be_found_again(ada: "Client", bob: "Client") -> None:
    """One's own, the last first; one that is repeated moves to the front."""
    for number in range(12):
        assert (await ada.post("/api/v1/searches", {"text": f" search  {number} "})).status == 204
    await ada.post("/api/v1/searches", {"text": "search 5"})
    assert await mine(ada) == ["search 5", *(f"search {number}" for number in (11, 10, 9, 8, 7, 6, 4, 3, 2))]
    assert await mine(bob) == []


async def test_searches_can_be_forgotten(ada: "Client", bob: "Client") -> None:
    """By oneself, and whoever is deactivated leaves none."""
    for client in (ada, bob):
        await client.post("/api/v1/searches", {"text": "party"})
    assert (await ada.delete("/api/v1/searches")).status == 204
    assert await mine(ada) == [] and await mine(bob) == ["party"]
    for text in ("", "   ", "x" * 501, "a\0b"):
        assert (await ada.post("/api/v1/searches", {"text": text})).code == "VALIDATION_FAILED"
