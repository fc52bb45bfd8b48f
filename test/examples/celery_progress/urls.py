from celery.result import AsyncResult
from django.http import JsonResponse
from django.urls import path
from django.views.decorators.cache import never_cache

app_name = "celery_progress"


@never_cache
def get_progress(request, task_id):
    task = AsyncResult(task_id)
    state, info = task.state, task.info
    if state == "PROGRESS":
        return JsonResponse({"state": state, "complete": False, "success": None, "progress": info})
    progress = {"pending": state == "PENDING", "current": 0, "total": 100, "percent": 0}
    if state in ("PENDING", "STARTED"):
        return JsonResponse({"state": state, "complete": False, "success": None, "progress": progress})
    result = info if state == "SUCCESS" else str(info)
    return JsonResponse({"state": state, "complete": True, "success": state == "SUCCESS", "progress": progress, "result": result})


urlpatterns = [path("<task_id>/", get_progress, name="task_status")]
