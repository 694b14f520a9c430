"""The strings of Function Compute (FC), each written once.

Header names have FC's spelling; compare them without regard to case (RFC 9110 §5.1).
Source: FC's public developer reference ("HTTP handlers", "Context", "Error handling",
"Environment variables", "Asynchronous invocation").
"""

from typing import Final

# The default URL, /2016-08-15/proxy/<service>[.<qualifier>]/<function>[/<path>].
API_VERSION: Final = "2016-08-15"
PROXY_PREFIX: Final = f"/{API_VERSION}/proxy/"
LATEST: Final = "LATEST"

# URLs of operations on functions in FC's API, of versions 2.0 (two forms) and 3.0:
# /2016-08-15/services/<service>[.<qualifier>]/functions/<function>/<operation>
# /2021-04-06/services/<service>[.<qualifier>]/functions/<function>/<operation>
# /2023-03-30/functions/<function>/<operation>
SERVICES_PREFIXES: Final = (f"/{API_VERSION}/services/", "/2021-04-06/services/")
FUNCTIONS_PREFIX: Final = "/2023-03-30/functions/"
API_PREFIXES: Final = (*SERVICES_PREFIXES, FUNCTIONS_PREFIX)

# Operations: InvokeFunction, and the tasks of asynchronous invocations in 2.0 and in 3.0.
INVOCATIONS: Final = "invocations"
STATEFUL_ASYNC_INVOCATIONS: Final = "stateful-async-invocations"
ASYNC_TASKS: Final = "async-tasks"

# The path at which Function Compute sends an event to a container.
CONTAINER_INVOKE: Final = "/invoke"

# environ keys that only FC has.
ENVIRON_CONTEXT: Final = "fc.context"
ENVIRON_REQUEST_URI: Final = "fc.request_uri"

# Response headers.
HEADER_PREFIX: Final = "x-fc-"
"""The beginning of all FC's own headers, in lower case."""
REQUEST_ID: Final = "X-Fc-Request-Id"
ERROR_TYPE: Final = "X-Fc-Error-Type"
INVOCATION_DURATION: Final = "X-Fc-Invocation-Duration"
MAX_MEMORY_USAGE: Final = "X-Fc-Max-Memory-Usage"
INVOCATION_SERVICE_VERSION: Final = "X-Fc-Invocation-Service-Version"
INSTANCE_ID: Final = "X-Fc-Instance-Id"
CODE_CHECKSUM: Final = "X-Fc-Code-Checksum"
LOG_RESULT: Final = "X-Fc-Log-Result"

# Request headers with which a client controls its invocation.
INVOCATION_TYPE: Final = "X-Fc-Invocation-Type"
LOG_TYPE: Final = "X-Fc-Log-Type"
ASYNC_DELAY: Final = "X-Fc-Async-Delay"
STATEFUL_ASYNC_INVOCATION_ID: Final = "X-Fc-Stateful-Async-Invocation-Id"
ASYNC_TASK_ID: Final = "X-Fc-Async-Task-Id"
DATE: Final = "X-Fc-Date"
SECURITY_TOKEN: Final = "X-Fc-Security-Token"

# Request headers in which Function Compute describes the invocation to a container.
CONTROL_PATH: Final = "X-Fc-Control-Path"
BASE_PATH: Final = "X-Fc-Base-Path"
ACCESS_KEY_ID: Final = "X-Fc-Access-Key-Id"
ACCESS_KEY_SECRET: Final = "X-Fc-Access-Key-Secret"
FUNCTION_NAME: Final = "X-Fc-Function-Name"
FUNCTION_HANDLER: Final = "X-Fc-Function-Handler"
FUNCTION_MEMORY: Final = "X-Fc-Function-Memory"
FUNCTION_TIMEOUT: Final = "X-Fc-Function-Timeout"
SERVICE_NAME: Final = "X-Fc-Service-Name"
SERVICE_LOGPROJECT: Final = "X-Fc-Service-Logproject"
SERVICE_LOGSTORE: Final = "X-Fc-Service-Logstore"
QUALIFIER: Final = "X-Fc-Qualifier"
VERSION_ID: Final = "X-Fc-Version-Id"
REGION: Final = "X-Fc-Region"
ACCOUNT_ID: Final = "X-Fc-Account-Id"
RETRY_COUNT: Final = "X-Fc-Retry-Count"
SPAN_CONTEXT: Final = "X-Fc-Tracing-Opentracing-Span-Context"
SPAN_BAGGAGES: Final = "X-Fc-Tracing-Opentracing-Span-Baggages"
JAEGER_ENDPOINT: Final = "X-Fc-Tracing-Jaeger-Endpoint"

# Response header in which a container reports whether the invocation succeeded.
STATUS: Final = "X-Fc-Status"

CLIENT_CONTROLS: Final = frozenset(
    name.lower()
    for name in (
        INVOCATION_TYPE,
        LOG_TYPE,
        ASYNC_DELAY,
        STATEFUL_ASYNC_INVOCATION_ID,
        ASYNC_TASK_ID,
        DATE,
        SECURITY_TOKEN,
    )
)
"""The only `X-Fc-*` headers that a client may send, in lower case."""

CORS_EXPOSED: Final = (
    "Date",
    "x-fc-request-id",
    "x-fc-error-type",
    "x-fc-code-checksum",
    "x-fc-instance-id",
    "x-fc-invocation-duration",
    "x-fc-invocation-service-version",
    "x-fc-log-result",
    "x-fc-max-memory-usage",
    "x-fc-async-task-id",
    "x-fc-stateful-async-invocation-id",
)
"""Response headers that pages of other origins may read, in FC's spelling."""

# Error types, the values of X-Fc-Error-Type.
FC_COMMON_ERROR: Final = "FcCommonError"
UNHANDLED_INVOCATION_ERROR: Final = "UnhandledInvocationError"

# Query parameters of a signed URL.
QUERY_ACCESS_KEY_ID: Final = "x-fc-access-key-id"
QUERY_EXPIRES: Final = "x-fc-expires"
QUERY_SIGNATURE: Final = "x-fc-signature"
QUERY_SECURITY_TOKEN: Final = "x-fc-security-token"

# Error codes, the values of "ErrorCode" in a platform error's body.
ACCESS_DENIED: Final = "AccessDenied"
BAD_RESPONSE: Final = "BadResponse"
INTERNAL_SERVER_ERROR: Final = "InternalServerError"
INVALID_ACCESS_KEY_ID: Final = "InvalidAccessKeyID"
INVALID_ARGUMENT: Final = "InvalidArgument"
MISSING_REQUIRED_HEADER: Final = "MissingRequiredHeader"
PATH_NOT_SUPPORTED: Final = "PathNotSupported"
RESOURCE_EXHAUSTED: Final = "ResourceExhausted"
RESOURCE_THROTTLED: Final = "ResourceThrottled"
SIGNATURE_NOT_MATCH: Final = "SignatureNotMatch"

# Load errors, the values of "errorType" when a handler cannot be loaded.
IMPORT_MODULE_ERROR: Final = "ImportModuleError"
USER_CODE_SYNTAX_ERROR: Final = "UserCodeSyntaxError"
INVALID_HANDLE_NAME: Final = "InvalidHandleName"
HANDLER_NOT_FOUND: Final = "HandlerNotFound"
USER_CODE_ERROR: Final = "UserCodeError"

# Environment variables that a function's code sees.
FC_FUNC_CODE_PATH: Final = "FC_FUNC_CODE_PATH"
FC_ACCOUNT_ID: Final = "FC_ACCOUNT_ID"
FC_FUNCTION_NAME: Final = "FC_FUNCTION_NAME"
FC_FUNCTION_HANDLER: Final = "FC_FUNCTION_HANDLER"
FC_FUNCTION_MEMORY_SIZE: Final = "FC_FUNCTION_MEMORY_SIZE"
FC_REGION: Final = "FC_REGION"
FC_INSTANCE_ID: Final = "FC_INSTANCE_ID"
FC_CUSTOM_LISTEN_PORT: Final = "FC_CUSTOM_LISTEN_PORT"
FC_SERVER_PORT: Final = "FC_SERVER_PORT"
"""The older name of `FC_CUSTOM_LISTEN_PORT`."""
FC_SERVICE_NAME: Final = "FC_SERVICE_NAME"
FC_ACCESS_KEYS: Final = "FC_ACCESS_KEYS"
"""The gateway's own: keys that may sign requests, as `id:secret`, separated by commas."""
FC_QUALIFIER: Final = "FC_QUALIFIER"
ALIBABA_CLOUD_ACCESS_KEY_ID: Final = "ALIBABA_CLOUD_ACCESS_KEY_ID"
ALIBABA_CLOUD_ACCESS_KEY_SECRET: Final = "ALIBABA_CLOUD_ACCESS_KEY_SECRET"
ALIBABA_CLOUD_SECURITY_TOKEN: Final = "ALIBABA_CLOUD_SECURITY_TOKEN"
