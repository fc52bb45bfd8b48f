import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379/0")
app = Celery("project", broker=REDIS_URL, backend=REDIS_URL, include=["project.tasks"])
