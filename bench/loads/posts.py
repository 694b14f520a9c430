"""Bodies sent as fast as they are answered for."""

from dataclasses import dataclass, replace

from bench.loads.load import Measured
from bench.loads.wrk import Wrk
from bench.process import Server


@dataclass(frozen=True)
class Posts:
    """`connections` that POST `body_bytes` again and again; each answer must be that number."""

    body_bytes: int
    connections: int

    def measure(self, server: Server, seconds: float) -> Measured:
        """As `Wrk`, with megabytes of body a second; memory grows from that after the start.

        Raises:
            FailedRun: as with `Wrk`, or a wrong answer.
        """
        before = server.resident_bytes()
        load = Wrk(self.connections, script="post.lua", path=f"/{self.body_bytes}")
        measured = load.measure(server, seconds)
        sent = measured.figures["requests_per_second"] * self.body_bytes
        growth = server.peak_resident_bytes() - before
        more = {"megabytes_per_second": sent / 1e6, "rss_growth_mb": growth / 1e6}
        return replace(measured, figures={**measured.figures, **more})
