import pytest

from campfire.link_previews.links import MAX_LINK, find_links, hosts_named


@pytest.mark.parametrize(
    ("body", "links"),
    [
        ("see https://example.org/a_b_c?x=1&copy=2.", ["https://example.org/a_b_c?x=1&copy=2"]),
        ("(https://example.org/wiki/A_(b))", ["https://example.org/wiki/A_(b)"]),
        ("[text](https://example.org/x), <https://example.com>", ["https://example.org/x", "https://example.com"]),
        ("**https://example.org**", ["https://example.org"]),
        ("HTTPS://Example.org/#a and https://example.org/#b", ["HTTPS://Example.org/#a"]),
        (
            "> quoted https://example.org\n\n- listed https://example.com",
            ["https://example.org", "https://example.com"],
        ),
        ("https://a.org https://b.org https://c.org https://d.org", [f"https://{name}.org" for name in "abc"]),
    ],
)
def test_the_first_three_different_links_are_found(body: str, links: list[str]) -> None:
    """However they are written, without the punctuation around them."""
    assert find_links(body) == links


@pytest.mark.parametrize(
    "body",
    [
        "`https://example.org`",
        "```\nhttps://example.org\n```",
        "    https://example.org",
        "http:// https://user:secret@example.org https://[::1/ https://example.org:99999/ https://℀.example",
        "ftp://example.org [x](javascript:alert) file:///etc/passwd",
        "https://example.org/" + "x" * MAX_LINK,
        "![picture](https://example.org/x.png)",
    ],
)
def test_what_is_code_or_cannot_be_shown_is_no_link(body: str) -> None:
    """Nobody asks a server for what somebody wrote as an example."""
    assert find_links(body) == []


@pytest.mark.parametrize("body", ["https://Example.org/x", "[a](http://example.org)", "<https://example.org>"])
def test_the_hosts_of_links_are_named(body: str) -> None:
    """Or two messages could ask one host at once."""
    assert "example.org" in {host.strip(")") for host in hosts_named(body)}
