# Two images; docs/container.md says how to run them.
#   docker build -t excursion .                                        the ingester
#   docker build -t excursion-orchestration --target orchestration .   Dagster and dbt
#
# The tag moves with Python's and Debian's security fixes, which is what one wants of an
# image that is built anew for each upgrade. The very same bytes every time:
#   --build-arg PYTHON_IMAGE=python:3.11-slim-bookworm@sha256:<digest>
# with the digest that `docker buildx imagetools inspect python:3.11-slim-bookworm` tells.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm


# ---- The ingester's dependencies, exactly as locked ----------------------------------
FROM ${PYTHON_IMAGE} AS dependencies
# A constraint holds for what pip fetches to build a package with, too.
ENV PIP_CONSTRAINT=/build/requirements.lock \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_PYTHON=/opt/venv/bin/python
WORKDIR /build
COPY pyproject.toml requirements.lock ./
# The lock also holds what the extras need, so it is the constraint and pyproject.toml
# says what is wanted. Wheels only: an image without a compiler needs none to be built.
# .pyc files that are never compared with their source: nothing here changes, and on a
# read-only file system one that counted as stale would be compiled at every start.
RUN python -c "import tomllib; \
print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
        > wanted.txt \
    && python -m venv --without-pip /opt/venv \
    && python -m pip install --no-compile --only-binary :all: -r wanted.txt \
    # Nobody runs the packages' own tests there.
    && find /opt/venv/lib -type d -name tests -prune -exec rm -rf {} + \
    && python -m compileall -f -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib


# ---- The program itself, apart: an upgrade then moves one small layer ----------------
FROM dependencies AS program
COPY README.md LICENSE ./
COPY ingest ingest
RUN python -m pip install --no-compile --no-deps --target /opt/app . \
    && python -m compileall -f -q --invalidation-mode unchecked-hash /opt/app


# ---- What both images stand on -------------------------------------------------------
FROM ${PYTHON_IMAGE} AS base
# The base image has its standard library without .pyc files: on a read-only file system
# every start, and every health check, would compile what it imports.
RUN groupadd --gid 10001 excursion \
    && useradd --uid 10001 --gid 10001 --no-log-init --no-create-home \
        --home-dir /var/lib/excursion --shell /usr/sbin/nologin excursion \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/excursion \
    && python -m compileall -f -q -j 0 --invalidation-mode unchecked-hash \
        -x '/(ensurepip|idlelib|lib2to3|pydoc_data|test|tests|tkinter|turtledemo|site-packages|dist-packages)/' \
        "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
# /opt/app on PYTHONPATH: the program is not in the environment of its dependencies.
ENV PATH=/opt/app/bin:/opt/venv/bin:$PATH \
    PYTHONPATH=/opt/app \
    PYTHONUNBUFFERED=1 \
    HOME=/var/lib/excursion \
    EXCURSION_STATE_DIR=/var/lib/excursion
# Numbers, so that an orchestrator can see that it is not root.
USER 10001:10001
WORKDIR /var/lib/excursion
STOPSIGNAL SIGTERM


# ---- Dagster with the dbt project ----------------------------------------------------
FROM dependencies AS orchestration-dependencies
RUN python -c "import tomllib; \
extras = tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']; \
print(*extras['warehouse'], *extras['orchestration'], sep='\n')" > wanted.txt \
    && python -m pip install --no-compile --only-binary :all: -r wanted.txt \
    && python -m compileall -f -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib

FROM base AS orchestration
COPY --from=orchestration-dependencies /opt/venv /opt/venv
COPY --from=program /opt/app /opt/app
COPY dbt_project.yml profiles.yml /opt/app/
COPY macros /opt/app/macros
COPY models /opt/app/models
COPY seeds /opt/app/seeds
COPY tests/dbt /opt/app/tests/dbt
COPY container/dagster.yaml /opt/app/dagster/dagster.yaml
COPY orchestration /opt/app/orchestration
ENV DAGSTER_HOME=/opt/app/dagster \
    DBT_PROJECT_DIR=/opt/app \
    DBT_PROFILES_DIR=/opt/app \
    DBT_LOG_PATH=/tmp
WORKDIR /opt/app
# dbt's manifest is a part of the image; what runs write goes to the folder beside it,
# which is to be a tmpfs (compose.yaml).
USER 0:0
RUN dbt --quiet parse \
    && install -d -m 1777 target/dagster \
    && python -m compileall -f -q --invalidation-mode unchecked-hash orchestration \
    && rm -f /tmp/dbt.log
USER 10001:10001
LABEL org.opencontainers.image.title="excursion: Dagster and dbt" \
      org.opencontainers.image.description="Builds excursion's statistics every night, with Dagster's web interface" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="docker.io/library/python:3.11-slim-bookworm"
VOLUME /var/lib/excursion
EXPOSE 3000
CMD ["dagster-webserver", "--host", "0.0.0.0", "--port", "3000", "--module-name", "orchestration.definitions"]


# ---- The ingester --------------------------------------------------------------------
FROM base AS ingester
COPY --from=dependencies /opt/venv /opt/venv
COPY --from=program /opt/app /opt/app
# Named, so that the health check and a settings file cannot mean two ports.
ENV EXCURSION_HTTP_PORT=9464
LABEL org.opencontainers.image.title="excursion" \
      org.opencontainers.image.description="Records what trading bots do on Alpaca into PostgreSQL" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="docker.io/library/python:3.11-slim-bookworm"
VOLUME /var/lib/excursion
# Metrics and health. On the container's own loopback unless EXCURSION_HTTP_HOST=0.0.0.0.
EXPOSE 9464
# -I and -S leave out the environment and site-packages: 30 ms. What /healthz says is
# what `docker inspect` shows of an unhealthy container.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["/opt/venv/bin/python", "-I", "-S", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['EXCURSION_HTTP_PORT']), timeout=4); c.request('GET', '/healthz'); r = c.getresponse(); print(r.read().decode()); sys.exit(r.status != 200)"]
ENTRYPOINT ["excursion"]
CMD ["ingest"]

# What is built where no target is named.
FROM ingester
