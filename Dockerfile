FROM python:3.13-slim AS builder

WORKDIR /srv/hoiso
# requirements-s3.lock: files may be in a bucket.
ARG LOCK=requirements.lock
RUN python -m venv .venv
COPY ${LOCK} ./
RUN .venv/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r "${LOCK}"
# The same command as on a laptop; -P keeps the caller's folder off the import path.
RUN printf '%s\n' \
      '#!/bin/sh' \
      "exec /srv/hoiso/.venv/bin/python -P -c 'from app.cli import app; app(prog_name=\"hoiso\")' \"\$@\"" \
      > .venv/bin/hoiso \
    && chmod +x .venv/bin/hoiso


FROM python:3.13-slim

RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin hoiso \
    && install -d -o hoiso -g hoiso -m 0750 /data

WORKDIR /srv/hoiso
COPY --from=builder /srv/hoiso/.venv .venv
COPY alembic.ini ./
COPY alembic alembic
COPY app app
COPY openapi openapi
# The server may not write here, so what it would compile at each start is compiled now.
RUN .venv/bin/python -m compileall -q app alembic

ENV PATH=/srv/hoiso/.venv/bin:$PATH \
    PYTHONPATH=/srv/hoiso \
    PYTHONUNBUFFERED=1 \
    HOISO_ENVIRONMENT=production \
    HOISO_HOST=0.0.0.0 \
    HOISO_DATA_DIR=/data

USER 10001
VOLUME /data
EXPOSE 8000

# An empty ProxyHandler: the question is about this container, whatever HTTP_PROXY says.
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as u; u.build_opener(u.ProxyHandler({})).open('http://127.0.0.1:' + os.environ.get('HOISO_PORT', '8000') + '/health/ready', timeout=4)"]

ENTRYPOINT ["hoiso"]
CMD ["serve"]
