"""A Celery application that does everything of which Celery tells by events."""
import os
import time

from celery import Celery
from celery.exceptions import Reject

app = Celery("capp", broker=os.environ["BROKER_URL"])
app.conf.update(
    task_send_sent_event=True,
    worker_send_task_events=True,
    task_track_started=True,
    task_ignore_result=True,
    task_default_queue="low",
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
)


@app.task
def add(x, y):
    return x + y


@app.task
def echo(text):
    return text


@app.task
def fail(text):
    raise ValueError(text)


@app.task(bind=True, max_retries=2)
def fail_after_retries(self):
    raise self.retry(exc=KeyError("again"), countdown=0.2)


@app.task(bind=True, max_retries=3)
def succeed_after_retry(self):
    if self.request.retries == 0:
        raise self.retry(exc=RuntimeError("not yet"), countdown=0.2)
    return "at last"


@app.task(bind=True, acks_late=True)
def reject(self):
    raise Reject("no, thanks", requeue=False)


@app.task
def parent(x):
    add.apply_async((x, 1), queue="low")
    return x


@app.task
def nested(*args, **kwargs):
    return len(args) + len(kwargs)


@app.task
def sleep(seconds):
    time.sleep(seconds)
