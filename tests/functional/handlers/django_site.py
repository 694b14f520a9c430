"""A Django project in one file, with what servers get wrong: uploads, streams, cookies, CSRF."""

import hashlib

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse
from django.middleware.csrf import get_token
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="for tests",
    MIDDLEWARE=[
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.middleware.gzip.GZipMiddleware",
    ],
    FILE_UPLOAD_MAX_MEMORY_SIZE=100_000,
)


def index(request):
    return HttpResponse(f"{request.method} {request.build_absolute_uri()} {get_token(request)}")


@csrf_exempt
def upload(request):
    file = request.FILES["file"]
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    return JsonResponse(
        {"name": file.name, "sha256": digest.hexdigest(), "note": request.POST["note"]}
    )


def protected(request):
    return HttpResponse("posted")


def stream(request, count):
    return StreamingHttpResponse((f"line {n}\n" for n in range(count)), content_type="text/plain")


def file(request):
    return FileResponse(open(__file__, "rb"), content_type="text/plain")


def repeat(request):
    return HttpResponse("text " * 10_000)


def unicode_path(request, name):
    return HttpResponse(f"{name} {request.GET['q']}")


urlpatterns = [
    path("", index),
    path("upload", upload),
    path("protected", protected),
    path("stream/<int:count>", stream),
    path("file", file),
    path("repeat", repeat),
    path("päth/<name>", unicode_path),
]

handler = get_wsgi_application()
