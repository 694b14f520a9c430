"""Options of other servers: each is one of ours, or there is a word on what to do."""

import re

import pytest

from gateway.config.foreign import hint, hint_for_name
from gateway.config.sources import _FLAGS, read_command_line
from gateway.config.values import ConfigError

# The option lists as the servers print them.
GUNICORN_27_0 = """
    -D -R -b -c -e -g -k -m -n -p -t -u -v -w --access-logfile --access-logformat
    --asgi-disconnect-grace-period --asgi-lifespan --asgi-loop --backlog --bind --ca-certs
    --capture-output --casefold-http-method --cert-reqs --certfile --chdir --check-config --ciphers
    --config --control-socket --control-socket-mode --daemon --dirty-app --dirty-graceful-timeout
    --dirty-threads --dirty-timeout --dirty-workers --disable-redirect-access-to-syslog
    --do-handshake-on-connect --dogstatsd-tags --enable-backlog-metric --enable-stdio-inheritance
    --env --error-logfile --forwarded-allow-ips --forwarder-headers --graceful-timeout --group
    --header-map --http-parser --http-protocols --http2-cleartext --http2-initial-window-size
    --http2-max-concurrent-streams --http2-max-frame-size --http2-max-header-list-size --initgroups
    --keep-alive --keyfile --limit-request-field_size --limit-request-fields --limit-request-line
    --log-config --log-config-json --log-file --log-level --log-syslog --log-syslog-facility
    --log-syslog-prefix --log-syslog-to --logger-class --max-requests --max-requests-jitter --name
    --no-control-socket --no-sendfile --paste --paste-global --paster --permit-obsolete-folding
    --permit-unconventional-http-method --permit-unconventional-http-version --pid --preload
    --print-config --protocol --proxy-allow-from --proxy-protocol --pythonpath --reload
    --reload-engine --reload-extra-file --reuse-port --root-path --spew --ssl-version --statsd-host
    --statsd-prefix --strip-header-spaces --suppress-ragged-eofs --threads --timeout --umask --user
    --uwsgi-allow-from --version --websocket-max-message-size --worker-class --worker-connections
    --worker-tmp-dir --workers
"""
UVICORN_0_54 = """
    --access-log --app-dir --backlog --date-header --env-file --factory --fd --forwarded-allow-ips
    --h11-max-incomplete-event-size --header --host --http --http2 --interface --lifespan
    --limit-concurrency --limit-max-requests --limit-max-requests-jitter --log-config --log-level
    --loop --no-access-log --no-date-header --no-proxy-headers --no-server-header --no-use-colors
    --port --proxy-headers --reload --reload-delay --reload-dir --reload-exclude --reload-include
    --reset-contextvars --root-path --server-header --ssl-ca-certs --ssl-cert-reqs --ssl-certfile
    --ssl-ciphers --ssl-keyfile --ssl-keyfile-password --ssl-version --timeout-graceful-shutdown
    --timeout-keep-alive --timeout-worker-healthcheck --uds --use-colors --version --workers --ws
    --ws-max-queue --ws-max-size --ws-per-message-deflate --ws-ping-interval --ws-ping-timeout
"""
GRANIAN_2_8 = """
    --access-log --access-log-fmt --backlog --backpressure --blocking-threads
    --blocking-threads-idle-timeout --env-files --factory --host --http --http1-buffer-size
    --http1-header-read-timeout --http1-keep-alive --http1-pipeline-flush --http2-adaptive-window
    --http2-initial-connection-window-size --http2-initial-stream-window-size
    --http2-keep-alive-interval --http2-keep-alive-timeout --http2-max-concurrent-streams
    --http2-max-frame-size --http2-max-headers-size --http2-max-send-buffer-size --interface --log
    --log-config --log-level --loop --metrics --metrics-address --metrics-port
    --metrics-scrape-interval --no-access-log --no-factory --no-http1-keep-alive
    --no-http1-pipeline-flush --no-http2-adaptive-window --no-log --no-metrics --no-reload
    --no-reload-ignore-worker-failure --no-respawn-failed-workers --no-ssl-client-verify --no-ws
    --pid-file --port --process-name --reload --reload-ignore-dirs --reload-ignore-paths
    --reload-ignore-patterns --reload-ignore-worker-failure --reload-paths --reload-tick
    --respawn-failed-workers --respawn-interval --rss-sample-interval --rss-samples
    --runtime-blocking-threads --runtime-mode --runtime-threads --ssl-ca --ssl-certificate
    --ssl-client-verify --ssl-crl --ssl-keyfile --ssl-keyfile-password --ssl-protocol-min
    --static-path-dir-to-file --static-path-expires --static-path-mount --static-path-route
    --task-impl --uds --uds-permissions --url-path-prefix --version --workers
    --workers-kill-timeout --workers-lifetime --workers-max-rss --working-dir --ws
"""
WAITRESS_3_0 = """
    --asyncore-loop-timeout --asyncore-use-poll --backlog --call --channel-request-lookahead
    --channel-timeout --cleanup-interval --clear-untrusted-proxy-headers --connection-limit
    --expose-tracebacks --host --ident --inbuf-overflow --ipv4 --ipv6 --listen --log-socket-errors
    --log-untrusted-proxy-headers --max-request-body-size --max-request-header-size
    --no-asyncore-use-poll --no-clear-untrusted-proxy-headers --no-expose-tracebacks --no-ipv4
    --no-ipv6 --no-log-socket-errors --no-log-untrusted-proxy-headers --outbuf-high-watermark
    --outbuf-overflow --port --recv-bytes --send-bytes --server-name --sockets --threads
    --trusted-proxy --trusted-proxy-count --trusted-proxy-headers --unix-socket
    --unix-socket-perms --url-prefix --url-scheme
"""
HYPERCORN_0_18 = """
    -D -b -c -g -k -m -p -u -w --access-log --access-logfile --access-logformat --backlog --bind
    --ca-certs --cert-reqs --certfile --ciphers --config --daemon --debug --error-log
    --error-logfile --graceful-timeout --group --insecure-bind --keep-alive --keyfile
    --keyfile-password --log-config --log-file --log-level --max-requests --max-requests-jitter
    --pid --quic-bind --read-timeout --reload --root-path --server-name --statsd-host
    --statsd-prefix --umask --user --verify-mode --websocket-ping-interval --worker-class --workers
"""
BROUGHT = sorted(
    {*(GUNICORN_27_0 + UVICORN_0_54 + GRANIAN_2_8 + WAITRESS_3_0 + HYPERCORN_0_18).split()}
)
HINTS = {name: found for name in BROUGHT if name not in _FLAGS and (found := hint(name))}

LEADS = ("give ", "run ", "write ", "there is ", "there are ", "all workers ", "a target ")


@pytest.mark.parametrize("name", BROUGHT)
def test_each_is_ours_or_has_a_hint(name: str) -> None:
    if name in _FLAGS:
        assert hint(name) is None, "a hint for an option that is there is never told"
        return
    with pytest.raises(ConfigError) as refused:
        read_command_line([name])
    assert str(refused.value) == f"unknown option {name}: {HINTS[name]}"
    assert "did you mean" not in str(refused.value)


@pytest.mark.parametrize("name", HINTS)
def test_a_hint_is_one_line_that_names_options_that_are_there(name: str) -> None:
    told = HINTS[name]
    assert told.startswith(LEADS)
    assert "\n" not in told
    assert {*re.findall(r"--[a-z][a-z-]*", told)} <= _FLAGS.keys()


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("--graceful-timeout", "--drain-timeout TIME"),
        ("--timeout", "--handler-timeout TIME"),
        ("--reload-dir", "--chdir FOLDER"),
        ("--forwarded-allow-ips", "--trusted-proxies ADDRESS,…"),
        ("--trusted-proxy", "--trusted-proxies ADDRESS,…"),
        ("--listen", "--host HOST and --port PORT"),
        ("--factory", "package.module:create_app()"),
        ("-t60", "--handler-timeout TIME"),
        ("-p", "--port PORT"),
    ],
)
def test_the_equal_is_named(name: str, option: str) -> None:
    assert option in (hint(name) or "")


@pytest.mark.parametrize(
    "name", ["--preload", "--max-requests", "--root-path", "--url-prefix", "--daemon", "-k"]
)
def test_where_there_is_no_equal_the_hint_says_so(name: str) -> None:
    assert (hint(name) or "").startswith("there is none: ")


@pytest.mark.parametrize("name", ["--frobs", "-x", "-", "--", "--tim", "---timeout", ""])
def test_of_names_that_nobody_has_nothing_is_told(name: str) -> None:
    assert hint(name) is None


def test_a_key_or_variable_of_the_name_has_the_same_hint() -> None:
    assert hint_for_name("GRACEFUL_TIMEOUT") == hint("--graceful-timeout")
    assert hint_for_name("worker-class") == hint("--worker-class")
    assert hint_for_name("URL") is None
