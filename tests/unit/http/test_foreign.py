"""The log line on clients of other protocols."""

from gateway.http.foreign import ForeignClients


def test_the_first_is_told_and_then_once_a_minute(caplog):
    clients = ForeignClients()
    for now in (0.0, 1.0, 59.9, 60.0, 61.0, 120.0):
        clients.note("TLS", now)
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "1 clients spoke TLS to this port",
        "3 clients spoke TLS to this port",
        "2 clients spoke TLS to this port",
    ]


def test_each_protocol_is_told_by_itself(caplog):
    clients = ForeignClients()
    for protocol in ("TLS", "SSH", "the PROXY protocol"):
        clients.note(protocol, 0.0)
    assert len(caplog.records) == 3
    assert "--proxy-protocol" in caplog.text
