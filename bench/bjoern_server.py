"""`python -m bench.bjoern_server MODULE:ATTRIBUTE PORT`: bjoern has no command of its own."""

import socket
import sys
from importlib import import_module

import bjoern

if __name__ == "__main__":
    module, _, attribute = sys.argv[1].partition(":")
    listening = bjoern.bind_and_listen("127.0.0.1", int(sys.argv[2]))
    # It sends an answer of unknown length in pieces, and would wait 40 ms between them.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    bjoern.server_run(listening, getattr(import_module(module), attribute))
