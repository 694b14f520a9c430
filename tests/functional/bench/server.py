"""`python server.py MODE PORT`: a peer that answers with 200 or 500, never, or ends at once.

One that is stubborn answers, and does not end by SIGTERM.
"""

import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()


if __name__ == "__main__":
    mode, port = sys.argv[1], int(sys.argv[2])
    print(f"the log of {mode}", file=sys.stderr)
    if mode == "ending":
        sys.exit(3)
    if mode == "silent":
        time.sleep(60)
    if mode == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Handler.status = 500 if mode == "broken" else 200
    HTTPServer(("127.0.0.1", port), Handler).serve_forever()
