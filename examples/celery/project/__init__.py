from .celery import app  # so that tasks are registered with it
