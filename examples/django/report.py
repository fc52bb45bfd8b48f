"""The work of a job. Replace it by yours."""

from jobs import Job, JobError

MAX_PAGES = 10_000


def make_report(job: Job, data) -> dict:
    """Makes a report, page by page. What it returns is the job's result."""
    title, pages, ms_per_page = read_input(data)
    for page in range(1, pages + 1):
        # It returns early, with an exception, where the job is cancelled. What takes long should look at job.cancelled often.
        job.sleep(ms_per_page / 1000)
        job.publish("progress", {"current": page, "total": pages, "unit": "pages", "message": title})
    return {"url": f"/reports/{job.id}.pdf"}


def read_input(data) -> tuple[str, int, int]:
    """Anybody with a token can send anything. A JobError is shown to users; what other exceptions say is not."""
    if not isinstance(data, dict) or not isinstance(data.get("title"), str):
        raise JobError("bad-input", "title: expected text")
    pages, ms_per_page = data.get("pages"), data.get("msPerPage", 200)
    if type(pages) is not int or not 1 <= pages <= MAX_PAGES:
        raise JobError("bad-input", f"pages: expected an integer from 1 to {MAX_PAGES}")
    if type(ms_per_page) is not int or not 0 <= ms_per_page <= 60_000:
        raise JobError("bad-input", "msPerPage: expected an integer from 0 to 60000")
    return data["title"], pages, ms_per_page
