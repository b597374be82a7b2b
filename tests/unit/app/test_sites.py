"""Sites over the administration of a server."""


def test_sites_are_listed_shown_pinned_and_unpinned(told):
    assert told("site.list") == {"data": []}
    pinned = told("site.pin", site="google", limits={"connections": 3})
    assert [limit["value"] for limit in pinned["limits"] if limit["pinned_by"] == "cli"] == [3.0]
    (row,) = told("site.list")["data"]
    assert (row["site"], row["state"], row["pinned"]) == ("google", "flowing", "connections")
    assert told("site.changes", limit=1)["data"][0]["sentence"] == "cli pinned connections to 3."
    assert told("site.show", site="google")["changes"][0]["what"] == "pinned"
    assert not any(limit["pinned_by"] for limit in told("site.unpin", site="google")["limits"])
