"""Sends one task of each kind; prints, as JSON, the id of each by its name, and what was sent."""
import json
import os
import sys
import time
from datetime import datetime, timedelta, timezone

from app import add, app, echo, fail, fail_after_retries, nested, parent, reject, sleep, succeed_after_retry

ids = {}


def send(name, task, args=(), kwargs=None, **options):
    ids[name] = task.apply_async(args, kwargs, queue="low", **options).id


send("success", add, (4, 4))
send("unicode", echo, ("héllo wörld ☃ 😀",))
send("failure", fail, ("boom: it's broken",))
send("retries", fail_after_retries)
send("recovered", succeed_after_retry)
send("rejected", reject)
send("parent", parent, (1,))
send(
    "nested",
    nested,
    ((1, 2), [3, {"a": None}], 1.5, True),
    {"string": "it's", "number": 12, "array": [3, 9], "dictionary": {"f_name": "John", "n": {"a": None}}},
)
send("eta", add, (1, 2), eta=datetime.now(timezone.utc) + timedelta(seconds=1))
send("truncated", echo, (list(range(800)),))
ids["unregistered"] = app.send_task("nope.not_registered", queue="low").id
# Expired when its time comes; one that is expired at once may be dropped by RabbitMQ itself.
send("expired", add, (7, 7), countdown=2, expires=1)

# Nobody works on this queue until the worker knows that it is revoked.
revoked = add.apply_async((5, 5), queue="low", countdown=3)
ids["revoked"] = revoked.id
app.control.revoke(revoked.id)

running = sleep.apply_async((60,), queue="low")
ids["terminated"] = running.id
for _ in range(200):
    active = app.control.inspect(timeout=0.5).active() or {}
    if any(task["id"] == running.id for tasks in active.values() for task in tasks):
        break
    time.sleep(0.05)
app.control.revoke(running.id, terminate=True)
json.dump(ids, sys.stdout)
