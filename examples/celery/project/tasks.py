import time

from celery import shared_task
from celery_progress.backend import ProgressRecorder


@shared_task(bind=True)
def make_report(self, title, pages):
    """Only waits: put your work here."""
    progress = ProgressRecorder(self)
    for page in range(1, pages + 1):
        time.sleep(0.3)
        progress.set_progress(page, pages, description=f"{title}: page {page}")
    return {"url": f"/reports/{self.request.id}.pdf"}
