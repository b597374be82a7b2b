"""`postroad sites`."""


def test_sites_are_listed(postroad, server):
    server.answers.append({"data": [{"site": "google", "state": "flowing", "says": "Mail flows."}]})
    ended = postroad("sites")
    assert ended.code == 0
    assert "google" in ended.out
    assert server.asked == [("site.list", {})]


def test_one_site_and_all_changes_are_asked_for(postroad, server):
    assert postroad("sites", "show", "google").code == 0
    assert postroad("sites", "changes", "--limit", "7").code == 0
    assert server.asked == [("site.show", {"site": "google"}), ("site.changes", {"limit": 7})]


def test_limits_are_pinned_and_unpinned(postroad, server):
    assert postroad("sites", "pin", "google", "connections=3", "messages_per_second=0.5").code == 0
    assert postroad("sites", "unpin", "google", "connections").code == 0
    assert postroad("sites", "unpin", "google").code == 0
    assert server.asked == [
        ("site.pin", {"site": "google", "limits": {"connections": 3.0, "messages_per_second": 0.5}}),
        ("site.unpin", {"site": "google", "limits": ["connections"]}),
        ("site.unpin", {"site": "google", "limits": []}),
    ]


def test_what_is_no_pair_is_refused_before_it_is_asked(postroad, server):
    ended = postroad("sites", "pin", "google", "connections")
    assert ended.code == 2
    assert server.asked == []
