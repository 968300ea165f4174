# octet for the CPU and for CUDA: the image octet:cuda of scripts/k8s. `docker build -t octet:cuda .`
FROM debian:12 AS build
WORKDIR /octet
COPY . .
RUN scripts/setup --cuda && scripts/package --release

FROM debian:12-slim
COPY --from=build /octet/dist/octet-*.whl /tmp/
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv /opt/octet \
    && /opt/octet/bin/pip install --no-cache-dir /tmp/octet-*.whl \
    && rm /tmp/octet-*.whl
ENV PATH=/opt/octet/bin:$PATH
CMD ["octet", "--help"]
