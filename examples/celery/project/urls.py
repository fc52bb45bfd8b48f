import json

from django.http import JsonResponse
from django.shortcuts import render
from django.urls import include, path
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_POST

from .tasks import make_report


@ensure_csrf_cookie
def index(request):
    return render(request, "index.html")


@require_POST
def start(request):
    wanted = json.loads(request.body)
    return JsonResponse({"task_id": make_report.delay(wanted["title"], wanted["pages"]).id}, status=202)


urlpatterns = [
    path("", index),
    path("reports/", start),
    path("celery-progress/", include("celery_progress.urls")),
]
