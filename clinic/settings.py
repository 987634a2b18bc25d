"""The only settings file. Everything that differs between machines comes from the environment.

CLINIC_ENV says what runs: `demo` (the default: embedded servers, fictional people, known passwords), `test`, or
`production`, which starts only when nothing of the demonstration is left. Variables, all read here:

    SECRET_KEY, ALLOWED_HOSTS, DATABASE_URL, REDIS_URL, EMAIL_URL    all required in production
    DEFAULT_FROM_EMAIL, SITE_URL                                     who mails are from and where their links lead
    ANYMAIL_WEBHOOK_SECRET  user:password with which the mails' provider tells, at /mail-events/PROVIDER/, what came
                            back; without it nobody is listened to. Mailgun: also MAILGUN_WEBHOOK_SIGNING_KEY
    BEHIND_PROXY=1          a reverse proxy in front sets X-Forwarded-Proto and X-Forwarded-For
    CLINIC_VAR              the folder of the embedded servers' data (var/)
    CLINIC_CLOCK_FILE       see clinic/clock.py; never in production
    PORT, BIND, WEB_WORKERS, WEB_THREADS                             read by gunicorn.conf.py (8000, 127.0.0.1, 2, 4)
    DEBUG=1                 Django's error pages and fresh templates; never in production
"""

import os
from datetime import timedelta
from typing import Any

import django_stubs_ext
import environ
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from clinic.local import places

django_stubs_ext.monkeypatch()

BASE_DIR = places.BASE_DIR
VAR = places.var()

env = environ.Env()
env.ENVIRON = {name: value for name, value in os.environ.items() if value}  # empty is as good as not there

ENVIRONMENT = env.str("CLINIC_ENV", "demo")
if ENVIRONMENT not in ("demo", "test", "production"):
    raise ImproperlyConfigured(f"CLINIC_ENV is {ENVIRONMENT!r}; it has to be demo, test or production.")
PRODUCTION = ENVIRONMENT == "production"
DEMO_SECRET_KEY = "demo-key-known-to-everybody-of-no-use-outside-a-demonstration-0123456789"  # noqa: S105 refused in production
REQUIRED = ("SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL", "REDIS_URL", "EMAIL_URL")
FORBIDDEN = ("DEBUG", "CLINIC_CLOCK_FILE")

if PRODUCTION:
    if missing := [name for name in REQUIRED if name not in env]:
        raise ImproperlyConfigured(f"A clinic in production needs {', '.join(missing)} in its environment.")
    if present := [name for name in FORBIDDEN if name in env]:
        raise ImproperlyConfigured(f"A clinic in production refuses {', '.join(present)}.")
    if env.ENVIRON["SECRET_KEY"] == DEMO_SECRET_KEY or len(env.ENVIRON["SECRET_KEY"]) < 50:
        raise ImproperlyConfigured("SECRET_KEY is the demonstration's or shorter than 50 characters; make your own.")

SECRET_KEY = env.ENVIRON.get("SECRET_KEY", DEMO_SECRET_KEY)  # env.str would take a "$" at its start for a reference
DEBUG = env.bool("DEBUG", False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["*"])
PORT = env.int("PORT", 8000)
if PRODUCTION:
    ALLOWED_HOSTS += ["localhost", "127.0.0.1"]  # whoever watches over this machine asks for /healthz
SITE_URL = env.str("SITE_URL", f"https://{ALLOWED_HOSTS[0]}" if PRODUCTION else f"http://localhost:{PORT}")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "rest_framework.authtoken",
    "drf_spectacular",
    "django_filters",
    "axes",
    "csp",
    "pgtrigger",
    "django_htmx",
    "clinic",
    "patients",
    "scheduling",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # A compressed answer can betray a secret by its length to whoever has a signed-in browser ask for texts of theirs
    # (BREACH). Here nobody can: the session's cookie comes with no request of another site but a link that is followed
    # (SameSite), searches are sent as forms with a token, tokens are masked anew in each page, and this middleware adds
    # a random length.
    "django.middleware.gzip.GZipMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "clinic.sessions.IdleTimeoutMiddleware",
    "clinic.languages.LanguageMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",  # last: it answers what sign-in, further in, has refused
]

ROOT_URLCONF = "clinic.urls"
WSGI_APPLICATION = "clinic.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "scheduling.views.frame.frame",
            ],
        },
    },
]

# Data

DATABASES: dict[str, dict[str, Any]] = {
    "default": env.db_url("DATABASE_URL") if "DATABASE_URL" in env else places.database(VAR)
}
DATABASES["default"] |= {
    "ENGINE": "clinic.postgres",
    "CONN_MAX_AGE": 60,
    "CONN_HEALTH_CHECKS": True,
    "ATOMIC_REQUESTS": False,
}
# A database that does not answer is said so after some seconds; TCP alone would wait for minutes.
DATABASES["default"]["OPTIONS"] = {"connect_timeout": 5, **DATABASES["default"].get("OPTIONS", {})}

REDIS_URL = env.str("REDIS_URL", places.redis_url(VAR))
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "clinic",
        "OPTIONS": {"socket_timeout": 5, "socket_connect_timeout": 2},
    }
}

# Background work: clinic/celery.py lists the jobs

CELERY_BROKER_URL = (
    REDIS_URL.replace("unix://", "redis+socket://").replace("db=", "virtual_host=")
    if REDIS_URL.startswith("unix://")
    else REDIS_URL
)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a broker that is away for an hour is waited for
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True  # a task is safe to run again; a worker that dies gives its task back
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_BEAT_SCHEDULER = "clinic.celery.Beat"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5
CELERY_TIMEZONE = "UTC"

# People and sign-in

AUTH_USER_MODEL = "clinic.Staff"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
if ENVIRONMENT == "test":
    # Argon2 is slow on purpose; fictional people need no such care.
    PASSWORD_HASHERS.insert(0, "django.contrib.auth.hashers.MD5PasswordHasher")
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "sign-in"

AXES_FAILURE_LIMIT = env.int("SIGN_IN_TRIES", 5)
AXES_COOLOFF_TIME = timedelta(minutes=env.int("SIGN_IN_PAUSE_MINUTES", 5))
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_CLIENT_IP_CALLABLE = "clinic.sessions.client_ip"
AXES_LOCKOUT_CALLABLE = "clinic.signin.locked_out"
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "kept"]  # what is typed stays out of the record of failed tries

SESSION_COOKIE_AGE = env.int("SESSION_IDLE_MINUTES", 15) * 60  # renewed by clinic.sessions.IdleTimeoutMiddleware
SESSION_EXPIRE_AT_BROWSER_CLOSE = False
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = PRODUCTION
CSRF_COOKIE_SECURE = PRODUCTION
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "clinic.door.csrf_failure"
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# What browsers are told

SECURE_SSL_REDIRECT = PRODUCTION
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]  # asked on the machine itself, by compose and by balancers
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = PRODUCTION
SECURE_HSTS_PRELOAD = PRODUCTION
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
BEHIND_PROXY = env.bool("BEHIND_PROXY", False)
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}

# Static files: ours in static/, the libraries' in static/lib/, where clinic/local/assets.py puts them. They are served
# as they are under DEBUG and in tests; otherwise as collectstatic has left them: named by a hash of their content, so
# that browsers keep them for good, and compressed by gzip and brotli.

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = VAR / "static"
COLLECTED = not DEBUG and ENVIRONMENT != "test"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if COLLECTED
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = not COLLECTED
WHITENOISE_KEEP_ONLY_HASHED_FILES = True

# Language and time

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("es", _("Spanish"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
CLOCK_FILE = env.str("CLINIC_CLOCK_FILE", "")

# Mail

vars().update(env.email_url("EMAIL_URL", default=places.sink_url(VAR)))
MAIL_SINK = None if "EMAIL_URL" in env else VAR / "mail"  # where the demonstration's sink keeps what arrives
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "Clinic <appointments@clinic.example>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

# What comes back: scheduling/views/mail_events.py. Read as they are, for env.str takes a "$" in front for a reference.
ANYMAIL = {
    name: env.ENVIRON[variable]
    for name, variable in (
        ("WEBHOOK_SECRET", "ANYMAIL_WEBHOOK_SECRET"),
        ("MAILGUN_WEBHOOK_SIGNING_KEY", "MAILGUN_WEBHOOK_SIGNING_KEY"),
    )
    if variable in env
}
if not all(ANYMAIL.get("WEBHOOK_SECRET", "user:password").partition(":")):
    raise ImproperlyConfigured("ANYMAIL_WEBHOOK_SECRET has to be a user and a password with a colon between them.")

# Interfaces

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.TokenAuthentication",  # first: it makes the answer to nobody a 401
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["clinic.permissions.Allowed"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["clinic.parsers.StrictJSON"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "clinic.api.Pages",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "clinic.api.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Clinic",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["clinic.permissions.Allowed"],
    "ENUM_NAME_OVERRIDES": {
        "PhaseEnum": "scheduling.models.PhaseChoice",
        "VisitPhaseEnum": "scheduling.api.outputs.VISIT_PHASES",
        "PatternPhaseEnum": "scheduling.api.inputs.PATTERN_PHASES",
        "CourseStateEnum": "scheduling.models.CourseState",
        "SessionStateEnum": "scheduling.models.SessionState",
        "MailStateEnum": "scheduling.models.MailState",
        "MailKindEnum": "scheduling.models.MailKind",
        "DecisionEnum": "scheduling.outcomes.Decision",
        "ScreeningDecisionEnum": ["accepted", "declined", "deferred"],
        "ConsentLevelEnum": "patients.api.people.LEVELS",
    },
}

# What is written down: where and which, never what was typed or who is treated

DEFAULT_EXCEPTION_REPORTER_FILTER = "clinic.error_reports.NothingTyped"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {
            "()": "clinic.error_reports.Formatter",
            "format": "%(asctime)s %(levelname)s %(name)s: %(message)s",
            "messages": DEBUG,
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.db.backends": {"level": "WARNING"},  # statements carry patients' data, also under DEBUG
        "django.server": {"handlers": [], "level": "INFO", "propagate": True},
        "axes": {"level": "WARNING"},
        # Two lines for each message that beat sends every few seconds; failures still show.
        "celery.beat": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
    },
}
