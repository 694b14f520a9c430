"""The sentences of the page that no figure changes."""

from bench.process import CLIENT_CORE, SERVER_CORE

INTRO = """\
# Benchmarks

How fast the gateway answers, and what an invocation costs, measured beside other servers for WSGI
handlers. Every figure and plot below is made from one set of results by `python -m bench report`;
nothing is typed by hand.
"""

SAME_HEAD = """\
`wrk` sends the same head each time, and the gateway does not parse a head again that equals the one
before it on its connection. `varied-32`, where no head repeats, is the figure without that: row 1b.
"""

METHOD = f"""\
- **Pinning.** The server runs on core {SERVER_CORE}, the client that loads it on core \
{CLIENT_CORE}. Every peer has one process, and eight threads for handlers if it has such threads; \
one that ends in `-recommended` has the settings that its own documentation recommends.
- **Interleaving.** A round runs every peer once under a scenario, in another order each time, \
each in a process of its own. So the machine's drift meets all of them.
- **Warm-up.** A server first gives a right answer, then works under load for a while before \
anything is counted. Wrong answers make the run a failure, never a figure.
- **Medians and intervals.** A figure is the median of the rounds. Behind it, in brackets, stands \
its interval (percentile bootstrap, 95 %). A few rounds cannot hold that much: with five it is the \
range of all runs and holds the true median in 94 of 100 cases, with three in 75.
- **Ratios.** “Beside ours” is the peer's figure over the gateway's, from runs of the same rounds; \
its interval tells whether a difference is more than noise. Absolute figures drift by up to a \
factor of two on shared machines: only the ratios of one set count.
- **CPU a request** is user and system time of all processes of the server while it was loaded, \
over the requests answered. It is steadier than requests per second, and what a bill is made of.
- **Closed and open loop.** In most scenarios a connection sends its next request when it has its \
answer, so that a slow server is asked less. In those named open loop requests are sent at a fixed \
rate, and the wait for a late answer counts in full.
- **Bounds.** A target is met when the whole interval keeps the bound, not met when all of it \
breaks it, and at the bound when the bound lies inside.
- `floor` is no peer: uvloop and httptools with a constant answer, without WSGI. It shows where \
the ground is.
"""

NOT_CLAIMED = """\
- That another machine gives these figures. Run it on yours.
- That a real function becomes faster by the same ratio: what a handler does by itself is the same \
everywhere, and mostly more.
- Anything about networks: client and server talk over the loopback device.
- Anything about more than one process, TLS, HTTP/2 or ASGI applications; the peers can do some of \
that.
- That a peer cannot do better with other settings. Theirs are in `bench/peers.py`.
- That peers that check less do the same work: limits, deadlines, request ids and FC's headers \
were switched on in the gateway, as they are by default.
"""

REPRODUCE = """\
```sh
apt-get install wrk nghttp2-client
make bench
```

That installs the peers into an environment of their own, runs the short suite and renders this
page from it. [bench/README.md](../bench/README.md) tells how to run the full one.
"""
