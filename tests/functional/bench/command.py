"""`python command.py ARGUMENTS`: `python -m bench` with peers and a load that need no tools."""

import os
import sys
import time
from pathlib import Path

from bench import cli
from bench.loads.load import Measured
from bench.peers import PEERS, Peer
from bench.process import Server
from bench.scenarios import SCENARIOS, Scenario

SERVER = Path(__file__).with_name("server.py")


class Counting:
    """Gives a figure without doing anything; from the run that STOP_AT names on, it never ends."""

    runs = 0

    def measure(self, server: Server, seconds: float) -> Measured:
        self.runs += 1
        if self.runs == int(os.environ.get("STOP_AT", "0")):
            print("measuring process", server.group, file=sys.stderr, flush=True)
            time.sleep(60)
        return Measured({"requests_per_second": float(self.runs)})


if __name__ == "__main__":
    for name in ("good", "ending", "broken", "silent"):
        PEERS[name] = Peer(name, ("{python}", str(SERVER), name, "{port}"))
    SCENARIOS["counting"] = Scenario(
        "counting", "Counting", "bench.handlers:hello", Counting(), peers=("good",)
    )
    sys.exit(cli.main(sys.argv[1:]))
