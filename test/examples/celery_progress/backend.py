"""A stand-in for celery-progress 0.5, which Debian does not have: what the example imports of it, written anew."""


class ProgressRecorder:
    def __init__(self, task):
        self.task = task

    def set_progress(self, current, total, description=""):
        percent = round(100 * current / total, 2)
        meta = {"pending": False, "current": current, "total": total, "percent": percent, "description": description}
        self.task.update_state(state="PROGRESS", meta=meta)
