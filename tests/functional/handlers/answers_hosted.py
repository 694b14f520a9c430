"""`answers` behind `gateway.WsgiBridge`, with all of Function Compute's fields and with none."""

from answers import handler

from gateway import WsgiBridge
from gateway.fc.metadata import InvocationMetadata
from gateway.http.answers.problem_details import ProblemDetails

told_app = WsgiBridge(handler, metadata=InvocationMetadata("c-1", "2", lambda: 3_000_000))
silent_app = WsgiBridge(handler, has_fc_fields=False)
plain_app = WsgiBridge(handler, error_style=ProblemDetails(), threads=1, limit_queue=0)
exact_app = WsgiBridge(handler, exact_environ=True)
