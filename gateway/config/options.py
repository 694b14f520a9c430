"""Every option of the gateway, defined once.

The command-line flag, the environment variable, the key in a file, ``--help`` and the settings
page are all made from the fields of `Config`.
"""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

from gateway.config.definition import Group, Option, option
from gateway.config.targets import HOOK, TARGET
from gateway.config.values import (
    AUTO,
    HEADER_VALUE,
    HOST,
    MEMORY,
    METHODS,
    MODE,
    NETWORKS,
    PATH,
    PATTERNS,
    SOCKET,
    SOURCE,
    SWITCH,
    TEXT,
    choice,
    duration,
    duration_or_zero,
    integer,
    integer_or_auto,
    size,
    some_of,
)
from gateway.fc import names
from gateway.limits import KIB, MIB, Limits

HANDLER = Group("Handler", "What is served.")
LISTENING = Group(
    "Listening",
    "One place to listen on: host and port, or a Unix socket, or an inherited socket.",
)
WORKERS = Group(
    "Workers",
    "Handlers run in worker processes. A supervisor, which runs no code of the user, starts them, "
    "and another one in the place of each that dies, hangs, or is worn out by handlers that never "
    "return. SIGHUP has it load the code again, with settings that are read anew: workers are "
    "replaced one at a time.",
)
TRUST = Group(
    "Proxies in front",
    "Whose words on the client are believed: nobody's, unless the proxies are listed. What is "
    "believed becomes REMOTE_ADDR, wsgi.url_scheme and so on, by the rules in docs/security.md.",
)
TRIGGER = Group(
    "Trigger",
    "Who may invoke the function, as Function Compute's HTTP triggers say it. What is refused here "
    "never reaches the handler, and its body is not read.",
)
LIFE_CYCLE = Group(
    "Life cycle",
    "Functions of the user's code that run around its requests, each called with the context. They "
    "are named as module.function.",
)
POOL = Group(
    "Pool",
    "Handlers run in threads of a pool. A request that finds no free thread waits in the queue.",
)
LIMITS = Group(
    "Limits",
    "The limits on requests and answers are Function Compute's by default, and so is what the "
    "client is told. A value exactly at its limit passes.",
)
TIMEOUTS = Group("Timeouts", "How long a client may take.")
ANSWERS = Group("Answers", "What answers contain.")
LOGS = Group("Logs", "What is written about requests and about the gateway itself.")
FUNCTION_COMPUTE = Group(
    "Function Compute",
    "What the handler sees in fc.context. Function Compute's own environment variables are used "
    "where nothing else sets the option.",
)


_FC = Limits()
# A time limit of nothing would refuse everybody; the options where 0 means something say so.
_SOME_TIME = duration(minimum=0.001)


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of one gateway: sizes in bytes, times in seconds.

    Made by `gateway.config.load`, which also checks that the settings agree with one another.
    """

    target: str | None = option(
        None,
        kind=TARGET,
        group=HANDLER,
        positional=True,
        fallback=names.FC_FUNCTION_HANDLER,
        brief="The handler: package.module:handler, or module.handler as on Function Compute.",
        help="Handler to run: package.module:handler, or module.handler as Function Compute "
        "writes it; package.module:create_app() is called, and what it returns is served. Without "
        "one a built-in demonstration handler runs.",
    )
    config: Path | None = option(
        None,
        kind=PATH,
        group=HANDLER,
        metavar="FILE",
        in_file=False,
        brief="TOML file with settings.",
        help="TOML file with settings.",
    )
    chdir: Path | None = option(
        None,
        kind=PATH,
        group=HANDLER,
        metavar="FOLDER",
        fallback=names.FC_FUNC_CODE_PATH,
        brief="Folder of the code.",
        help="Folder to change to, and to import the handler from.",
    )
    project: Path | None = option(
        None,
        kind=PATH,
        group=HANDLER,
        metavar="FILE",
        in_file=False,
        brief="Serverless Devs project (s.yaml) to take settings from.",
        help="Serverless Devs project (s.yaml) to take settings from; what other sources set goes "
        "before it.",
    )
    function: str = option(
        "",
        kind=TEXT,
        group=HANDLER,
        metavar="NAME",
        in_file=False,
        help="Which function of the project; not needed where it has one only.",
    )
    profile: Literal["plain", "function-compute", "custom-container"] = option(
        "plain",
        kind=choice("plain", "function-compute", "custom-container"),
        group=HANDLER,
        brief="Defaults of other options, as near to Function Compute as the profile says.",
        help="Defaults of other options: function-compute is as near to a built-in runtime of "
        "Function Compute as it gets (docs/fc-compatibility.md). custom-container is for inside a "
        "custom container or custom runtime of Function Compute, whose calls and headers are then "
        "believed (docs/custom-container.md).",
    )
    strict_environment: bool = option(
        False,
        kind=SWITCH,
        group=HANDLER,
        help="Whether an unknown GATEWAY_… variable ends the start. Otherwise a warning names it: "
        "it may be the application's own.",
    )
    interface: Literal["auto", "wsgi", "asgi", "fc-event"] = option(
        "auto",
        kind=choice("auto", "wsgi", "asgi", "fc-event"),
        group=HANDLER,
        brief="What the handler speaks; auto looks at the handler itself.",
        help="What the handler speaks; auto looks at the handler itself. fc-event is Function "
        "Compute's handler(event, context); see docs/event-handlers.md.",
    )
    exact_environ: bool = option(
        False,
        kind=SWITCH,
        group=HANDLER,
        help="Whether environ is Function Compute's also where that breaks frameworks or shows "
        "secrets (WSGI only); docs/fc-compatibility.md lists the differences.",
    )
    lenient_start_response: bool = option(
        False,
        kind=SWITCH,
        group=HANDLER,
        help="Whether a handler may call start_response again without exc_info, as long as nothing "
        "has been sent: the last call counts. PEP 3333 forbids it; handlers written for Function "
        "Compute do it in try and except.",
    )
    reload: bool = option(
        False,
        kind=SWITCH,
        group=HANDLER,
        is_fixed=True,
        brief="Load the code again when it changes; for development.",
        help="Whether workers are replaced when a file of the code changes; for development.",
    )
    reload_include: tuple[str, ...] = option(
        (),
        kind=PATTERNS,
        group=HANDLER,
        is_fixed=True,
        help="Names of files that count as code besides *.py, such as *.html,*.json.",
    )

    host: str = option(
        "127.0.0.1",
        kind=HOST,
        group=LISTENING,
        is_fixed=True,
        brief="Address to listen on; 0.0.0.0 for all of IPv4, :: for all of IPv6.",
        help="Address to listen on; 0.0.0.0 for all of IPv4, :: for all of IPv6.",
    )
    port: int = option(
        9000,
        kind=integer(0, 65535),
        group=LISTENING,
        metavar="PORT",
        is_fixed=True,
        brief="Port to listen on; 0 picks a free one.",
        help="Port to listen on; 0 picks a free one.",
    )
    unix: Path | str | None = option(
        None,
        kind=SOCKET,
        group=LISTENING,
        is_fixed=True,
        brief="Unix socket to listen on, in place of a port; @NAME for an abstract one.",
        help="Unix socket to listen on, in place of a port. @NAME is an abstract one (Linux): it "
        "has no file and no mode, and whoever is in the same network namespace may connect.",
    )
    unix_mode: int = option(
        0o600,
        kind=MODE,
        group=LISTENING,
        is_fixed=True,
        help="Mode of that Unix socket, in octal. Who may write may connect: 600 lets in the own "
        "user, 660 the group as well, 666 everybody.",
    )
    fd: int | None = option(
        None,
        kind=integer(0, 2**31 - 1),
        group=LISTENING,
        is_fixed=True,
        help="Number of an inherited descriptor that is a listening socket.",
    )
    backlog: int = option(
        2048,
        kind=integer(1, 65535),
        group=LISTENING,
        is_fixed=True,
        help="Connections that the system holds until they are accepted.",
    )

    max_connections: int = option(
        8192,
        kind=integer(1, 1_000_000),
        group=LISTENING,
        help="Connections at the same time. One more takes the place of the one that has waited "
        "for a request the longest, or is answered 503. The limit of open files may allow fewer.",
    )
    workers: int = option(
        1,
        kind=integer_or_auto(0, 256),
        group=WORKERS,
        is_fixed=True,
        brief="Worker processes; auto for as many as cores.",
        help="Worker processes. With 0 there is no supervisor: one process serves, and its end is "
        "the end of the gateway. With auto there are as many as cores; of workers with one thread "
        "twice as many and one, at least 4, as far as memory has room for --function-memory each.",
    )
    start_timeout: float = option(
        360.0,
        kind=duration_or_zero(1.0),
        group=WORKERS,
        help="A worker that cannot serve so long after its start, because the import of the code "
        "or an eager initializer hangs, is killed, and tells where it hangs; 0 waits for ever.",
    )
    worker_timeout: float = option(
        60.0,
        kind=duration_or_zero(1.0),
        group=WORKERS,
        help="A worker whose event loop does not turn for so long, because a handler holds the "
        "interpreter lock, is killed and replaced; 0 waits for ever.",
    )
    trusted_proxies: tuple[str, ...] = option(
        (),
        kind=NETWORKS,
        group=TRUST,
        brief="Proxies in front that are believed, such as 10.0.0.0/8,::1.",
        help="Addresses and networks of the proxies that are believed, such as "
        "10.0.0.0/8,::1; unix stands for whoever connects to a Unix socket, * for whoever "
        "connects.",
    )
    forwarded_headers: tuple[str, ...] = option(
        ("x-forwarded-for", "x-forwarded-proto"),
        kind=some_of(
            "x-forwarded-for",
            "x-forwarded-proto",
            "x-forwarded-host",
            "x-forwarded-port",
            "forwarded",
        ),
        group=TRUST,
        help="Header fields that these proxies set, or remove, in every request; all others are "
        "the client's words. forwarded excludes the rest.",
    )
    proxy_protocol: bool = option(
        False,
        kind=SWITCH,
        group=TRUST,
        help="Whether each connection begins with a header of the PROXY protocol, version 1 or "
        "2. Then only --trusted-proxies may connect.",
    )

    methods: tuple[str, ...] = option(
        (),
        kind=METHODS,
        group=TRIGGER,
        help="Methods that the trigger allows, such as GET,POST; others are answered 403. HEAD and "
        "OPTIONS are methods like the others. When empty all are allowed.",
    )
    auth: Literal["anonymous", "function", "jwt"] = option(
        "anonymous",
        kind=choice("anonymous", "function", "jwt"),
        group=TRIGGER,
        brief="Who may call: everybody, or who signs with a key, or who has a token.",
        help="Who may call: everybody, who signs with a key of --auth-keys, or who has a JSON Web "
        "Token that a key of --jwks has signed.",
    )
    auth_keys: Path | None = option(
        None,
        kind=PATH,
        group=TRIGGER,
        metavar="FILE",
        help="TOML file with the access keys that may sign. The environment variable "
        "FC_ACCESS_KEYS may have some, too: id:secret,id:secret.",
    )
    signature_max_age: float = option(
        900.0,
        kind=duration(minimum=1.0),
        group=TRIGGER,
        help="How far the date of a signature may be from the gateway's clock, to either side.",
    )
    jwks: Path | str | None = option(
        None,
        kind=SOURCE,
        group=TRIGGER,
        help="JSON Web Key Set with the public keys of those who issue tokens; may be the JSON "
        "itself.",
    )
    jwt_audience: str = option(
        "",
        kind=TEXT,
        group=TRIGGER,
        help="What a token's aud must name; when empty it must have none.",
    )
    jwt_issuer: str = option(
        "",
        kind=TEXT,
        group=TRIGGER,
        help="What a token's iss must be; when empty it is not looked at.",
    )
    jwt_leeway: float = option(
        0.0,
        kind=duration(),
        group=TRIGGER,
        help="By how much the clocks of issuer and gateway may differ.",
    )
    cors: bool = option(
        False,
        kind=SWITCH,
        group=TRIGGER,
        help="Whether pages of all other origins may read answers, as on Function Compute, where "
        "the handler does not say who may.",
    )

    initializer: str | None = option(
        None,
        kind=HOOK,
        group=LIFE_CYCLE,
        brief="Function that runs once in each worker, before its first request.",
        help="Runs once in each worker, before its first request. Where it fails the gateway does "
        "not start, or the worker is replaced.",
    )
    initializer_timeout: float = option(
        60.0,
        kind=duration(minimum=0.001, maximum=300.0),
        group=LIFE_CYCLE,
        help="How long it may take.",
    )
    initialize: Literal["eager", "lazy"] = option(
        "eager",
        kind=choice("eager", "lazy"),
        group=LIFE_CYCLE,
        help="When: before the worker takes requests, or when the first one has come, which then "
        "waits for it.",
    )
    pre_freeze: str | None = option(
        None,
        kind=HOOK,
        group=LIFE_CYCLE,
        help="Runs when Function Compute is about to freeze the instance; only behind it "
        "(--profile custom-container).",
    )
    pre_freeze_timeout: float = option(
        30.0,
        kind=duration(minimum=0.001, maximum=90.0),
        group=LIFE_CYCLE,
        help="How long it may take.",
    )
    pre_stop: str | None = option(
        None,
        kind=HOOK,
        group=LIFE_CYCLE,
        help="Runs in each worker behind its last request; not where the initializer has not "
        "succeeded. Where it fails, the worker ends all the same.",
    )
    pre_stop_timeout: float = option(
        30.0,
        kind=duration(minimum=0.001, maximum=90.0),
        group=LIFE_CYCLE,
        help="How long it may take.",
    )

    threads: int = option(
        8,
        kind=integer(1, 1024),
        group=POOL,
        brief="Handlers that run at the same time in each worker; 1 as on Function Compute.",
        help="Handlers that may run at the same time in each worker. With 1 import, hooks and "
        "handler run in one thread, the main one, and never two requests at a time, as in the "
        "built-in runtimes of Function Compute.",
    )
    queue: int = option(
        8192,
        kind=integer(0, 1_000_000),
        group=POOL,
        help="Requests that may wait for a thread, however quickly they are served; one more is "
        "answered 429 at once. Asynchronous ones that were answered 202 wait beside them, as many, "
        "with half of --body-memory, and for as long as it takes.",
    )
    queue_timeout: float = option(
        30.0,
        kind=_SOME_TIME,
        group=POOL,
        help="The longest wait for a thread. A request that has to expect a longer one is answered "
        "429 at once; one that waited longer all the same 503, and its handler does not run.",
    )
    queue_delay: float = option(
        1.0,
        kind=duration(),
        group=POOL,
        help="The wait that may last. When all have waited longer for as long, only so many wait "
        "as have to expect this, or eight for each thread, and others are answered 429 at once. 0 "
        "lets all wait for --queue-timeout.",
    )
    handler_timeout: float = option(
        60.0,
        kind=duration(),
        group=POOL,
        brief="How long a handler may take for a request.",
        help="A handler that runs longer is answered for with 502; 0 lets it run for ever.",
    )
    switch_interval: float = option(
        0.0005,
        kind=duration(minimum=0.0001),
        group=POOL,
        help="While a handler computes, it lets other threads and the event loop run at least "
        "this often; where several do, divided by their number.",
    )

    max_header_bytes: int = option(
        _FC.max_header_bytes,
        kind=size(minimum=64),
        group=LIMITS,
        help="Names and values of a request's header fields together.",
    )
    max_header_fields: int = option(
        _FC.max_header_fields,
        kind=integer(16, 65536),
        group=LIMITS,
        help="Header fields of a request, and of the trailer section of a chunked body. Function "
        "Compute names no such limit.",
    )
    max_path_bytes: int = option(
        _FC.max_path_bytes,
        kind=size(minimum=1),
        group=LIMITS,
        help="Path and query of a request together, as they arrive.",
    )
    max_body: int = option(
        _FC.max_body,
        kind=size(),
        group=LIMITS,
        brief="The largest body of a request.",
        help="Body of a synchronous request.",
    )
    max_async_body: int = option(
        _FC.max_async_body,
        kind=size(),
        group=LIMITS,
        help="Body of an asynchronous request; not more than --max-body.",
    )
    max_response_header_bytes: int = option(
        _FC.max_response_header_bytes,
        kind=size(minimum=64),
        group=LIMITS,
        help="Names and values of the header fields that a handler sets, together.",
    )
    body_buffer: int = option(
        _FC.body_buffer,
        kind=size(minimum=KIB),
        group=LIMITS,
        help="A body up to this size is complete before its handler starts; a larger one is "
        "streamed to it. Not more than --body-memory.",
    )
    body_memory: int = option(
        256 * MIB,
        kind=size(minimum=KIB),
        group=LIMITS,
        help="All buffered bodies of the process together; beyond it reading pauses.",
    )
    answer_memory: int = option(
        256 * MIB,
        kind=size(minimum=KIB),
        group=LIMITS,
        help="Answers that clients have not taken yet, all together; beyond it the client that "
        "has taken nothing for the longest time is cut off.",
    )

    keep_alive_timeout: float = option(
        75.0,
        kind=duration(),
        group=TIMEOUTS,
        help="A connection without a request is closed after this time; 0 closes it after each "
        "answer.",
    )
    head_timeout: float = option(
        10.0,
        kind=_SOME_TIME,
        group=TIMEOUTS,
        help="From the first byte of a request to the end of its header.",
    )
    body_timeout: float = option(
        30.0,
        kind=_SOME_TIME,
        group=TIMEOUTS,
        help="For the body of a request; every --body-min-rate bytes that arrive add a second, "
        "but never more than this time from now.",
    )
    body_min_rate: int = option(
        500,
        kind=size(),
        group=TIMEOUTS,
        help="Bytes of a body that add a second to --body-timeout; with 0 nothing does, and "
        "--body-timeout is the time for the whole body whatever its size.",
    )
    body_total_timeout: float = option(
        900.0,
        kind=_SOME_TIME,
        group=TIMEOUTS,
        help="For the whole body of a request, however steadily it arrives.",
    )
    write_timeout: float = option(
        30.0,
        kind=_SOME_TIME,
        group=TIMEOUTS,
        help="A client that takes no byte of its answer for so long is cut off.",
    )
    drain_timeout: float = option(
        30.0,
        kind=duration(),
        group=TIMEOUTS,
        brief="How long running requests may take when the gateway stops.",
        help="For running requests to end when the gateway stops; 0 does not wait for them.",
    )

    server_header: str = option(
        "",
        kind=HEADER_VALUE,
        group=ANSWERS,
        help="Value of the Server header field; when empty none is sent.",
    )
    fc_headers: Literal["minimal", "full", "none"] = option(
        "minimal",
        kind=choice("minimal", "full", "none"),
        group=ANSWERS,
        help="Which X-Fc-* fields answers have: minimal is the request id and the type of errors, "
        "full what Function Compute tells of an invocation besides, none nothing. See "
        "docs/fc-compatibility.md.",
    )
    error_style: Literal["fc2", "fc3", "plain"] = option(
        "fc2",
        kind=choice("fc2", "fc3", "plain"),
        group=ANSWERS,
        help="Answers to what is refused or fails: those of Function Compute 2.0 or 3.0, or plain "
        "HTTP statuses with problem details (RFC 9457).",
    )
    tracebacks: bool = option(
        False,
        kind=SWITCH,
        group=ANSWERS,
        brief="Show the stack trace of a failed handler to the client.",
        help="Whether the answer for a failed handler contains its stack trace, as on Function "
        "Compute. Where it does not, --error-style plain tells nothing of the exception at all.",
    )

    function_log: Literal["off", "text", "json"] = option(
        "off",
        kind=choice("off", "text", "json"),
        group=LOGS,
        brief="What handlers print and log, by invocation, on standard output.",
        help="What handlers print and log, each line with the id of its request, between marks for "
        "the start and the end of each invocation, on standard output; off leaves their output "
        "alone. See docs/logs.md.",
    )
    log_tail: bool | None = option(
        None,
        kind=SWITCH,
        group=LOGS,
        help="Whether a request with X-Fc-Log-Type: Tail is answered with the last 4 KB of its "
        "log: what its handler printed. By default only to callers that --auth has authenticated, "
        "and to nobody with --error-style plain; gateway dev answers everybody.",
    )
    access_log: Literal["off", "text", "json", "short"] = option(
        "off",
        kind=choice("off", "text", "json", "short"),
        group=LOGS,
        brief="One line for each request, on standard output.",
        help="One line for each request, and its form; short is for people, and in colour on a "
        "terminal.",
    )
    log_query: Literal["redacted", "off", "full"] = option(
        "redacted",
        kind=choice("redacted", "off", "full"),
        group=LOGS,
        help="What the access log shows of queries, in targets and in Referer: redacted hides "
        "values that look like secrets, by name or by themselves; off leaves queries out.",
    )
    profile_invocations: Literal["off", "table", "json"] = option(
        "off",
        kind=choice("off", "table", "json"),
        group=LOGS,
        help="At the end, print where the time of sampled invocations went, stage by stage "
        "(WSGI handlers only).",
    )
    log_level: Literal["debug", "info", "warning", "error"] = option(
        "info",
        kind=choice("debug", "info", "warning", "error"),
        group=LOGS,
        is_fixed=True,
        help="The least important messages of the gateway that are still written.",
    )

    function_name: str = option(
        "",
        kind=TEXT,
        group=FUNCTION_COMPUTE,
        fallback=names.FC_FUNCTION_NAME,
        help="context.function.name; when empty the gateway chooses one.",
    )
    function_memory: int = option(
        512,
        kind=MEMORY,
        group=FUNCTION_COMPUTE,
        fallback=names.FC_FUNCTION_MEMORY_SIZE,
        help="context.function.memory, in MB. It is told to the handler, not enforced.",
    )
    service_name: str = option(
        "",
        kind=TEXT,
        group=FUNCTION_COMPUTE,
        fallback=names.FC_SERVICE_NAME,
        help="context.service.name.",
    )
    qualifier: str = option(
        "LATEST",
        kind=TEXT,
        group=FUNCTION_COMPUTE,
        fallback=names.FC_QUALIFIER,
        help="context.service.qualifier: the version or alias.",
    )
    region: str = option(
        "", kind=TEXT, group=FUNCTION_COMPUTE, fallback=names.FC_REGION, help="context.region."
    )
    account_id: str = option(
        "",
        kind=TEXT,
        group=FUNCTION_COMPUTE,
        fallback=names.FC_ACCOUNT_ID,
        help="context.account_id.",
    )
    log_project: str = option(
        "", kind=TEXT, group=FUNCTION_COMPUTE, help="context.service.log_project."
    )
    log_store: str = option(
        "", kind=TEXT, group=FUNCTION_COMPUTE, help="context.service.log_store."
    )

    # What a project says besides; no options.
    environment: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Variables for the process that runs the handler, which may be secrets."""
    notices: tuple[str, ...] = ()
    """Lines to tell the user before anything starts."""
    chosen: frozenset[str] = field(default=frozenset(), repr=False, compare=False)
    """Options that have another value than by default, or were set to it."""
    places: dict[str, str] = field(default_factory=dict, repr=False, compare=False)
    """Where options were set, but for those of the command line."""

    def place(self, option: str) -> str:
        """Where an option was set, as messages name it; else its flag."""
        return self.places.get(option, OPTIONS[option].flag)


__all__ = ["AUTO", "OPTIONS", "Config", "grouped"]

OPTIONS: dict[str, Option] = {
    made.name: Option(name=made.name, default=made.default, **made.metadata)
    for made in fields(Config)
    if made.metadata
}
"""Every option by name, in the order of the settings page."""


def grouped() -> dict[Group, list[Option]]:
    """The options under their groups, both in the order of their definition."""
    groups: dict[Group, list[Option]] = {}
    for each in OPTIONS.values():
        groups.setdefault(each.group, []).append(each)
    return groups
