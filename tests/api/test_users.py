from typing import TYPE_CHECKING

from campfire.domain.states import UserState

if TYPE_CHECKING:
    from tests.api.conftest import Chat, Client


async def test_everybody_is_listed_by_name(chat: "Chat", ada: "Client", bob: "Client", eve: "Client") -> None:
    """With what others may know of them: no address."""
    users = (await bob.get("/api/v1/users")).json["users"]
    assert [user["name"] for user in users] == ["Ada", "Bob", "Eve"]
    assert users[1]["id"] == bob.user["id"] and "email" not in users[1]
    assert (await bob.get(f"/api/v1/users/{ada.user['id']}")).json == users[0]


async def test_a_list_of_any_length_is_whole(chat: "Chat", ada: "Client") -> None:
    """It is made bit by bit, and is one list all the same."""
    for number in range(1_234):
        chat.engine.directory.add_user(UserState(f"id {number}", f"person {number:04}", "member", 0))
    users = (await ada.get("/api/v1/users")).json["users"]
    assert [user["name"] for user in users] == ["Ada", *(f"person {number:04}" for number in range(1_234))]


async def test_an_unknown_person_is_not_found(ada: "Client") -> None:
    """As everywhere."""
    assert (await ada.get("/api/v1/users/nobody")).code == "USER_NOT_FOUND"
