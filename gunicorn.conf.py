"""How `gunicorn clinic.wsgi` serves: gunicorn reads this file by itself."""

import gc
import os
from typing import Any

bind = f"{os.environ.get('BIND', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
workers = int(os.environ.get("WEB_WORKERS", "2"))
threads = int(os.environ.get("WEB_THREADS", "4"))
worker_class = "gthread"
preload_app = True
graceful_timeout = 5
keepalive = 5
control_socket_disable = True  # one place per user, which two clinics would share
accesslog = None  # addresses carry searches and private links


def when_ready(server: Any) -> None:
    """Before workers are forked: what is loaded stays for good, so that no request waits until all of it has been
    searched for garbage, and that workers share its memory."""
    gc.collect()
    gc.freeze()
