# One image for every process; docker-compose.yml says which command each runs.
FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements.txt ./
RUN python -m venv /opt/fairline \
    && /opt/fairline/bin/pip install --no-cache-dir --require-hashes -r requirements.txt
COPY . .
RUN /opt/fairline/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --create-home fairline \
    && install --directory --owner fairline /data
COPY --from=build /opt/fairline /opt/fairline
ENV PATH=/opt/fairline/bin:$PATH FAIRLINE_DATA_DIR=/data PYTHONUNBUFFERED=1
# By number, so that an orchestrator sees that it is not root.
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8080 6066 6067
CMD ["fairline", "run"]
