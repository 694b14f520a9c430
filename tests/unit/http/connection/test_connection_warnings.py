"""The troubles of a site: clients of other protocols, and the end."""

import pytest

from gateway.http.connection.connection_warnings import ConnectionWarnings


def told(caplog):
    return [record.getMessage().partition(":")[0] for record in caplog.records]


@pytest.mark.parametrize(("later", "is_told"), [(59.9, False), (60.0, True), (60.1, True)])
def test_the_first_client_of_another_protocol_is_told_at_once_and_others_later(
    caplog, later, is_told
):
    troubles = ConnectionWarnings()
    troubles.note_foreign("TLS", 5.0)
    assert told(caplog) == ["1 clients spoke TLS to this port"]
    troubles.note_foreign("TLS", 6.0)
    troubles.note_foreign("TLS", 7.0)
    troubles.check(5.0 + later)
    assert told(caplog)[1:] == ["2 clients spoke TLS to this port in the last 60 s"] * is_told


def test_each_protocol_is_told_by_itself(caplog):
    troubles = ConnectionWarnings()
    for protocol in ("TLS", "SSH", "the PROXY protocol"):
        troubles.note_foreign(protocol, 0.0)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 3
    assert "let the clients use http://" in lines[0]
    assert lines[2].endswith("give --proxy-protocol")


def test_the_end_tells_what_was_not_told_yet(caplog):
    troubles = ConnectionWarnings()
    troubles.note_foreign("TLS", 0.0)
    troubles.note_foreign("TLS", 1.0)
    troubles.shed.note()
    troubles.close(2.0)
    assert told(caplog)[1:] == [
        "1 connections dropped requests",
        "1 clients spoke TLS to this port since the last line",
    ]
    troubles.close(3.0)
    assert len(caplog.records) == 3
