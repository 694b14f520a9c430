"""The keys of a function's description: what each sets, and which have no effect here.

docs/project-files.md is generated from these tables.
"""

from typing import Final, NamedTuple


class Key(NamedTuple):
    """A known key.

    path: its path below `props`; ``[]`` stands for each item of a list.
    option: the option that it sets; "" if `about` says what it does.
    about: a remark for the page.
    """

    path: str
    option: str
    about: str = ""


_PYTHON_ONLY: Final = "With a runtime of Python"
_CUSTOM_ONLY: Final = "With a custom runtime"
_COMMAND: Final = (
    f"{_CUSTOM_ONLY}: of a command, or a script, that runs `gateway serve`, its target and options "
    "count, except the listening address and `--profile`"
)
_CONCURRENCY: Final = "1 where it is absent, as on Function Compute"
_LOG: Final = "`auto` sets nothing"
_RUNTIME: Final = {
    "fc": "Python with an HTTP trigger is WSGI, without one `fc-event`",
    "fc3": "Python is `fc-event`",
}
_ENVIRONMENT: Final = "The environment variables of the handler's process"

FC: Final = (
    Key("region", "region"),
    Key("service.name", "service_name"),
    Key("service.logConfig.project", "log_project", _LOG),
    Key("service.logConfig.logstore", "log_store", _LOG),
    Key("function.name", "function_name"),
    Key("function.handler", "target", _PYTHON_ONLY),
    Key("function.runtime", "interface", _RUNTIME["fc"]),
    Key("function.codeUri", "chdir", "Relative to the file"),
    Key("function.timeout", "handler_timeout"),
    Key("function.memorySize", "function_memory"),
    Key("function.instanceConcurrency", "threads", _CONCURRENCY),
    Key("function.environmentVariables", "", _ENVIRONMENT),
    Key("function.initializer", "initializer", _PYTHON_ONLY),
    Key("function.initializationTimeout", "initializer_timeout"),
    Key("function.instanceLifecycleConfig.preFreeze.handler", "pre_freeze", _PYTHON_ONLY),
    Key("function.instanceLifecycleConfig.preFreeze.timeout", "pre_freeze_timeout"),
    Key("function.instanceLifecycleConfig.preStop.handler", "pre_stop", _PYTHON_ONLY),
    Key("function.instanceLifecycleConfig.preStop.timeout", "pre_stop_timeout"),
    Key("function.caPort", "port", _CUSTOM_ONLY),
    Key("function.customRuntimeConfig.command", "target", _COMMAND),
    Key("function.customRuntimeConfig.args", "target", "As `command`, which they follow"),
    Key("function.customContainerConfig.command", "target", _COMMAND),
    Key("function.customContainerConfig.args", "target", "As `command`, which they follow"),
    Key("triggers[].config.methods", "methods", "Of the HTTP trigger"),
    Key("triggers[].config.authType", "auth", "Of the HTTP trigger"),
    Key("triggers[].config.authConfig.jwks", "jwks", "Of the HTTP trigger"),
    Key("triggers[].qualifier", "qualifier", "Of the HTTP trigger"),
)
"""Component `fc`, Function Compute 2.0."""

FC3: Final = (
    Key("region", "region"),
    Key("functionName", "function_name"),
    Key("handler", "target", _PYTHON_ONLY),
    Key("runtime", "interface", _RUNTIME["fc3"]),
    Key("code", "chdir", "Relative to the file"),
    Key("timeout", "handler_timeout"),
    Key("memorySize", "function_memory"),
    Key("instanceConcurrency", "threads", _CONCURRENCY),
    Key("environmentVariables", "", _ENVIRONMENT),
    Key("logConfig.project", "log_project", _LOG),
    Key("logConfig.logstore", "log_store", _LOG),
    Key("instanceLifecycleConfig.initializer.handler", "initializer", _PYTHON_ONLY),
    Key("instanceLifecycleConfig.initializer.timeout", "initializer_timeout"),
    Key("instanceLifecycleConfig.preFreeze.handler", "pre_freeze", _PYTHON_ONLY),
    Key("instanceLifecycleConfig.preFreeze.timeout", "pre_freeze_timeout"),
    Key("instanceLifecycleConfig.preStop.handler", "pre_stop", _PYTHON_ONLY),
    Key("instanceLifecycleConfig.preStop.timeout", "pre_stop_timeout"),
    Key("customRuntimeConfig.port", "port", _CUSTOM_ONLY),
    Key("customRuntimeConfig.command", "target", _COMMAND),
    Key("customRuntimeConfig.args", "target", "As `command`, which they follow"),
    Key("customContainerConfig.port", "port", _CUSTOM_ONLY),
    Key("customContainerConfig.entrypoint", "target", _COMMAND),
    Key("customContainerConfig.command", "target", "As `entrypoint`, which it follows"),
    Key("triggers[].triggerConfig.methods", "methods", "Of the HTTP trigger"),
    Key("triggers[].triggerConfig.authType", "auth", "Of the HTTP trigger"),
    Key("triggers[].triggerConfig.authConfig.jwks", "jwks", "Of the HTTP trigger"),
    Key("triggers[].qualifier", "qualifier", "Of the HTTP trigger"),
)
"""Component `fc3`, Function Compute 3.0."""

KEYS: Final = {"fc": FC, "fc3": FC3}

DESCRIPTIVE: Final = {
    "fc": (
        "service.description",
        "function.description",
        "triggers[].name",
        "triggers[].type",
        "triggers[].description",
    ),
    "fc3": (
        "description",
        "triggers[].triggerName",
        "triggers[].triggerType",
        "triggers[].description",
    ),
}
"""Keys that only name or describe; the warning does not mention them."""

_HEALTH = "healthCheckConfig"
_JWT = ("tokenLookup", "claimPassBy", "whitelist", "blacklist", "whiteList", "blackList")
_LOG_KEYS = ("enableInstanceMetrics", "enableRequestMetrics", "enableLlmMetrics", "logBeginRule")

WITHOUT_EFFECT: Final = {
    "fc": (
        "customDomains",
        "service.internetAccess",
        "service.nasConfig",
        "service.ossMountConfig",
        "service.role",
        "service.tracingConfig",
        "service.vpcBinding",
        "service.vpcConfig",
        *[f"service.logConfig.{key}" for key in _LOG_KEYS],
        "function.asyncConfiguration",
        "function.cpu",
        "function.customContainerConfig.accelerationType",
        "function.customContainerConfig.image",
        "function.customContainerConfig.instanceID",
        "function.customContainerConfig.webServerMode",
        "function.customDNS",
        "function.customHealthCheckConfig",
        "function.diskSize",
        "function.gpuMemorySize",
        "function.instanceSoftConcurrency",
        "function.instanceType",
        "function.layers",
        "function.ossBucket",
        "function.ossKey",
        "triggers[].role",
        "triggers[].sourceArn",
        "triggers[].config.disableURLInternet",
        *[f"triggers[].config.authConfig.{key}" for key in _JWT],
    ),
    "fc3": (
        "annotations",
        "asyncInvokeConfig",
        "concurrencyConfig",
        "cpu",
        "customContainerConfig.accelerationType",
        "customContainerConfig.acrInstanceId",
        f"customContainerConfig.{_HEALTH}",
        "customContainerConfig.image",
        "customContainerConfig.registryConfig",
        "customContainerConfig.resolvedImageUri",
        "customDNS",
        "customDomain",
        f"customRuntimeConfig.{_HEALTH}",
        "disableOndemand",
        "diskSize",
        "enableLongLiving",
        "endpoint",
        "gpuConfig",
        "idleTimeout",
        "instanceIsolationMode",
        "instanceLifecycleConfig.initializer.command",
        "instanceLifecycleConfig.preFreeze.command",
        "instanceLifecycleConfig.preStop.command",
        "internetAccess",
        "layers",
        *[f"logConfig.{key}" for key in _LOG_KEYS],
        "nasConfig",
        "ossMountConfig",
        "provisionConfig",
        "resourceGroupId",
        "role",
        "scalingConfig",
        "sessionAffinity",
        "sessionAffinityConfig",
        "supplement",
        "tags",
        "tracingConfig",
        "vpcBinding",
        "vpcConfig",
        "triggers[].invocationRole",
        "triggers[].sourceArn",
        "triggers[].triggerConfig.disableURLInternet",
        "triggers[].triggerConfig.corsConfig",
        *[f"triggers[].triggerConfig.authConfig.{key}" for key in _JWT],
    ),
}
"""Keys that concern only the cloud; the warning names them."""

CODE_IN_STORAGE: Final = ("ossBucketName", "ossObjectName")
"""Keys of `code` beside `src`."""

ROOT_KEYS: Final = frozenset(
    ("edition", "name", "access", "vars", "services", "resources", "extend", "template")
)
ROOT_WITHOUT_EFFECT: Final = frozenset(("actions", "flow", "plugins", "env", "use"))
MODULE_KEYS: Final = frozenset(("component", "props", "extend", "access", "type"))
MODULE_WITHOUT_EFFECT: Final = frozenset(("actions",))
