"""Django on Function Compute's default URL: the prefix of `fc.request_uri` becomes SCRIPT_NAME."""

from urllib.parse import urlsplit

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.views.decorators.csrf import csrf_exempt

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="for tests",
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
)


def index(request):
    return redirect("item", name="first")


@csrf_exempt
def item(request, name):
    environ = request.environ
    link = reverse("item", args=["other"])
    return JsonResponse(
        {
            "name": name,
            "link": link,
            "absolute": request.build_absolute_uri(link),
            "path": request.path_info,
            "query": request.GET.get("q"),
            "form": request.POST.get("field"),
            "addressed": [environ["fc.context"].service.name, environ["fc.request_uri"]],
        }
    )


urlpatterns = [path("", index), path("items/<name>", item, name="item")]

application = get_wsgi_application()


def base_path(environ):
    """`/2016-08-15/proxy/<service>/<function>` of a request there, else nothing."""
    parts = urlsplit(environ["fc.request_uri"]).path.split("/")
    return "/".join(parts[:5]) if parts[2:3] == ["proxy"] else ""


def handler(environ, start_response):
    environ["SCRIPT_NAME"] = base_path(environ)
    return application(environ, start_response)
