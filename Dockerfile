# A small image that runs any command as a user without rights. The dataset is in the volume /data.
#
#   docker build -t dafre-fast .
#   docker run --rm -v "$PWD/data:/data" --user "$(id -u):$(id -g)" dafre-fast full --output out
#
# The wheel alone:  docker build --target wheel --output build/wheel .
FROM python:3.12-slim AS build
WORKDIR /src
COPY . .
RUN PIP_CONSTRAINT=constraints.txt pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM scratch AS wheel
COPY --from=build /wheels /

FROM python:3.12-slim
# Which extras to install, such as --build-arg EXTRAS=objects,detect,heic
ARG EXTRAS=objects,heic
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends libturbojpeg0 rsync \
    && rm -rf /var/lib/apt/lists/*
COPY constraints.txt /tmp/
COPY --from=build /wheels /tmp/wheels
RUN pip install --no-cache-dir --constraint /tmp/constraints.txt \
        "dafre_fast[${EXTRAS}] @ file://$(ls /tmp/wheels/*.whl)" \
    && rm -r /tmp/wheels /tmp/constraints.txt \
    && dafre-fast warm-up
# Whatever user runs it, the settings of matplotlib have a place. Kernels are compiled above.
ENV MPLCONFIGDIR=/tmp/matplotlib HOME=/tmp
RUN useradd --uid 1000 --create-home dafre && mkdir /data && chown dafre /data
USER 1000
VOLUME /data
WORKDIR /data
ENTRYPOINT ["dafre-fast"]
CMD ["full", "--output", "out"]
