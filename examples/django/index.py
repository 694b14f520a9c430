"""A Django project in one file: settings, a view, its URL, and the handler."""

import os
import secrets

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=os.environ.get("DJANGO_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]").split(","),
    ROOT_URLCONF=__name__,
    # Sessions and signed values need one secret for all instances: set it where they are used.
    SECRET_KEY=os.environ.get("DJANGO_SECRET_KEY") or secrets.token_urlsafe(50),
)


def index(request):
    context = request.environ.get("fc.context")
    return JsonResponse(
        {
            "message": "Web App with Django!",
            "method": request.method,
            "path": request.get_full_path(),
            "request_id": context and context.request_id,
        }
    )


urlpatterns = [path("", index)]

handler = get_wsgi_application()
