"""What the options of other servers are called here, for people who bring a command line along.

Read from the option lists of gunicorn 27.0, uvicorn 0.54, granian 2.8, waitress 3.0 and hypercorn
0.18.  Names that mean the same here are not in the table.  Nothing imports it until somebody has
given an unknown name.
"""

from typing import Final

_TLS: Final = (
    "there is no TLS here: terminate it in a proxy in front, and list that in --trusted-proxies"
)
_HTTP2: Final = "there is no HTTP/2 here: let a proxy in front speak it"
_WEB_SOCKETS: Final = "there are no WebSockets here; remove it"
_NO_DAEMON: Final = "there is none: let systemd, a container or a shell run it in the background"
_NO_USER: Final = "there is none: start the gateway as that user, as User= of systemd does"
_NO_PID_FILE: Final = "there is none: the process id is in the line of the start"
_NO_NAME: Final = "there is none: the processes keep the name of the command"
_NO_RECYCLING: Final = "there is none: only workers that die, hang or are worn out are replaced"
_NO_PREFIX: Final = (
    "there is none: let the proxy in front remove the prefix, or the application set SCRIPT_NAME"
)
_NO_STATISTICS: Final = "there is none: make them from the lines of --access-log json"
_NO_LOG_FILE: Final = (
    "there is none: the gateway's own log goes to standard error; redirect it with 2>FILE"
)
_NO_LOG_SETTINGS: Final = (
    "there is none: --log-level and --access-log are the gateway's; the application sets up its own"
)
_NO_STATIC: Final = "there is none: let the application or a proxy in front serve files"
_NO_LENIENCE: Final = "there is none: what is no strict HTTP/1.1 is refused; remove it"
_NO_LOOP: Final = "there is none: the loop is always uvloop; remove it"
_NO_TUNING: Final = "there is none: the gateway sizes its buffers itself; remove it"
_NO_DIRTY: Final = "there is none: serve long work by a gateway of its own"
_CONTROL: Final = "there is none: the gateway is controlled by signals (SIGTERM, SIGHUP)"

_ADDRESS: Final = "give --host HOST and --port PORT, or --unix PATH"
_SOCKET: Final = "give --unix PATH"
_SOCKET_MODE: Final = "give --unix-mode MODE"
_CONFIG: Final = "give --config FILE with settings in TOML"
_WORKERS: Final = "give --workers N"
_CLASS: Final = (
    "there is none: what the handler speaks decides; --threads N is for WSGI, --workers N for cores"
)
_THREADS: Final = "give --threads N"
_TIMEOUT: Final = (
    "give --handler-timeout TIME for a request, --worker-timeout TIME for a worker that hangs"
)
_DRAIN: Final = "give --drain-timeout TIME"
_KEEP_ALIVE: Final = "give --keep-alive-timeout TIME"
_FORWARDED: Final = "give --trusted-proxies ADDRESS,…"
_FORWARDED_FIELDS: Final = "give --trusted-proxies ADDRESS,… and --forwarded-headers NAME,…"
_FACTORY: Final = "write the call into the target: package.module:create_app()"
_FOLDER: Final = "give --chdir FOLDER"
_RELOAD_FOLDER: Final = "give --chdir FOLDER: --reload watches the folder of the code"
_RELOAD_FILES: Final = "give --reload-include PATTERN,… for more names; none can be left out"
_CONNECTIONS: Final = "give --max-connections N"
_ACCESS_LOG: Final = "give --access-log text, json or short: it goes to standard output"
_PRELOAD: Final = "there is none: each worker imports the code, so that SIGHUP can load it again"
_VARIABLES: Final = (
    "there is none: set variables before the command, as in NAME=value gateway serve"
)
_HEAD_SIZE: Final = "give --max-header-bytes SIZE"

_TABLE: Final[dict[str, str]] = {
    # Addresses.
    "-b --bind --listen --insecure-bind": _ADDRESS,
    "--quic-bind --http": "there is HTTP/1.1 only; remove it",
    "--ipv4 --ipv6 --no-ipv4 --no-ipv6": "give --host 0.0.0.0 for IPv4, --host :: for both",
    "--uds --unix-socket": _SOCKET,
    "--uds-permissions --unix-socket-perms": _SOCKET_MODE,
    "--sockets": "give --fd N for a listening socket that the process inherits",
    "--reuse-port": "there is none: all workers share one listening socket; give --workers N",
    "--no-reuse-port": "all workers share one listening socket already; remove it",
    # Processes and threads.
    "-w": _WORKERS,
    "-k --worker-class": _CLASS,
    "--blocking-threads": _THREADS,
    "--runtime-threads --runtime-blocking-threads --runtime-mode --blocking-threads-idle-timeout "
    "--task-impl --asyncore-loop-timeout --asyncore-use-poll --no-asyncore-use-poll": _NO_TUNING,
    "--preload": _PRELOAD,
    "--max-requests --max-requests-jitter --limit-max-requests --limit-max-requests-jitter "
    "--workers-lifetime --workers-max-rss --rss-sample-interval --rss-samples": _NO_RECYCLING,
    "--respawn-failed-workers --no-respawn-failed-workers --respawn-interval": (
        "there is none: a worker that dies is always replaced; remove it"
    ),
    "-D --daemon": _NO_DAEMON,
    "-u --user -g --group --initgroups": _NO_USER,
    "-m --umask": "there is none: set it before, as with umask 022; --unix-mode is the socket's",
    "-p": "give --port PORT for a port; there is no file with the process id",
    "--pid --pid-file": _NO_PID_FILE,
    "-n --name --process-name": _NO_NAME,
    "--worker-tmp-dir": "there is none: workers show that they live without files; remove it",
    "--control-socket --control-socket-mode --no-control-socket": _CONTROL,
    "--dirty-app --dirty-workers --dirty-timeout --dirty-threads --dirty-graceful-timeout": (
        _NO_DIRTY
    ),
    # Times.
    "-t --timeout": _TIMEOUT,
    "--workers-kill-timeout --graceful-timeout --timeout-graceful-shutdown": _DRAIN,
    "--timeout-worker-healthcheck": "give --worker-timeout TIME",
    "--keep-alive --timeout-keep-alive --http1-keep-alive --channel-timeout": _KEEP_ALIVE,
    "--no-http1-keep-alive": "give --keep-alive-timeout 0",
    "--http1-header-read-timeout": "give --head-timeout TIME",
    "--read-timeout": "give --head-timeout TIME and --body-timeout TIME",
    "--cleanup-interval": "there is none: --keep-alive-timeout is kept to the moment; remove it",
    "--asgi-disconnect-grace-period": "there is none: applications see at once who has left",
    # Limits.
    "--worker-connections --limit-concurrency --connection-limit": _CONNECTIONS,
    "--backpressure": "give --max-connections N, or --queue N for requests that wait",
    "--limit-request-line": "give --max-path-bytes SIZE",
    "--limit-request-fields": "give --max-header-fields N",
    "--limit-request-field_size --limit-request-field-size --max-request-header-size "
    "--h11-max-incomplete-event-size --http1-buffer-size": _HEAD_SIZE,
    "--max-request-body-size": "give --max-body SIZE",
    "--inbuf-overflow": "give --body-buffer SIZE",
    "--outbuf-overflow --outbuf-high-watermark": "give --answer-memory SIZE for all answers",
    "--recv-bytes --send-bytes --channel-request-lookahead --http1-pipeline-flush "
    "--no-http1-pipeline-flush --no-sendfile": _NO_TUNING,
    # Proxies in front.
    "--forwarded-allow-ips --trusted-proxy --proxy-headers": _FORWARDED,
    "--no-proxy-headers --clear-untrusted-proxy-headers --no-clear-untrusted-proxy-headers "
    "--log-untrusted-proxy-headers --no-log-untrusted-proxy-headers": (
        "there is none: nobody is believed who is not in --trusted-proxies; remove it"
    ),
    "--trusted-proxy-count": "there is none: list all proxies in --trusted-proxies ADDRESS,…",
    "--trusted-proxy-headers --forwarder-headers": _FORWARDED_FIELDS,
    "--proxy-allow-from": "give --proxy-protocol and --trusted-proxies ADDRESS,…",
    "--url-scheme": "give --trusted-proxies ADDRESS,…: the proxy's X-Forwarded-Proto is the scheme",
    "--root-path --url-prefix --url-path-prefix": _NO_PREFIX,
    "--server-name": "there is none: the Host field of the request is the name; remove it",
    # TLS and other protocols.
    "--certfile --keyfile --keyfile-password --ca-certs --cert-reqs --ciphers --ssl-version "
    "--ssl-certfile --ssl-keyfile --ssl-keyfile-password --ssl-ca-certs --ssl-cert-reqs "
    "--ssl-ciphers --ssl-certificate --ssl-protocol-min --ssl-ca --ssl-crl --ssl-client-verify "
    "--no-ssl-client-verify --verify-mode --suppress-ragged-eofs --do-handshake-on-connect": _TLS,
    "--http2 --http-protocols --http2-cleartext --http2-max-concurrent-streams "
    "--http2-initial-window-size --http2-max-frame-size --http2-max-header-list-size "
    "--http2-adaptive-window --no-http2-adaptive-window --http2-initial-connection-window-size "
    "--http2-initial-stream-window-size --http2-keep-alive-interval --http2-keep-alive-timeout "
    "--http2-max-headers-size --http2-max-send-buffer-size": _HTTP2,
    "--ws --no-ws --ws-max-size --ws-max-queue --ws-ping-interval --ws-ping-timeout "
    "--ws-per-message-deflate --websocket-ping-interval --websocket-max-message-size": _WEB_SOCKETS,
    "--protocol --uwsgi-allow-from": "there is HTTP/1.1 only; let the proxy in front speak that",
    "--permit-obsolete-folding --strip-header-spaces --permit-unconventional-http-method "
    "--permit-unconventional-http-version --casefold-http-method --header-map": _NO_LENIENCE,
    "--http-parser": "there is none: the parser is always httptools; remove it",
    # The application.
    "--factory --call": _FACTORY,
    "--no-factory": "a target without a call is tried as it is already; remove it",
    "--app-dir --pythonpath --working-dir": _FOLDER,
    "-c": _CONFIG,
    "-e --env": _VARIABLES,
    "--env-file --env-files": (
        "there is none: set variables before, as with set -a and . FILE in a shell"
    ),
    "--paste --paster --paste-global": (
        "there is none: make the application in a module, and name it package.module:app"
    ),
    "--lifespan --asgi-lifespan": (
        "there is none: an application that has a lifespan gets it; remove it"
    ),
    "--loop --asgi-loop": _NO_LOOP,
    "--reset-contextvars --no-reset-contextvars": (
        "there is none: each request has a context of its own; remove it"
    ),
    "--check-config": "run gateway check with the same options",
    "--print-config": "run gateway check; gateway help all tells every option and its default",
    # Development.
    "--reload-dir --reload-paths": _RELOAD_FOLDER,
    "--reload-extra-file": _RELOAD_FILES,
    "--reload-exclude --reload-ignore-dirs --reload-ignore-patterns --reload-ignore-paths": (
        "there is none: --reload watches *.py and what --reload-include names, no other files"
    ),
    "--reload-engine --reload-delay --reload-tick": (
        "there is none: --reload takes what the system offers; remove it"
    ),
    "--reload-ignore-worker-failure --no-reload-ignore-worker-failure": (
        "there is none: where new code fails the old goes on; remove it"
    ),
    "--spew": "there is none: use a tracer of Python's, such as python -m trace",
    "--debug": "run gateway dev in place of gateway serve, or give --log-level debug",
    "--expose-tracebacks": "give --tracebacks",
    "--no-expose-tracebacks": "give --no-tracebacks",
    # Answers.
    "--ident": "give --server-header TEXT",
    "--no-server-header": "there is none unless --server-header TEXT sets it; remove it",
    "--header": "there is none: let the application set it; --server-header TEXT is for Server",
    "--date-header --no-date-header": "there is none: every answer has Date (RFC 9110); remove it",
    "--static-path-route --static-path-mount --static-path-dir-to-file --static-path-expires": (
        _NO_STATIC
    ),
    # Logs.
    "--access-logfile": _ACCESS_LOG,
    "--no-access-log": "give --access-log off",
    "--access-logformat --access-log-format --access-log-fmt": (
        "there is none: --access-log text, json and short are the forms"
    ),
    "--error-logfile --error-log --log-file --log": _NO_LOG_FILE,
    "--no-log": "there is none: give --log-level error, or redirect it with 2>/dev/null",
    "--capture-output": "give --function-log text or json: it has what handlers print",
    "--log-config --log-config-json --logger-class": _NO_LOG_SETTINGS,
    "--log-syslog --log-syslog-to --log-syslog-prefix --log-syslog-facility "
    "--disable-redirect-access-to-syslog": (
        "there is none: pipe the output to logger, or let systemd keep it"
    ),
    "--log-socket-errors --no-log-socket-errors": (
        "there is none: clients that leave are in --access-log; remove it"
    ),
    "-R --enable-stdio-inheritance": "there is none: the standard streams are inherited; remove it",
    "--use-colors --no-use-colors": "there is none: a terminal has colours unless NO_COLOR is set",
    "--statsd-host --statsd-prefix --dogstatsd-tags --enable-backlog-metric --metrics --no-metrics "
    "--metrics-scrape-interval --metrics-address --metrics-port": _NO_STATISTICS,
    # What the file of gunicorn calls its settings, where that is something else.
    "--accesslog": _ACCESS_LOG,
    "--errorlog": _NO_LOG_FILE,
    "--keepalive": _KEEP_ALIVE,
    "--loglevel": "give --log-level LEVEL",
    "--pidfile": _NO_PID_FILE,
    "--preload-app": _PRELOAD,
    "--proc-name": _NO_NAME,
    "--raw-env": _VARIABLES,
    "--wsgi-app": "give the target: package.module:app",
    # Of the command itself.
    "-v": "run gateway version",
    "-V": "run gateway version",
    "--version": "run gateway version",
}

_HINTS: Final = {name: hint for names, hint in _TABLE.items() for name in names.split()}


def hint(flag: str) -> str | None:
    """What to do in place of an option of another server; `None`: none has such an option.

    flag: as it was typed, without "=" and what follows; a short one may have its value behind it,
    as in `-w4`.
    """
    if not flag.startswith("--"):
        flag = flag[:2]
    return _HINTS.get(flag)


def hint_for_name(name: str) -> str | None:
    """The same for the name of a key or a variable, which has neither dashes nor capitals."""
    return _HINTS.get("--" + name.lower().replace("_", "-"))
